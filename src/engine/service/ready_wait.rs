//! The wait between the replacement being ready and traffic moving (`blueGreen.deploymentReady`).

use crate::api::condition::Verdict as Says;
use crate::api::deployment_snapshot::ResolvedService;
use crate::api::{Phase, ReadyAction};
use crate::engine::draft::Draft;
use crate::engine::ending::End;

/// How the wait stands.
pub enum Wait {
    /// Over, or there is none.
    Over,
    /// Somebody may still say continue.
    On,
    /// Nobody has, and the deployment ends.
    Expired(End),
}

/// Looks at the wait that begins when the last event before it has ended.
pub fn look(draft: &mut Draft<'_>, service: &ResolvedService) -> Wait {
    let ready = &service.deployment_ready;
    let is_rollback = draft.status.is_rollback();
    let length = ready.wait.length();
    if is_rollback || length.is_zero() {
        return Wait::Over;
    }
    let ends = draft.status.lifecycle_events.iter().filter_map(|e| e.end_time);
    let due = ends.max().unwrap_or(draft.now) + length;
    let asked = draft.facts.deployment.spec.continue_.as_ref().and_then(|c| c.ready_wait) == Some(true);
    if asked || (draft.now >= due && ready.action_on_timeout == ReadyAction::ContinueDeployment) {
        go_on(draft);
        return Wait::Over;
    }
    if draft.now >= due {
        return Wait::Expired(End::not_continued(length));
    }
    let name = draft.facts.deployment.name();
    let then = match ready.action_on_timeout {
        ReadyAction::ContinueDeployment => "traffic moves",
        ReadyAction::StopDeployment => "the deployment is stopped",
    };
    let message = format!(
        "the replacement is ready and has no production traffic; it moves when somebody says so (kubectl sluice continue-deployment {name}); at {} {then}",
        due.strftime("%H:%M:%SZ")
    );
    draft.status.phase = Phase::Ready;
    draft.status.waiting = None;
    draft.say(Says::Reconciling, "WaitingForContinue", message);
    draft.wake_at(due);
    Wait::On
}

fn go_on(draft: &mut Draft<'_>) {
    if draft.status.phase == Phase::Ready {
        draft.status.phase = Phase::InProgress;
        draft.say(Says::Reconciling, "InProgress", "the wait is over; traffic moves next");
    }
}
