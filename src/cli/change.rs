//! The three requests to a Deployment that runs (stop, continue, a hook's answer): which patch asks for them, and what
//! the API server's answer means. Pure; `verbs` sends them.

use kube::core::Status;
use serde_json::{Value, json};

use super::args::{Answer, WaitType};
use super::error::Error;
use super::render;
use crate::api::deployment_status::StopStatus;
use crate::api::{Deployment, DeploymentStatus, EventName, EventStatus, HookResult, Phase};

/// Asks for a stop; asking again for the same changes nothing.
pub fn stop_patch(auto_rollback: Option<bool>) -> Value {
    match auto_rollback {
        Some(wanted) => json!({"spec": {"stop": {"autoRollback": wanted}}}),
        None => json!({"spec": {"stop": {}}}),
    }
}

/// Ends one wait and leaves the other alone.
pub fn continue_patch(wait: WaitType) -> Value {
    match wait {
        WaitType::ReadyWait => json!({"spec": {"continue": {"readyWait": true}}}),
        WaitType::TerminationWait => json!({"spec": {"continue": {"terminationWait": true}}}),
    }
}

/// One entry of `spec.hookResults`, for server-side apply under a manager of its own.
pub fn answer_patch(answer: &Answer) -> Value {
    let result = HookResult {
        execution_id: answer.lifecycle_event_hook_execution_id.clone(),
        status: answer.status,
        message: answer.message.clone(),
    };
    json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": answer.deployment.name()},
        "spec": {"hookResults": [result]},
    })
}

/// The field manager of one answer: another answer's manager leaves this entry alone.
pub fn answer_manager(execution_id: &str) -> String {
    format!("sluice-hook-{execution_id}")
}

/// CodeDeploy's answer to a stop that the API server took: `Pending` or `Succeeded`, and why.
///
/// # Errors
/// The third answer, for a Deployment that had ended otherwise.
pub fn stop_answer(after: &Deployment) -> Result<String, Error> {
    let stop = after.status.as_ref().and_then(|s| s.stop.as_ref());
    let message = stop.map(|s| s.message.as_str()).filter(|m| !m.is_empty());
    match (after.phase(), stop.map(|s| s.status)) {
        (phase @ (Phase::Succeeded | Phase::Failed), _) => {
            Err(Error::AlreadyCompleted { name: after.name().into(), phase: Some(phase) })
        }
        (Phase::Stopped, _) | (_, Some(StopStatus::Succeeded)) => {
            Ok(format!("Succeeded: {}", message.unwrap_or("no further lifecycle event starts")))
        }
        (_, Some(StopStatus::Error)) => {
            Ok(format!("Error: {}", message.unwrap_or("it could not be stopped")))
        }
        _ => Ok(format!("Pending: {}", message.unwrap_or("the stop is asked for"))),
    }
}

/// What a continuation that the API server took does: it ends a wait, or one to come, or finds none any more.
pub fn continue_answer(after: &Deployment, wait: WaitType) -> &'static str {
    let nothing = DeploymentStatus::default();
    let status = after.status.as_ref().unwrap_or(&nothing);
    let has_moved = |name| {
        let found = status.lifecycle_events.iter().find(|e| e.name == name);
        found.is_some_and(|e| e.status != EventStatus::Pending)
    };
    match wait {
        WaitType::ReadyWait if status.phase == Phase::Ready => "the wait is over, traffic moves next",
        WaitType::ReadyWait if has_moved(EventName::BeforeAllowTraffic) => {
            "there is nothing to wait for any more, traffic moves or has moved"
        }
        WaitType::ReadyWait => "it will not wait before traffic moves",
        WaitType::TerminationWait if render::stands_at(status, "WaitingForTermination") => {
            "the wait is over, the original is terminated as soon as it has drained"
        }
        WaitType::TerminationWait if status.termination_time.is_some() => {
            "there is nothing to wait for any more, the original is being terminated"
        }
        WaitType::TerminationWait => "it will not wait before the original is terminated",
    }
}

/// True if a lifecycle event on record was called with that id.
pub fn is_known_execution(deployment: &Deployment, execution_id: &str) -> bool {
    let events = deployment.status.as_ref().map(|s| s.lifecycle_events.as_slice()).unwrap_or_default();
    events.iter().any(|e| e.execution_id.as_deref() == Some(execution_id))
}

/// Tells two refusals of the API server apart from all others: too late, and no such Deployment.
pub fn refusal(name: &str, error: kube::Error) -> Error {
    match &error {
        kube::Error::Api(status)
            if status.is_invalid() && status.message.contains("has already completed") =>
        {
            Error::AlreadyCompleted { name: name.into(), phase: None }
        }
        kube::Error::Api(status) if would_create(status) => Error::NotFound(name.into()),
        _ => Error::Server(error),
    }
}

/// Server-side apply creates what is missing; an answer alone is no Deployment, and is refused for that.
fn would_create(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|d| d.causes.as_slice()).unwrap_or_default();
    status.is_invalid() && causes.iter().any(|c| c.field == "spec.deploymentGroupRef")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{CommandLine, Verb};
    use super::super::render::fixture;
    use super::*;
    use crate::api::deployment_status::StopState;

    #[test]
    fn a_stop_says_no_more_than_was_asked() {
        assert_eq!(stop_patch(None), json!({"spec": {"stop": {}}}));
        assert_eq!(stop_patch(Some(false)), json!({"spec": {"stop": {"autoRollback": false}}}));
    }

    #[test]
    fn an_answer_applies_one_entry_and_nothing_else() {
        let line = "kubectl-sluice put-lifecycle-event-hook-execution-status --deployment-id d --lifecycle-event-hook-execution-id e1 --status FAILED --message no";
        let answer = match CommandLine::try_parse_from(line.split_whitespace()).unwrap().verb {
            Verb::PutLifecycleEventHookExecutionStatus(answer) => answer,
            other => panic!("{other:?}"),
        };
        let patch = answer_patch(&answer);
        assert_eq!(
            patch["spec"],
            json!({"hookResults": [{"executionId": "e1", "status": "Failed", "message": "no"}]})
        );
        assert_eq!(patch["metadata"], json!({"name": "d"}));
        assert_eq!(answer_manager("e1"), "sluice-hook-e1");
    }

    #[test]
    fn a_stop_has_codedeploys_three_answers() {
        let mut running = fixture::shifting();
        assert_eq!(stop_answer(&running).unwrap(), "Pending: the stop is asked for");
        let status = running.status.as_mut().unwrap();
        status.stop = Some(StopState { status: StopStatus::Pending, message: "a hook is running".into() });
        assert_eq!(stop_answer(&running).unwrap(), "Pending: a hook is running");
        running.status.as_mut().unwrap().stop = None;
        running.status.as_mut().unwrap().phase = Phase::Stopped;
        assert_eq!(stop_answer(&running).unwrap(), "Succeeded: no further lifecycle event starts");
        running.status.as_mut().unwrap().phase = Phase::Failed;
        let said = stop_answer(&running).unwrap_err().to_string();
        assert_eq!(said, format!("deployment \"{}\" has already completed (Failed)", running.name()));
    }

    #[test]
    fn a_continuation_says_what_it_ends() {
        use WaitType::{ReadyWait, TerminationWait};
        let said = |deployment: &Deployment, wait| continue_answer(deployment, wait);
        let ready = fixture::service_ready();
        assert_eq!(said(&ready, ReadyWait), "the wait is over, traffic moves next");
        assert_eq!(said(&ready, TerminationWait), "it will not wait before the original is terminated");
        assert_eq!(said(&fixture::created(), ReadyWait), "it will not wait before traffic moves");
        let waiting = fixture::service_terminating();
        assert!(said(&waiting, ReadyWait).starts_with("there is nothing to wait for any more, traffic"));
        assert!(said(&waiting, TerminationWait).starts_with("the wait is over, the original is terminated"));
        let mut going = fixture::service_shifting();
        going.status.as_mut().unwrap().termination_time = Some(fixture::now());
        assert!(said(&going, TerminationWait).ends_with("the original is being terminated"));
    }

    #[test]
    fn refusals_that_have_words_of_their_own_are_recognised() {
        let invalid = |message: &str, field: &str| {
            let status = json!({
                "code": 422, "reason": "Invalid", "message": message,
                "details": {"causes": [{"reason": "FieldValueRequired", "message": "Required value", "field": field}]}
            });
            refusal("d", kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))).report()
        };
        let late = "Deployment.sluice.dev \"d\" is invalid: <nil>: Invalid value: the Deployment has already completed: stop, continue and hookResults come too late";
        assert_eq!(invalid(late, "<nil>"), "error: deployment \"d\" has already completed");
        assert_eq!(
            invalid("x", "spec.deploymentGroupRef"),
            "Error from server (NotFound): deployments.sluice.dev \"d\" not found"
        );
        assert_eq!(invalid("else", "spec.stop"), "Error from server (Invalid): else");
    }
}
