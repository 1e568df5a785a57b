//! The one clock and the one sleep of the agent, and the jitter by which a fleet does not speak all at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;

/// The time by the host's clock, to the microsecond: what is put on record reads back the same.
#[expect(clippy::disallowed_methods, reason = "the one place where the agent reads the clock")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// A point from which a time that passes is measured, whatever becomes of the host's clock.
#[expect(clippy::disallowed_methods, reason = "the one place where the agent reads the clock")]
pub fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Waits for `length`.
#[expect(clippy::disallowed_methods, reason = "the one place where the agent sleeps")]
pub async fn sleep(length: Duration) {
    tokio::time::sleep(length).await;
}

/// `length`, up to a fifth shorter or longer.
pub fn jittered(length: Duration) -> Duration {
    // A hasher of std begins with random keys.
    let chance = RandomState::new().hash_one(0_u8) % 401;
    length * (800 + u32::try_from(chance).unwrap_or(200)) / 1_000
}

/// Any length up to that one.
pub fn anything_up_to(length: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0_u8) % 1_001;
    length * u32::try_from(chance).unwrap_or(500) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_fifth_and_is_not_always_the_same() {
        let length = Duration::from_secs(40);
        let all: Vec<_> = (0..200).map(|_| jittered(length)).collect();
        assert!(all.iter().all(|l| (32.0..=48.0).contains(&l.as_secs_f64())), "{all:?}");
        assert!(all.iter().any(|l| *l != all[0]));
    }
}
