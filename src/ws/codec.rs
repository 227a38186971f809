//! RFC 6455, the server's side: bytes become messages, and the few frames that are not JSON are made here.

use bytes::Bytes;

/// Longest payload of a control frame (5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// Why a connection must end, as a close code (7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseCode {
    GoingAway,
    ProtocolError,
    Unsupported,
    InvalidText,
    TooBig,
    /// From here on codes of our own, for clients of generation 5: `docs/PROTOCOL.md`.
    Moving,
    TooSlow,
    NoStore,
    EndedByOperator,
    NoHello,
    UnknownGeneration,
    ForeignOrigin,
    Revoked,
}

impl CloseCode {
    fn number(self) -> u16 {
        match self {
            CloseCode::GoingAway => 1001,
            CloseCode::ProtocolError => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::InvalidText => 1007,
            CloseCode::TooBig => 1009,
            CloseCode::Moving => 4000,
            CloseCode::TooSlow => 4100,
            CloseCode::NoStore => 4101,
            CloseCode::EndedByOperator => 4102,
            CloseCode::NoHello => 4200,
            CloseCode::UnknownGeneration => 4201,
            CloseCode::ForeignOrigin => 4202,
            CloseCode::Revoked => 4203,
        }
    }

    /// What a person reads who looks for the reason.
    fn reason(self) -> &'static str {
        match self {
            CloseCode::GoingAway | CloseCode::Moving => "the node is going away",
            CloseCode::ProtocolError => "not WebSocket",
            CloseCode::Unsupported => "text only",
            CloseCode::InvalidText => "not UTF-8",
            CloseCode::TooBig => "too long",
            CloseCode::TooSlow => "too slow, come back",
            CloseCode::NoStore => "the store is not available, come back",
            CloseCode::EndedByOperator => "ended by an operator",
            CloseCode::NoHello => "the first frame, and no other, is a hello",
            CloseCode::UnknownGeneration => "this node speaks generations 4 and 5",
            CloseCode::ForeignOrigin => "pages from this origin may not connect here",
            CloseCode::Revoked => "the login was revoked",
        }
    }
}

/// What a browser sent.
#[derive(PartialEq, Eq, Debug)]
pub enum Incoming<'b> {
    Text(&'b str),
    Ping(&'b [u8]),
    Pong(&'b [u8]),
    /// With the code it gives, if any.
    Close(Option<u16>),
}

/// A message that comes in fragments; empty most of the time.
#[derive(Default)]
pub struct Assembly {
    text: Option<Vec<u8>>,
}

/// Reads one frame from the front of `bytes`. Answers how many bytes it had, and what it says, which is nothing
/// while a message is not complete. `None` when the frame has not arrived whole. Unmasks in place.
#[allow(clippy::type_complexity)]
pub fn read<'b>(
    bytes: &'b mut [u8],
    assembly: &'b mut Assembly,
    message_bytes_max: usize,
) -> Result<Option<(usize, Option<Incoming<'b>>)>, CloseCode> {
    let Some(header) = Header::parse(bytes)? else {
        return Ok(None);
    };
    let payload_bytes = header.checked_payload_bytes(assembly, message_bytes_max)?;
    let Some(frame) = bytes.get_mut(header.bytes..header.bytes + payload_bytes) else {
        return Ok(None);
    };
    unmask(frame, header.mask);
    let incoming = header.incoming(frame, assembly)?;
    Ok(Some((header.bytes + payload_bytes, incoming)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Close,
    Ping,
    Pong,
}

struct Header {
    is_final: bool,
    opcode: Opcode,
    payload_bytes: u64,
    mask: [u8; 4],
    /// Of the header itself.
    bytes: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Option<Header>, CloseCode> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        // No extension was agreed on, so no RSV bit may be set (5.2); and browsers must mask (5.1).
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(CloseCode::ProtocolError);
        }
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => return Err(CloseCode::Unsupported),
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return Err(CloseCode::ProtocolError),
        };
        let (payload_bytes, length_bytes) = match second & 0x7f {
            126 => match rest.first_chunk::<2>() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            length => (u64::from(length), 0),
        };
        let Some(mask) = rest.get(length_bytes..).and_then(<[u8]>::first_chunk::<4>) else {
            return Ok(None);
        };
        let bytes = 2 + length_bytes + 4;
        Ok(Some(Header { is_final: first & 0x80 != 0, opcode, payload_bytes, mask: *mask, bytes }))
    }

    /// The length, once it is known to be allowed: before anything waits for so many bytes.
    fn checked_payload_bytes(&self, assembly: &Assembly, message_bytes_max: usize) -> Result<usize, CloseCode> {
        let is_fragment_of_more = assembly.text.is_some();
        match self.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                if !self.is_final || self.payload_bytes > CONTROL_BYTES_MAX as u64 {
                    return Err(CloseCode::ProtocolError);
                }
            }
            Opcode::Text if is_fragment_of_more => return Err(CloseCode::ProtocolError),
            Opcode::Continuation if !is_fragment_of_more => return Err(CloseCode::ProtocolError),
            Opcode::Text | Opcode::Continuation => {
                let assembled = assembly.text.as_ref().map_or(0, Vec::len) as u64;
                if assembled.saturating_add(self.payload_bytes) > message_bytes_max as u64 {
                    return Err(CloseCode::TooBig);
                }
            }
        }
        usize::try_from(self.payload_bytes).map_err(|_| CloseCode::TooBig)
    }

    fn incoming<'b>(&self, payload: &'b [u8], assembly: &'b mut Assembly) -> Result<Option<Incoming<'b>>, CloseCode> {
        match self.opcode {
            Opcode::Ping => Ok(Some(Incoming::Ping(payload))),
            Opcode::Pong => Ok(Some(Incoming::Pong(payload))),
            Opcode::Close => close_code(payload).map(|code| Some(Incoming::Close(code))),
            Opcode::Text if self.is_final => text(payload).map(Some),
            Opcode::Text | Opcode::Continuation => {
                assembly.text.get_or_insert_default().extend_from_slice(payload);
                if !self.is_final {
                    return Ok(None);
                }
                // The text is borrowed by what is returned, so it is emptied when the next message begins.
                assembly.complete().map(Some)
            }
        }
    }
}

impl Assembly {
    fn complete(&mut self) -> Result<Incoming<'_>, CloseCode> {
        text(self.text.as_deref().unwrap_or_default())
    }

    /// Lets go of a message that has been read.
    pub fn clear(&mut self) {
        self.text = None;
    }
}

fn text(payload: &[u8]) -> Result<Incoming<'_>, CloseCode> {
    std::str::from_utf8(payload).map(Incoming::Text).map_err(|_| CloseCode::InvalidText)
}

/// A close frame has no body, or a code that may be sent and a reason in UTF-8 (5.5.1, 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, CloseCode> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseCode::ProtocolError) };
    };
    let code = u16::from_be_bytes(*code);
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(CloseCode::ProtocolError),
    }
    std::str::from_utf8(reason).map(|_| Some(code)).map_err(|_| CloseCode::InvalidText)
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

pub fn ping() -> Bytes {
    Bytes::from_static(&[0x89, 0])
}

/// The answer to a ping, with its payload.
pub fn pong(payload: &[u8]) -> Bytes {
    control(0x8A, payload)
}

pub fn close(code: CloseCode) -> Bytes {
    control(0x88, &[&code.number().to_be_bytes(), code.reason().as_bytes()].concat())
}

/// The answer to a close: the code it gave (5.5.1).
pub fn close_answer(code: Option<u16>) -> Bytes {
    code.map_or_else(|| control(0x88, &[]), |code| control(0x88, &code.to_be_bytes()))
}

/// Payloads of control frames have been checked when they came in, or are made here: they are short.
fn control(first: u8, payload: &[u8]) -> Bytes {
    let mut frame = vec![first, payload.len() as u8];
    frame.extend_from_slice(payload);
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length @ 126..=65_535 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    /// Everything that the frames say, or the code they end with.
    fn read_all(bytes: &[u8]) -> Result<Vec<String>, CloseCode> {
        let (mut bytes, mut assembly, mut said) = (bytes.to_vec(), Assembly::default(), Vec::new());
        let mut bytes = bytes.as_mut_slice();
        loop {
            let length = match read(bytes, &mut assembly, 70_000)? {
                Some((length, incoming)) => {
                    let is_text = matches!(incoming, Some(Incoming::Text(_)));
                    said.extend(incoming.map(|incoming| format!("{incoming:?}")));
                    if is_text {
                        assembly.clear();
                    }
                    length
                }
                None => return Ok(said),
            };
            bytes = &mut bytes[length..];
        }
    }

    #[test]
    fn a_frame_of_the_original_client_is_understood() {
        let frame = [
            0x81, 0x92, 0x11, 0x22, 0x33, 0x44, 0x62, 0x57, 0x51, 0x37, 0x72, 0x50, 0x5a, 0x34, 0x65, 0x4b, 0x5c, 0x2a,
            0x1b, 0x55, 0x56, 0x26, 0x4e, 0x43,
        ];
        assert_eq!(read_all(&frame), Ok(vec![r#"Text("subscription\nweb_a")"#.to_owned()]));
        for length in 0..frame.len() {
            assert_eq!(read_all(&frame[..length]), Ok(vec![]), "cut at {length}");
        }
    }

    #[test]
    fn fragments_are_joined_and_control_frames_may_stand_between_them() {
        let frames = [
            masked(0x01, "é".as_bytes().split_at(1).0),
            masked(0x89, b"p"),
            masked(0x00, "é".as_bytes().split_at(1).1),
            masked(0x8A, b""),
            masked(0x80, b"!"),
            masked(0x81, b"next"),
        ];
        let said = read_all(&frames.concat()).unwrap();
        assert_eq!(said, ["Ping([112])", "Pong([])", "Text(\"é!\")", "Text(\"next\")"]);
    }

    #[test]
    fn what_breaks_the_rules_is_named() {
        let mut unmasked = masked(0x81, b"x");
        unmasked[1] &= 0x7f;
        let mut claims_much = masked(0x81, &[b'x'; 70_000]);
        claims_much[2..10].copy_from_slice(&u64::MAX.to_be_bytes());
        let cases: [(Vec<u8>, CloseCode); 18] = [
            (unmasked, CloseCode::ProtocolError),
            (masked(0xC1, b"x"), CloseCode::ProtocolError),
            (masked(0x91, b"x"), CloseCode::ProtocolError),
            (masked(0x83, b"x"), CloseCode::ProtocolError),
            (masked(0x8B, b"x"), CloseCode::ProtocolError),
            (masked(0x82, b"x"), CloseCode::Unsupported),
            (masked(0x80, b"x"), CloseCode::ProtocolError),
            (masked(0x00, b"x"), CloseCode::ProtocolError),
            ([masked(0x01, b"x"), masked(0x81, b"y")].concat(), CloseCode::ProtocolError),
            (masked(0x09, b"x"), CloseCode::ProtocolError),
            (masked(0x89, &[b'x'; 126]), CloseCode::ProtocolError),
            (masked(0x88, b"x"), CloseCode::ProtocolError),
            (masked(0x88, &1005u16.to_be_bytes()), CloseCode::ProtocolError),
            (masked(0x88, &[0x03, 0xe8, 0xff]), CloseCode::InvalidText),
            (masked(0x81, &[0xff]), CloseCode::InvalidText),
            (masked(0x81, &[b'x'; 70_001]), CloseCode::TooBig),
            ([masked(0x01, &[b'x'; 40_000]), masked(0x80, &[b'x'; 40_000])].concat(), CloseCode::TooBig),
            (claims_much, CloseCode::TooBig),
        ];
        for (bytes, code) in cases {
            assert_eq!(read_all(&bytes), Err(code), "{:02x?}", &bytes[..bytes.len().min(12)]);
        }
    }

    #[test]
    fn every_length_form_is_read() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let said = read_all(&masked(0x81, &vec![b'x'; length])).unwrap();
            assert_eq!(said[0].len(), length + "Text(\"\")".len());
        }
        assert_eq!(read_all(&masked(0x88, b"")).unwrap(), ["Close(None)"]);
        assert_eq!(read_all(&masked(0x88, &[0x0f, 0xa0, b'b', b'y', b'e'])).unwrap(), ["Close(Some(4000))"]);
    }
}
