//! Lengths of time as kubectl's tables say them.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// Time since `then`: two units while the first is small, one when it is not (`90s`, `5m30s`, `3h`, `2d4h`, `12d`).
/// The thresholds are apimachinery's `duration.HumanDuration`.
pub fn age(then: Option<&Time>, now: Timestamp) -> String {
    then.map_or_else(|| "<unknown>".into(), |then| length(now.duration_since(then.0)))
}

/// A length in the same words; what lies in the future by another clock counts as nothing.
pub fn length(length: SignedDuration) -> String {
    let s = length.as_secs().max(0);
    let two = |(big, big_name), (small, small_name)| match s % big / small {
        0 => format!("{}{big_name}", s / big),
        rest => format!("{}{big_name}{rest}{small_name}", s / big),
    };
    match s {
        _ if s < 2 * MINUTE => format!("{s}s"),
        _ if s < 10 * MINUTE => two((MINUTE, "m"), (1, "s")),
        _ if s < 3 * HOUR => format!("{}m", s / MINUTE),
        _ if s < 8 * HOUR => two((HOUR, "h"), (MINUTE, "m")),
        _ if s < 2 * DAY => format!("{}h", s / HOUR),
        _ if s < 8 * DAY => two((DAY, "d"), (HOUR, "h")),
        _ if s < 2 * YEAR => format!("{}d", s / DAY),
        _ if s < 8 * YEAR => two((YEAR, "y"), (DAY, "d")),
        _ => format!("{}y", s / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_in_kubectl() {
        for (secs, text) in [
            (-5, "0s"),
            (119, "119s"),
            (120, "2m"),
            (330, "5m30s"),
            (660, "11m"),
            (3 * HOUR + 60, "3h1m"),
            (9 * HOUR, "9h"),
            (3 * DAY + HOUR, "3d1h"),
            (30 * DAY, "30d"),
            (3 * YEAR + DAY, "3y1d"),
            (9 * YEAR, "9y"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(secs)), text);
        }
    }

    #[test]
    fn an_object_without_a_time_has_an_unknown_age() {
        assert_eq!(age(None, Timestamp::UNIX_EPOCH), "<unknown>");
    }
}
