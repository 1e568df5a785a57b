//! The hosts: an agent on each runs events with delays, keeps a journal, loses its network, is killed, has a clock of its own.
//!
//! How a script fares stands in [`World::fates`], by the bundle's version, the host and the event.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ManagedFieldsEntry, Time};
use sluice::api::deployment_status::Diagnostics;
use sluice::api::instance::Installed;
use sluice::api::{
    Assignment, AssignmentStatus, EventName, EventStatus, HostEvent, Instance, InstanceStatus,
};

use super::actors::Happening;
use super::objects::{Kind, Object};
use super::store::{Actor, Commit};
use super::world::World;

/// How a script fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Fails,
    /// So many milliseconds.
    Takes(i64),
    Hangs,
}

/// One script's fate.
#[derive(Clone, Debug)]
pub struct Fate {
    pub version: String,
    /// `*` for every host.
    pub host: String,
    pub event: EventName,
    pub what: What,
}

/// One Deployment in an agent's journal.
#[derive(Clone, Debug, Default)]
struct Record {
    assignment: Assignment,
    events: Vec<HostEvent>,
    end: Option<EventStatus>,
    bundle_digest: Option<String>,
}

/// One host.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    pub is_up: bool,
    pub is_connected: bool,
    /// Seconds that its clock is ahead.
    pub skew: i64,
    uid: String,
    seen: Vec<Assignment>,
    journal: BTreeMap<String, Record>,
    running: Option<(String, EventName)>,
    /// Counts starts and ends, so that what was planned for another one is void.
    turn: u64,
    /// Counts losses of the heartbeat.
    losses: u64,
}

/// How long a host may be silent before its Instance says so.
const SILENCE: i64 = 120_000;

impl World {
    /// An agent comes up on a host.
    pub fn start_host(&mut self, name: &str, skew: i64) {
        let uid = self.instance(name).and_then(|i| i.metadata.uid.clone()).unwrap_or_default();
        let agent = Agent { is_up: true, is_connected: true, skew, uid, ..Agent::default() };
        self.agents.insert(name.into(), agent);
        self.set_heard(name, true);
    }

    pub fn instance(&self, name: &str) -> Option<&Arc<Instance>> {
        self.store.get(Kind::Instance, name).and_then(Object::instance)
    }

    fn write(&mut self, by: &Actor, name: &str, edit: impl FnOnce(&mut InstanceStatus)) {
        let second = Timestamp::from_second(self.store.now.as_second()).unwrap();
        let _ = self.store.change(by, &(Kind::Instance, name.into()), |o| {
            if let Object::Instance(instance) = o {
                let instance = Arc::make_mut(instance);
                let before = instance.status.clone();
                edit(instance.status.get_or_insert_default());
                if instance.status != before {
                    instance.metadata.managed_fields = Some(vec![ManagedFieldsEntry {
                        subresource: Some("status".into()),
                        time: Some(Time(second)),
                        ..ManagedFieldsEntry::default()
                    }]);
                }
            }
        });
    }

    fn set_heard(&mut self, name: &str, is_heard: bool) {
        let status = if is_heard { "True" } else { "Unknown" };
        let now = self.store.now;
        self.write(&Actor::Cluster, name, |s| {
            if s.conditions.first().is_none_or(|c| c.status != status) {
                s.conditions = vec![Condition {
                    type_: "Ready".into(),
                    status: status.into(),
                    reason: if is_heard { "Heard" } else { "Silent" }.into(),
                    message: String::new(),
                    observed_generation: None,
                    last_transition_time: Time(now),
                }];
            }
        });
    }

    /// What hosts do about a commit.
    pub fn agents_react(&mut self, commit: &Commit) {
        let Some(Object::Instance(after)) = &commit.after else { return };
        let had = commit.before.as_ref().and_then(Object::instance);
        if had.is_none_or(|b| b.spec.assignments != after.spec.assignments) {
            let at = self.after(self.pace.agent);
            self.plan(at, Happening::AgentLooks(commit.key.1.clone()));
        }
    }

    /// The agent sees its Instance as it is now.
    pub fn agent_looks(&mut self, name: &str) {
        let seen = self.instance(name).map(|i| (i.metadata.uid.clone(), i.spec.assignments.clone()));
        let Some(agent) = self.agents.get_mut(name) else { return };
        let Some((uid, assignments)) = seen.filter(|_| agent.is_up && agent.is_connected) else { return };
        if uid.as_deref() != Some(&agent.uid) {
            return;
        }
        agent.seen = assignments;
        self.agent_works(name);
    }

    /// Begins what comes next, if nothing runs; then reports.
    fn agent_works(&mut self, name: &str) {
        while let Some(step) = self.agents.get(name).and_then(Agent::next) {
            match step {
                Step::Run(uid, event) => {
                    self.begin(name, &uid, event);
                    break;
                }
                Step::Finish(uid, status) => self.finish(name, &uid, status),
            }
        }
        self.report(name);
    }

    fn begin(&mut self, name: &str, uid: &str, event: EventName) {
        let now = self.store.now;
        let what = self.fate(name, uid, event);
        let takes = match what {
            Some(What::Takes(millis)) => Some((millis, millis)),
            Some(What::Hangs) => None,
            _ => Some(self.pace.script),
        };
        let Some(agent) = self.agents.get_mut(name) else { return };
        let start_time = Some(now + SignedDuration::from_secs(agent.skew));
        let started = HostEvent {
            name: event,
            status: EventStatus::InProgress,
            start_time,
            end_time: None,
            diagnostics: None,
        };
        let known = agent.seen.iter().find(|a| a.deployment_uid == uid).cloned();
        let record = agent.journal.entry(uid.into()).or_default();
        record.assignment = known.unwrap_or_else(|| record.assignment.clone());
        record.events.push(started);
        agent.running = Some((uid.into(), event));
        agent.turn += 1;
        let turn = agent.turn;
        if let Some(takes) = takes {
            let at = self.after(takes);
            self.plan(at, Happening::EventEnds(name.into(), turn, what != Some(What::Fails)));
        }
    }

    fn fate(&self, host: &str, uid: &str, event: EventName) -> Option<What> {
        let agent = self.agents.get(host)?;
        // Scripts before the download are the last good revision's.
        let is_earlier = event <= EventName::ApplicationStop;
        let assignment = agent.seen.iter().find(|a| a.deployment_uid == uid)?;
        let installed =
            self.instance(host)?.status.as_ref()?.installed(&assignment.deployment_group).cloned();
        let revision = if is_earlier { Some(installed?.revision) } else { assignment.revision.clone() };
        let version = super::server_setup::version_of(&revision?.source);
        let mut fates = self.fates.iter().rev();
        let is_it = |f: &&Fate| f.version == version && (f.host == host || f.host == "*") && f.event == event;
        fates.find(is_it).map(|f| f.what)
    }

    /// A script ends.
    pub fn event_ends(&mut self, name: &str, turn: u64, passes: bool) {
        let now = self.store.now;
        let content = self.s3_content.clone();
        let Some(agent) = self.agents.get_mut(name) else { return };
        if agent.turn != turn || !agent.is_up {
            return;
        }
        let Some((uid, event)) = agent.running.take() else { return };
        let end = now + SignedDuration::from_secs(agent.skew);
        let Some(record) = agent.journal.get_mut(&uid) else { return };
        let mut failure = (!passes).then(|| ("ScriptFailed", format!("scripts/{event}.sh: exit status 1")));
        if event == EventName::DownloadBundle {
            let revision = record.assignment.revision.clone().unwrap_or_default();
            let has = if revision.source.s3.is_some() { content } else { revision.digest.clone() };
            if revision.source.s3.is_some() && !revision.digest.is_empty() && revision.digest != has {
                failure = Some(("UnknownError", "the bundle is not the one that was asked for".into()));
            }
            record.bundle_digest = Some(has);
        }
        if let Some(last) = record.events.last_mut() {
            last.end_time = Some(end);
            last.status = if failure.is_some() { EventStatus::Failed } else { EventStatus::Succeeded };
            last.diagnostics = failure.map(|(code, message)| Diagnostics {
                error_code: code.into(),
                message,
                ..Diagnostics::default()
            });
        }
        self.agent_works(name);
    }

    fn finish(&mut self, name: &str, uid: &str, status: EventStatus) {
        let Some(agent) = self.agents.get_mut(name) else { return };
        let known = agent.seen.iter().find(|a| a.deployment_uid == uid).cloned();
        let record = agent.journal.entry(uid.into()).or_default();
        record.assignment = known.unwrap_or_else(|| record.assignment.clone());
        record.end = Some(status);
    }

    /// Writes down how every assignment stands, if the API server can be reached.
    fn report(&mut self, name: &str) {
        let Some(agent) = self.agents.get(name).filter(|a| a.is_up && a.is_connected).cloned() else {
            return;
        };
        if self.instance(name).is_none_or(|i| i.metadata.uid.as_deref() != Some(&agent.uid)) {
            return;
        }
        let by = Actor::Agent(name.into());
        self.write(&by, name, |status| {
            for assignment in &agent.seen {
                let Some(record) = agent.journal.get(&assignment.deployment_uid) else { continue };
                let said = record.status();
                status.assignments.retain(|s| s.deployment_group != said.deployment_group);
                status.assignments.push(said);
                if record.end == Some(EventStatus::Succeeded) {
                    let had = record.installed(agent.skew);
                    status.installed.retain(|i| i.deployment_group != had.deployment_group);
                    status.installed.push(had);
                }
            }
            status.assignments.sort_by(|a, b| a.deployment_group.cmp(&b.deployment_group));
            status.installed.sort_by(|a, b| a.deployment_group.cmp(&b.deployment_group));
        });
    }

    /// The agent's process ends, and starts again after `down` milliseconds.
    pub fn kill_agent(&mut self, name: &str, down: i64) {
        let Some(agent) = self.agents.get_mut(name) else { return };
        agent.is_up = false;
        self.loses_heartbeat(name);
        let at = self.store.now + SignedDuration::from_millis(down);
        self.plan(at, Happening::AgentStarts(name.into()));
    }

    /// What ran when it was killed has failed, and is never run again.
    pub fn agent_starts(&mut self, name: &str) {
        let Some(agent) = self.agents.get_mut(name).filter(|a| !a.is_up) else { return };
        agent.is_up = true;
        agent.losses += 1;
        agent.turn += 1;
        if let Some((uid, event)) = agent.running.take()
            && let Some(record) = agent.journal.get_mut(&uid)
            && let Some(last) = record.events.last_mut()
        {
            last.status = EventStatus::Failed;
            last.diagnostics = Some(Diagnostics {
                error_code: "AgentRestarted".into(),
                message: format!("the agent was started anew while {event} ran"),
                ..Diagnostics::default()
            });
        }
        self.comes_back(name);
    }

    /// The host loses its network; its scripts run on.
    pub fn unplug(&mut self, name: &str) {
        let Some(agent) = self.agents.get_mut(name) else { return };
        agent.is_connected = false;
        self.loses_heartbeat(name);
    }

    /// The host is back.
    pub fn plug(&mut self, name: &str) {
        let Some(agent) = self.agents.get_mut(name) else { return };
        agent.is_connected = true;
        agent.losses += 1;
        self.comes_back(name);
    }

    fn comes_back(&mut self, name: &str) {
        if self.agents.get(name).is_some_and(|a| a.is_up && a.is_connected) {
            self.set_heard(name, true);
            self.report(name);
            self.agent_looks(name);
        }
    }

    fn loses_heartbeat(&mut self, name: &str) {
        let losses = self.agents.get(name).map_or(0, |a| a.losses);
        let at = self.store.now + SignedDuration::from_millis(SILENCE);
        self.plan(at, Happening::HeartbeatEnds(name.into(), losses));
    }

    /// Nobody has heard of the host for too long.
    pub fn heartbeat_ends(&mut self, name: &str, losses: u64) {
        if self.agents.get(name).is_some_and(|a| a.losses == losses && !(a.is_up && a.is_connected)) {
            self.set_heard(name, false);
        }
    }
}

enum Step {
    Run(String, EventName),
    Finish(String, EventStatus),
}

impl Agent {
    /// What comes next: one deployment at a time, the one that has begun first.
    fn next(&self) -> Option<Step> {
        if self.running.is_some() || !self.is_up {
            return None;
        }
        let is_open = |a: &&Assignment| self.journal.get(&a.deployment_uid).is_none_or(|r| r.end.is_none());
        let has_begun = |a: &&Assignment| self.journal.contains_key(&a.deployment_uid);
        let mut open = self.seen.iter().filter(is_open);
        let begun = open.clone().find(has_begun);
        let assignment = begun.or_else(|| open.next())?;
        let events = self.journal.get(&assignment.deployment_uid).map(|r| r.events.as_slice());
        next(assignment, events.unwrap_or_default())
    }
}

fn next(assignment: &Assignment, events: &[HostEvent]) -> Option<Step> {
    use EventName::{AfterBlockTraffic, AllowTraffic, ApplicationStop, BeforeBlockTraffic, BlockTraffic};
    let uid = assignment.deployment_uid.clone();
    let passed_over = |e: &HostEvent| {
        assignment.ignore_application_stop_failures
            && [BeforeBlockTraffic, AfterBlockTraffic, ApplicationStop].contains(&e.name)
    };
    if events.iter().any(|e| e.status == EventStatus::Failed && !passed_over(e)) {
        return Some(Step::Finish(uid, EventStatus::Failed));
    }
    let is_agents = |name: EventName| name != BlockTraffic && name != AllowTraffic;
    let course = &assignment.course;
    let due = course.iter().position(|n| is_agents(*n) && events.iter().all(|e| e.name != *n));
    let Some(due) = due else { return Some(Step::Finish(uid, EventStatus::Succeeded)) };
    if assignment.stop {
        return Some(Step::Finish(uid, EventStatus::Skipped));
    }
    let through = assignment.run_through.and_then(|t| course.iter().position(|n| *n == t))?;
    (due <= through).then(|| Step::Run(uid, course[due]))
}

impl Record {
    fn status(&self) -> AssignmentStatus {
        AssignmentStatus {
            deployment_group: self.assignment.deployment_group.clone(),
            deployment: self.assignment.deployment.clone(),
            deployment_uid: self.assignment.deployment_uid.clone(),
            event: self.events.last().map(|e| e.name),
            status: self.end.unwrap_or(EventStatus::InProgress),
            events: self.events.clone(),
            bundle_digest: self.bundle_digest.clone(),
            message: String::new(),
        }
    }

    fn installed(&self, skew: i64) -> Installed {
        let ends = self.events.iter().filter_map(|e| e.end_time);
        Installed {
            deployment_group: self.assignment.deployment_group.clone(),
            deployment: self.assignment.deployment.clone(),
            deployment_uid: self.assignment.deployment_uid.clone(),
            revision: self.assignment.revision.clone().unwrap_or_default(),
            time: ends.max().unwrap_or(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(skew.max(0))),
        }
    }
}
