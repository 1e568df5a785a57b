//! After the last event: the original stands at full scale until its wait is over, then goes.
//!
//! No side is scaled down before the gateway has taken the route without it and the drain time has passed.

use jiff::{SignedDuration, Timestamp};

use super::install::described;
use super::{repointed, task_set};
use crate::api::OriginalAction;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_snapshot::{ResolvedService, ResolvedSide};
use crate::api::deployment_status::Resolved;
use crate::engine::draft::Draft;
use crate::engine::facts::GatewayFact;
use crate::engine::production::Production;
use crate::engine::shift::{self, Verdict};
use crate::engine::shift_follow;
use crate::engine::weights;

/// Gateways and kube-proxy take a while to hear of a change: at least so long a side stands without traffic.
const LEAST_DRAIN: SignedDuration = SignedDuration::from_secs(5);

/// The reason of the wait.
const WAITING: &str = "WaitingForTermination";
/// What comes next while the original serves.
const UNSERVED: &str = "the original is not terminated before the replacement has all the traffic";
/// What comes next while the replacement's Service sends to somebody else.
const SET_BACK: &str = "the original is not terminated before it is set back";
/// The reason while the gateway has not said that it took the route.
const SILENT: &str = "GatewaySilent";
/// What comes next while nobody answers for the replacement.
const STANDS: &str = "the original stands until somebody does";

/// Carries the original's end as far as it goes now.
pub fn advance(draft: &mut Draft<'_>, resolved: &Resolved) -> Verdict {
    let Some(service) = resolved.service.as_deref() else { return Verdict::Done };
    let is_kept = service.terminate_original.action == OriginalAction::KeepAlive;
    let Some(side) = &service.original else { return Verdict::Done };
    let Some(name) = &side.task_set else {
        return if is_kept { Verdict::Done } else { stand_by(draft, resolved, service, side) };
    };
    if is_kept || draft.status.termination_time.is_none() && is_gone(draft, name) {
        return Verdict::Done;
    }
    if draft.status.termination_time.is_some() {
        return scale_down(draft, name);
    }
    // Ended, it could take nothing back from a replacement that answers nobody.
    if shift_follow::is_dead(draft, resolved) {
        return shift::fell_silent(draft, resolved, STANDS);
    }
    let end = end(draft, resolved, service);
    let needed = needed(draft, resolved, side);
    if draft.now < end {
        say_when(draft, side, end, needed);
        return Verdict::Running;
    }
    if let Some(Needed { reason, cause, next }) = needed {
        return shift::hold(draft, reason, cause, next);
    }
    draft.status.termination_time = Some(draft.now);
    draft.status.waiting = None;
    draft.say(Says::Reconciling, "Terminating", format!("terminating {}", described(side)));
    scale_down(draft, name)
}

/// An original that Sluice did not make is never scaled: its wait is the time in which a stop gives it its traffic back.
fn stand_by(
    draft: &mut Draft<'_>,
    resolved: &Resolved,
    service: &ResolvedService,
    side: &ResolvedSide,
) -> Verdict {
    let wait = service.terminate_original.wait.length();
    let is_there = draft.facts.services.get(&side.target_group).is_none_or(|s| s.exists);
    if wait.is_zero() || is_waived(draft) || !is_there {
        return Verdict::Done;
    }
    let due = last_end(draft) + wait;
    let end = draft.status.termination_wait_end_time.map_or(due, |told| told.max(due));
    if draft.now >= end {
        return Verdict::Done;
    }
    if shift_follow::is_dead(draft, resolved) {
        return shift::fell_silent(draft, resolved, STANDS);
    }
    let name = draft.facts.deployment.name();
    let message = format!(
        "all traffic has moved; what stood behind Service {} before is not Sluice's and is never scaled: until {} it can have its traffic back (kubectl sluice stop-deployment {name} --auto-rollback-enabled), then the deployment is over (earlier: kubectl sluice continue-deployment {name} --deployment-wait-type TERMINATION_WAIT)",
        side.target_group,
        end.strftime("%H:%M:%SZ")
    );
    tell(draft, WAITING, message, end);
    Verdict::Running
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

/// When the original may go: when it is due and has drained, and never before the time that was told already. Who takes over
/// may have seen the gateway take the last step at another moment, and makes no other promise of it.
fn end(draft: &Draft<'_>, resolved: &Resolved, service: &ResolvedService) -> Timestamp {
    let due = due(draft, service);
    let told = draft.status.termination_wait_end_time.filter(|_| !is_waived(draft));
    let drained = drained(draft, resolved, service);
    [told, drained].into_iter().flatten().fold(due, Timestamp::max)
}

/// True if the user does not want to wait any longer.
fn is_waived(draft: &Draft<'_>) -> bool {
    draft.facts.deployment.spec.continue_.as_ref().and_then(|c| c.termination_wait) == Some(true)
}

/// When the original may go, by what is on record: its wait is over or was ended, and its last requests have had time to end.
fn due(draft: &Draft<'_>, service: &ResolvedService) -> Timestamp {
    let last = last_end(draft);
    let waited = if is_waived(draft) { last } else { last + service.terminate_original.wait.length() };
    recorded(draft).map_or(waited, |at| (at + drain(service)).max(waited))
}

/// When the last event ended.
fn last_end(draft: &Draft<'_>) -> Timestamp {
    draft.status.lifecycle_events.iter().filter_map(|e| e.end_time).max().unwrap_or(draft.now)
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

/// Why an original is not ended yet though its time has come, and what has to be first.
struct Needed {
    reason: &'static str,
    cause: String,
    next: &'static str,
}

/// Why the original is still needed: it may be serving, or the replacement may not be what everybody gets.
fn needed(draft: &Draft<'_>, resolved: &Resolved, side: &ResolvedSide) -> Option<Needed> {
    if let Some((reason, cause)) = still_serves(draft, resolved, side) {
        return Some(Needed { reason, cause, next: UNSERVED });
    }
    let cause = repointed::replacement(draft, resolved)?;
    Some(Needed { reason: repointed::SELECTOR_CHANGED, cause, next: SET_BACK })
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
    if route.is_some_and(|r| weights::share(r, production.pair).is_none()) {
        let cause = format!("{listener} sends to neither side any more");
        return Some((shift::WEIGHTS_CHANGED, cause));
    }
    if !route.is_some_and(|r| weights::stands_at(r, production.pair, 100)) {
        let cause =
            format!("{listener} does not send all traffic past Service {} any more", side.target_group);
        return Some((shift::WEIGHTS_CHANGED, cause));
    }
    if route.is_some_and(|r| r.added.contains(&side.target_group)) {
        let cause = format!(
            "a rule that was added to {listener} meanwhile sends traffic to Service {}: let it send to Service {}, or take it out",
            side.target_group, production.pair.replacement
        );
        return Some((shift::WEIGHTS_CHANGED, cause));
    }
    let is_taken = route.is_some_and(|r| r.gateway == GatewayFact::Taken);
    (!is_taken).then(|| (SILENT, format!("the gateway has not taken {listener} as it is")))
}

fn say_when(draft: &mut Draft<'_>, side: &ResolvedSide, end: Timestamp, needed: Option<Needed>) {
    // A gateway's silence is worth a sentence when the original is due; an edit of somebody's at once.
    if let Some(Needed { reason, cause, next }) = needed.filter(|n| n.reason != SILENT) {
        let until = format!("{} stands until {} at least", described(side), end.strftime("%H:%M:%SZ"));
        return tell(draft, reason, format!("{cause}; {until}, and {next}"), end);
    }
    let name = draft.facts.deployment.name();
    let is_rollback = draft.status.is_rollback();
    let message = if is_rollback {
        format!("all traffic is back; {} is terminated at {}", described(side), end.strftime("%H:%M:%SZ"))
    } else {
        format!(
            "all traffic has moved; {} stands at full scale until {}, when it is terminated (earlier: kubectl sluice continue-deployment {name} --deployment-wait-type TERMINATION_WAIT; back: kubectl sluice stop-deployment {name})",
            described(side),
            end.strftime("%H:%M:%SZ")
        )
    };
    tell(draft, WAITING, message, end);
}

fn tell(draft: &mut Draft<'_>, reason: &'static str, message: String, end: Timestamp) {
    draft.status.waiting = None;
    draft.status.termination_wait_end_time = Some(end);
    draft.say(Says::Reconciling, reason, message);
    draft.wake_at(end);
}
