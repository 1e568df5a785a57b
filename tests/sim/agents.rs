//! The hosts: an agent on each runs events with delays, keeps a journal, loses its network, is killed, has a clock of its own.
//!
//! What an agent takes, what it does next, what its journal makes of it and what it reports is the real agent's ([`sluice::agent::decisions`]);
//! simulated are only the disk, the scripts and the network. How a script fares stands in [`World::fates`], by the bundle's version, the host and the
//! event.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ManagedFieldsEntry, Time};
use sluice::agent::decisions::{Bundle, Entry, Lasting, Next, Orders, Record, Records, Report, due, take};
use sluice::api::deployment_status::Diagnostics;
use sluice::api::instance::{AgentInfo, Installed};
use sluice::api::{Assignment, EventName, EventStatus, Instance, InstanceStatus};
use sluice::engine::server::instance::silence;

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

/// What becomes of a host whose agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The agent's process was killed: what it wrote stands.
    Process,
    /// The power went: of the journal stands what had to last.
    Power,
    /// The disk was replaced: of the journal stands nothing.
    Disk,
}

/// The journal on a simulated disk.
#[derive(Clone, Debug, Default)]
struct Journal {
    said: Records,
    /// What a power cut leaves of it.
    lasting: Records,
}

impl Journal {
    fn write(&mut self, entry: Entry, lasting: Lasting) {
        self.said.apply(entry);
        if lasting == Lasting::Yes {
            self.lasting = self.said.clone();
        }
    }
}

/// One host.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    pub is_up: bool,
    pub is_connected: bool,
    /// Seconds that its clock is ahead.
    pub skew: i64,
    uid: String,
    /// What the watch said last.
    seen: Option<Arc<Instance>>,
    journal: Journal,
    /// The group's id, and the event of its Deployment that runs.
    running: Option<(String, EventName)>,
    /// Counts starts and ends, so that what was planned for another one is void.
    turn: u64,
    /// Counts losses of the heartbeat.
    losses: u64,
}

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
        let seen = self.instance(name).cloned();
        let Some(agent) = self.agents.get_mut(name) else { return };
        let Some(seen) = seen.filter(|_| agent.is_up && agent.is_connected) else { return };
        if seen.metadata.uid.as_deref() != Some(&agent.uid) {
            return;
        }
        self.ledger.hosts.note_look(name, &seen);
        agent.seen = Some(seen);
        self.agent_works(name);
    }

    /// Begins what comes next, if nothing runs; then reports.
    fn agent_works(&mut self, name: &str) {
        let (now, mind) = (self.store.now, self.minds.agent);
        while let Some((group, next)) = self.agents.get_mut(name).and_then(|agent| agent.next(now, mind)) {
            match next {
                Next::Run(event) => self.begin(name, &group, event),
                Next::Finish(status) => self.finish(name, group, status),
                Next::Wait => break,
            }
        }
        self.report(name);
    }

    fn begin(&mut self, name: &str, group: &str, event: EventName) {
        let now = self.store.now;
        let what = self.fate(name, group, event);
        let takes = match what {
            Some(What::Takes(millis)) => Some((millis, millis)),
            Some(What::Hangs) => None,
            _ => Some(self.pace.script),
        };
        let Some(agent) = self.agents.get_mut(name) else { return };
        let time = agent.clock(now);
        let uid = agent.journal.said.get(group).map(|record| &record.assignment.deployment_uid);
        self.ledger.note_begun(name, uid.map_or("", String::as_str), event);
        agent.journal.write(Entry::Begun { group: group.into(), event, time }, Lasting::Yes);
        agent.running = Some((group.into(), event));
        agent.turn += 1;
        let turn = agent.turn;
        if let Some(takes) = takes {
            let at = self.after(takes);
            self.plan(at, Happening::EventEnds(name.into(), turn, what != Some(What::Fails)));
        }
    }

    fn fate(&self, host: &str, group: &str, event: EventName) -> Option<What> {
        let record = self.agents.get(host)?.journal.said.get(group)?;
        // Scripts before the download are the last good revision's.
        let is_earlier = event <= EventName::ApplicationStop;
        let installed = record.installed.as_ref().map(|installed| &installed.revision);
        let revision = if is_earlier { installed } else { record.assignment.revision.as_ref() };
        let version = super::server_setup::version_of(&revision?.source);
        let mut fates = self.fates.iter().rev();
        let is_it = |f: &&Fate| f.version == version && (f.host == host || f.host == "*") && f.event == event;
        fates.find(is_it).map(|f| f.what)
    }

    /// A script ends.
    pub fn event_ends(&mut self, name: &str, turn: u64, passes: bool) {
        let (now, content) = (self.store.now, self.s3_content.clone());
        let Some(agent) = self.agents.get_mut(name) else { return };
        if agent.turn != turn || !agent.is_up {
            return;
        }
        let Some((group, event)) = agent.running.take() else { return };
        let Some(record) = agent.journal.said.get(&group) else { return };
        let mut failure = (!passes).then(|| ("ScriptFailed", format!("scripts/{event}.sh: exit status 1")));
        if event == EventName::DownloadBundle {
            let revision = record.assignment.revision.clone().unwrap_or_default();
            let has = if revision.source.s3.is_some() { content } else { revision.digest.clone() };
            if revision.source.s3.is_some() && !revision.digest.is_empty() && revision.digest != has {
                failure = Some(("UnknownError", "the bundle is not the one that was asked for".into()));
            }
            let bundle = Bundle { digest: has, ..Bundle::default() };
            agent.journal.write(Entry::Fetched { group: group.clone(), bundle }, Lasting::No);
        }
        agent.end(group, event, failure, now);
        self.agent_works(name);
    }

    fn finish(&mut self, name: &str, group: String, status: EventStatus) {
        let now = self.store.now;
        if let Some(agent) = self.agents.get_mut(name) {
            let time = agent.clock(now);
            agent.journal.write(Entry::Finished { group, status, time }, Lasting::Yes);
        }
    }

    /// Writes down what there is to say, if the API server can be reached.
    fn report(&mut self, name: &str) {
        let Some(agent) = self.agents.get(name).filter(|a| a.is_up && a.is_connected) else { return };
        let Some(stored) = self.instance(name).filter(|i| i.metadata.uid.as_deref() == Some(&agent.uid))
        else {
            return;
        };
        let Some(seen) = &agent.seen else { return };
        // Of its own part the agent knows what it wrote; of the rest what it saw last.
        let known = Instance { spec: seen.spec.clone(), ..(**stored).clone() };
        let report = Report::of(&agent.journal.said, &AgentInfo::default(), &known);
        self.write(&Actor::Agent(name.into()), name, |status| {
            (status.assignments, status.installed) = (report.assignments, report.installed);
        });
    }

    /// Puts on record that a revision stands on a host, as an earlier Deployment of that group left it.
    pub fn has_installed(&mut self, name: &str, group: &str, group_id: &str, installed: &Installed) {
        let Some(agent) = self.agents.get_mut(name) else { return };
        let assignment = Assignment {
            deployment_group: group.into(),
            deployment_group_id: group_id.into(),
            deployment: installed.deployment.clone(),
            deployment_uid: installed.deployment_uid.clone(),
            revision: Some(installed.revision.clone()),
            ..Assignment::default()
        };
        let had = Record {
            end: Some(EventStatus::Succeeded),
            installed: Some(installed.clone()),
            ..Record::accepted(1, assignment, None)
        };
        agent.journal.write(Entry::Whole { record: Box::new(had) }, Lasting::Yes);
    }

    /// The agent's process ends, and starts again after `down` milliseconds.
    pub fn kill_agent(&mut self, name: &str, down: i64, loss: Loss) {
        let Some(agent) = self.agents.get_mut(name) else { return };
        agent.is_up = false;
        match loss {
            Loss::Process => {}
            Loss::Power => agent.journal.said = agent.journal.lasting.clone(),
            Loss::Disk => agent.journal = Journal::default(),
        }
        self.loses_heartbeat(name);
        let at = self.store.now + SignedDuration::from_millis(down);
        self.plan(at, Happening::AgentStarts(name.into()));
    }

    /// What ran when it was killed has failed, and is never run again.
    pub fn agent_starts(&mut self, name: &str) {
        let now = self.store.now;
        let Some(agent) = self.agents.get_mut(name).filter(|a| !a.is_up) else { return };
        agent.is_up = true;
        agent.losses += 1;
        agent.turn += 1;
        agent.running = None;
        let interrupted = agent.journal.said.in_order().into_iter();
        let interrupted: Vec<_> =
            interrupted.filter_map(|r| Some((r.group().to_owned(), r.running()?))).collect();
        for (group, event) in interrupted {
            let message = format!("the agent was started anew while {event} ran");
            agent.end(group, event, Some(("AgentRestarted", message)), now);
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
        let at = self.store.now + silence(None);
        self.plan(at, Happening::HeartbeatEnds(name.into(), losses));
    }

    /// Nobody has heard of the host for too long.
    pub fn heartbeat_ends(&mut self, name: &str, losses: u64) {
        if self.agents.get(name).is_some_and(|a| a.losses == losses && !(a.is_up && a.is_connected)) {
            self.set_heard(name, false);
        }
    }
}

impl Agent {
    /// What comes next, once what is new is taken. While an event runs nothing is.
    fn next(&mut self, now: Timestamp, mind: fn(&Record, Orders) -> Next) -> Option<(String, Next)> {
        let time = self.clock(now);
        let instance = self.seen.as_ref().filter(|_| self.running.is_none() && self.is_up)?;
        while let Some((entry, lasting)) = take(instance, &self.journal.said, time) {
            self.journal.write(entry, lasting);
        }
        let (group, orders) = due(instance, &self.journal.said)?;
        let next = mind(self.journal.said.get(&group)?, orders);
        Some((group, next))
    }

    /// What the host's clock says.
    fn clock(&self, now: Timestamp) -> Timestamp {
        now + SignedDuration::from_secs(self.skew)
    }

    fn end(&mut self, group: String, event: EventName, failure: Option<(&str, String)>, now: Timestamp) {
        let time = self.clock(now);
        let status = if failure.is_some() { EventStatus::Failed } else { EventStatus::Succeeded };
        let diagnostics = failure.map(|(code, message)| Diagnostics {
            error_code: code.into(),
            message,
            ..Diagnostics::default()
        });
        self.journal.write(Entry::Ended { group, event, status, time, diagnostics }, Lasting::Yes);
    }
}
