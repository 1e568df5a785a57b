//! The one clock and the one sleep of the controller: everything else is handed the time.

use jiff::{SignedDuration, Timestamp};

/// The time, to the microsecond: what is put on record reads back the same.
#[expect(clippy::disallowed_methods, reason = "the one place where the controller reads the clock")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// Waits for `length`; not at all if it is negative.
#[expect(clippy::disallowed_methods, reason = "the one place where the controller sleeps")]
pub async fn sleep(length: SignedDuration) {
    tokio::time::sleep(length.try_into().unwrap_or_default()).await;
}

/// How long from `now` to `at`, as a timer wants it: rounded up, so that nothing is early.
pub fn until(at: Timestamp, now: Timestamp) -> std::time::Duration {
    let length: std::time::Duration = at.duration_since(now).try_into().unwrap_or_default();
    length + std::time::Duration::from_micros(200)
}
