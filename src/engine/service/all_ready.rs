//! Before a step gives the replacement more traffic: every pod that is wanted must be there to take it.
//!
//! Not on the way back, and not while the original has nobody to answer: one ready pod is better than none then.

use super::install::{are_all_ready, described};
use crate::api::deployment_snapshot::ResolvedService;
use crate::api::deployment_status::Resolved;
use crate::api::duration::Spoken;
use crate::engine::draft::Draft;
use crate::engine::production::Production;
use crate::engine::shift::{self, EVENT_TIMEOUT, Verdict};

/// The reason while pods are missed.
const REASON: &str = "PodsNotReady";

/// The verdict while pods are missed, which have as long to come back as Install gives them; `None` if none are.
pub fn missed(draft: &mut Draft<'_>, resolved: &Resolved) -> Option<Verdict> {
    let service = resolved.service.as_deref().filter(|_| !draft.status.is_rollback())?;
    let name = service.replacement.task_set.as_deref()?;
    if !shift::original_lives(draft, &Production::of(resolved)) {
        return None;
    }
    let task_set = draft.facts.task_sets.get(name);
    if task_set.is_some_and(|t| are_all_ready(draft, service, name, t)) {
        return None;
    }
    let limit = service.install_timeout.length().min(EVENT_TIMEOUT);
    let cause = cause(draft, service, name);
    let message = format!("{cause}; the next step waits for all of them, at most {}", Spoken(limit));
    if draft.wait(REASON, message) >= limit {
        let message = format!("{cause}; the next step waited {} for all of them", Spoken(limit));
        return Some(Verdict::Failed("CustomerApplicationUnhealthy", message));
    }
    let since = draft.status.waiting.as_ref().map_or(draft.now, |w| w.since);
    draft.wake_at(since + limit);
    Some(Verdict::Running)
}

/// What is missed, in a sentence that stays the same while the same is missed.
fn cause(draft: &Draft<'_>, service: &ResolvedService, name: &str) -> String {
    let side = &service.replacement;
    let Some(task_set) = draft.facts.task_sets.get(name) else {
        return format!("{} is gone, and its pods with it", described(side));
    };
    let found = draft.facts.services.get(&side.target_group);
    let ready = found.and_then(|s| s.ready_of.get(name)).copied().unwrap_or(0);
    let problem = task_set.problem.as_ref().map(|p| format!(": {p}")).unwrap_or_default();
    format!(
        "{ready} of {} pods of {} are ready and among the endpoints{problem} (kubectl get pods -l sluice.dev/task-set={name})",
        task_set.replicas,
        described(side)
    )
}
