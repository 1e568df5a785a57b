//! Between the last step and success: does the listener still give the replacement all that the shift gave it?
//!
//! Eats the listener as it is; names what somebody else made of it, and holds success until it stands there again. Moves
//! nothing: what a human or Git wrote is not fought over.

use super::draft::Draft;
use super::facts::{GatewayFact, RouteFact};
use super::production::Production;
use super::shift::{self, Verdict, WEIGHTS_CHANGED, pair};
use super::siblings;
use super::weights;
use super::words;
use crate::api::EventName;
use crate::api::deployment_status::{Resolved, Waiting};

/// The reasons of a wait of this file.
const REASONS: [&str; 3] = [WEIGHTS_CHANGED, "RulesChanged", "HTTPRouteMissing"];

/// Lets a Deployment succeed whose replacement has all the traffic of the pair.
pub fn advance(draft: &mut Draft<'_>, resolved: &Resolved) -> Verdict {
    if let Some((reason, cause)) = amiss(draft, resolved) {
        let next = "the deployment succeeds as soon as it stands there again, unless it is stopped";
        return hold(draft, reason, cause, next);
    }
    if noticed(draft).is_some() && !is_taken(draft) {
        let production = Production::of(resolved);
        let cause =
            format!("{} gives {} all traffic again", production.described(), production.pair.replacement);
        let next = "waiting for the gateway to take it";
        return shift::hold(draft, WEIGHTS_CHANGED, cause, next);
    }
    Verdict::Done
}

/// Names, while the hook of `event` runs, what somebody else made of the listener; `before` is the wait that was on record.
/// What the hook itself waits for comes first.
pub fn notice(draft: &mut Draft<'_>, resolved: &Resolved, event: EventName, before: Option<Waiting>) {
    if draft.status.waiting.is_some() && draft.status.waiting != before {
        return;
    }
    draft.status.waiting = None;
    let Some((reason, cause)) = amiss(draft, resolved) else { return };
    draft.status.waiting = before;
    let next =
        format!("{event} is still running; the deployment does not succeed before it stands there again");
    warn(draft, reason, &cause, &next);
    draft.wait(reason, format!("{cause}; {next}"));
}

/// The wait on record, if it is one of this file.
pub fn noticed(draft: &Draft<'_>) -> Option<Waiting> {
    draft.status.waiting.clone().filter(|w| REASONS.contains(&w.reason.as_str()))
}

fn hold(draft: &mut Draft<'_>, reason: &'static str, cause: String, next: &str) -> Verdict {
    warn(draft, reason, &cause, next);
    shift::hold(draft, reason, cause, next)
}

fn warn(draft: &mut Draft<'_>, reason: &'static str, cause: &str, next: &str) {
    if draft.status.waiting.as_ref().is_none_or(|w| w.reason != reason) {
        draft.warn(reason, format!("{cause}; {next}"));
    }
}

/// How the listener differs from what the last step left: reason and sentence; `None` if it does not.
fn amiss(draft: &Draft<'_>, resolved: &Resolved) -> Option<(&'static str, String)> {
    let production = Production::of(resolved);
    if production.is_still() && resolved.service.is_some() {
        return None;
    }
    let Some(route) = draft.facts.route.as_deref().filter(|r| !r.is_going) else {
        return Some(("HTTPRouteMissing", format!("{} is gone; create it again", production.described())));
    };
    if route.rules_are_lost {
        return Some(("RulesChanged", words::rules_changed(&route.name)));
    }
    // A rollback leaves what is none of its two where it found it, as its step did.
    let is_intruded = !draft.status.is_rollback() && siblings::intruder(resolved, route).is_some();
    if production.is_still() && !is_intruded {
        return is_withdrawn(route, production.pair.replacement).then(|| {
            let cause = format!(
                "somebody else changed the weights of {}: it has none for {}, which served when this deployment began",
                production.described(),
                production.pair.replacement
            );
            (WEIGHTS_CHANGED, cause)
        });
    }
    (is_intruded || !weights::stands_at(route, pair(resolved), 100))
        .then(|| (WEIGHTS_CHANGED, shift::change(resolved, route, 100)))
}

/// True if a rule that is concerned gives `service` nothing any more.
fn is_withdrawn(route: &RouteFact, service: &str) -> bool {
    let has = |name: &Option<String>| name.as_deref() == Some(service);
    let mut concerned = route.rules.iter().filter(|r| !r.backends.is_empty());
    concerned.clone().count() == 0
        || concerned.any(|r| !r.backends.iter().any(|b| b.weight > 0 && has(&b.service)))
}

/// True if the gateway has taken the listener as it is.
fn is_taken(draft: &Draft<'_>) -> bool {
    draft.facts.route.as_ref().is_some_and(|r| r.gateway == GatewayFact::Taken)
}
