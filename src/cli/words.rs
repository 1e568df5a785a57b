//! How single words of the command line become values; what is refused says how to write it. Pure.

use std::fmt::Debug;

use jiff::SignedDuration;

use super::args::WaitType;
use crate::api::{
    BundleType, ConfigMapRevision, EventStatus, FileExistsBehavior, GoDuration, HookAnswer, Phase,
    RollbackEvent,
};

/// `NAME/KEY`, as in `hello-2/appspec.yaml`.
pub fn config_map(text: &str) -> Result<ConfigMapRevision, String> {
    match text.split_once('/') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() && !key.contains('/') => {
            Ok(ConfigMapRevision { name: name.into(), key: key.into() })
        }
        _ => Err("write it as NAME/KEY, as in hello-2/appspec.yaml".into()),
    }
}

/// `s3://BUCKET/KEY`, as in `s3://releases/web-1.tgz`: the bucket and the key.
pub fn s3_location(text: &str) -> Result<(String, String), String> {
    match text.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() && !key.ends_with('/') => {
            Ok((bucket.into(), key.into()))
        }
        _ => Err("write it as s3://BUCKET/KEY, as in s3://releases/web-1.tgz".into()),
    }
}

/// How a bundle is packed.
pub fn archive(text: &str) -> Result<BundleType, String> {
    match text {
        "tar" => Ok(BundleType::Tar),
        "tgz" => Ok(BundleType::Tgz),
        "zip" => Ok(BundleType::Zip),
        _ => Err("one of tar, tgz, zip".into()),
    }
}

/// An id that a hook was called with: 1 to 64 printable characters.
pub fn execution_id(text: &str) -> Result<String, String> {
    match text.len() {
        1..=64 if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(text.into()),
        _ => Err("an execution id has 1 to 64 printable characters".into()),
    }
}

/// A positive duration in Go's notation.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    serde_json::from_value::<GoDuration>(text.into())
        .map(GoDuration::length)
        .ok()
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| "write it as 90s, 5m or 1h30m".into())
}

/// A Deployment's phase.
pub fn phase(text: &str) -> Result<Phase, String> {
    use Phase::{Baking, Created, Failed, InProgress, Queued, Ready, Stopped, Succeeded};
    pick(text, &[Created, Queued, InProgress, Ready, Baking, Succeeded, Failed, Stopped])
}

/// An end after which a rollback may follow.
pub fn rollback_event(text: &str) -> Result<RollbackEvent, String> {
    use RollbackEvent::{DeploymentFailure, DeploymentStopOnAlarm, DeploymentStopOnRequest};
    pick(text, &[DeploymentFailure, DeploymentStopOnAlarm, DeploymentStopOnRequest])
}

/// How a hook judged.
pub fn hook_answer(text: &str) -> Result<HookAnswer, String> {
    pick(text, &[HookAnswer::Succeeded, HookAnswer::Failed])
}

/// A wait that a person can end.
pub fn wait_type(text: &str) -> Result<WaitType, String> {
    pick(text, &[WaitType::ReadyWait, WaitType::TerminationWait])
}

/// How a host stands.
pub fn event_status(text: &str) -> Result<EventStatus, String> {
    use EventStatus::{Failed, InProgress, Pending, Skipped, Succeeded, Unknown};
    pick(text, &[Pending, InProgress, Succeeded, Failed, Skipped, Unknown])
}

/// What happens to files that are there and not the group's.
pub fn file_exists_behavior(text: &str) -> Result<FileExistsBehavior, String> {
    use FileExistsBehavior::{Disallow, Overwrite, Retain};
    pick(text, &[Disallow, Overwrite, Retain])
}

/// `KEY=VALUE`, or `KEY` for a tag that only has a key.
pub fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Err("write it as KEY=VALUE or KEY: a key has 1 to 128 characters, a value at most 256".into());
    }
    Ok((key.into(), value.into()))
}

/// The URL of an API server. A token goes there: TLS is a must.
pub fn server_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    host.map(|_| text.trim_end_matches('/').to_owned()).ok_or_else(|| "write it as https://HOST:PORT".into())
}

/// How long a token is good: at least the ten minutes below which no API server goes.
pub fn token_duration(text: &str) -> Result<SignedDuration, String> {
    duration(text).and_then(|length| {
        let is_long_enough = length >= SignedDuration::from_mins(10);
        is_long_enough.then_some(length).ok_or_else(|| "a token is good for at least 10m".into())
    })
}

/// The value that `text` spells, in our spelling (`ReadyWait`) or AWS's (`READY_WAIT`), in any case.
fn pick<T: Copy + Debug>(text: &str, values: &[T]) -> Result<T, String> {
    let fold = |s: &str| s.replace('_', "").to_ascii_lowercase();
    let found = values.iter().find(|v| fold(&format!("{v:?}")) == fold(text));
    found.copied().ok_or_else(|| {
        let names: Vec<String> = values.iter().map(|v| format!("{v:?}")).collect();
        format!("one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_positive_go_duration() {
        for (text, secs) in
            [("90s", Some(90)), ("1h30m", Some(5400)), ("0s", None), ("-5s", None), ("5", None)]
        {
            assert_eq!(duration(text).ok().map(|d| d.as_secs()), secs, "{text}");
        }
    }

    #[test]
    fn words_are_taken_in_both_spellings_and_any_case() {
        for text in ["DeploymentStopOnAlarm", "DEPLOYMENT_STOP_ON_ALARM", "deploymentstoponalarm"] {
            assert_eq!(rollback_event(text), Ok(RollbackEvent::DeploymentStopOnAlarm), "{text}");
        }
        assert_eq!(hook_answer("Skipped"), Err("one of Succeeded, Failed".into()));
    }

    #[test]
    fn a_tag_may_only_have_a_key_and_its_value_may_hold_anything() {
        assert_eq!(tag("env=prod"), Ok(("env".into(), "prod".into())));
        assert_eq!(tag("web"), Ok(("web".into(), String::new())));
        assert_eq!(tag("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(tag("=prod").is_err() && tag(&"x".repeat(129)).is_err());
    }

    #[test]
    fn a_token_goes_over_tls_and_is_good_for_ten_minutes() {
        assert_eq!(server_url("https://203.0.113.7:6443/"), Ok("https://203.0.113.7:6443".into()));
        assert!(server_url("http://203.0.113.7").is_err() && server_url("https:///x").is_err());
        assert!(token_duration("10m").is_ok() && token_duration("9m59s").is_err());
    }

    #[test]
    fn an_execution_id_fits_its_field() {
        assert!(execution_id("a-1").is_ok() && execution_id(&"x".repeat(64)).is_ok());
        assert!(
            execution_id("").is_err()
                && execution_id("a b").is_err()
                && execution_id(&"x".repeat(65)).is_err()
        );
    }
}
