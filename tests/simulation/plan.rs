//! How rough the world of one seed is.

use super::random::Random;

#[derive(Debug)]
pub struct Plan {
    pub steps: usize,
    /// Nothing is done that may exceed a window or a history: there must be no gap.
    pub is_gentle: bool,
    pub loss_percent: usize,
    /// How often an answer is ready when it is asked for.
    pub in_place_percent: usize,
    pub outbox_bytes_max: usize,
    /// How often browsers read, against everything else.
    pub reading: usize,
    /// A crowd of names, so that quiet pipes are forgotten.
    pub has_crowd: bool,
}

impl Plan {
    pub fn new(random: &mut Random) -> Plan {
        Plan {
            steps: 300 + random.below(300),
            is_gentle: random.percent(40),
            loss_percent: random.pick(&[0, 2, 10, 30]),
            in_place_percent: random.pick(&[0, 50, 90]),
            outbox_bytes_max: random.pick(&[2_000, 20_000, 1_000_000]),
            reading: random.pick(&[3, 8, 12]),
            has_crowd: random.percent(4),
        }
    }
}
