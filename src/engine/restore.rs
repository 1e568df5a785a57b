//! Putting the traffic back: when a running Deployment is deleted or replaced, the original serves again first.

use super::draft::Draft;
use super::facts::GatewayFact;
use super::production::{self, Production};
use super::service;
use super::shift::{self, EVENT_TIMEOUT, pair};
use super::shift_follow::{self, GATEWAY_PATIENCE};
use super::weights;
use super::words;
use crate::api::condition::Verdict;
use crate::api::deployment_status::{Resolved, Step};

/// Carries the way back as far as it goes now. Answers true when the original has its traffic again, or nothing can be done.
pub fn advance(draft: &mut Draft<'_>, resolved: &Resolved, why: &str) -> bool {
    let production = Production::of(resolved);
    let original = production.pair.original;
    let last = draft.status.traffic.as_ref().and_then(|t| t.steps.last().copied());
    let (Some(step), false) = (last, production.is_still()) else { return true };
    let Some(route) = draft.facts.route.clone().filter(|r| !r.is_going && production.has_uid(&r.uid)) else {
        return true;
    };
    if draft.facts.namespace_is_going {
        return true;
    }
    let is_on_record = step.weight == 0;
    if is_on_record && weights::stands_at(&route, pair(resolved), 0) {
        let due = step.time + GATEWAY_PATIENCE;
        let is_served = matches!(route.gateway, GatewayFact::Taken) || draft.now >= due;
        if !is_served {
            draft.wake_at(due);
        } else if production.is_service && step.served_time.is_none() {
            shift::note_served(draft, draft.now);
        }
        return is_served;
    }
    if weights::check(&route, pair(resolved), &[0]).is_err() {
        return true;
    }
    // An original that nobody runs any more is no place for traffic, and neither are pods that are none of its.
    if is_dead(draft, resolved, &production) || service::repointed::original(draft, resolved).is_some() {
        // A way back that is on record and was never written is not hastened there either.
        return !is_on_record || !shift_follow::outlasts(draft, step);
    }
    // What the API server does not take, or somebody keeps setting back, is not fought over for ever.
    let is_lost = route.write_refused.is_some() || draft.now.duration_since(step.time) >= EVENT_TIMEOUT;
    if is_on_record && is_lost {
        return true;
    }
    if !is_on_record {
        let mut traffic = words::traffic(draft.status.traffic.as_ref(), resolved, 0);
        let index = step.index + 1;
        traffic.steps.push(Step {
            index,
            weight: 0,
            time: draft.now,
            served_time: None,
            generation: route.generation,
        });
        draft.status.traffic = Some(traffic);
        draft.status.waiting = None;
        draft.say(
            Verdict::Reconciling,
            "PuttingTrafficBack",
            format!("{why}: putting all traffic back on {original}"),
        );
    }
    // Somebody edited the route meanwhile: the new generation goes on record before it is written, so that nobody who
    // still believes in an older status writes over a newer route.
    if let Some(step) = draft.status.traffic.as_mut().and_then(|t| t.steps.last_mut()) {
        step.generation = route.generation;
    }
    if let Some(act) = production::give(draft.facts, resolved, &route, 0) {
        draft.act(act);
    }
    false
}

/// True if nobody would answer on the original's side. Behind a front Service its own target group says nothing of that.
fn is_dead(draft: &Draft<'_>, resolved: &Resolved, production: &Production<'_>) -> bool {
    let original = resolved.service.as_deref().and_then(|s| s.original.as_ref());
    match original.and_then(|o| o.task_set.as_ref()).filter(|_| production.is_service) {
        Some(task_set) => draft.facts.task_sets.get(task_set).is_none_or(|t| t.ready == 0),
        None => {
            let found = draft.facts.services.get(production.pair.original);
            found.is_some_and(|s| !s.exists || s.ready == Some(0))
        }
    }
}

/// True once the way back is on record: the shift is over for good.
pub fn is_under_way(draft: &Draft<'_>) -> bool {
    draft.status.traffic.as_ref().and_then(|t| t.steps.last()).is_some_and(|s| s.weight == 0)
}
