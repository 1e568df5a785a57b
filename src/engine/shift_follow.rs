//! Looking after a step that was taken: is it in the route, has the gateway taken it, is the next one due?
//!
//! Eats the last step on record and the route; gives a verdict, or says that the next step may be taken. It repeats the
//! write of a step on record, and never takes another one.

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::facts::{GatewayFact, RouteFact};
use super::hooks::HOLD;
use super::production::Production;
use super::service::repointed;
use super::shift::{
    STEP_WAITS, Settled, Verdict, WEIGHTS_CHANGED, changed, fell_silent, hold, interval,
    is_held_for_endpoints, note_served, pair, settled_at, write,
};
use super::siblings;
use super::weights;
use super::words;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_status::{Resolved, Step};

/// How long the gateway may keep silent before the object says so.
pub const GATEWAY_PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// How long the gateway may take over somebody else's edit once a step is due, before that is worth a sentence.
const EDIT_PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// The reason while nobody answers for the original, which still has traffic.
const ORIGINAL_NOT_READY: &str = "OriginalNotReady";

/// How the last step stands.
pub enum Stand {
    /// It still has to be looked after, or it was the last one.
    Verdict(Verdict),
    /// Its interval is over; the gateway has served it since then.
    Due(Timestamp),
}

/// Looks after a step on record: writes it if it is not there yet, waits for the gateway, and says when the next is due.
pub fn follow(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Stand {
    let is_rollback = draft.status.is_rollback();
    if !is_rollback && siblings::intruder(resolved, route).is_some() {
        return Stand::Verdict(changed(draft, resolved, route, step.weight));
    }
    let before =
        draft.status.traffic.as_ref().and_then(|t| t.steps.iter().rev().nth(1)).map_or(0, |s| s.weight);
    if !weights::stands_at(route, pair(resolved), step.weight) {
        let is_unwritten = (is_rollback || weights::stands_at(route, pair(resolved), before))
            && weights::check(route, pair(resolved), &[step.weight]).is_ok();
        return Stand::Verdict(match route.generation - step.generation {
            0 if is_unwritten => write_live(draft, resolved, route, step),
            // Somebody else's edit came between the record and our write, which its test then refused.
            1 if is_unwritten => rebase(draft, resolved, route, step.weight),
            // Several edits did: without the refusal this could as well be our write and somebody's way back from it.
            _ if is_unwritten && route.refused_at == Some(step.generation) => {
                rebase(draft, resolved, route, step.weight)
            }
            _ => changed(draft, resolved, route, step.weight),
        });
    }
    if draft.status.waiting.as_ref().is_some_and(|w| w.reason == WEIGHTS_CHANGED) {
        return Stand::Verdict(resume(draft, resolved, route, step));
    }
    match &route.gateway {
        GatewayFact::Taken => taken(draft, resolved, route, step),
        GatewayFact::Refused(words) => Stand::Verdict(hold(
            draft,
            "RouteRefused",
            format!("the gateway does not serve HTTPRoute {} as written: {words}", route.name),
            "the next step waits until it does",
        )),
        GatewayFact::Silent | GatewayFact::Behind => Stand::Verdict(silent(draft, resolved, route, step)),
    }
}

/// Writes the last step again if the route shows that it was recorded and never written. Answers true if that was so.
///
/// Until the write its act may still be under way in another process, and would land after a stop or on top of the way
/// back: only a generation past the recorded one makes it void.
pub fn finish_step(draft: &mut Draft<'_>, resolved: &Resolved) -> bool {
    let last = draft.status.traffic.as_ref().and_then(|t| t.steps.last().copied());
    let route = draft.facts.route.clone().filter(|r| !r.is_going && Production::of(resolved).has_uid(&r.uid));
    let (Some(step), Some(route)) = (last.filter(|s| s.weight > 0), route) else { return false };
    let is_open = step.served_time.is_none()
        && route.generation == step.generation
        && !weights::stands_at(&route, pair(resolved), step.weight)
        && weights::check(&route, pair(resolved), &[step.weight]).is_ok()
        && route.write_refused.is_none()
        && !draft.facts.namespace_is_going;
    if is_open && is_dead(draft, resolved) {
        return outlasts(draft, step);
    }
    if is_open {
        write(draft, resolved, &route, step.weight);
    }
    is_open
}

/// True while a write of `step` may still be under way in another process. Where nobody would answer it is waited for
/// until it cannot come any more, and not hastened.
pub fn outlasts(draft: &mut Draft<'_>, step: Step) -> bool {
    let due = step.time + HOLD;
    draft.wake_at(due);
    draft.now < due
}

/// True if nobody would answer on the replacement's side.
pub fn is_dead(draft: &Draft<'_>, resolved: &Resolved) -> bool {
    let production = Production::of(resolved);
    matches!(settled_at(draft, production.pair.replacement, production.task_set), Settled::NoEndpoints)
}

/// Writes a step on record, unless those who were to take it have gone since.
fn write_live(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Verdict {
    let production = Production::of(resolved);
    let service = production.pair.replacement;
    match settled_at(draft, service, production.task_set) {
        Settled::NoEndpoints => {
            let next = "the step is written when it has some";
            hold(draft, "NoReadyEndpoints", words::no_endpoints(service), next)
        }
        Settled::At(at) if at > draft.now && is_held_for_endpoints(draft) => {
            draft.wake_at(at);
            Verdict::Running
        }
        Settled::Unknown => Verdict::Running,
        Settled::At(_) => write(draft, resolved, route, step.weight),
    }
}

fn rebase(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, percent: i32) -> Verdict {
    if let Some(step) = draft.status.traffic.as_mut().and_then(|t| t.steps.last_mut()) {
        step.generation = route.generation;
    }
    write(draft, resolved, route, percent)
}

/// The route stands as the step left it again: the step's interval begins anew with the generation that it has now.
fn resume(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Verdict {
    let now = draft.now;
    if let Some(step) = draft.status.traffic.as_mut().and_then(|t| t.steps.last_mut()) {
        (step.time, step.generation) = (now, route.generation - 1);
    }
    draft.status.waiting = None;
    let split = words::split(pair(resolved), step.weight);
    let message = format!("{split} again; the interval of step {} begins anew", step.index);
    draft.say(Says::Reconciling, "AllowTraffic", message);
    Verdict::Running
}

/// The gateway has not taken the route as it is. If it had taken the step before somebody edited the route, only a step
/// that is due has to wait for it.
fn silent(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Verdict {
    let served = served_since(route, step).map(|at| at.max(step.time));
    let due = served
        .map_or(step.time + GATEWAY_PATIENCE, |at| at + interval(&resolved.traffic_routing) + EDIT_PATIENCE);
    if draft.now < due {
        draft.wake_at(due);
        return Verdict::Running;
    }
    let cause = format!(
        "no gateway has answered for generation {} of HTTPRoute {} yet",
        route.generation, route.name
    );
    let next = format!("the next step waits for it (kubectl get httproute {} -o yaml)", route.name);
    hold(draft, "GatewaySilent", cause, &next)
}

fn taken(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Stand {
    let Some(sighted) = served_since(route, step) else {
        return Stand::Verdict(Verdict::Running);
    };
    // The record of a switch may be much older than its write, and nobody says when a front Service was taken.
    let served = if Production::of(resolved).is_service { draft.now } else { sighted.max(step.time) };
    let due = served + interval(&resolved.traffic_routing);
    if step.weight == 100 {
        note_served(draft, served);
        return Stand::Verdict(Verdict::Done);
    }
    if draft.now < due && is_silent(draft, resolved) {
        draft.wake_at(due);
        return Stand::Verdict(fell_silent(draft, resolved, STEP_WAITS));
    }
    if draft.now < due && original_is_dead(draft, resolved) {
        draft.wake_at(due);
        return Stand::Verdict(original_fell_silent(draft, resolved, step, due));
    }
    if draft.now < due {
        if draft.status.waiting.take().is_some() {
            let split = words::split(pair(resolved), step.weight);
            draft.say(Says::Reconciling, "AllowTraffic", format!("{split}; the wait is over"));
        }
        draft.wake_at(due);
        return Stand::Verdict(Verdict::Running);
    }
    Stand::Due(served)
}

/// True if nobody answers for a service's original, which has the rest of the traffic.
fn original_is_dead(draft: &Draft<'_>, resolved: &Resolved) -> bool {
    let production = Production::of(resolved);
    let original = draft.facts.services.get(production.pair.original);
    production.task_set.is_some() && original.is_some_and(|s| !s.exists || s.ready == Some(0))
}

/// The steps are not hurried: the replacement has not yet served for as long as it is to before it gets more. Whoever runs the
/// deployment has to know that requests are lost until then.
fn original_fell_silent(draft: &mut Draft<'_>, resolved: &Resolved, step: Step, due: Timestamp) -> Verdict {
    let original = Production::of(resolved).pair.original;
    let cause = repointed::original(draft, resolved).unwrap_or_else(|| words::no_endpoints(original));
    if draft.status.waiting.as_ref().is_none_or(|w| w.reason != ORIGINAL_NOT_READY) {
        let message = format!(
            "{cause}; {original} is the original: nobody answers there, and what it has of the traffic moves with the next steps only"
        );
        draft.warn(ORIGINAL_NOT_READY, message);
    }
    let message = format!(
        "{cause}; {original} is the original: nobody answers there, and it keeps its {} % until the next step, at {}",
        100 - step.weight,
        due.strftime("%H:%M:%SZ")
    );
    draft.wait(ORIGINAL_NOT_READY, message);
    Verdict::Running
}

/// True if nobody answers for a service's replacement, which has traffic.
fn is_silent(draft: &Draft<'_>, resolved: &Resolved) -> bool {
    Production::of(resolved).task_set.is_some() && is_dead(draft, resolved)
}

/// Since when the gateway has had what the step wrote. Somebody may have written the very same numbers just before us:
/// then our write changed nothing, and the generation that was decided on is the one that counts.
pub fn served_since(route: &RouteFact, step: Step) -> Option<Timestamp> {
    let written = if route.generation == step.generation { step.generation } else { step.generation + 1 };
    route.served_since(written)
}
