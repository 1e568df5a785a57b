//! How single words of the command line become values; what is refused says how to write it. Pure.

use std::fmt::Debug;

use jiff::SignedDuration;

use super::args::WaitType;
use crate::api::{ConfigMapRevision, GoDuration, HookAnswer, Phase, RollbackEvent};

/// `NAME/KEY`, as in `hello-2/appspec.yaml`.
pub fn config_map(text: &str) -> Result<ConfigMapRevision, String> {
    match text.split_once('/') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() && !key.contains('/') => {
            Ok(ConfigMapRevision { name: name.into(), key: key.into() })
        }
        _ => Err("write it as NAME/KEY, as in hello-2/appspec.yaml".into()),
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
    fn an_execution_id_fits_its_field() {
        assert!(execution_id("a-1").is_ok() && execution_id(&"x".repeat(64)).is_ok());
        assert!(
            execution_id("").is_err()
                && execution_id("a b").is_err()
                && execution_id(&"x".repeat(65)).is_err()
        );
    }
}
