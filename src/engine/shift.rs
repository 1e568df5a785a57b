//! The traffic shift: the steps of a configuration, and taking one that is due.
//!
//! A step is recorded, then written. Its interval begins when the gateway is seen at the written generation, which
//! `shift_follow` watches. No step is early and none is skipped: a controller that comes late takes the next step, not
//! the last one.

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::facts::RouteFact;
use super::production::{self, Production};
use super::service::all_ready;
use super::service::repointed;
use super::shift_follow::{self, Stand};
use super::siblings;
use super::weights::{self, Pair};
use super::words;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_status::{Resolved, Step};
use crate::api::duration::Spoken;
use crate::api::{EventName, EventStatus, RoutingType, TrafficRouting};

/// How long a side's endpoints must have been ready before it gets weight (gateways lag behind endpoints).
pub const SETTLE: SignedDuration = SignedDuration::from_secs(3);
/// An event that does not end fails after this long (CodeDeploy: one hour; waits that the user configured aside).
pub const EVENT_TIMEOUT: SignedDuration = SignedDuration::from_secs(3_600);

/// The reason while somebody else's weights stand in the route.
pub const WEIGHTS_CHANGED: &str = "WeightsChanged";

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
    let production = Production::of(resolved);
    if production.is_still() {
        begin(draft, index);
        draft.status.traffic = Some(words::traffic(draft.status.traffic.as_ref(), resolved, 100));
        return Verdict::Done;
    }
    let Some(route) = draft.facts.route.clone() else {
        return hold(
            draft,
            "HTTPRouteMissing",
            format!("{} is gone", production.described()),
            "create it again, or stop the deployment",
        );
    };
    if !production.has_uid(&route.uid) && draft.status.is_rollback() {
        return follow_anew(draft, &production, &route);
    }
    if !production.has_uid(&route.uid) {
        let message = format!("{} was deleted and created anew while traffic moved", production.described());
        return Verdict::Failed(words::invalid_code(resolved), message);
    }
    if route.rules_are_lost {
        return hold(
            draft,
            "RulesChanged",
            words::rules_changed(&route.name),
            "nothing is moved until they stand as before, or the deployment is stopped",
        );
    }
    let last = draft.status.traffic.as_ref().and_then(|t| t.steps.last().copied());
    match last {
        None => first_step(draft, index, resolved, &route),
        Some(step) => match shift_follow::follow(draft, resolved, &route, step) {
            Stand::Verdict(verdict) => verdict,
            Stand::Due(served) => next_step(draft, resolved, &route, step, served),
        },
    }
}

/// A rollback takes the listener that stands where its own was, as it does at its start: the traffic has to go back there, too. Its
/// rules are those that can still be told, else all that name either side. What was written is written again, on the new one.
fn follow_anew(draft: &mut Draft<'_>, production: &Production<'_>, route: &RouteFact) -> Verdict {
    let is_told = production.scope.find(route).is_ok_and(|found| !found.is_empty());
    let (described, now) = (production.described(), draft.now);
    let Some(resolved) = draft.status.resolved.as_mut() else { return Verdict::Running };
    if let Some(service) = resolved.service.as_deref_mut() {
        let listener = &mut service.production;
        listener.uid.clone_from(&route.uid);
        if !is_told {
            (listener.rules, listener.rule_count, listener.rule_keys) = (vec![], 0, vec![]);
        }
    } else if let Some(function) = resolved.function.as_mut() {
        function.route_uid.clone_from(&route.uid);
        if !is_told {
            (function.rules, function.rule_count, function.rule_keys) = (vec![], 0, vec![]);
        }
    }
    if let Some(step) = draft.status.traffic.as_mut().and_then(|t| t.steps.last_mut()) {
        (step.time, step.generation, step.served_time) = (now, route.generation, None);
    }
    draft.status.waiting = None;
    let message = format!("{described} was deleted and created anew; all traffic goes back there as well");
    draft.say(Says::Reconciling, "AllowTraffic", message);
    Verdict::Running
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
    let production = Production::of(resolved);
    let percents = percents(&resolved.traffic_routing);
    let is_rollback = draft.status.is_rollback();
    if is_rollback && weights::stands_at(route, pair(resolved), 100) {
        begin(draft, index);
        return Verdict::Done;
    }
    if !is_rollback && siblings::intruder(resolved, route).is_some() {
        return changed(draft, resolved, route, 0);
    }
    if let Err(e) = weights::check(route, pair(resolved), &percents) {
        return Verdict::Failed(words::invalid_code(resolved), format!("{}: {e}", e.reason()));
    }
    if !is_rollback && !weights::stands_at(route, pair(resolved), 0) {
        return changed(draft, resolved, route, 0);
    }
    if let Some(verdict) = repointed::held(draft, resolved) {
        return verdict;
    }
    match settled_at(draft, production.pair.replacement, production.task_set) {
        Settled::Unknown => return Verdict::Running,
        Settled::NoEndpoints => {
            return hold(draft, "NoReadyEndpoints", words::no_endpoints(production.pair.replacement), "");
        }
        Settled::At(at) if at > draft.now && !is_rollback => {
            draft.wake_at(at);
            return Verdict::Running;
        }
        Settled::At(_) => {}
    }
    if let Some(verdict) = all_ready::missed(draft, resolved) {
        return verdict;
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

/// Takes the step after `last`, which the gateway has served since `served`.
fn next_step(
    draft: &mut Draft<'_>,
    resolved: &Resolved,
    route: &RouteFact,
    last: Step,
    served: Timestamp,
) -> Verdict {
    let Production { pair: Pair { replacement: service, .. }, task_set, .. } = Production::of(resolved);
    if let Some(verdict) = repointed::held(draft, resolved) {
        return verdict;
    }
    match settled_at(draft, service, task_set) {
        Settled::Unknown => return Verdict::Running,
        Settled::NoEndpoints => return fell_silent(draft, resolved, STEP_WAITS),
        // Endpoints that were missed have only just come back: the gateway learns of them no sooner than at the start.
        Settled::At(at) if at > draft.now && is_held_for_endpoints(draft) => {
            draft.wake_at(at);
            return Verdict::Running;
        }
        Settled::At(_) => {}
    }
    if let Some(verdict) = all_ready::missed(draft, resolved) {
        return verdict;
    }
    let percents = percents(&resolved.traffic_routing);
    let position = usize::try_from(last.index).unwrap_or(usize::MAX);
    let weight = percents.get(position).copied().unwrap_or(100);
    note_served(draft, served);
    let (index, generation) = (last.index + 1, route.generation);
    take(draft, resolved, route, Step { index, weight, time: draft.now, served_time: None, generation })
}

/// What comes next while the replacement's endpoints are missed in the shift.
pub const STEP_WAITS: &str = "the next step waits for it";

/// The replacement has traffic and nobody to answer it. A service that does not recover in a minute fails while the
/// original still lives, so that a rollback takes the traffic away; a function's pods are somebody else's to mend.
pub fn fell_silent(draft: &mut Draft<'_>, resolved: &Resolved, next: &str) -> Verdict {
    if let Some(verdict) = repointed::held(draft, resolved) {
        return verdict;
    }
    let production = Production::of(resolved);
    let cause = words::no_endpoints(production.pair.replacement);
    let verdict = hold(draft, "NoReadyEndpoints", cause.clone(), next);
    let lives = original_lives(draft, &production);
    let since = draft.status.waiting.as_ref().map_or(draft.now, |w| w.since);
    let is_over = draft.now.duration_since(since) >= super::draft::PATIENCE;
    if is_over && lives && production.task_set.is_some() && !draft.status.is_rollback() {
        let message =
            format!("{cause}; it had none for {} while it had traffic", Spoken(super::draft::PATIENCE));
        return Verdict::Failed("CustomerApplicationUnhealthy", message);
    }
    verdict
}

/// True if somebody answers on the original's side.
pub fn original_lives(draft: &Draft<'_>, production: &Production<'_>) -> bool {
    draft.facts.services.get(production.pair.original).and_then(|s| s.ready).is_some_and(|n| n > 0)
}

/// Whether a side can take traffic.
pub enum Settled {
    /// Not known yet.
    Unknown,
    /// Nobody would answer.
    NoEndpoints,
    /// From then on.
    At(Timestamp),
}

/// When the endpoints behind `service` have been ready for long enough; those of `task_set`, if it is given.
pub fn settled_at(draft: &Draft<'_>, service: &str, task_set: Option<&str>) -> Settled {
    let Some(fact) = draft.facts.services.get(service) else { return Settled::Unknown };
    let own = task_set.is_none_or(|name| fact.ready_of.get(name).is_some_and(|n| *n > 0));
    match (fact.exists, fact.ready, fact.ready_since) {
        (true, None, _) => Settled::Unknown,
        (false, _, _) | (_, Some(0), _) => Settled::NoEndpoints,
        _ if !own => Settled::NoEndpoints,
        // Behind a Service whose selector was moved somebody else may have been ready before.
        (_, _, Some(since)) => Settled::At(installed(draft).map_or(since, |at| at.max(since)) + SETTLE),
        (_, _, None) => Settled::Unknown,
    }
}

/// When Install ended.
fn installed(draft: &Draft<'_>) -> Option<Timestamp> {
    draft.status.lifecycle_events.iter().find(|e| e.name == EventName::Install)?.end_time
}

/// True while the endpoints of the side that takes were missed.
pub fn is_held_for_endpoints(draft: &Draft<'_>) -> bool {
    draft.status.waiting.as_ref().is_some_and(|w| w.reason == "NoReadyEndpoints")
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

/// Plans the write of a step that is on record, or about to be.
pub fn write(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, percent: i32) -> Verdict {
    if let Some(act) = production::give(draft.facts, resolved, route, percent) {
        draft.act(act);
    }
    match &route.write_refused {
        Some(words) => {
            let cause =
                format!("the API server refuses the new weights of HTTPRoute {}: {words}", route.name);
            hold(draft, "RouteWriteRefused", cause, "they are written again every 30s until it takes them")
        }
        None => Verdict::Running,
    }
}

/// Notes since when the gateway has served the last step: written together with what comes next.
pub fn note_served(draft: &mut Draft<'_>, served: Timestamp) {
    if let Some(step) = draft.status.traffic.as_mut().and_then(|t| t.steps.last_mut()) {
        step.served_time = Some(served);
    }
}

/// Holds while the route has other weights than `expected` percent.
pub fn changed(draft: &mut Draft<'_>, resolved: &Resolved, route: &RouteFact, expected: i32) -> Verdict {
    let cause = change(resolved, route, expected);
    let next = "nothing is moved until it stands there again, or the deployment is stopped";
    if draft.status.waiting.as_ref().is_none_or(|w| w.reason != WEIGHTS_CHANGED) {
        draft.warn(WEIGHTS_CHANGED, format!("{cause}; {next}"));
    }
    hold(draft, WEIGHTS_CHANGED, cause, next)
}

/// What somebody else made of weights that this deployment left at `expected` percent.
pub fn change(resolved: &Resolved, route: &RouteFact, expected: i32) -> String {
    let production = Production::of(resolved);
    let share = weights::share(route, production.pair);
    let mut now = share.map_or_else(|| "neither of the two".into(), |p| words::split(production.pair, p));
    if let Some((service, weight)) = siblings::intruder(resolved, route) {
        now = format!("{now}, and beside them {service} with weight {weight}");
    }
    format!(
        "somebody else changed {} of {}: it has {now}, this deployment left it at {}",
        if production.is_service { "the selector" } else { "the weights" },
        production.described(),
        words::split(production.pair, expected)
    )
}

/// Waits for something to come right, and gives up after an hour.
pub fn hold(draft: &mut Draft<'_>, reason: &'static str, cause: String, next: &str) -> Verdict {
    let message = if next.is_empty() { cause.clone() } else { format!("{cause}; {next}") };
    let lasted = draft.wait(reason, message);
    if lasted >= EVENT_TIMEOUT {
        return Verdict::Failed(
            "Timeout",
            format!("{} did not end within {}: {cause}", under_way(draft), Spoken(EVENT_TIMEOUT)),
        );
    }
    if let Some(waiting) = &draft.status.waiting {
        let at = waiting.since + EVENT_TIMEOUT;
        draft.wake_at(at);
    }
    Verdict::Running
}

/// The event that is being held up.
fn under_way(draft: &Draft<'_>) -> String {
    let events = &draft.status.lifecycle_events;
    let open = events.iter().find(|e| matches!(e.status, EventStatus::Pending | EventStatus::InProgress));
    let last = match draft.status.resolved.as_ref().and_then(|r| r.service.as_ref()) {
        Some(_) => "the original's termination",
        None => "the wait for the traffic to stand as it was left",
    };
    open.map_or_else(|| last.into(), |e| e.name.to_string())
}

/// The pair of a snapshot.
pub fn pair(resolved: &Resolved) -> Pair<'_> {
    Production::of(resolved).pair
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
