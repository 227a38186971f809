//! Numbers that look random and come again with their seed.

// Each test uses its part of this.
#![allow(dead_code)]

pub struct Random(u64);

impl Random {
    /// The seed is printed; `COMETQL_SEED` sets another.
    pub fn new(of: &str) -> Random {
        let given = std::env::var("COMETQL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(0x5EED_CAFE_u64);
        println!("{of}: COMETQL_SEED={seed}");
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Other numbers, for somebody who takes them at a time of its own.
    pub fn split(&mut self) -> Random {
        Random(self.next() | 1)
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.next() >> 11) as usize % most
    }
}
