//! The two directions of a connection, as far as a browser sees them: bytes on their way, and frames.

/// A connection of a browser to a slot of a shard.
pub struct Socket {
    pub shard: usize,
    pub slot: u32,
    /// What the browser has said and the shard has not read.
    pub said: Vec<u8>,
    received: Vec<u8>,
    is_upgraded: bool,
    /// The node has said all it had to say.
    pub is_over: bool,
}

/// What has come whole.
pub enum Frame {
    Text(serde_json::Value),
    Ping(Vec<u8>),
    Pong,
    Close(u16),
}

impl Socket {
    pub fn new(shard: usize, slot: u32, target: &str) -> Socket {
        let said = super::frames::request(target).into_bytes();
        Socket { shard, slot, said, received: Vec::new(), is_upgraded: false, is_over: false }
    }

    pub fn say(&mut self, text: &str) {
        self.said.extend(super::frames::masked(0x81, text.as_bytes()));
    }

    pub fn pong(&mut self, payload: &[u8]) {
        self.said.extend(super::frames::masked(0x8A, payload));
    }

    pub fn close(&mut self) {
        self.said.extend(super::frames::masked(0x88, &1001u16.to_be_bytes()));
    }

    /// Bytes have come; answers the frames that are whole by now.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        self.received.extend_from_slice(bytes);
        if !self.is_upgraded {
            let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Ok(Vec::new());
            };
            if !self.received.starts_with(b"HTTP/1.1 101 ") {
                return Err(String::from_utf8_lossy(&self.received).into_owned());
            }
            self.received.drain(..end + 4);
            self.is_upgraded = true;
        }
        let mut frames = Vec::new();
        while let Some((length, frame)) = super::frames::parse(&self.received) {
            self.received.drain(..length);
            frames.push(Self::read(frame.first_byte, frame.payload)?);
        }
        Ok(frames)
    }

    fn read(first_byte: u8, payload: Vec<u8>) -> Result<Frame, String> {
        match first_byte {
            0x81 => {
                let json = serde_json::from_slice(&payload);
                json.map(Frame::Text).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&payload)))
            }
            0x89 => Ok(Frame::Ping(payload)),
            0x8A => Ok(Frame::Pong),
            0x88 => Ok(Frame::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)))),
            other => Err(format!("a frame that begins with {other:#x}")),
        }
    }
}
