//! Bytes that were good once.

/// xorshift64*.
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: seed.wrapping_mul(2_654_435_761).max(1) }
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.below(256) as u8).collect()
    }

    /// The payload with some of its bytes changed, cut out, doubled or strewn in; now and then as it is.
    pub fn mutated(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = payload.to_vec();
        for _ in 0..self.below(5) {
            let from = self.below(bytes.len() + 1);
            let to = (from + self.below(9)).min(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(to),
                1 => drop(bytes.drain(from..to)),
                2 => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(from..from, piece);
                }
                3 => {
                    // What lengths, counts and flags are least expected to be.
                    let extremes: [&[u8]; 6] = [
                        b"\xff\xff\xff\xff",
                        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
                        b"\0\0\0\0",
                        b"\xfb",
                        b"\xfc\xff\xff",
                        b"\x80",
                    ];
                    let extreme = extremes[self.below(extremes.len())];
                    bytes.splice(from..to, extreme.iter().copied());
                }
                4 => {
                    let strewn = self.bytes(12);
                    bytes.splice(from..from, strewn);
                }
                _ => {
                    let noise = self.below(256) as u8;
                    if let Some(byte) = bytes.get_mut(from) {
                        *byte ^= noise;
                    }
                }
            }
        }
        bytes
    }

    /// A packet around a payload; rarely its header says what is not so.
    pub fn framed(&mut self, sequence: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = crate::raw_client::framed(sequence, payload);
        if self.one_in(200) {
            let at = self.below(4);
            packet[at] = self.below(256) as u8;
        }
        packet
    }
}
