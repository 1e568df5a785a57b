//! The one place of the cli where the clock is read; everything else is handed a time.

use jiff::Timestamp;

/// The time by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the edge of the cli: times are arguments from here on")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
