//! After the last event: the original stands at full scale until its wait is over, then goes.
//!
//! No side is scaled down before the gateway has taken the route without it and the drain time has passed.

use jiff::{SignedDuration, Timestamp};

use super::install::described;
use super::task_set;
use crate::api::OriginalAction;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_snapshot::{ResolvedService, ResolvedSide};
use crate::api::deployment_status::Resolved;
use crate::engine::draft::Draft;
use crate::engine::facts::GatewayFact;
use crate::engine::production::Production;
use crate::engine::shift::{self, Verdict};
use crate::engine::weights;

/// Gateways and kube-proxy take a while to hear of a change: at least so long a side stands without traffic.
pub const LEAST_DRAIN: SignedDuration = SignedDuration::from_secs(5);

/// Carries the original's end as far as it goes now.
pub fn advance(draft: &mut Draft<'_>, resolved: &Resolved) -> Verdict {
    let Some(service) = resolved.service.as_ref() else { return Verdict::Done };
    let is_kept = service.terminate_original.action == OriginalAction::KeepAlive;
    let Some((side, name)) = service.original.as_ref().and_then(|o| Some((o, o.task_set.as_ref()?))) else {
        return Verdict::Done;
    };
    if is_kept || draft.status.termination_time.is_none() && is_gone(draft, name) {
        return Verdict::Done;
    }
    if draft.status.termination_time.is_some() {
        return scale_down(draft, name);
    }
    let due = due(draft, service);
    let drained = drained(draft, resolved, service);
    if draft.now < due || drained.is_some_and(|at| draft.now < at) {
        say_when(draft, side, due);
        if let Some(at) = drained {
            draft.wake_at(at.max(due));
        }
        return Verdict::Running;
    }
    if let Some((reason, cause)) = still_serves(draft, resolved, side) {
        return shift::hold(draft, reason, cause, "the original is not terminated before it has no traffic");
    }
    draft.status.termination_time = Some(draft.now);
    draft.status.waiting = None;
    draft.say(Says::Reconciling, "Terminating", format!("terminating {}", described(side)));
    scale_down(draft, name)
}

fn is_gone(draft: &Draft<'_>, name: &str) -> bool {
    draft.facts.task_sets.get(name).is_none_or(|t| t.replicas == 0 || t.is_going || t.group_uid.is_none())
}

/// Scales to 0. Done as soon as that is what is wanted: how long its pods take to end is theirs.
pub fn scale_down(draft: &mut Draft<'_>, name: &str) -> Verdict {
    if is_gone(draft, name) {
        return Verdict::Done;
    }
    if let Some(act) = task_set::scale(draft, name, 0) {
        draft.act(act);
    }
    Verdict::Running
}

/// When the original may go, by what is on record: its wait is over or was ended, and its last requests have had time to end.
fn due(draft: &Draft<'_>, service: &ResolvedService) -> Timestamp {
    let ends = draft.status.lifecycle_events.iter().filter_map(|e| e.end_time);
    let last = ends.max().unwrap_or(draft.now);
    let asked = draft.facts.deployment.spec.continue_.as_ref().and_then(|c| c.termination_wait) == Some(true);
    let waited = if asked { last } else { last + service.terminate_original.wait.length() };
    recorded(draft).map_or(waited, |at| (at + drain(service)).max(waited))
}

/// How long a side that has lost its traffic stands.
pub fn drain(service: &ResolvedService) -> SignedDuration {
    service.drain.length().max(LEAST_DRAIN)
}

/// When the side that lost its traffic has drained, whoever moved it; `None` if nothing says that any was moved.
pub fn drained(draft: &Draft<'_>, resolved: &Resolved, service: &ResolvedService) -> Option<Timestamp> {
    let route = draft.facts.route.as_deref().filter(|_| !Production::of(resolved).is_service);
    let taken = route.and_then(|r| r.served_since(r.generation));
    Some(recorded(draft).max(taken)? + drain(service))
}

/// When traffic was moved last, as far as that is on record.
fn recorded(draft: &Draft<'_>) -> Option<Timestamp> {
    let steps = draft.status.traffic.iter().flat_map(|t| &t.steps);
    let production = steps.map(|s| s.served_time.unwrap_or(s.time)).max();
    let tested = draft.status.test_traffic.map(|s| s.served_time.unwrap_or(s.time));
    production.max(tested)
}

/// Why the original still counts as serving: it has weight, or the gateway has not taken that it has none.
fn still_serves(
    draft: &Draft<'_>,
    resolved: &Resolved,
    side: &ResolvedSide,
) -> Option<(&'static str, String)> {
    let production = Production::of(resolved);
    let listener = production.described();
    let route = draft.facts.route.as_deref();
    if !route.is_some_and(|r| weights::stands_at(r, production.pair, 100)) {
        let cause =
            format!("{listener} does not send all traffic past Service {} any more", side.target_group);
        return Some(("WeightsChanged", cause));
    }
    let is_taken = route.is_some_and(|r| r.gateway == GatewayFact::Taken);
    (!is_taken).then(|| ("GatewaySilent", format!("the gateway has not taken {listener} as it is")))
}

fn say_when(draft: &mut Draft<'_>, side: &ResolvedSide, due: Timestamp) {
    let name = draft.facts.deployment.name();
    let is_rollback = draft.status.is_rollback();
    let message = if is_rollback {
        format!("all traffic is back; {} is terminated at {}", described(side), due.strftime("%H:%M:%SZ"))
    } else {
        format!(
            "all traffic has moved; {} stands at full scale until {}, when it is terminated (earlier: kubectl sluice continue-deployment {name} --deployment-wait-type TERMINATION_WAIT; back: kubectl sluice stop-deployment {name})",
            described(side),
            due.strftime("%H:%M:%SZ")
        )
    };
    draft.status.waiting = None;
    draft.say(Says::Reconciling, "WaitingForTermination", message);
    if due > draft.now {
        draft.wake_at(due);
    }
}
