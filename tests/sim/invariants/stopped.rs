//! Invariants on a stop: nothing begins behind it, and nobody does anything but what an event on record asks for.

use std::sync::Arc;

use jiff::Timestamp;
use sluice::api::{Deployment, EventName, EventStatus};

use super::super::objects::{Kind, Object};
use super::super::store::{Actor, Commit};
use super::{Breach, Holds, Ledger};

/// Behind a stop no event begins, no step is taken on either listener and no host is begun with. A status is only written over the
/// version that was looked at: whoever writes it has seen the stop. Once the original's end is on record a stop comes too late.
pub fn the_stopped_begins_nothing(
    commit: &Commit,
    before: Option<&Arc<Deployment>>,
    after: &Deployment,
) -> Holds {
    let (Some(before), Actor::Controller(..)) = (before, &commit.by) else { return Ok(()) };
    let (Some(had), Some(has)) = (&before.status, &after.status) else { return Ok(()) };
    if before.spec.stop.is_none() || had.termination_time.is_some() {
        return Ok(());
    }
    let begins = |what: String| {
        let what = format!("{} was asked to stop and begins {what}", after.name());
        Err(Breach::new("the_stopped_begins_nothing", what))
    };
    for event in &has.lifecycle_events {
        let was = had.lifecycle_events.iter().find(|e| e.name == event.name).map(|e| e.status);
        let is_idle = |s: EventStatus| matches!(s, EventStatus::Pending | EventStatus::Skipped);
        if was.is_none_or(is_idle) && !is_idle(event.status) {
            return begins(event.name.to_string());
        }
    }
    let forward = |s: &sluice::api::DeploymentStatus| {
        let steps = s.traffic.iter().flat_map(|t| &t.steps).filter(|s| s.weight > 0).count();
        steps + usize::from(s.test_traffic.is_some())
    };
    if forward(has) > forward(had) {
        return begins("a step".into());
    }
    let mut hosts = had.targets.bytes().zip(has.targets.bytes());
    match hosts.position(|hosts| hosts == (b'P', b'I')) {
        Some(host) => begins(format!("its host {host}")),
        None => Ok(()),
    }
}

/// A Job starts while its event runs, a task set is made while Install does, and whoever has ended points no Service at other pods:
/// on record now, or in the oldest picture that somebody may act on.
pub fn nothing_starts_outside_its_event(ledger: &Ledger, commit: &Commit) -> Holds {
    let Actor::Controller(_, (Kind::Deployment, name)) = &commit.by else { return Ok(()) };
    let (is_within, what) = match (&commit.before, &commit.after) {
        (None, Some(Object::Job(job))) => (ledger.ran(name, commit.at, Some(job.event)), "Job"),
        (None, Some(Object::TaskSet(_))) => {
            (ledger.ran(name, commit.at, Some(EventName::Install)), "task set")
        }
        (Some(Object::Service(old)), Some(Object::Service(new))) if old.selector != new.selector => {
            (ledger.ran(name, commit.at, None), "selector of Service")
        }
        _ => return Ok(()),
    };
    if is_within {
        return Ok(());
    }
    Err(Breach::new("nothing_starts_outside_its_event", format!("{name}: {what} {}", commit.key.1)))
}

impl Ledger {
    /// Takes down what a Deployment has on record.
    pub fn remember(&mut self, at: Timestamp, deployment: &Arc<Deployment>) {
        self.records.entry(deployment.name().into()).or_default().push((at, Arc::clone(deployment)));
    }

    /// True if the Deployment had not ended and, if one is given, its event ran, on any record that somebody may have looked at.
    fn ran(&self, name: &str, at: Timestamp, event: Option<EventName>) -> bool {
        let since = at - self.staleness;
        let all = self.records.get(name).map(Vec::as_slice).unwrap_or_default();
        let before = all.iter().rev().find(|(at, _)| *at <= since);
        let later = all.iter().filter(|(at, _)| *at > since);
        let runs = |d: &Deployment| {
            let mut events = d.status.iter().flat_map(|s| &s.lifecycle_events);
            let is_open = |name| events.any(|e| e.name == name && e.status == EventStatus::InProgress);
            !d.phase().has_ended() && event.is_none_or(is_open)
        };
        before.into_iter().chain(later).any(|(_, d)| runs(d))
    }

    /// A hook's server is called: that is no commit, and the next one says what was wrong with it.
    pub fn note_call_of(&mut self, name: &str, event: EventName, at: Timestamp) {
        if !self.ran(name, at, Some(event)) {
            let what = format!("{name}: call for {event}");
            self.misdeed = Some(Breach::new("nothing_starts_outside_its_event", what));
        }
    }
}
