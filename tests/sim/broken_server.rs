//! Each invariant on hosts can fail: a decision that is broken on purpose is caught by it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sluice::agent::decisions::{Orders, Record, next};
use sluice::api::{
    Assignment, AssignmentStatus, DeploymentStatus, EventName, EventStatus, HostEvent, Instance, Phase,
};
use sluice::engine::plan::{Assign, Change};
use sluice::engine::server::facts::Stand;
use sluice::engine::{Act, Facts, Plan, decide};

use super::believer::Minds;
use super::broken::breach;
use super::invariants::Ledger;
use super::objects::{Kind, Object};
use super::server_setup::GROUP;
use super::store::{Actor, Commit, Store};

type Mind = fn(&Facts, Timestamp) -> Plan;

/// The plan of the real decision, with its letters changed by `edit`.
fn lettered(facts: &Facts, now: Timestamp, edit: impl FnOnce(&DeploymentStatus) -> Option<String>) -> Plan {
    let mut plan = decide(facts, now);
    if let Some(status) = &mut plan.record
        && let Some(letters) = edit(status)
    {
        status.targets = letters;
    }
    plan
}

/// One more host begins.
fn one_more(letters: &str) -> String {
    letters.replacen('P', "I", 1)
}

/// The real plan, with each write into an Instance changed by `edit`.
fn written(facts: &Facts, now: Timestamp, edit: impl Fn(&mut Assign)) -> Plan {
    let mut plan = decide(facts, now);
    for act in &mut plan.acts {
        if let Act::Assign(assign) = act {
            edit(assign);
        }
    }
    plan
}

/// A write into the Instance of `host`, whatever the letters say.
fn write(facts: &Facts, host: &str, change: Change) -> Option<Act> {
    let host = facts.server.hosts.get(host)?;
    let place = host.entry(GROUP).and_then(|e| e.wanted.as_ref()).map(|w| w.place);
    Some(Act::Assign(Box::new(Assign {
        instance: host.name.clone(),
        uid: host.uid.clone(),
        version: host.version.clone(),
        place,
        assigned: host.assigned,
        change,
    })))
}

fn work(facts: &Facts, through: EventName) -> Change {
    let assignment = Assignment {
        deployment_group: GROUP.into(),
        deployment: facts.deployment.name().into(),
        deployment_uid: facts.deployment.uid().into(),
        course: vec![EventName::ApplicationStop, EventName::Install],
        run_through: Some(through),
        ..Assignment::default()
    };
    Change::Put(Box::new(assignment), None)
}

fn status(facts: &Facts) -> Option<&DeploymentStatus> {
    facts.deployment.status.as_ref()
}

const BROKEN: &[(&str, &str, Mind)] = &[
    ("letters_go_forward", "server/one_at_a_time", |f, now| {
        lettered(f, now, |s| (s.targets == "SIP").then(|| "PIP".into()))
    }),
    ("every_letter_is_closed", "server/first_failure_ends_one_at_a_time", |f, now| {
        lettered(f, now, |s| s.phase.has_ended().then(|| s.targets.replace('K', "P")))
    }),
    ("never_too_many_at_once", "server/one_at_a_time", |f, now| {
        lettered(f, now, |s| (s.targets == "IPP").then(|| one_more(&s.targets)))
    }),
    ("never_below_the_minimum", "server/two_failures_of_ten_end_it", |f, now| {
        lettered(f, now, |s| {
            let begun = s.targets.matches('I').count();
            (s.targets.contains('F') && begun == 1).then(|| one_more(&s.targets))
        })
    }),
    ("zones_follow_each_other", "server/zone_by_zone", |f, now| {
        lettered(f, now, |s| s.targets.starts_with("SIP").then(|| one_more(&s.targets)))
    }),
    ("the_closing_begin_nothing", "server/stop_in_an_event", |f, now| {
        let mut plan = decide(f, now);
        let is_closing =
            |s: &&DeploymentStatus| s.error_information.is_some() && s.phase == Phase::InProgress;
        if let Some(status) = status(f).filter(is_closing).filter(|_| plan.record.is_none()) {
            let targets = one_more(&status.targets);
            plan.record = Some(Box::new(DeploymentStatus { targets, ..status.clone() }));
        }
        plan
    }),
    ("a_rollback_goes_to_touched_hosts", "server/failure_is_rolled_back", |f, now| {
        let mut facts = f.clone();
        let triggering = facts.triggering.as_mut().map(Arc::make_mut);
        if let Some(status) = triggering.and_then(|t| t.status.as_mut()) {
            status.targets = "SSS".into();
        }
        decide(&facts, now)
    }),
    ("only_assignments_are_written", "server/one_at_a_time", |f, now| {
        let mut plan = decide(f, now);
        let is_assigned = f.server.hosts.get("h01").is_some_and(|h| h.assigned > 0);
        plan.acts.extend(write(f, "h01", Change::Remove).filter(|_| is_assigned));
        plan
    }),
    ("no_assignment_without_its_letter", "server/one_at_a_time", |f, now| {
        let mut plan = decide(f, now);
        let is_first = status(f).is_some_and(|s| s.targets == "IPP");
        plan.acts.extend(write(f, "h02", work(f, EventName::Install)).filter(|_| is_first));
        plan
    }),
    ("the_ended_starts_nothing", "server/all_at_once", |f, now| {
        let mut plan = decide(f, now);
        if status(f).is_some_and(|s| s.phase.has_ended()) {
            plan.acts.splice(0..0, write(f, "h01", work(f, EventName::Install)));
        }
        plan
    }),
    ("the_closing_sends_nobody_on", "server/stop_in_an_event", |f, now| {
        let mut plan = decide(f, now);
        let closing = status(f).filter(|s| s.error_information.is_some() && s.phase == Phase::InProgress);
        // The agents end what runs there later than that.
        if let Some(due) = closing.and_then(|s| s.start_time).map(|at| at + SignedDuration::from_secs(10)) {
            if now < due {
                plan.wake = Some(due);
            } else {
                plan.acts.splice(0..0, write(f, "h01", work(f, EventName::Install)));
            }
        }
        plan
    }),
    ("traffic_is_where_it_belongs", "server/load_balancer", |f, now| {
        // Does not wait for the last requests.
        let mut facts = f.clone();
        facts.server.endpoints.values_mut().for_each(|e| e.since -= SignedDuration::from_secs(8));
        decide(&facts, now)
    }),
    ("traffic_is_where_it_belongs", "server/load_balancer_first_deployment", |f, now| {
        // Takes anybody's word for it that a host has traffic.
        let mut facts = f.clone();
        let hosts = &facts.server.hosts;
        let is_assigned = |name: &String| hosts.get(name).is_some_and(|h| h.entry(GROUP).is_some());
        for (_, endpoint) in facts.server.endpoints.iter_mut().filter(|(name, _)| is_assigned(name)) {
            (endpoint.stand, endpoint.since) = (Stand::Ready, now - SignedDuration::from_secs(9));
        }
        decide(&facts, now)
    }),
    ("an_event_starts_behind_its_predecessor", "server/load_balancer", |f, now| {
        written(f, now, |assign| {
            if let Change::Go { noted, .. } = &mut assign.change {
                noted.status = EventStatus::InProgress;
            }
        })
    }),
    ("no_host_is_left_working", "server/host_never_comes_back_from_an_event", |f, now| {
        let mut plan = decide(f, now);
        let is_stop = |a: &Act| matches!(a, Act::Assign(w) if matches!(w.change, Change::Stop { .. }));
        let was_asked = plan.acts.iter().any(is_stop);
        plan.acts.retain(|a| !is_stop(a));
        if was_asked && status(f).is_some_and(|s| s.phase.has_ended()) {
            plan.acts.push(Act::Release);
        }
        plan
    }),
];

#[test]
fn every_invariant_on_hosts_catches_the_decision_that_breaks_it() {
    for (index, (invariant, story, mind)) in BROKEN.iter().enumerate() {
        let minds = Minds { deployment: *mind, ..Minds::real() };
        assert_eq!(breach(story, minds), *invariant, "{index} in {story}");
    }
}

#[test]
fn an_agent_that_does_not_listen_to_a_stop_is_caught() {
    let agent = |record: &Record, orders: Orders| next(record, Orders { stop: false, ..orders });
    for story in ["server/stop_in_an_event", "server/stop_in_an_event_with_rollback"] {
        assert_eq!(
            breach(story, Minds { agent, ..Minds::real() }),
            "the_stopped_agent_begins_nothing",
            "{story}"
        );
    }
}

#[test]
fn a_host_that_works_for_two_deployments_at_once_is_caught() {
    let said = work_of;
    assert_eq!(caught(None, &[said("a")]), None);
    assert_eq!(caught(None, &[said("a"), said("b")]), Some("one_deployment_at_a_time_on_a_host"));
}

#[test]
fn a_host_that_begins_again_what_has_ended_or_forgets_it_is_caught() {
    let said = |events: &[EventStatus]| AssignmentStatus {
        events: events.iter().map(|status| event(*status)).collect(),
        ..work_of("a")
    };
    let ended = [said(&[EventStatus::Failed])];
    for again in [said(&[EventStatus::InProgress]), said(&[EventStatus::Succeeded]), said(&[])] {
        assert_eq!(caught(Some(&ended), &[again]), Some("nothing_is_run_twice"));
    }
    assert_eq!(caught(Some(&ended), &[]), None, "what is assigned no more is not told");
    assert_eq!(caught(Some(&[said(&[EventStatus::InProgress])]), &ended), None);
}

fn event(status: EventStatus) -> HostEvent {
    HostEvent { name: EventName::Install, status, start_time: None, end_time: None, diagnostics: None }
}

/// A Deployment of that group whose Install runs.
fn work_of(group: &str) -> AssignmentStatus {
    AssignmentStatus {
        deployment_group: group.into(),
        deployment: group.into(),
        deployment_uid: group.into(),
        event: Some(EventName::Install),
        status: EventStatus::InProgress,
        events: vec![event(EventStatus::InProgress)],
        bundle_digest: None,
        message: String::new(),
    }
}

/// The invariant that a report of a host breaks.
fn caught(before: Option<&[AssignmentStatus]>, after: &[AssignmentStatus]) -> Option<&'static str> {
    let host = |said: &[AssignmentStatus]| {
        let mut instance = Instance::new("h01", Default::default());
        instance.status.get_or_insert_default().assignments = said.to_vec();
        Object::Instance(Arc::new(instance))
    };
    let store = Store::new("2026-01-05T09:00:00Z".parse().unwrap());
    let commit = Commit {
        at: store.now,
        by: Actor::Agent("h01".into()),
        key: (Kind::Instance, "h01".into()),
        version: 1,
        before: before.map(host),
        after: Some(host(after)),
    };
    Ledger::default().check(&commit, &store).err().map(|b| b.invariant)
}
