//! AllowTestTraffic: the test listener is pointed at the replacement, and back at the primary when that does not come to serve.
//!
//! A step is recorded, then written, as in production; it has no interval.

use std::sync::Arc;

use crate::api::EventStatus;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_snapshot::{ResolvedListener, ResolvedService};
use crate::api::deployment_status::{Diagnostics, Resolved, Step};
use crate::engine::draft::Draft;
use crate::engine::facts::{GatewayFact, RouteFact};
use crate::engine::plan::{Act, SetWeights};
use crate::engine::scope::Scope;
use crate::engine::shift::{self, Settled, Verdict};
use crate::engine::shift_follow::{GATEWAY_PATIENCE, served_since};
use crate::engine::weights::{self, Pair};
use crate::engine::words;

/// The test listener's two target groups.
fn pair(service: &ResolvedService) -> Pair<'_> {
    // What a front Service sent to by a selector of its own is no backend of a route.
    let own = &service.replacement.target_group;
    let gives = service.original.as_ref().map(|o| o.target_group.as_str());
    if let Some(original) = gives.filter(|_| service.production.is_service && *own == service.production.name)
    {
        return Pair { original, replacement: &service.other_target_group, keeps: true };
    }
    Pair {
        original: &service.other_target_group,
        replacement: &service.replacement.target_group,
        keeps: true,
    }
}

fn route(draft: &Draft<'_>, listener: &ResolvedListener) -> Option<Arc<RouteFact>> {
    let route = draft.facts.test_route.as_ref().filter(|r| !r.is_going && r.uid == listener.uid)?;
    Some(Scope::of_listener(listener).apply(route))
}

/// Carries AllowTestTraffic, the event at `index`, as far as it goes now.
pub fn advance(draft: &mut Draft<'_>, index: usize, resolved: &Resolved) -> Verdict {
    let Some(service) = resolved.service.as_deref() else { return Verdict::Done };
    let Some(listener) = &service.test else {
        return pass(draft, index, "the group has no test listener: nothing to point at the replacement");
    };
    let is_rollback = draft.status.is_rollback();
    let Some(route) = route(draft, listener) else {
        if is_rollback {
            return pass(draft, index, "the test listener is gone: nothing to point back");
        }
        let cause = format!("HTTPRoute {}, the test listener, is gone", listener.name);
        return shift::hold(draft, "HTTPRouteMissing", cause, "create it again, or stop the deployment");
    };
    if weights::check(&route, pair(service), &[100]).is_err() {
        let why = "the test listener names neither side any more";
        return if is_rollback { pass(draft, index, why) } else { changed(draft, listener) };
    }
    if is_rollback && weights::stands_at(&route, pair(service), 100) {
        return Verdict::Done;
    }
    match draft.status.test_traffic {
        None => first(draft, index, service, &route, is_rollback),
        Some(step) => follow(draft, service, listener, &route, step, is_rollback),
    }
}

fn pass(draft: &mut Draft<'_>, index: usize, why: &str) -> Verdict {
    draft.event(index).diagnostics =
        Some(Diagnostics { error_code: "Success".into(), message: why.into(), ..Diagnostics::default() });
    Verdict::Done
}

fn first(
    draft: &mut Draft<'_>,
    index: usize,
    service: &ResolvedService,
    route: &RouteFact,
    is_rollback: bool,
) -> Verdict {
    let side = &service.replacement;
    match shift::settled_at(draft, &side.target_group, side.task_set.as_deref()) {
        _ if is_rollback => {}
        Settled::Unknown => return Verdict::Running,
        Settled::NoEndpoints => {
            return shift::hold(draft, "NoReadyEndpoints", words::no_endpoints(&side.target_group), "");
        }
        Settled::At(at) if at > draft.now => {
            draft.wake_at(at);
            return Verdict::Running;
        }
        Settled::At(_) => {}
    }
    let now = draft.now;
    let event = draft.event(index);
    event.status = EventStatus::InProgress;
    event.start_time = event.start_time.or(Some(now));
    record(draft, route, 100);
    if !is_rollback {
        let message = format!("AllowTestTraffic: HTTPRoute {} sends to {}", route.name, side.target_group);
        draft.say(Says::Reconciling, "AllowTestTraffic", message);
    }
    write(draft, service, route, 100);
    if is_rollback { Verdict::Done } else { Verdict::Running }
}

fn record(draft: &mut Draft<'_>, route: &RouteFact, weight: i32) {
    let index = draft.status.test_traffic.map_or(1, |s| s.index + 1);
    let (time, generation) = (draft.now, route.generation);
    draft.status.test_traffic = Some(Step { index, weight, time, served_time: None, generation });
    draft.status.waiting = None;
}

fn write(draft: &mut Draft<'_>, service: &ResolvedService, route: &RouteFact, percent: i32) {
    if weights::stands_at(route, pair(service), percent) {
        return;
    }
    let edits = weights::edits(route, pair(service), percent);
    let (route, uid, generation) = (route.name.clone(), route.uid.clone(), route.generation);
    draft.act(Act::SetWeights(SetWeights { route, uid, generation, edits }));
}

fn follow(
    draft: &mut Draft<'_>,
    service: &ResolvedService,
    listener: &ResolvedListener,
    route: &RouteFact,
    step: Step,
    is_rollback: bool,
) -> Verdict {
    if is_rollback {
        return Verdict::Done;
    }
    if !weights::stands_at(route, pair(service), step.weight) {
        if route.generation == step.generation {
            write(draft, service, route, step.weight);
            return refused(draft, route);
        }
        if route.refused_at == Some(step.generation) {
            record(draft, route, step.weight);
            write(draft, service, route, step.weight);
            return Verdict::Running;
        }
        return changed(draft, listener);
    }
    match &route.gateway {
        GatewayFact::Taken => taken(draft, route, step),
        GatewayFact::Refused(words) => {
            let cause = format!("the gateway does not serve HTTPRoute {} as written: {words}", route.name);
            shift::hold(draft, "RouteRefused", cause, "the deployment waits until it does")
        }
        GatewayFact::Silent | GatewayFact::Behind => silent(draft, route, step),
    }
}

/// A gateway says that it has accepted a route before it serves it: what the next hook asks must be the replacement.
fn taken(draft: &mut Draft<'_>, route: &RouteFact, step: Step) -> Verdict {
    let Some(sighted) = served_since(route, step) else { return Verdict::Running };
    let served = sighted.max(step.time);
    let was_written = route.generation > step.generation;
    let settled = if was_written { served + shift::SETTLE } else { served };
    if draft.now < settled {
        draft.wake_at(settled);
        return Verdict::Running;
    }
    if let Some(step) = &mut draft.status.test_traffic {
        step.served_time = Some(served);
    }
    draft.status.waiting = None;
    Verdict::Done
}

fn refused(draft: &mut Draft<'_>, route: &RouteFact) -> Verdict {
    let Some(words) = &route.write_refused else { return Verdict::Running };
    let cause = format!("the API server refuses the new weights of HTTPRoute {}: {words}", route.name);
    shift::hold(draft, "RouteWriteRefused", cause, "they are written again every 30s until it takes them")
}

fn silent(draft: &mut Draft<'_>, route: &RouteFact, step: Step) -> Verdict {
    let due = step.time + GATEWAY_PATIENCE;
    if draft.now < due {
        draft.wake_at(due);
        return Verdict::Running;
    }
    let cause = format!(
        "no gateway has answered for generation {} of HTTPRoute {} yet",
        route.generation, route.name
    );
    shift::hold(draft, "GatewaySilent", cause, "the deployment waits for it")
}

fn changed(draft: &mut Draft<'_>, listener: &ResolvedListener) -> Verdict {
    let cause = format!("somebody else changed HTTPRoute {}, the test listener", listener.name);
    let next = "nothing goes on until it points at the replacement again, or the deployment is stopped";
    shift::hold(draft, "WeightsChanged", cause, next)
}

/// Points the test listener back at the primary. Answers true when that is done, or cannot be done.
pub fn take_back(draft: &mut Draft<'_>, service: &ResolvedService) -> bool {
    let Some(step) = draft.status.test_traffic else { return true };
    let Some(listener) = service.test.as_ref().filter(|_| service.original.is_some()) else { return true };
    let Some(route) = route(draft, listener) else { return true };
    let is_on_record = step.weight == 0;
    if is_on_record && weights::stands_at(&route, pair(service), 0) {
        return true;
    }
    let is_lost = route.write_refused.is_some()
        || draft.now.duration_since(step.time) >= shift::EVENT_TIMEOUT
        || weights::check(&route, pair(service), &[0]).is_err();
    if is_on_record && is_lost {
        return true;
    }
    record(draft, &route, 0);
    write(draft, service, &route, 0);
    false
}

/// Carries a rollback's step of the test listener to its end: it is not waited for while production is put right.
/// Answers false while it still has to be written.
pub fn is_back(draft: &mut Draft<'_>, resolved: &Resolved) -> bool {
    let (Some(service), Some(step)) = (resolved.service.as_deref(), draft.status.test_traffic) else {
        return true;
    };
    let Some(route) = service.test.as_ref().and_then(|listener| route(draft, listener)) else { return true };
    let is_lost =
        route.write_refused.is_some() || weights::check(&route, pair(service), &[step.weight]).is_err();
    if is_lost || weights::stands_at(&route, pair(service), step.weight) {
        return true;
    }
    if route.generation != step.generation && route.refused_at == Some(step.generation) {
        record(draft, &route, step.weight);
    } else if route.generation != step.generation {
        return true;
    }
    write(draft, service, &route, step.weight);
    false
}

/// Writes the test listener's step again if it was recorded and never written, so that no late write of a paused
/// process can land on top of the way back. Answers true if that was so.
pub fn finish_step(draft: &mut Draft<'_>, resolved: &Resolved) -> bool {
    let (Some(service), Some(step)) = (resolved.service.as_deref(), draft.status.test_traffic) else {
        return false;
    };
    let Some(route) = service.test.as_ref().and_then(|listener| route(draft, listener)) else { return false };
    let is_open = step.weight > 0
        && route.generation == step.generation
        && !weights::stands_at(&route, pair(service), step.weight)
        && weights::check(&route, pair(service), &[step.weight]).is_ok()
        && route.write_refused.is_none()
        && !draft.facts.namespace_is_going;
    if is_open {
        write(draft, service, &route, step.weight);
    }
    is_open
}
