//! Packets: three bytes of length, one of sequence, then the payload. A payload of 2^24 - 1 bytes or more goes in
//! several packets, the last of them shorter than that.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use bytes::{Buf, BufMut, Bytes, BytesMut};

const HEADER_BYTES: usize = 4;
/// The longest payload of a single packet; one that long has a continuation.
const PART_BYTES_MAX: usize = 0xFF_FFFF;

/// A payload that has arrived whole.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Packet {
    /// The number of its first part.
    pub first_sequence: u8,
    /// The number of its last part: the reply goes on from there.
    pub last_sequence: u8,
    pub payload: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FramingError {
    /// The client claims more bytes than it may send. Nothing behind the claim was read.
    TooLong { last_sequence: u8 },
    /// A continuation does not carry the next number.
    OutOfOrder { last_sequence: u8 },
}

/// Cuts what arrives into packets. Holds what has arrived, never what was only claimed.
pub(super) struct Unpacker {
    received: BytesMut,
    /// The parts so far of a payload that goes on in another packet.
    joined: BytesMut,
    parts: Option<Parts>,
    payload_bytes_max: usize,
}

#[derive(Clone, Copy)]
struct Parts {
    first_sequence: u8,
    last_sequence: u8,
}

impl Unpacker {
    pub(super) fn new(payload_bytes_max: usize) -> Unpacker {
        Unpacker { received: BytesMut::new(), joined: BytesMut::new(), parts: None, payload_bytes_max }
    }

    pub(super) fn allow(&mut self, payload_bytes_max: usize) {
        self.payload_bytes_max = payload_bytes_max;
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Lets go of the buffer if nothing waits in it.
    pub(super) fn release(&mut self) {
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        if self.parts.is_none() {
            self.joined = BytesMut::new();
        }
    }

    /// How many bytes are known to be missing: of the header, or of the packet it announces.
    pub(super) fn missing(&self) -> usize {
        match self.header() {
            Some((length, _)) => (HEADER_BYTES + length).saturating_sub(self.received.len()),
            None => HEADER_BYTES - self.received.len(),
        }
    }

    /// The next payload, if it is there.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, FramingError> {
        while let Some((length, sequence)) = self.header() {
            if let Some(parts) = self.parts
                && sequence != parts.last_sequence.wrapping_add(1)
            {
                return Err(FramingError::OutOfOrder { last_sequence: sequence });
            }
            if self.joined.len() + length > self.payload_bytes_max {
                return Err(FramingError::TooLong { last_sequence: sequence });
            }
            if self.received.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            self.received.advance(HEADER_BYTES);
            let part = self.received.split_to(length);
            let first_sequence = self.parts.map_or(sequence, |parts| parts.first_sequence);
            if length == PART_BYTES_MAX {
                self.joined.extend_from_slice(&part);
                self.parts = Some(Parts { first_sequence, last_sequence: sequence });
                continue;
            }
            return Ok(Some(Packet { first_sequence, last_sequence: sequence, payload: self.join(part) }));
        }
        Ok(None)
    }

    fn join(&mut self, last_part: BytesMut) -> Bytes {
        if self.parts.take().is_none() {
            return last_part.freeze();
        }
        let mut joined = std::mem::take(&mut self.joined);
        joined.extend_from_slice(&last_part);
        joined.freeze()
    }

    fn header(&self) -> Option<(usize, u8)> {
        let [a, b, c, sequence] = *self.received.first_chunk::<HEADER_BYTES>()?;
        Some((u32::from_le_bytes([a, b, c, 0]) as usize, sequence))
    }
}

/// Packs replies, numbered one after the other.
#[derive(Default)]
pub(super) struct Packer {
    packed: BytesMut,
    sequence: u8,
}

impl Packer {
    /// The next packet answers the one with this number.
    pub(super) fn answer(&mut self, last_sequence: u8) {
        self.sequence = last_sequence.wrapping_add(1);
    }

    /// The number the next packet will carry.
    pub(super) fn next_sequence(&self) -> u8 {
        self.sequence
    }

    /// Packs the payload that `write` appends.
    pub(super) fn packet(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let start = self.packed.len();
        self.packed.put_bytes(0, HEADER_BYTES);
        write(&mut self.packed);
        let length = self.packed.len() - start - HEADER_BYTES;
        if length >= PART_BYTES_MAX {
            return self.split(start);
        }
        let header = self.header(length);
        self.packed[start..start + HEADER_BYTES].copy_from_slice(&header);
    }

    fn split(&mut self, start: usize) {
        let payload = self.packed.split_off(start + HEADER_BYTES);
        self.packed.truncate(start);
        let mut parts = payload.chunks_exact(PART_BYTES_MAX);
        for part in parts.by_ref() {
            let header = self.header(part.len());
            self.packed.put_slice(&header);
            self.packed.put_slice(part);
        }
        // A payload of exactly so many parts is ended by an empty packet.
        let header = self.header(parts.remainder().len());
        self.packed.put_slice(&header);
        self.packed.put_slice(parts.remainder());
    }

    fn header(&mut self, length: usize) -> [u8; HEADER_BYTES] {
        let [a, b, c, _] = (length as u32).to_le_bytes();
        let header = [a, b, c, self.sequence];
        self.sequence = self.sequence.wrapping_add(1);
        header
    }

    /// What is packed and has not been sent.
    pub(super) fn packed(&mut self) -> &mut BytesMut {
        &mut self.packed
    }

    /// Lets go of the buffer if nothing waits in it.
    pub(super) fn release(&mut self) {
        if self.packed.is_empty() {
            self.packed = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(payloads: &[&[u8]]) -> BytesMut {
        let mut packer = Packer::default();
        for payload in payloads {
            packer.packet(|out| out.put_slice(payload));
        }
        std::mem::take(packer.packed())
    }

    #[test]
    fn packets_are_cut_the_same_wherever_the_segments_end() {
        let bytes = packed(&[b"\x03SELECT 1", b"", b"\x0e"]);
        for cut in 0..=bytes.len() {
            let mut unpacker = Unpacker::new(1_000);
            let mut packets = Vec::new();
            for segment in [&bytes[..cut], &bytes[cut..]] {
                unpacker.receive(segment);
                while let Some(packet) = unpacker.next().expect("nothing is wrong with them") {
                    packets.push((packet.first_sequence, packet.payload));
                }
            }
            let expected = [(0, &b"\x03SELECT 1"[..]), (1, b""), (2, b"\x0e")];
            assert_eq!(packets.len(), 3, "cut at {cut}");
            for ((sequence, payload), (expected_sequence, expected_payload)) in packets.iter().zip(expected) {
                assert_eq!((*sequence, &payload[..]), (expected_sequence, expected_payload), "cut at {cut}");
            }
            assert_eq!(unpacker.missing(), HEADER_BYTES);
        }
    }

    #[test]
    fn long_payloads_are_split_and_joined() {
        for length in [PART_BYTES_MAX - 1, PART_BYTES_MAX, PART_BYTES_MAX + 1, 2 * PART_BYTES_MAX, 40_000_000] {
            let payload: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let bytes = packed(&[&payload, b"next"]);
            let parts = length / PART_BYTES_MAX + 1;
            assert_eq!(bytes.len(), length + 4 + HEADER_BYTES * (parts + 1));
            let mut unpacker = Unpacker::new(length);
            let mut packets = Vec::new();
            for segment in bytes.chunks(1_000_003) {
                unpacker.receive(segment);
                packets.extend(unpacker.next().expect("they are in order"));
            }
            packets.extend(unpacker.next().expect("they are in order"));
            assert_eq!(packets.len(), 2);
            assert_eq!(packets[0].first_sequence, 0);
            assert_eq!(usize::from(packets[0].last_sequence), parts - 1);
            assert!(packets[0].payload == payload);
            assert_eq!(&packets[1].payload[..], b"next");
        }
    }

    #[test]
    fn a_claim_over_the_limit_is_refused_before_its_bytes_arrive() {
        let mut unpacker = Unpacker::new(65_536);
        unpacker.receive(&[0, 0, 1, 1]);
        assert_eq!(unpacker.next(), Ok(None));
        let mut unpacker = Unpacker::new(65_536);
        unpacker.receive(&[1, 0, 1, 1]);
        assert_eq!(unpacker.next(), Err(FramingError::TooLong { last_sequence: 1 }));
        // The parts of one payload count together.
        let mut unpacker = Unpacker::new(PART_BYTES_MAX + 10);
        unpacker.receive(&[0xFF, 0xFF, 0xFF, 0]);
        unpacker.receive(&vec![7; PART_BYTES_MAX]);
        unpacker.receive(&[11, 0, 0, 1]);
        assert_eq!(unpacker.next(), Err(FramingError::TooLong { last_sequence: 1 }));
    }

    #[test]
    fn continuations_come_in_order() {
        let mut unpacker = Unpacker::new(2 * PART_BYTES_MAX);
        unpacker.receive(&[0xFF, 0xFF, 0xFF, 0]);
        unpacker.receive(&vec![7; PART_BYTES_MAX]);
        unpacker.receive(&[1, 0, 0, 2, b'x']);
        assert_eq!(unpacker.next(), Err(FramingError::OutOfOrder { last_sequence: 2 }));
    }

    #[test]
    fn buffers_do_not_outlive_a_burst() {
        let mut unpacker = Unpacker::new(100_000);
        unpacker.receive(&packed(&[&[1; 50_000]]));
        assert!(unpacker.next().expect("it is in order").is_some());
        unpacker.release();
        assert_eq!(unpacker.received.capacity(), 0);
    }
}
