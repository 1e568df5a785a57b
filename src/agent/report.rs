//! What the host says of itself: the agent's part of the Instance's status, built from the journal, and when it is written.
//!
//! Nothing is remembered of what was written: what the journal says is compared with what the API server has, and written if they
//! differ. So no result is lost, whatever fails in between.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::{Client, Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::clock;
use super::host::{Host, shortened};
use super::journal::{Record, Records};
use super::watching::Seen;
use crate::api::instance::{AgentInfo, Installed, Standing};
use crate::api::{Assignment, AssignmentStatus, EventStatus, HostEvent, Instance};
use crate::cluster::{Error, write};

/// While an event runs the status is written this often at most.
const COALESCE: Duration = Duration::from_secs(1);
/// The pauses after a write that failed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// What the API takes of each list.
const MAX_GROUPS: usize = 32;

/// The agent's part of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The agent itself.
    pub agent: Option<AgentInfo>,
    /// How each Deployment that is assigned stands here.
    pub assignments: Vec<AssignmentStatus>,
    /// What each group has on this host.
    pub installed: Vec<Installed>,
    /// Whose files lie here where that is not what is installed.
    pub standing: Vec<Standing>,
}

impl Report {
    /// What there is to say. Of a Deployment that the journal knows nothing of yet stands what the API server has: what had begun before a disk
    /// was lost is learned from there, and must not be wiped out before it is.
    pub fn of(records: &Records, agent: &AgentInfo, instance: &Instance) -> Self {
        let records = records.in_order();
        let spec = &instance.spec;
        let active = records.iter().find(|record| record.end.is_none()).copied();
        let mut report = Self { agent: Some(agent.clone()), ..Self::default() };
        let is_unknown = |said: &&AssignmentStatus| {
            let is_it = |a: &Assignment| a.deployment_uid == said.deployment_uid;
            let is_assigned = spec.assignment(&said.deployment_group).is_some_and(is_it);
            is_assigned && records.iter().all(|r| r.assignment.deployment_uid != said.deployment_uid)
        };
        let said = instance.status.iter().flat_map(|status| &status.assignments);
        report.assignments.extend(said.filter(is_unknown).cloned());
        let mut placed = BTreeSet::new();
        // Later ones win where a group was made anew under its name.
        for record in records.iter().rev() {
            let name = &record.assignment.deployment_group;
            let is_assigned = spec.assignment(name).is_some_and(|a| a.deployment_group_id == record.group())
                && !report.assignments.iter().any(|said| said.deployment_group == *name);
            if is_assigned && report.assignments.len() < MAX_GROUPS {
                report.assignments.push(status_of(record, active));
            }
            let has_placed = record.installed.is_some() || record.standing.is_some();
            if !has_placed || placed.len() == MAX_GROUPS || !placed.insert(name) {
                continue;
            }
            report.installed.extend(record.installed.clone());
            report.standing.extend(record.half_way().cloned());
        }
        report.assignments.sort_by(|a, b| a.deployment_group.cmp(&b.deployment_group));
        report.installed.sort_by(|a, b| a.deployment_group.cmp(&b.deployment_group));
        report.standing.sort_by(|a, b| a.deployment_group.cmp(&b.deployment_group));
        report
    }

    /// What the API server has of it.
    fn known(instance: &Instance) -> Self {
        let Some(status) = &instance.status else { return Self::default() };
        Self {
            agent: status.agent.clone(),
            assignments: status.assignments.clone(),
            installed: status.installed.clone(),
            standing: status.standing.clone(),
        }
    }

    /// True if nothing runs of which more is to be said soon.
    fn is_settled(&self) -> bool {
        let runs = |event: &HostEvent| event.status == EventStatus::InProgress;
        !self.assignments.iter().any(|assignment| assignment.events.iter().any(runs))
    }

    /// What of it differs, as a merge patch of the status.
    fn patch(&self, known: &Self) -> Value {
        let mut status = serde_json::Map::new();
        if self.agent != known.agent {
            status.insert("agent".into(), json!(self.agent));
        }
        if self.assignments != known.assignments {
            status.insert("assignments".into(), json!(self.assignments));
        }
        if self.installed != known.installed {
            status.insert("installed".into(), json!(self.installed));
        }
        if self.standing != known.standing {
            status.insert("standing".into(), json!(self.standing));
        }
        json!({"status": status})
    }
}

fn status_of(record: &Record, active: Option<&Record>) -> AssignmentStatus {
    let has_begun = |event: &&HostEvent| event.status != EventStatus::Skipped;
    let last = record.events.iter().rfind(has_begun);
    let status = match record.end {
        Some(end) => end,
        None if last.is_none() => EventStatus::Pending,
        None => EventStatus::InProgress,
    };
    let mut message = record.message.clone();
    if let Some(active) =
        active.filter(|active| status == EventStatus::Pending && active.group() != record.group())
    {
        let (group, deployment) = (&active.assignment.deployment_group, &active.assignment.deployment);
        message = format!(
            "waits for Deployment {deployment} of DeploymentGroup {group}: a host does one at a time"
        );
    }
    AssignmentStatus {
        deployment_group: record.assignment.deployment_group.clone(),
        deployment: record.assignment.deployment.clone(),
        deployment_uid: record.assignment.deployment_uid.clone(),
        event: last.map(|event| event.name),
        status,
        events: record.events.clone(),
        bundle_digest: Some(record.bundle.digest.clone()).filter(|digest| !digest.is_empty()),
        message: shortened(&message, 2_048),
    }
}

/// Where reports go.
#[derive(Clone)]
pub struct Reporter {
    /// By which connection.
    pub client: Client,
    /// The Instance's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What the agent says of itself.
    pub agent: AgentInfo,
    said: watch::Sender<Report>,
}

/// What the API server is known to have, and since which version of the object.
#[derive(Default)]
struct Known {
    report: Report,
    version: u64,
    /// True if a write has changed nothing of this version: what it lacks, the API server does not take.
    is_all: bool,
}

impl Known {
    /// Takes what the watch says, unless a write of ours has moved on since, or a write has shown that this version is not to be had otherwise.
    fn look(&mut self, instance: &Instance) {
        let version = instance.resource_version().and_then(|v| v.parse().ok()).unwrap_or(u64::MAX);
        // The object of our own write's version is looked at, too: somebody else's write may have come before ours.
        if version > self.version || (version == self.version && !self.is_all) {
            *self = Self { report: Report::known(instance), version, is_all: false };
        }
    }

    /// Takes what was written, and the version that the API server answered.
    fn written(&mut self, report: Report, answer: Option<u64>) {
        let is_all = answer == Some(self.version);
        *self = Self { report, version: answer.unwrap_or(self.version), is_all };
    }
}

impl Reporter {
    /// One that has said nothing yet.
    pub fn new(client: Client, namespace: String, name: String, agent: AgentInfo) -> Self {
        Self { client, namespace, name, agent, said: watch::Sender::new(Report::default()) }
    }

    /// Writes what there is to say whenever there is something new, for ever.
    pub async fn report(&self, host: &Host, mut seen: watch::Receiver<Seen>) {
        let mut changes = host.changes();
        let mut known = Known::default();
        let (mut due, mut pause) = (None, PAUSES.0);
        loop {
            changes.borrow_and_update();
            let instance = seen.borrow_and_update().instance().cloned();
            let Some(instance) = instance else {
                heard(&mut changes, &mut seen).await;
                continue;
            };
            known.look(&instance);
            self.said.send_replace(known.report.clone());
            let report = Report::of(host.journal().records(), &self.agent, &instance);
            if report == known.report {
                due = None;
                heard(&mut changes, &mut seen).await;
                continue;
            }
            let due_at = *due.get_or_insert_with(|| clock::instant() + COALESCE);
            if !report.is_settled() && clock::instant() < due_at {
                tokio::select! {
                    () = tokio::time::sleep_until(due_at) => {}
                    () = heard(&mut changes, &mut seen) => continue,
                }
            }
            match self.write(&report, &known.report).await {
                Ok(version) => {
                    known.written(report, version);
                    (due, pause) = (None, PAUSES.0);
                }
                Err(error) => {
                    tracing::warn!(%error, "the status was not written; it is tried again");
                    clock::sleep(clock::jittered(pause)).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    async fn write(&self, report: &Report, known: &Report) -> Result<Option<u64>, Error> {
        let kind = Instance::url_path(&(), Some(&self.namespace));
        let path = format!("{kind}/{}/status?fieldManager=sluice-agent", self.name);
        let what = format!("Instance {}/{}", self.namespace, self.name);
        let version = write::merge(&self.client, &path, &report.patch(known), &what).await?;
        Ok(version.and_then(|version| version.parse().ok()))
    }

    /// Waits until the API server has all that there is to say, or all of it that it takes, as far as [`Reporter::report`] knows.
    pub async fn reported(&self, host: &Host, mut seen: watch::Receiver<Seen>) {
        let mut said = self.said.subscribe();
        loop {
            let is_said = match &*seen.borrow_and_update() {
                Seen::Here(instance) => {
                    *said.borrow_and_update() == Report::of(host.journal().records(), &self.agent, instance)
                }
                Seen::Gone => true,
                Seen::Nothing => false,
            };
            if is_said {
                return;
            }
            tokio::select! {
                _ = said.changed() => {}
                heard = seen.changed() => if heard.is_err() { return },
            }
        }
    }
}

async fn heard(changes: &mut watch::Receiver<()>, seen: &mut watch::Receiver<Seen>) {
    tokio::select! {
        _ = changes.changed() => {}
        _ = seen.changed() => {}
    }
}

#[cfg(test)]
mod tests;
