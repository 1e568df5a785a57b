//! What a replaced or deleted Deployment takes back once production traffic is back on the original: the test listener
//! first, then, after the drain, its own task set.

use super::install::described;
use super::{task_set, terminate, test_traffic};
use crate::api::EventName;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_status::Resolved;
use crate::engine::draft::Draft;
use crate::engine::facts::GatewayFact;
use crate::engine::production::Production;
use crate::engine::shift::Verdict;
use crate::engine::weights;

/// Carries it as far as it goes now. Answers true when it is done, or cannot be done.
pub fn advance(draft: &mut Draft<'_>, resolved: &Resolved, why: &str) -> bool {
    let Some(service) = resolved.service.as_deref() else { return true };
    if draft.facts.namespace_is_going || !test_traffic::take_back(draft, service) {
        return draft.facts.namespace_is_going;
    }
    let was_made = task_set::has_begun(draft, EventName::Install) && service.pod_template.is_some();
    let Some(name) = service.replacement.task_set.clone().filter(|_| was_made) else { return true };
    if service.original.is_none() || !has_no_share(draft, resolved) {
        return true;
    }
    if draft.status.termination_time.is_none() {
        // Whoever may still be sent to is left standing.
        let has_served = draft.status.traffic.as_ref().is_some_and(|t| !t.steps.is_empty());
        if has_served && !is_taken(draft) {
            return true;
        }
        if let Some(due) = terminate::drained(draft, resolved, service).filter(|at| *at > draft.now) {
            draft.wake_at(due);
            return false;
        }
        draft.status.termination_time = Some(draft.now);
        let side = described(&service.replacement);
        draft.say(Says::Reconciling, "Terminating", format!("{why}: terminating {side}"));
    }
    terminate::scale_down(draft, &name) == Verdict::Done
}

fn is_taken(draft: &Draft<'_>) -> bool {
    draft.facts.route.as_deref().is_none_or(|r| r.gateway == GatewayFact::Taken)
}

/// A side that still has production traffic, because it could not be put back, is left standing.
fn has_no_share(draft: &Draft<'_>, resolved: &Resolved) -> bool {
    let pair = Production::of(resolved).pair;
    draft.facts.route.as_deref().is_none_or(|r| weights::share(r, pair).is_none_or(|p| p == 0))
}
