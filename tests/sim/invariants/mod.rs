//! What must hold after every sub-step. Each invariant is a function over one commit and the ledger of all before it.

mod ends;
pub mod hosts;
pub mod sides;
mod starts;
mod steps;
mod stopped;
mod weights;

pub use weights::only_weights_change;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sluice::api::deployment_status::Resolved;
use sluice::api::{Deployment, DeploymentGroup, EventName};

use super::objects::{Kind, Object, Route};
use super::store::{Actor, Commit, Store};
use super::world::Pace;

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Breach {
    pub invariant: &'static str,
    pub what: String,
}

impl Breach {
    /// Names the invariant and what broke it.
    pub fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What an invariant answers.
pub type Holds = Result<(), Breach>;

/// What happened so far, as far as invariants need it.
#[derive(Default)]
pub struct Ledger {
    /// Every Deployment as last seen, gone ones included.
    pub deployments: BTreeMap<String, Arc<Deployment>>,
    /// Every group as last seen.
    pub groups: BTreeMap<String, Arc<DeploymentGroup>>,
    /// When the gateway took which generation, by route.
    pub taken: BTreeMap<String, Vec<(i64, Timestamp)>>,
    /// The routes that a Deployment wrote: its uid; generation and time.
    pub writes: BTreeMap<String, Vec<(i64, Timestamp)>>,
    /// Creations of Deployments by name.
    pub made: BTreeMap<String, usize>,
    /// Starts of Jobs by execution id.
    pub jobs: BTreeMap<String, usize>,
    /// Execution ids of calls, by Deployment and event.
    pub calls: BTreeMap<(String, EventName), BTreeSet<String>>,
    /// How a Job will go, by execution id, as its template says.
    pub job_plans: BTreeMap<String, String>,
    /// Listeners and endpoints.
    pub sides: sides::Sides,
    /// Hosts.
    pub hosts: hosts::Hosts,
    /// Everything that each Deployment has had on record.
    pub records: BTreeMap<String, Vec<(Timestamp, Arc<Deployment>)>>,
    /// What was done and should not have been, and is no commit: a hook's call, an event's beginning on a host.
    pub misdeed: Option<Breach>,
    /// How old a picture may be that somebody acts on.
    pub staleness: SignedDuration,
}

/// The production listener of a snapshot.
pub fn listener(resolved: &Resolved) -> &str {
    match (&resolved.function, &resolved.service) {
        (Some(f), _) => &f.route,
        (_, Some(s)) => &s.production.name,
        _ => "",
    }
}

/// The original and the replacement of a snapshot.
pub fn pair(resolved: &Resolved) -> (String, String) {
    match (&resolved.function, &resolved.service) {
        (Some(f), _) => (f.original.clone(), f.replacement.clone()),
        (_, Some(s)) => {
            let replacement = s.replacement.target_group.clone();
            let original =
                s.original.as_ref().map_or_else(|| replacement.clone(), |o| o.target_group.clone());
            (original, replacement)
        }
        _ => <(String, String)>::default(),
    }
}

impl Ledger {
    /// An empty one.
    pub fn new(pace: &Pace) -> Self {
        let lost = if pace.losses > 0 { 60_000 } else { 0 };
        let paused = if pace.pauses > 0 { 10_000 } else { 0 };
        let age = 1 + pace.lag.1 + lost + paused.max(3 * pace.step.1);
        Self { staleness: SignedDuration::from_millis(age), ..Self::default() }
    }

    /// A hook's server was called.
    pub fn note_call(&mut self, deployment: &str, event: EventName, id: &str, at: Timestamp) {
        self.note_call_of(deployment, event, at);
        self.calls.entry((deployment.into(), event)).or_default().insert(id.into());
    }

    /// An agent begins an event.
    pub fn note_begun(&mut self, host: &str, deployment_uid: &str, event: EventName) {
        let said = self.hosts.the_stopped_agent_begins_nothing(host, deployment_uid, event);
        self.misdeed = self.misdeed.take().or(said.err());
    }

    /// Checks one commit against all invariants, and takes it down.
    pub fn check(&mut self, commit: &Commit, store: &Store) -> Holds {
        self.take_down(commit);
        self.sides.take_down(commit);
        self.hosts.take_down(commit, store);
        if let Some(breach) = self.misdeed.take() {
            return Err(breach);
        }
        sides::check(self, commit, store)?;
        hosts::check(self, commit, store)?;
        if let (Some(Object::Route(after)), Some(Object::Route(before))) = (&commit.after, &commit.before) {
            self.check_route(commit, before, after)?;
        }
        if let Some(Object::Job(_)) = &commit.after {
            starts::no_job_starts_twice(self, commit)?;
            starts::the_ended_starts_no_job(self, commit)?;
        }
        stopped::nothing_starts_outside_its_event(self, commit)?;
        ends::no_rollback_is_lost(self, commit)?;
        if let Some(Object::Deployment(after)) = &commit.after {
            let before = commit.before.as_ref().and_then(Object::deployment);
            starts::no_deployment_is_made_twice(self, commit)?;
            starts::no_hook_has_two_execution_ids(self)?;
            starts::one_runs_per_group(store)?;
            starts::only_the_granted_starts(self, before, after)?;
            stopped::the_stopped_begins_nothing(commit, before, after)?;
            steps::no_step_is_early(self, commit, before, after)?;
            steps::no_step_is_skipped(after)?;
            steps::a_status_takes_one_step_at_most(before, after)?;
            if steps::has_stepped_forward(before, after) {
                sides::a_step_has_all_pods(self, commit.at, after, store)?;
            }
            ends::an_end_is_final(before, after)?;
            ends::an_end_says_why(after)?;
            weights::who_succeeds_has_the_traffic(self, commit.at, before, after)?;
            ends::events_go_forward(before, after)?;
            ends::a_wait_tells_its_end(before, after, commit.at)?;
        }
        if let Some(object) = &commit.after {
            ends::conditions_are_consistent(object)?;
        }
        Ok(())
    }

    fn check_route(&mut self, commit: &Commit, before: &Arc<Route>, after: &Arc<Route>) -> Holds {
        let Actor::Controller(_, (kind, name)) = &commit.by else { return Ok(()) };
        weights::only_weights_change(before, after)?;
        if *kind == Kind::Group {
            return Ok(());
        }
        let Some(deployment) = self.deployments.get(name) else { return Ok(()) };
        weights::the_ended_moves_nothing(deployment, before, after)?;
        weights::the_pair_keeps_its_sum(deployment, before, after)?;
        if !sides::is_production(deployment, &after.name) {
            return Ok(());
        }
        weights::the_replacement_never_goes_back(deployment, before, after)?;
        weights::a_written_step_is_on_record(deployment, before, after)
    }

    fn take_down(&mut self, commit: &Commit) {
        match &commit.after {
            Some(Object::Deployment(d)) => {
                let is_made = commit.before.is_none() && matches!(commit.by, Actor::Controller(..));
                *self.made.entry(commit.key.1.clone()).or_default() += usize::from(is_made);
                self.deployments.insert(commit.key.1.clone(), d.clone());
                self.remember(commit.at, d);
            }
            Some(Object::Group(g)) => {
                self.groups.insert(commit.key.1.clone(), g.clone());
            }
            Some(Object::Job(job)) if commit.before.is_none() => {
                *self.jobs.entry(job.execution_id.clone()).or_default() += 1;
            }
            Some(Object::Route(route)) => {
                let had = commit.before.as_ref().and_then(Object::route);
                if let (Actor::Gateway, Some(status)) = (&commit.by, &route.status)
                    && status.refused.is_none()
                {
                    self.taken.entry(route.name.clone()).or_default().push((status.generation, commit.at));
                }
                if let Actor::Controller(_, (Kind::Deployment, name)) = &commit.by
                    && had.is_some_and(|r| r.generation != route.generation)
                {
                    let own = self.deployments.get(name);
                    let own = own.filter(|d| sides::is_production(d, &route.name));
                    let uid = own.map(|d| d.uid().to_owned()).unwrap_or_default();
                    self.writes.entry(uid).or_default().push((route.generation, commit.at));
                }
            }
            _ => {}
        }
    }
}
