//! The traffic shift: which step is due, whether the route has the last one, and whether the gateway has taken it.
//!
//! A step is recorded, then written. Its interval begins when the gateway is seen at the written generation. No step
//! is early and none is skipped: a controller that comes late takes the next step, not the last one.

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::facts::{GatewayFact, RouteFact};
use super::plan::{Act, SetWeights};
use super::weights::{self, Pair};
use super::words;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_status::{Resolved, Step};
use crate::api::duration::Spoken;
use crate::api::{EventStatus, RoutingType, TrafficRouting};

/// How long a side's endpoints must have been ready before it gets weight (gateways lag behind endpoints).
pub const SETTLE: SignedDuration = SignedDuration::from_secs(3);
/// How long the gateway may keep silent before the object says so.
pub const GATEWAY_PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// How long the gateway may take over somebody else's edit once a step is due, before that is worth a sentence.
const EDIT_PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// An event that does not end fails after this long (CodeDeploy: one hour; waits that the user configured aside).
pub const EVENT_TIMEOUT: SignedDuration = SignedDuration::from_secs(3_600);

/// The reason while somebody else's weights stand in the route.
const WEIGHTS_CHANGED: &str = "WeightsChanged";

/// How the shift stands after a look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on, or waits.
    Running,
    /// All traffic has moved and the gateway has taken it.
    Done,
    /// It cannot go on: code and sentence.
    Failed(&'static str, String),
}

/// The replacement's percentage after each step.
pub fn percents(routing: &TrafficRouting) -> Vec<i32> {
    let first = match (routing.type_, routing.canary, routing.linear) {
        (RoutingType::TimeBasedCanary, Some(canary), _) => return vec![canary.percentage.clamp(1, 99), 100],
        (RoutingType::TimeBasedLinear, _, Some(linear)) => linear.percentage.clamp(1, 99),
        _ => return vec![100],
    };
    let mut percents: Vec<i32> = (1..).map(|n| n * first).take_while(|p| *p < 100).collect();
    percents.push(100);
    percents
}

/// The time between two steps.
pub fn interval(routing: &TrafficRouting) -> SignedDuration {
    match routing.type_ {
        RoutingType::AllAtOnce => SignedDuration::ZERO,
        RoutingType::TimeBasedCanary => routing.canary.map_or(SignedDuration::ZERO, |c| c.interval.length()),
        RoutingType::TimeBasedLinear => routing.linear.map_or(SignedDuration::ZERO, |l| l.interval.length()),
    }
}

/// Carries AllowTraffic, the event at `index`, as far as it goes now.
pub fn advance(draft: &mut Draft<'_>, index: usize, resolved: &Resolved) -> Verdict {
    let f = &resolved.function;
    if f.original == f.replacement {
        begin(draft, index);
        draft.status.traffic = Some(words::traffic(draft.status.traffic.as_ref(), resolved, 100));
        return Verdict::Done;
    }
    let Some(route) = draft.facts.route.clone() else {
        return hold(
            draft,
            "HTTPRouteMissing",
            format!("HTTPRoute {} is gone", f.route),
            "create it again, or stop the deployment",
        );
    };
    if !f.route_uid.is_empty() && route.uid != f.route_uid {
        return Verdict::Failed(
            "InvalidFunctionConfiguration",
            format!("HTTPRoute {} was deleted and created anew while traffic moved", f.route),
        );
    }
    let last = draft.status.traffic.as_ref().and_then(|t| t.steps.last().copied());
    match last {
        None => first_step(draft, index, resolved, &route),
        Some(step) => follow(draft, resolved, &route, step),
    }
}

fn begin(draft: &mut Draft<'_>, index: usize) {
    let now = draft.now;
    let event = draft.event(index);
    if event.status == EventStatus::Pending {
        event.status = EventStatus::InProgress;
        event.start_time = Some(now);
    }
}

fn first_step(draft: &mut Draft<'_>, index: usize, resolved: &Resolved, route: &RouteFact) -> Verdict {
    let f = &resolved.function;
    let percents = percents(&resolved.traffic_routing);
    let is_rollback = draft.status.creator == Some(crate::api::Creator::AutoRollback);
    if is_rollback && weights::stands_at(route, pair(resolved), 100) {
        begin(draft, index);
        return Verdict::Done;
    }
    if let Err(e) = weights::check(route, pair(resolved), &percents) {
        return Verdict::Failed("InvalidFunctionConfiguration", format!("{}: {e}", e.reason()));
    }
    if !is_rollback && !weights::stands_at(route, pair(resolved), 0) {
        return changed(draft, resolved, route, 0);
    }
    match settled_at(draft, &f.replacement) {
        Settled::Unknown => return Verdict::Running,
        Settled::NoEndpoints => {
            return hold(draft, "NoReadyEndpoints", words::no_endpoints(&f.replacement), "");
        }
        Settled::At(at) if at > draft.now && !is_rollback => {
            draft.wake_at(at);
            return Verdict::Running;
        }
        Settled::At(_) => {}
    }
    begin(draft, index);
    let first = percents[0];
    take(
        draft,
        resolved,
        route,
        Step { index: 1, weight: first, time: draft.now, served_time: None, generation: route.generation },
    )
}

enum Settled {
    Unknown,
    NoEndpoints,
    At(Timestamp),
}

fn settled_at(draft: &Draft<'_>, service: &str) -> Settled {
    let fact = draft.facts.services.get(service);
    match fact.map(|s| (s.exists, s.ready, s.ready_since)) {
        None | Some((true, None, _)) => Settled::Unknown,
        Some((false, _, _) | (_, Some(0), _)) => Settled::NoEndpoints,
        Some((_, _, Some(since))) => Settled::At(since + SETTLE),
        Some((_, _, None)) => Settled::Unknown,
    }
}

/// Records `step` and, behind the record, writes it.
fn take(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Verdict {
    let percents = percents(&resolved.traffic_routing);
    let mut traffic = words::traffic(draft.status.traffic.as_ref(), resolved, step.weight);
    traffic.start_time = traffic.start_time.or(Some(draft.now));
    let is_last = step.weight == 100;
    traffic.next_step_time = (!is_last).then(|| draft.now + interval(&resolved.traffic_routing));
    traffic.steps.push(step);
    draft.status.traffic = Some(traffic);
    draft.status.waiting = None;
    let split = words::split(pair(resolved), step.weight);
    let next = if is_last {
        "the last step; waiting for the gateway to take it".into()
    } else {
        format!(
            "step {} of {}; the next one {} after the gateway has taken it",
            step.index,
            percents.len(),
            Spoken(interval(&resolved.traffic_routing))
        )
    };
    draft.say(Says::Reconciling, "AllowTraffic", format!("{split}; {next}"));
    write(draft, resolved, route, step.weight)
}

fn write(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, percent: i32) -> Verdict {
    let edits = weights::edits(route, pair(resolved), percent);
    let (name, uid, generation) = (route.name.clone(), route.uid.clone(), route.generation);
    draft.act(Act::SetWeights(SetWeights { route: name, uid, generation, edits }));
    match &route.write_refused {
        Some(words) => {
            let cause =
                format!("the API server refuses the new weights of HTTPRoute {}: {words}", route.name);
            hold(draft, "RouteWriteRefused", cause, "they are written again every 30s until it takes them")
        }
        None => Verdict::Running,
    }
}

/// Looks after a step on record: writes it if it is not there yet, waits for the gateway, takes the next one when due.
fn follow(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Verdict {
    let before =
        draft.status.traffic.as_ref().and_then(|t| t.steps.iter().rev().nth(1)).map_or(0, |s| s.weight);
    if !weights::stands_at(route, pair(resolved), step.weight) {
        let is_rollback = draft.status.creator == Some(crate::api::Creator::AutoRollback);
        let is_unwritten = (is_rollback || weights::stands_at(route, pair(resolved), before))
            && weights::check(route, pair(resolved), &[step.weight]).is_ok();
        return match route.generation - step.generation {
            0 if is_unwritten => write(draft, resolved, route, step.weight),
            // Somebody else's edit came between the record and our write, which its test then refused.
            1 if is_unwritten => rebase(draft, resolved, route, step.weight),
            // Several edits did: without the refusal this could as well be our write and somebody's way back from it.
            _ if is_unwritten && route.refused_at == Some(step.generation) => {
                rebase(draft, resolved, route, step.weight)
            }
            _ => changed(draft, resolved, route, step.weight),
        };
    }
    if draft.status.waiting.as_ref().is_some_and(|w| w.reason == WEIGHTS_CHANGED) {
        return resume(draft, resolved, route, step);
    }
    match &route.gateway {
        GatewayFact::Taken => taken(draft, resolved, route, step),
        GatewayFact::Refused(words) => hold(
            draft,
            "RouteRefused",
            format!("the gateway does not serve HTTPRoute {} as written: {words}", route.name),
            "the next step waits until it does",
        ),
        GatewayFact::Silent | GatewayFact::Behind => silent(draft, resolved, route, step),
    }
}

/// Writes the last step again if the route shows that it was recorded and never written. Answers true if that was so.
///
/// Until the write its act may still be under way in another process, and would land after a stop or on top of the way
/// back: only a generation past the recorded one makes it void.
pub fn finish_step(draft: &mut Draft<'_>, resolved: &Resolved) -> bool {
    let last = draft.status.traffic.as_ref().and_then(|t| t.steps.last().copied());
    let route = draft.facts.route.clone().filter(|r| !r.is_going && r.uid == resolved.function.route_uid);
    let (Some(step), Some(route)) = (last.filter(|s| s.weight > 0), route) else { return false };
    let is_open = route.generation == step.generation
        && !weights::stands_at(&route, pair(resolved), step.weight)
        && weights::check(&route, pair(resolved), &[step.weight]).is_ok()
        && route.write_refused.is_none()
        && !draft.facts.namespace_is_going;
    if is_open {
        write(draft, resolved, &route, step.weight);
    }
    is_open
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

fn taken(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, step: Step) -> Verdict {
    let Some(sighted) = served_since(route, step) else { return Verdict::Running };
    let served = sighted.max(step.time);
    let due = served + interval(&resolved.traffic_routing);
    if step.weight == 100 {
        note_served(draft, served);
        return Verdict::Done;
    }
    if draft.now < due {
        if draft.status.waiting.take().is_some() {
            let split = words::split(pair(resolved), step.weight);
            draft.say(Says::Reconciling, "AllowTraffic", format!("{split}; the wait is over"));
        }
        draft.wake_at(due);
        return Verdict::Running;
    }
    let service = &resolved.function.replacement;
    match settled_at(draft, service) {
        Settled::Unknown => return Verdict::Running,
        Settled::NoEndpoints => {
            return hold(
                draft,
                "NoReadyEndpoints",
                words::no_endpoints(service),
                "the next step waits for it",
            );
        }
        // Endpoints that were missed have only just come back: the gateway learns of them no sooner than at the start.
        Settled::At(at) if at > draft.now && is_held_for_endpoints(draft) => {
            draft.wake_at(at);
            return Verdict::Running;
        }
        Settled::At(_) => {}
    }
    let percents = percents(&resolved.traffic_routing);
    let position = usize::try_from(step.index).unwrap_or(usize::MAX);
    let weight = percents.get(position).copied().unwrap_or(100);
    note_served(draft, served);
    let next = Step {
        index: step.index + 1,
        weight,
        time: draft.now,
        served_time: None,
        generation: route.generation,
    };
    take(draft, resolved, route, next)
}

fn is_held_for_endpoints(draft: &Draft<'_>) -> bool {
    draft.status.waiting.as_ref().is_some_and(|w| w.reason == "NoReadyEndpoints")
}

/// Since when the gateway has had what the step wrote. Somebody may have written the very same numbers just before us:
/// then our write changed nothing, and the generation that was decided on is the one that counts.
fn served_since(route: &RouteFact, step: Step) -> Option<Timestamp> {
    let written = if route.generation == step.generation { step.generation } else { step.generation + 1 };
    route.served_since(written)
}

fn note_served(draft: &mut Draft<'_>, served: Timestamp) {
    if let Some(step) = draft.status.traffic.as_mut().and_then(|t| t.steps.last_mut()) {
        step.served_time = Some(served);
    }
}

fn changed(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, expected: i32) -> Verdict {
    let now = weights::share(route, pair(resolved))
        .map_or_else(|| "neither of the two".into(), |p| words::split(pair(resolved), p));
    let cause = format!(
        "somebody else changed the weights of HTTPRoute {}: it has {now}, this deployment left it at {}",
        route.name,
        words::split(pair(resolved), expected)
    );
    let next = "nothing is moved until it stands there again, or the deployment is stopped";
    if draft.status.waiting.as_ref().is_none_or(|w| w.reason != WEIGHTS_CHANGED) {
        draft.warn(WEIGHTS_CHANGED, format!("{cause}; {next}"));
    }
    hold(draft, WEIGHTS_CHANGED, cause, next)
}

/// Waits for something to come right, and gives up after an hour.
fn hold(draft: &mut Draft<'_>, reason: &'static str, cause: String, next: &str) -> Verdict {
    let message = if next.is_empty() { cause.clone() } else { format!("{cause}; {next}") };
    let lasted = draft.wait(reason, message);
    if lasted >= EVENT_TIMEOUT {
        return Verdict::Failed(
            "Timeout",
            format!("AllowTraffic did not end within {}: {cause}", Spoken(EVENT_TIMEOUT)),
        );
    }
    if let Some(waiting) = &draft.status.waiting {
        let at = waiting.since + EVENT_TIMEOUT;
        draft.wake_at(at);
    }
    Verdict::Running
}

/// The pair of a snapshot.
pub fn pair(resolved: &Resolved) -> Pair<'_> {
    Pair { original: &resolved.function.original, replacement: &resolved.function.replacement }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::deployment_config::Increment;
    use crate::api::{GoDuration, predefined};

    fn routing(type_: RoutingType, percentage: i32) -> TrafficRouting {
        let step = Some(Increment { percentage, interval: GoDuration::from_secs(60) });
        match type_ {
            RoutingType::AllAtOnce => TrafficRouting { type_, canary: None, linear: None },
            RoutingType::TimeBasedCanary => TrafficRouting { type_, canary: step, linear: None },
            RoutingType::TimeBasedLinear => TrafficRouting { type_, canary: None, linear: step },
        }
    }

    #[test]
    fn a_shift_ends_at_a_hundred_and_a_last_step_may_be_shorter() {
        assert_eq!(percents(&routing(RoutingType::AllAtOnce, 0)), [100]);
        assert_eq!(percents(&routing(RoutingType::TimeBasedCanary, 20)), [20, 100]);
        assert_eq!(percents(&routing(RoutingType::TimeBasedLinear, 25)), [25, 50, 75, 100]);
        assert_eq!(percents(&routing(RoutingType::TimeBasedLinear, 40)), [40, 80, 100]);
        assert_eq!(percents(&routing(RoutingType::TimeBasedLinear, 99)), [99, 100]);
    }

    #[test]
    fn the_predefined_configurations_have_the_steps_that_their_names_say() {
        let of = |name: &str| predefined::find(name).unwrap().traffic_routing.unwrap();
        let linear = of("CodeDeployDefault.LambdaLinear10PercentEvery3Minutes");
        assert_eq!((percents(&linear).len(), interval(&linear)), (10, SignedDuration::from_mins(3)));
        let canary = of("CodeDeployDefault.LambdaCanary10Percent15Minutes");
        assert_eq!((percents(&canary), interval(&canary)), (vec![10, 100], SignedDuration::from_mins(15)));
        assert_eq!(interval(&of("CodeDeployDefault.LambdaAllAtOnce")), SignedDuration::ZERO);
    }
}
