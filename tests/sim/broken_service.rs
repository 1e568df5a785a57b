//! Each invariant on the two sides of a service can fail: a decision that is broken on purpose is caught by it.

use jiff::{SignedDuration, Timestamp};
use sluice::api::{EventName, TASK_SET_LABEL};
use sluice::engine::facts::GatewayFact;
use sluice::engine::group::{GroupAct, GroupFacts, GroupPlan};
use sluice::engine::group_service::Made;
use sluice::engine::plan::{CreateTaskSet, Edit, PointService, ScaleTaskSet, SetWeights};
use sluice::engine::{Act, Facts, Plan, decide};

use super::believer::Minds;
use super::broken::breach;
use super::service_setup::{A, B};

type Mind = fn(&Facts, Timestamp) -> Plan;

/// The plan of the real decision, and acts beside it while the traffic moves.
fn and(facts: &Facts, now: Timestamp, at: EventName, acts: Vec<Act>) -> Plan {
    let mut plan = decide(facts, now);
    let events = facts.deployment.status.iter().flat_map(|s| &s.lifecycle_events);
    if events.clone().any(|e| e.name == at && e.start_time.is_some() && e.end_time.is_none()) {
        plan.acts.extend(acts);
    }
    plan
}

fn scale(facts: &Facts, name: &str, replicas: i32) -> Vec<Act> {
    let found = facts.task_sets.get(name);
    let scaled = found.map(|t| ScaleTaskSet {
        name: name.into(),
        uid: t.uid.clone(),
        generation: t.generation,
        replicas,
    });
    scaled.map(Act::ScaleTaskSet).into_iter().collect()
}

fn behind(facts: &Facts, service: &str) -> String {
    facts.services.get(service).and_then(|s| s.selector.get(TASK_SET_LABEL)).cloned().unwrap_or_default()
}

/// The plan of the real decision, with a rollback that nobody holds before it begins.
fn unheld(facts: &Facts, now: Timestamp) -> Plan {
    let mut plan = decide(facts, now);
    for act in &mut plan.acts {
        if let Act::CreateRollback(new) = act {
            new.is_held = false;
        }
    }
    plan
}

const BROKEN: &[(&str, &str, Mind)] = &[
    ("no_rollback_is_lost", "service/group_deleted_in_the_foreground_before_the_rollback_begins", unheld),
    ("no_rollback_is_lost", "group_deleted_in_the_foreground_before_the_rollback_begins", unheld),
    ("no_rollback_is_lost", "service/rollback_is_deleted_before_it_begins", unheld),
    ("no_weight_for_the_dead", "service/replacement_dies_mid_shift", |f, now| {
        // Takes anybody's word for it that somebody answers.
        let mut facts = f.clone();
        if let Some(side) = facts.services.get_mut(B) {
            (side.ready, side.ready_since) = (Some(2), Some(now - SignedDuration::from_hours(1)));
            side.ready_of = side.selector.get(TASK_SET_LABEL).map(|t| (t.clone(), 2)).into_iter().collect();
        }
        for task_set in facts.task_sets.values_mut() {
            (task_set.ready, task_set.is_observed) = (task_set.replicas, true);
        }
        decide(&facts, now)
    }),
    ("no_weight_for_the_dead", "service/front_service", |f, now| {
        let mut plan = decide(f, now);
        if let Some(front) = f.services.get("web").filter(|_| plan.acts.is_empty()) {
            plan.acts.push(Act::PointService(PointService {
                service: "web".into(),
                uid: front.uid.clone(),
                version: front.version.clone(),
                selector: super::service_setup::labels(&[("app", "nobody")]),
                target_port: None,
                ports: 1,
            }));
        }
        plan
    }),
    ("no_side_in_use_is_touched", "service/linear", |f, now| {
        and(f, now, EventName::AllowTraffic, scale(f, &behind(f, B), 1))
    }),
    ("no_side_in_use_is_touched", "service/linear", |f, now| {
        let side = f.services.get(A).cloned().unwrap_or_default();
        let point = PointService {
            service: A.into(),
            uid: side.uid,
            version: side.version,
            selector: super::service_setup::labels(&[("app", "else")]),
            target_port: None,
            ports: 1,
        };
        and(f, now, EventName::AllowTraffic, vec![Act::PointService(point)])
    }),
    ("no_side_in_use_is_touched", "service/keep_alive_until_the_next_install", |f, now| {
        // Does not wait for the last requests.
        let mut facts = f.clone();
        if let Some(route) = facts.route.as_mut() {
            for sighting in &mut std::sync::Arc::make_mut(route).sightings {
                sighting.time -= SignedDuration::from_secs(9);
            }
        }
        decide(&facts, now)
    }),
    ("no_side_in_use_is_touched", "service/gateway_is_silent_from_the_shift_on", |f, now| {
        // Believes that the gateway has taken whatever is written.
        let mut facts = f.clone();
        if let Some(route) = facts.route.as_mut() {
            std::sync::Arc::make_mut(route).gateway = GatewayFact::Taken;
        }
        decide(&facts, now)
    }),
    ("the_last_that_answers_is_not_ended", "service/replacement_dies_in_the_termination_wait", |f, now| {
        // Takes anybody's word for it that the replacement answers.
        let mut facts = f.clone();
        if let Some(side) = facts.services.get_mut(B).filter(|s| s.ready == Some(0)) {
            (side.ready, side.ready_since) = (Some(2), Some(now - SignedDuration::from_hours(1)));
            side.ready_of = side.selector.get(TASK_SET_LABEL).map(|t| (t.clone(), 2)).into_iter().collect();
        }
        decide(&facts, now)
    }),
    ("a_step_has_all_pods", "service/one_pod_stays_away_mid_shift", |f, now| {
        // Takes the first pod for all of them.
        let mut facts = f.clone();
        for side in facts.services.values_mut().filter(|s| s.ready.is_some_and(|n| n > 0)) {
            side.ready = Some(2);
            side.ready_of.values_mut().for_each(|n| *n = 2);
        }
        for task_set in facts.task_sets.values_mut() {
            (task_set.ready, task_set.is_observed) = (task_set.replicas, true);
        }
        decide(&facts, now)
    }),
    ("no_side_in_use_is_touched", "service/front_service_is_ended_at_once", |f, now| {
        // Does not wait for the last requests behind the front.
        let mut plan = decide(f, now);
        let status = f.deployment.status.as_ref();
        if status.is_some_and(|s| s.conditions.iter().any(|c| c.reason == "WaitingForTermination")) {
            plan.acts.extend(scale(f, &behind(f, A), 0));
            plan.wake = Some(now + SignedDuration::from_secs(1));
        }
        plan
    }),
    ("only_own_task_sets_are_scaled", "service/foreign_original", |f, now| {
        let legacy =
            ScaleTaskSet { name: "legacy".into(), uid: "legacy-1".into(), generation: 1, replicas: 0 };
        and(f, now, EventName::Install, vec![Act::ScaleTaskSet(legacy)])
    }),
    ("the_ended_scales_nothing", "service/stop_at_shift", |f, now| {
        let mut plan = decide(f, now);
        if plan.record.as_ref().is_some_and(|s| s.phase.has_ended()) {
            plan.acts.extend(scale(f, &behind(f, B), 9));
        }
        plan
    }),
    ("the_original_outlives_its_wait", "service/no_test_listener", |f, now| {
        let status = f.deployment.status.as_ref();
        let waits = status.is_some_and(|s| s.conditions.iter().any(|c| c.reason == "WaitingForTermination"));
        let mut plan = decide(f, now);
        if waits {
            plan.acts.extend(scale(f, &behind(f, A), 0));
            plan.wake = Some(now + SignedDuration::from_secs(1));
        }
        plan
    }),
    ("a_wait_tells_its_end", "service/linear", |f, now| {
        let mut plan = decide(f, now);
        if let Some(status) = &mut plan.record {
            status.termination_wait_end_time = None;
        }
        plan
    }),
    ("a_wait_tells_its_end", "service/linear", |f, now| {
        // Promises a second more, and does not keep to what it promised.
        let mut facts = f.clone();
        if let Some(status) = &mut std::sync::Arc::make_mut(&mut facts.deployment).status {
            status.termination_wait_end_time = None;
        }
        let mut plan = decide(&facts, now);
        if let Some(status) = &mut plan.record
            && let Some(end) = &mut status.termination_wait_end_time
        {
            *end += SignedDuration::from_secs(1);
        }
        plan
    }),
    ("one_task_set_per_deployment", "service/linear", |f, now| {
        let mut plan = decide(f, now);
        let again: Vec<Act> = plan.acts.iter().filter_map(second).collect();
        plan.acts.extend(again);
        plan
    }),
    ("a_rollback_makes_none_while_the_original_stands", "service/after_traffic_fails", |f, now| {
        let is_rollback = f.deployment.status.as_ref().is_some_and(|s| s.is_rollback());
        let create = CreateTaskSet {
            name: "another".into(),
            replicas: 1,
            group: "web-prod".into(),
            group_uid: String::new(),
            deployment_uid: f.deployment.uid().into(),
            task_definition: "web-1".into(),
            container: ("web".into(), 8080),
            template: serde_json::json!({}),
        };
        let acts = if is_rollback { vec![Act::CreateTaskSet(Box::new(create))] } else { vec![] };
        and(f, now, EventName::AllowTraffic, acts)
    }),
];

/// The same task set under another name.
fn second(act: &Act) -> Option<Act> {
    let Act::CreateTaskSet(create) = act else { return None };
    let mut create = create.clone();
    create.name.push_str("-2");
    Some(Act::CreateTaskSet(create))
}

#[test]
fn every_invariant_on_the_sides_catches_the_decision_that_breaks_it() {
    for (index, (invariant, story, mind)) in BROKEN.iter().enumerate() {
        let minds = Minds { deployment: *mind, ..Minds::real() };
        assert_eq!(breach(story, minds), *invariant, "{index} in {story}");
    }
}

/// The real decision with an act beside it, once the Deployment of the story has ended.
fn beside(facts: &GroupFacts, now: Timestamp, act: impl FnOnce(&GroupFacts) -> GroupAct) -> GroupPlan {
    let mut plan = sluice::engine::group::decide(facts, now);
    if facts.deployments.iter().any(|d| d.phase().has_ended()) {
        plan.acts.push(act(facts));
    }
    plan
}

#[test]
fn a_task_set_that_is_deleted_before_its_group_is_caught() {
    let deletes = |facts: &GroupFacts, now: Timestamp| {
        beside(facts, now, |f| {
            let (name, found) = f.task_sets.iter().find(|(_, t)| t.replicas > 0).unwrap();
            GroupAct::Delete(Made::TaskSet, name.clone(), found.uid.clone())
        })
    };
    let minds = Minds { group: deletes, ..Minds::real() };
    assert_eq!(breach("service/all_at_once", minds), "only_a_deleted_group_deletes");
}

#[test]
fn a_task_set_that_is_left_running_is_caught() {
    let keeps = |facts: &GroupFacts, now: Timestamp| {
        let mut plan = sluice::engine::group::decide(facts, now);
        plan.acts.retain(|a| !matches!(a, GroupAct::ScaleTaskSet(_)));
        plan
    };
    let minds = Minds { group: keeps, ..Minds::real() };
    assert_eq!(breach("service/stopped_before_it_points", minds), "nothing_is_left_running");
}

#[test]
fn a_side_that_shrinks_while_a_deployment_runs_is_caught() {
    // Believes that nothing runs, and gives what serves the size that is wanted.
    let resizes = |facts: &GroupFacts, now: Timestamp| {
        let mut plan = sluice::engine::group::decide(facts, now);
        let wanted = facts.group.spec.service.as_ref().map_or(0, |s| s.replicas);
        let larger = facts.task_sets.iter().filter(|(_, t)| t.group_uid.is_some() && t.replicas > wanted);
        plan.acts.extend(larger.map(|(name, t)| {
            GroupAct::ScaleTaskSet(ScaleTaskSet {
                name: name.clone(),
                uid: t.uid.clone(),
                generation: t.generation,
                replicas: wanted,
            })
        }));
        plan
    };
    let minds = Minds { group: resizes, ..Minds::real() };
    assert_eq!(breach("service/replicas_lowered_mid_shift", minds), "a_lower_count_waits");
}

#[test]
fn a_restoration_to_a_dead_side_is_caught() {
    let restores = |facts: &GroupFacts, now: Timestamp| {
        beside(facts, now, |f| {
            let route = f.route.clone().unwrap();
            let edits = vec![
                Edit::Weight { rule: 0, backend: 0, weight: 100 },
                Edit::Weight { rule: 0, backend: 1, weight: 0 },
            ];
            let (name, uid, generation) = (route.name.clone(), route.uid.clone(), route.generation);
            GroupAct::Restore(SetWeights { route: name, uid, generation, edits })
        })
    };
    let minds = Minds { group: restores, ..Minds::real() };
    assert_eq!(breach("service/all_at_once", minds), "no_weight_for_the_dead");
}
