//! Somebody else has pointed a target group at other pods, or at another port: nothing moves there, and nothing is fought over.

use super::install::points_at;
use super::snapshot::selector_text;
use crate::api::deployment_snapshot::ResolvedSide;
use crate::api::deployment_status::Resolved;
use crate::engine::draft::Draft;
use crate::engine::facts::ServiceFact;
use crate::engine::production::Production;
use crate::engine::shift::{self, Verdict};

/// The reason while a side's Service sends to somebody else's pods.
pub const SELECTOR_CHANGED: &str = "SelectorChanged";

/// Holds while somebody else has pointed a side's Service at other pods.
pub fn held(draft: &mut Draft<'_>, resolved: &Resolved) -> Option<Verdict> {
    // From an original that nobody answers for the steps take the traffic away.
    let lives = shift::original_lives(draft, &Production::of(resolved));
    let cause = replacement(draft, resolved).or_else(|| original(draft, resolved).filter(|_| lives))?;
    let next = "no traffic moves until it is set back, or the deployment is stopped";
    Some(shift::hold(draft, SELECTOR_CHANGED, cause, next))
}

/// What somebody else has done to the replacement's Service, in words.
pub fn replacement(draft: &Draft<'_>, resolved: &Resolved) -> Option<String> {
    let side = resolved.service.as_deref().map(|s| &s.replacement).filter(|s| s.task_set.is_some())?;
    let found = draft.facts.services.get(&side.target_group).filter(|s| s.exists)?;
    if points_at(found, side) {
        return None;
    }
    if found.selector == side.selector {
        return Some(format!(
            "somebody else changed a targetPort of Service {}: this deployment left all of them at {}",
            side.target_group,
            side.target_port.as_deref().unwrap_or_default()
        ));
    }
    Some(selector_changed(found, side, "this deployment left it at"))
}

/// The same of the original's Service, whose share of the traffic others would have. What a rollback leaves is no matter.
pub fn original(draft: &Draft<'_>, resolved: &Resolved) -> Option<String> {
    let side = resolved.service.as_deref()?.original.as_ref().filter(|_| !draft.status.is_rollback())?;
    // A front Service is switched to selectors: what a target group has for one moves nobody.
    if Production::of(resolved).is_service {
        return None;
    }
    let found = draft.facts.services.get(&side.target_group).filter(|s| s.exists)?;
    (found.selector != side.selector)
        .then(|| selector_changed(found, side, "when this deployment began it had"))
}

fn selector_changed(found: &ServiceFact, side: &ResolvedSide, left: &str) -> String {
    format!(
        "somebody else changed the selector of Service {}: it has {}, {left} {}",
        side.target_group,
        selector_text(&found.selector),
        selector_text(&side.selector)
    )
}
