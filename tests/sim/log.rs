//! The story of a run as a human reads it: one line for each change that matters.

use jiff::Timestamp;
use sluice::api::{AssignmentStatus, Deployment, DeploymentGroup, EventStatus, Instance, InstanceStatus};
use sluice::engine::Note;
use sluice::engine::server::facts::{Endpoint, SliceFact};

use super::objects::{JobEnd, Object, Route, Service, Slice, TaskSet};
use super::store::{Actor, Commit};

/// The lines so far.
pub struct Log {
    start: Timestamp,
    pub lines: Vec<String>,
    notes: Vec<(String, Note)>,
}

impl Log {
    /// An empty story.
    pub fn new(start: Timestamp) -> Self {
        Self { start, lines: vec![], notes: vec![] }
    }

    /// Adds a line.
    pub fn line(&mut self, at: Timestamp, who: &str, what: &str) {
        let millis = at.duration_since(self.start).as_millis();
        let time = format!("t=+{}.{}s", millis / 1_000, millis % 1_000 / 100);
        self.lines.push(format!("{time:<12} {who:<8} {what}"));
    }

    /// Keeps a note that was told as an Event until the commits behind it are told.
    pub fn note(&mut self, about: &str, note: Note) {
        self.notes.push((about.into(), note));
    }

    /// Adds the notes that were kept; one that only repeats the line before it says so by its reason alone.
    pub fn tell_notes(&mut self, at: Timestamp) {
        for (about, note) in std::mem::take(&mut self.notes) {
            let kind = if note.is_warning { "Warning" } else { "Normal" };
            let known = format!("| {}", note.message);
            let is_known = self.lines.iter().rev().take(2).any(|l| l.ends_with(&known));
            let message = if is_known { "the same" } else { &note.message };
            self.line(at, "event", &format!("{about}: {kind} {} | {message}", note.reason));
        }
    }

    /// Adds what a commit changes, if it matters.
    pub fn commit(&mut self, commit: &Commit) {
        let who = match &commit.by {
            Actor::User => "user",
            Actor::Gateway => "gateway",
            Actor::Jobs => "jobs",
            Actor::Kubelet => "kubelet",
            Actor::Cluster => "cluster",
            Actor::Garbage => "garbage",
            Actor::Agent(_) => "agent",
            Actor::Controller(0, _) => "sluice",
            Actor::Controller(..) => "sluice-2",
        };
        let mut lines = vec![];
        match (&commit.before, &commit.after) {
            (None, Some(Object::Deployment(d))) => lines.push(format!("{}: created", d.name())),
            (Some(Object::Slice(_)), None) => {}
            (before, Some(Object::Instance(after))) => {
                lines.extend(instance(before.as_ref().and_then(Object::instance).map(|i| &**i), after));
            }
            (_, Some(Object::HostSlice(slice))) => lines.push(hosts_behind(slice)),
            (Some(Object::Pod(_)), None) if commit.by == Actor::Cluster || commit.by == Actor::Garbage => {}
            (Some(o), None) => lines.push(format!("{:?} {} is gone", o.key().0, o.key().1)),
            (Some(Object::Deployment(before)), Some(Object::Deployment(after))) => {
                lines.extend(deployment(before, after));
            }
            (Some(Object::Group(before)), Some(Object::Group(after))) => lines.extend(group(before, after)),
            (before, Some(Object::Route(after))) => {
                lines.extend(route(before.as_ref().and_then(Object::route).map(|r| &**r), after));
            }
            (None, Some(Object::Job(job))) => lines.push(format!("Job {} starts", job.name)),
            (Some(Object::Job(before)), Some(Object::Job(after))) if before.end != after.end => {
                let end = match &after.end {
                    Some(JobEnd::Failed { message, .. }) => format!("fails: {message}"),
                    _ => "completes".into(),
                };
                lines.push(format!("Job {} {end}", after.name));
            }
            (before, Some(Object::Service(after))) => {
                lines.extend(service(before.as_ref().and_then(Object::service).map(|s| &**s), after));
            }
            (_, Some(Object::Slice(slice))) => lines.push(endpoints(slice)),
            (before, Some(Object::TaskSet(after))) => {
                lines.extend(task_set(before.as_ref().and_then(Object::task_set).map(|t| &**t), after));
            }
            (Some(Object::Pod(before)), Some(Object::Pod(after))) if before.problem != after.problem => {
                lines.extend(after.problem.clone());
            }
            _ => {}
        }
        for line in lines {
            self.line(commit.at, who, &line);
        }
    }
}

/// An Instance: what it is asked, what its agent says, whether it is heard of.
fn instance(before: Option<&Instance>, after: &Instance) -> Vec<String> {
    let name = after.metadata.name.as_deref().unwrap_or_default();
    let had = |i: Option<&Instance>| i.and_then(|i| i.status.clone()).unwrap_or_default();
    let (was, is) = (had(before), had(Some(after)));
    let mut lines = vec![];
    for wanted in &after.spec.assignments {
        let old = before.and_then(|b| b.spec.assignment(&wanted.deployment_group));
        if old == Some(wanted) {
            continue;
        }
        let what = match wanted.run_through {
            _ if wanted.stop => "is to end what has begun".to_owned(),
            Some(event) => format!("is to run through {event}"),
            None => "has nothing to run yet".into(),
        };
        let noted = wanted.traffic_events.iter().map(|e| format!(", {} {:?}", e.name, e.status));
        lines.push(format!("{name} {}: {what}{}", wanted.deployment, noted.collect::<String>()));
    }
    for said in &is.assignments {
        let had = was.assignment(&said.deployment_group);
        // Of a course only its beginning, its waits and its end are told.
        let goes_on = |s: &AssignmentStatus| s.events.iter().any(|e| e.status == EventStatus::InProgress);
        let is_same = |h: &AssignmentStatus| h.deployment_uid == said.deployment_uid && goes_on(h);
        if had == Some(said) || (goes_on(said) && had.is_some_and(is_same)) {
            continue;
        }
        let marks: String = said.events.iter().map(|e| mark(e.status)).collect();
        let event = said.event.map(|e| format!(" at {e}")).unwrap_or_default();
        lines.push(format!("{name} {}: [{marks}] {:?}{event}", said.deployment, said.status));
    }
    let heard = |s: &InstanceStatus| s.conditions.first().map(|c| c.status.clone());
    if heard(&was) != heard(&is) && before.is_some() && heard(&was).is_some() {
        lines.push(format!(
            "{name} is {}",
            if heard(&is).as_deref() == Some("True") { "heard of again" } else { "not heard of" }
        ));
    }
    lines
}

fn hosts_behind(slice: &SliceFact) -> String {
    let told = |e: &Endpoint| if e.is_ready { e.host.clone() } else { format!("({})", e.host) };
    let hosts: Vec<_> = slice.endpoints.iter().map(told).collect();
    format!("behind {}: {}", slice.service, if hosts.is_empty() { "nobody".into() } else { hosts.join(" ") })
}

fn service(before: Option<&Service>, after: &Service) -> Option<String> {
    let name = &after.name;
    if let Some(ready) = after.ready {
        return Some(format!("Service {name} has {ready} ready endpoints"));
    }
    let facts = |s: &Service| (s.selector.clone(), s.target_ports.clone());
    if before.is_some_and(|b| facts(b) == facts(after) && b.group_uid != after.group_uid) {
        return Some(format!("Service {name} is let go of"));
    }
    let ports = after.target_ports.join(", ");
    let selector: Vec<_> = after.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    Some(match selector.as_slice() {
        [] => format!("Service {name} selects nobody"),
        some => format!("Service {name} selects {}, port {ports}", some.join(",")),
    })
}

fn endpoints(slice: &Slice) -> String {
    let mut owners = std::collections::BTreeMap::<&str, usize>::new();
    slice.pods.values().for_each(|owner| *owners.entry(owner).or_default() += 1);
    let told: Vec<_> = owners.iter().map(|(owner, n)| format!("{n} of {owner}")).collect();
    let told = if told.is_empty() { "none".into() } else { told.join(", ") };
    format!("endpoints of {}: {told}", slice.service)
}

fn task_set(before: Option<&TaskSet>, after: &TaskSet) -> Option<String> {
    let name = &after.name;
    match before {
        None => Some(format!("ReplicaSet {name} is created, {} pods", after.replicas)),
        Some(b) if b.replicas != after.replicas => {
            Some(format!("ReplicaSet {name} goes from {} to {} pods", b.replicas, after.replicas))
        }
        Some(b) if b.group_uid != after.group_uid => {
            let whose = if after.group_uid.is_some() { "is adopted" } else { "is let go of" };
            Some(format!("ReplicaSet {name} {whose}"))
        }
        Some(b) if b.failure != after.failure => after.failure.clone(),
        Some(_) => None,
    }
}

fn deployment(before: &Deployment, after: &Deployment) -> Option<String> {
    let facts = |d: &Deployment| {
        let status = d.status.clone().unwrap_or_default();
        let summary = status.traffic.as_ref().map(|t| t.summary.clone());
        let conditions: Vec<_> =
            status.conditions.iter().map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone())).collect();
        let stop = status.stop.clone();
        (status.phase, events(d), summary, status.message, conditions, stop, status.rollback_info)
    };
    if facts(before) == facts(after) {
        return None;
    }
    let status = after.status.as_ref()?;
    let traffic = status.traffic.as_ref().map(|t| format!(" | {}", t.summary)).unwrap_or_default();
    let conditions: Vec<_> = status.conditions.iter().filter(|c| c.status == "True").collect();
    let condition = conditions.first().map(|c| format!("{}={}", c.type_, c.reason)).unwrap_or_default();
    let stop =
        status.stop.as_ref().map(|s| format!(" | stop {:?}: {}", s.status, s.message)).unwrap_or_default();
    let error = status.error_information.as_ref().map(|e| format!(" | {}", e.code)).unwrap_or_default();
    let info = status.rollback_info.as_ref().map(|i| i.rollback_message.as_str()).unwrap_or_default();
    let info = if info.is_empty() { String::new() } else { format!(" | rollback: {info}") };
    Some(format!(
        "{}: {} {condition}{}{traffic}{error}{stop}{info} | {}",
        after.name(),
        status.phase,
        events(after),
        status.message
    ))
}

fn mark(status: EventStatus) -> char {
    match status {
        EventStatus::Pending => '.',
        EventStatus::InProgress => '>',
        EventStatus::Succeeded => '+',
        EventStatus::Failed => '!',
        EventStatus::Skipped => '-',
        EventStatus::Unknown => '?',
    }
}

fn events(deployment: &Deployment) -> String {
    let events = deployment.status.as_ref().map(|s| s.lifecycle_events.as_slice()).unwrap_or_default();
    let letters = deployment.status.as_ref().map(|s| s.targets.as_str()).unwrap_or_default();
    if !letters.is_empty() {
        return format!(" [{letters}]");
    }
    if events.is_empty() {
        return String::new();
    }
    format!(" [{}]", events.iter().map(|e| mark(e.status)).collect::<String>())
}

fn group(before: &DeploymentGroup, after: &DeploymentGroup) -> Option<String> {
    let facts = |g: &DeploymentGroup| {
        let s = g.status.clone().unwrap_or_default();
        let says: Vec<_> = s.conditions.into_iter().map(|c| (c.type_, c.reason)).collect();
        (s.phase, s.message, says, s.active_deployment, s.queued_deployments)
    };
    if facts(before) == facts(after) {
        return None;
    }
    let status = after.status.as_ref()?;
    let phase = status.phase.map(|p| p.to_string()).unwrap_or_default();
    let queued: Vec<_> = status.queued_deployments.iter().map(|q| q.name.as_str()).collect();
    let queue = if queued.is_empty() { String::new() } else { format!(" | queued: {}", queued.join(", ")) };
    let conditions: Vec<_> = status.conditions.iter().filter(|c| c.status == "True").collect();
    let condition = conditions.first().map(|c| format!("{}={}", c.type_, c.reason)).unwrap_or_default();
    let name = after.metadata.name.as_deref().unwrap_or_default();
    Some(format!("group {name}: {phase} {condition}{queue} | {}", status.message))
}

fn route(before: Option<&Route>, after: &Route) -> Option<String> {
    let name = &after.name;
    if before.is_none_or(|b| b.rules != after.rules || b.rest != after.rest) {
        let told = |rule: &super::objects::Rule| {
            let parts: Vec<_> = rule.backends.iter().map(|b| format!("{} {}", b.service, b.weight)).collect();
            parts.join(" / ")
        };
        let rules: Vec<_> = after.rules.iter().map(told).collect();
        return Some(format!("route {name} generation {}: {}", after.generation, rules.join("; ")));
    }
    let status = after.status.as_ref()?;
    match &status.refused {
        Some(words) => Some(format!("route {name}: refuses generation {}: {words}", status.generation)),
        None => Some(format!("route {name}: takes generation {}", status.generation)),
    }
}
