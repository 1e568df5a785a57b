//! The clock and the sleep of the plumbing: signatures bear the time, and between two tries there is a pause.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;

/// The time by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "a signature bears the time at which it is made")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Waits for `length` and up to a quarter more: hosts that failed together don't come back together.
#[expect(clippy::disallowed_methods, reason = "the one place where the plumbing sleeps")]
pub async fn pause(length: Duration) {
    let chance = u32::try_from(RandomState::new().hash_one(0) % 256).unwrap_or_default();
    tokio::time::sleep(length + length / 1024 * chance).await;
}
