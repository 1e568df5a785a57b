//! Durations as users write them: Go's notation (`90s`, `5m`, `1h30m`), as everywhere in Kubernetes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the API server accepts, as a regular expression of JSON schema and of CEL.
const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";

/// A non-negative duration in Go's notation, in whole milliseconds (what is finer is rounded up).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct GoDuration(SignedDuration);

impl GoDuration {
    /// A duration of whole seconds.
    pub fn from_secs(secs: u64) -> Self {
        Self(SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX)))
    }

    /// The length as jiff counts it; never negative.
    pub fn length(self) -> SignedDuration {
        self.0
    }
}

/// The rule of a field that holds a duration of at most 48h, CodeDeploy's longest wait.
pub(super) fn at_most_48h(field: &str) -> Rule {
    let message = format!("{field} must be a duration such as 90s, 5m or 1h30m, at most 48h");
    Rule::new(format!("{} && duration(self) <= duration('48h')", matches_pattern())).message(message.as_str())
}

/// The rule of a field that holds a duration of more than nothing and at most 48h.
pub(super) fn above_0s_at_most_48h(field: &str) -> Rule {
    let bounds = "duration(self) > duration('0s') && duration(self) <= duration('48h')";
    let message =
        format!("{field} must be a duration such as 90s, 5m or 1h30m, longer than 0s and at most 48h");
    Rule::new(format!("{} && {bounds}", matches_pattern())).message(message.as_str())
}

fn matches_pattern() -> String {
    format!("self.matches(r'{PATTERN}')")
}

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration such as 90s, 5m or 1h30m")]
pub struct NotADuration(String);

impl FromStr for GoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let nanos = nanoseconds(text).ok_or_else(|| NotADuration(text.to_owned()))?;
        let millis = i64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(i64::MAX);
        Ok(Self(SignedDuration::from_millis(millis)))
    }
}

/// The sum of the terms of `text`, which may be of any size: it saturates.
fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut sum = 0_u128;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        sum = sum.saturating_add(term(number, unit_nanoseconds(unit)?)?);
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

fn unit_nanoseconds(unit: &str) -> Option<u128> {
    match unit {
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

/// `number` (digits, and perhaps a point and more digits) times `unit`; digits beyond the ninth place are dropped.
fn term(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction: u128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let whole = whole.parse::<u128>().unwrap_or(u128::MAX).saturating_mul(unit);
    Some(whole.saturating_add(fraction * unit / 1_000_000_000))
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rest = self.0.subsec_millis();
        match (self.0.as_secs(), rest) {
            (_, 0) | (0, _) => serializer.collect_str(&Spoken(self.0)),
            _ => serializer.collect_str(&format_args!("{}{rest}ms", Spoken(self.0))),
        }
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Spoken(self.length()))
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "maxLength": 32
        })
    }
}

/// A length as a sentence says it: `42s`, `5m`, `1h30m`, `250ms`.
pub struct Spoken(pub SignedDuration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis().max(0);
        if millis < 1_000 && millis > 0 {
            return write!(f, "{millis}ms");
        }
        let secs = millis / 1_000;
        let (h, m, s) = (secs / 3_600, secs / 60 % 60, secs % 60);
        if h > 0 {
            write!(f, "{h}h")?;
        }
        if m > 0 {
            write!(f, "{m}m")?;
        }
        if s > 0 || secs == 0 {
            write!(f, "{s}s")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> GoDuration {
        serde_json::from_value(serde_json::json!(text)).unwrap()
    }

    #[test]
    fn a_duration_is_read_and_spoken_in_gos_notation() {
        for (text, spoken) in
            [("90s", "1m30s"), ("1h30m", "1h30m"), ("0s", "0s"), ("250ms", "250ms"), ("1.5m", "1m30s")]
        {
            assert_eq!(read(text).to_string(), spoken, "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_in_gos_notation_and_read_back_unchanged() {
        for (text, written) in [
            ("3600s", "1h"),
            ("1.5s", "1s500ms"),
            ("61.25s", "1m1s250ms"),
            ("0.5ms", "1ms"),
            ("0.0000001s", "1ms"),
            ("250ms", "250ms"),
            ("0s", "0s"),
        ] {
            let duration = read(text);
            assert_eq!(serde_json::json!(duration), serde_json::json!(written), "{text}");
            assert_eq!(read(written), duration, "{text}");
        }
    }

    #[test]
    fn a_duration_beyond_all_measure_saturates() {
        for text in ["9999999999999999999999999999999h", "9999999999999999h99999999999999h"] {
            assert_eq!(read(text).length(), SignedDuration::from_millis(i64::MAX), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_by_name() {
        for text in
            ["", "5", "5 minutes", "-5m", "+5m", "5d", ".5s", "5.s", "1.2.3s", "m", "5m ", "5µs", "1e3s"]
        {
            let error = text.parse::<GoDuration>().unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} is no duration such as 90s, 5m or 1h30m"));
        }
    }
}
