//! Texts that nobody would write, the same at every run.

/// xorshift64*.
#[derive(Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: seed.max(1) }
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % limit.max(1)
    }

    /// One of the texts with pieces cut out, doubled, strewn in or taken from another.
    pub fn mutated(&mut self, texts: &[&str]) -> String {
        const STREWN: &[char] = &['\'', '"', '`', '\\', '(', ')', ',', ';', '*', '/', '-', '?', '@', '0', 'я', '\0'];
        let mut letters: Vec<char> = texts[self.below(texts.len())].chars().collect();
        for _ in 0..=self.below(4) {
            let from = self.below(letters.len() + 1);
            let to = (from + self.below(12)).min(letters.len());
            match self.below(5) {
                0 => drop(letters.drain(from..to)),
                1 => letters.insert(from, STREWN[self.below(STREWN.len())]),
                2 => {
                    let piece = letters[from..to].to_vec();
                    letters.splice(from..from, piece);
                }
                3 => {
                    let other: Vec<char> = texts[self.below(texts.len())].chars().collect();
                    let start = self.below(other.len() + 1);
                    letters.splice(from..to, other.into_iter().skip(start).take(20));
                }
                _ => letters.truncate(to),
            }
        }
        letters.into_iter().collect()
    }
}
