//! Each invariant can fail: a decision that is broken on purpose is caught by it, in a golden story.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use sluice::api::deployment_group::DeploymentRef;
use sluice::api::{DeploymentStatus, EventName, EventStatus, Phase};
use sluice::engine::group::GroupFacts;
use sluice::engine::plan::{CallHook, CreateTaskSet, Edit, HookContext, Note, SetWeights, StartJob};
use sluice::engine::{Act, Facts, Plan, decide};

use super::believer::Minds;
use super::invariants::{Ledger, only_weights_change};
use super::objects::{Kind, Object};
use super::setup::route;
use super::store::{Actor, Commit};
use super::stories::find;

type Mind = fn(&Facts, Timestamp) -> Plan;

/// The plan of the real decision, with its record changed by `edit`.
fn recorded(facts: &Facts, now: Timestamp, edit: impl FnOnce(&mut DeploymentStatus)) -> Plan {
    let mut plan = decide(facts, now);
    if let Some(status) = &mut plan.record {
        edit(status);
    }
    plan
}

/// The plan of the real decision, with each write of weights changed by `edit`.
fn written(facts: &Facts, now: Timestamp, edit: impl Fn(&mut Vec<Edit>)) -> Plan {
    let mut plan = decide(facts, now);
    for act in &mut plan.acts {
        if let Act::SetWeights(set) = act {
            edit(&mut set.edits);
        }
    }
    plan
}

fn ended(facts: &Facts) -> Option<&DeploymentStatus> {
    facts.deployment.status.as_ref().filter(|s| s.phase.has_ended())
}

fn weights(original: i32, replacement: i32) -> Vec<Edit> {
    vec![
        Edit::Weight { rule: 0, backend: 0, weight: original },
        Edit::Weight { rule: 0, backend: 1, weight: replacement },
    ]
}

/// The facts without the stop that was asked for.
fn unstopped(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    Arc::make_mut(&mut facts.deployment).spec.stop = None;
    facts
}

fn context_of(facts: &Facts, id: &str) -> HookContext {
    HookContext {
        application: String::new(),
        deployment: facts.deployment.name().into(),
        group: String::new(),
        group_uid: String::new(),
        event: EventName::AfterAllowTraffic,
        execution_id: id.into(),
    }
}

/// The real plan, and an act a second after the end went on record.
fn later(facts: &Facts, now: Timestamp, act: impl FnOnce(&Facts) -> Act) -> Plan {
    let mut plan = decide(facts, now);
    if let Some(end) = ended(facts).and_then(|s| s.complete_time) {
        let due = end + SignedDuration::from_secs(1);
        if now < due {
            plan.wake = Some(due);
        } else {
            plan.acts.insert(0, act(facts));
        }
    }
    plan
}

const BROKEN: &[(&str, &str, Mind)] = &[
    ("the_pair_keeps_its_sum", "linear", |f, now| {
        written(f, now, |edits| {
            if let Some(Edit::Copy { weight, .. } | Edit::Weight { weight, .. }) = edits.first_mut() {
                *weight += 1;
            }
        })
    }),
    ("the_replacement_never_goes_back", "linear", |f, now| {
        let is_third = f.route.as_ref().is_some_and(|r| r.generation == 3);
        written(f, now, |edits| {
            if is_third {
                *edits = weights(90, 10)
            }
        })
    }),
    ("a_written_step_is_on_record", "linear", |f, now| {
        let is_third = f.route.as_ref().is_some_and(|r| r.generation == 3);
        written(f, now, |edits| {
            if is_third {
                *edits = weights(60, 40)
            }
        })
    }),
    ("the_ended_moves_nothing", "stop_without_rollback", |f, now| {
        let mut plan = decide(f, now);
        let status = ended(f).and_then(|s| s.resolved.as_ref().zip(s.traffic.as_ref()));
        if let Some((resolved, traffic)) = status {
            plan.acts.insert(
                0,
                Act::SetWeights(SetWeights {
                    route: resolved.function.as_ref().unwrap().route.clone(),
                    uid: resolved.function.as_ref().unwrap().route_uid.clone(),
                    generation: traffic.steps.last().map_or(0, |s| s.generation + 1),
                    edits: weights(0, 100),
                }),
            );
        }
        plan
    }),
    ("no_step_is_early", "linear", |f, now| {
        // Counts the interval from the record and not from the gateway's word.
        let mut facts = f.clone();
        if let Some(route) = facts.route.as_mut() {
            for sighting in &mut Arc::make_mut(route).sightings {
                sighting.time -= SignedDuration::from_secs(1);
            }
        }
        decide(&facts, now)
    }),
    ("no_step_is_skipped", "linear", |f, now| {
        recorded(f, now, |s| {
            if let Some(step) = s.traffic.as_mut().and_then(|t| t.steps.get_mut(1)) {
                step.weight = 100;
            }
        })
    }),
    ("a_status_takes_one_step_at_most", "linear", |f, now| {
        recorded(f, now, |s| {
            if let Some(traffic) = s.traffic.as_mut().filter(|t| t.steps.len() == 1) {
                let first = traffic.steps[0];
                traffic.steps.push(sluice::api::deployment_status::Step { index: 2, weight: 20, ..first });
            }
        })
    }),
    ("no_job_starts_twice", "hook_job_hangs", |f, now| {
        let mut plan = decide(f, now);
        for act in &mut plan.acts {
            if let Act::StartJob(start) = act {
                start.name = format!("job-{}", now.as_millisecond());
            }
        }
        plan
    }),
    ("the_ended_starts_no_job", "hook_answers_400", |f, now| {
        let mut plan = decide(f, now);
        if ended(f).is_some() {
            let (context, template) = (context_of(f, "late"), serde_json::json!({}));
            plan.acts.insert(0, Act::StartJob(StartJob { name: "late".into(), context, template }));
        }
        plan
    }),
    ("the_stopped_begins_nothing", "stop_while_a_hook_runs", |f, now| decide(&unstopped(f), now)),
    ("the_stopped_begins_nothing", "stop_with_rollback", |f, now| decide(&unstopped(f), now)),
    ("the_stopped_begins_nothing", "service/stop_at_shift", |f, now| decide(&unstopped(f), now)),
    ("the_stopped_begins_nothing", "server/stop_in_an_event", |f, now| decide(&unstopped(f), now)),
    ("nothing_starts_outside_its_event", "linear", |f, now| {
        let mut plan = decide(f, now);
        if f.deployment.phase() == Phase::InProgress {
            let (context, template) = (context_of(f, "early"), serde_json::json!({}));
            plan.acts.push(Act::StartJob(StartJob { name: "early".into(), context, template }));
        }
        plan
    }),
    ("nothing_starts_outside_its_event", "canary", |f, now| {
        let mut plan = decide(f, now);
        let (url, deadline) = ("http://probe.tools/passes".to_owned(), now + SignedDuration::from_mins(1));
        let call = CallHook { context: context_of(f, "late"), url, headers_secret: None, deadline };
        if ended(f).is_some() {
            plan.acts.insert(0, Act::CallHook(call));
        }
        plan
    }),
    ("nothing_starts_outside_its_event", "service/stopped_before_it_points", |f, now| {
        later(f, now, |f| {
            Act::CreateTaskSet(Box::new(CreateTaskSet {
                name: "late".into(),
                replicas: 1,
                group: "web-prod".into(),
                group_uid: String::new(),
                deployment_uid: "another".into(),
                task_definition: "web-1".into(),
                container: ("web".into(), 8080),
                template: serde_json::json!({"deployment": f.deployment.name()}),
            }))
        })
    }),
    ("no_hook_has_two_execution_ids", "hook_is_silent", |f, now| {
        let mut plan = decide(f, now);
        for act in &mut plan.acts {
            if let Act::CallHook(call) = act {
                call.context.execution_id = format!("id-{}", now.as_millisecond());
            }
        }
        plan
    }),
    ("conditions_are_consistent", "linear", |f, now| {
        recorded(f, now, |s| {
            if let Some(first) = s.conditions.first().cloned() {
                for type_ in ["Reconciling", "Stalled"] {
                    s.conditions.push(Condition {
                        type_: type_.into(),
                        status: "True".into(),
                        ..first.clone()
                    });
                }
            }
        })
    }),
    ("an_end_says_why", "hook_job_fails", |f, now| {
        recorded(f, now, |s| {
            if s.phase.has_ended() {
                s.message.clear()
            }
        })
    }),
    ("an_end_is_final", "canary", |f, now| {
        let mut plan = decide(f, now);
        if let Some(status) = ended(f).filter(|s| s.phase == Phase::Succeeded) {
            let mut status = Box::new(status.clone());
            status.lifecycle_events[1].status = EventStatus::Failed;
            plan.record = Some(status);
        }
        plan
    }),
    ("events_go_forward", "linear", |f, now| {
        recorded(f, now, |s| {
            if s.traffic.as_ref().is_some_and(|t| t.steps.len() > 3) {
                s.lifecycle_events[0].status = EventStatus::Pending;
            }
        })
    }),
    ("who_succeeds_has_the_traffic", "human_edits_weights_after_the_shift_for_good", |f, now| {
        // Takes the last step's word for what is served.
        let mut facts = f.clone();
        let events = f.deployment.status.iter().flat_map(|s| &s.lifecycle_events);
        let is_shifted =
            events.clone().any(|e| e.name == EventName::AllowTraffic && e.status == EventStatus::Succeeded);
        if let Some(route) = facts.route.as_mut().filter(|_| is_shifted) {
            let backends = &mut Arc::make_mut(route).rules[0].backends;
            backends.retain(|b| b.service.as_deref() == Some("hello-2"));
        }
        decide(&facts, now)
    }),
    ("every_run_ends", "linear", |f, now| Plan { wake: None, ..decide(f, now) }),
    ("every_run_ends", "canary", |f, now| {
        let mut plan = decide(f, now);
        let status = f.deployment.status.clone().filter(|s| s.phase == Phase::InProgress);
        if let Some(mut status) = status.filter(|_| plan.record.is_none()) {
            status.message.push('!');
            plan.record = Some(Box::new(status));
        }
        plan
    }),
    ("nothing_is_left_held", "linear", |f, now| {
        let mut plan = decide(f, now);
        plan.acts.retain(|a| *a != Act::Release);
        plan
    }),
    ("a_quiet_world_plans_nothing", "linear", |f, now| {
        let mut plan = decide(f, now);
        if ended(f).is_some() {
            plan.notes.push(Note { is_warning: false, reason: "StillHere", message: "still here".into() });
        }
        plan
    }),
];

/// Facts in which the Deployment holds the grant, whatever the group says.
fn granted(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    if let Some(group) = facts.group.as_mut() {
        let own = DeploymentRef { name: facts.deployment.name().into(), uid: facts.deployment.uid().into() };
        Arc::make_mut(group).status.get_or_insert_default().active_deployment = Some(own);
    }
    facts
}

/// The invariant that a story breaks with these minds.
pub fn breach(story: &str, minds: Minds) -> String {
    let mut world = find(story);
    world.minds = minds;
    world.run().err().map_or("none", |b| b.invariant).to_owned()
}

#[test]
fn every_invariant_catches_the_decision_that_breaks_it() {
    for (invariant, story, mind) in BROKEN {
        let minds = Minds { deployment: *mind, ..Minds::real() };
        assert_eq!(breach(story, minds), *invariant, "in {story}");
    }
}

#[test]
fn a_second_run_in_a_group_is_caught() {
    // The grant goes to whoever waits, while another still runs.
    let gives_away = |facts: &GroupFacts, now: Timestamp| {
        let mut plan = sluice::engine::group::decide(facts, now);
        if let Some(status) = &mut plan.record
            && let Some(next) = status.queued_deployments.pop()
        {
            status.active_deployment = Some(next);
        }
        plan
    };
    let minds = Minds { group: gives_away, ..Minds::real() };
    assert_eq!(breach("queue_of_three", minds), "one_runs_per_group");
}

#[test]
fn a_start_without_a_grant_is_caught() {
    let never = |facts: &GroupFacts, now: Timestamp| {
        let mut plan = sluice::engine::group::decide(facts, now);
        if let Some(status) = &mut plan.record {
            status.active_deployment = None;
        }
        plan
    };
    let minds = Minds { deployment: |f, now| decide(&granted(f), now), group: never, ..Minds::real() };
    assert_eq!(breach("linear", minds), "only_the_granted_starts");
}

#[test]
fn a_change_beside_the_weights_is_caught() {
    let Object::Route(before) = route(&[("hello-1", 100)]) else { unreachable!() };
    let mut after = (*before).clone();
    after.rules[0].backends[0].weight = 50;
    assert!(only_weights_change(&before, &after).is_ok());
    after.rules[0].backends[0].port = 81;
    assert!(only_weights_change(&before, &after).is_err());
    let mut after = (*before).clone();
    after.rules[0].filters = "gone".into();
    assert!(only_weights_change(&before, &after).is_err());
}

#[test]
fn a_selector_that_is_moved_after_the_end_is_caught() {
    let mut world = find("service/stopped_before_it_points");
    world.run().unwrap();
    let before = world.store.get(Kind::Service, "web-b").cloned();
    let mut after = before.clone();
    if let Some(Object::Service(service)) = &mut after {
        Arc::make_mut(service).selector = [("app".to_owned(), "else".to_owned())].into();
    }
    let by = Actor::Controller(0, (Kind::Deployment, "d1".into()));
    let at = world.store.now + SignedDuration::from_mins(1);
    let commit = Commit { at, by, key: (Kind::Service, "web-b".into()), version: 0, before, after };
    let breach = world.ledger.check(&commit, &world.store).unwrap_err();
    assert_eq!(breach.invariant, "nothing_starts_outside_its_event");
}

#[test]
fn a_deployment_that_is_made_again_is_caught() {
    let mut world = find("linear");
    world.run().unwrap();
    let made = world.store.commits.iter().find(|c| c.before.is_none() && c.key.1 == "d1").unwrap();
    let commit = Commit { by: Actor::Controller(0, (Kind::Group, "hello-prod".into())), ..made.clone() };
    let mut ledger = Ledger::default();
    assert!(ledger.check(&commit, &world.store).is_ok());
    assert_eq!(ledger.check(&commit, &world.store).unwrap_err().invariant, "no_deployment_is_made_twice");
}
