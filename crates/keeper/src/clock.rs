//! The host's clock against the chain's.
//!
//! When the next block comes, only the host's clock can tell: blocks are missed, and some chains stand still until
//! somebody sends. But a clock that is ahead makes timers look due that are not, and each costs a failed transaction.
//! A block that has just come bounds that: it is as old as it took to get here, and what it seems older is the clock's
//! error.

use std::collections::VecDeque;

/// Seconds that a block takes from its timestamp to here, and that hosts' clocks are wrong without harm.
pub const TOLERANCE: u64 = 30;
/// Blocks that are looked back on: one that was held up shows nothing.
const SAMPLES: usize = 8;

/// What the last blocks show of the host's clock.
#[derive(Debug, Default)]
pub struct Clock {
    ages: VecDeque<u64>,
    is_ahead: bool,
}

impl Clock {
    /// A block has come at the host's time `now`.
    pub fn saw(&mut self, timestamp: u64, now: u64) {
        if self.ages.len() == SAMPLES {
            self.ages.pop_front();
        }
        self.ages.push_back(now.saturating_sub(timestamp));
        let ahead = self.ahead();
        if (ahead > 0) != std::mem::replace(&mut self.is_ahead, ahead > 0) {
            if ahead > 0 {
                tracing::warn!(
                    seconds = ahead,
                    "the host's clock is ahead of the chain's; that much is taken off it"
                );
            } else {
                tracing::info!("the host's clock is right again");
            }
        }
    }

    /// The chain's time at the host's time `now`.
    pub fn time(&self, now: u64) -> u64 {
        now.saturating_sub(self.ahead())
    }

    /// Seconds that the host's clock is ahead, where that is more than tolerable.
    fn ahead(&self) -> u64 {
        self.ages.iter().min().copied().filter(|age| *age > TOLERANCE).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_set_back_by_what_blocks_show() {
        let mut clock = Clock::default();
        assert_eq!(clock.time(10_000), 10_000, "a chain that stands still shows nothing");
        clock.saw(6_400, 10_000);
        assert_eq!(clock.time(10_005), 6_405);
        clock.saw(6_412, 10_013);
        assert_eq!(clock.time(10_013), 6_413, "the block that was quickest here counts: {clock:?}");
    }

    #[test]
    fn blocks_that_were_held_up_do_not_put_the_clock_in_doubt() {
        let mut clock = Clock::default();
        clock.saw(1_000, 1_002);
        for block in 0..7 {
            clock.saw(1_012 + block, 1_300);
            assert_eq!(clock.time(1_300), 1_300);
        }
        clock.saw(1_300, 1_300 + TOLERANCE);
        assert_eq!(clock.time(1_400), 1_400);
    }

    #[test]
    fn a_clock_that_is_behind_is_left_alone() {
        let mut clock = Clock::default();
        clock.saw(5_000, 1_000);
        assert_eq!(clock.time(1_000), 1_000);
    }
}
