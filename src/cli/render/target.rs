//! One host of a deployment, put together from the Deployment's record and, where it was read, from the host's Instance.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::deployment_snapshot::ResolvedServer;
use crate::api::deployment_status::Diagnostics;
use crate::api::{
    Assignment, AssignmentStatus, Deployment, DeploymentStatus, EventName, EventStatus, HostEvent, Instance,
};

/// Instances by name: those that were read.
pub type Hosts = BTreeMap<String, Instance>;

/// How a deployment stands on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The Deployment's name.
    pub deployment: String,
    /// The Instance's name.
    pub target: String,
    /// How it stands, by the Deployment's record.
    pub status: EventStatus,
    /// The event that runs, or at which it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
    /// The whole course, in order; empty if the host works on a later deployment of the group.
    pub lifecycle_events: Vec<HostEvent>,
    /// What is known of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Diagnostics>,
    /// The zone that it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The digest of the bundle that it downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_digest: Option<String>,
    /// What people should know of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The hosts of a deployment on Server, in the order in which they are worked on; none of any other deployment.
pub fn targets(deployment: &Deployment, hosts: &Hosts) -> Vec<Target> {
    let Some((status, server)) = server_of(deployment) else { return Vec::new() };
    let zones = zones(server);
    let letters = status.targets.bytes().map(state).chain(std::iter::repeat(EventStatus::Pending));
    let each = server.targets.iter().enumerate().zip(letters);
    each.map(|((index, name), state)| {
        let uid = server.uids.get(index).map(String::as_str);
        let host = hosts.get(name).filter(|host| uid.is_none() || host.metadata.uid.as_deref() == uid);
        let seen = Seen { deployment, status, server, name, state, host };
        let zone = zones.get(index).cloned().filter(|zone| !zone.is_empty());
        seen.target(zone.or_else(|| host.and_then(|h| h.spec.zone.clone())))
    })
    .collect()
}

/// The status and the snapshot of a deployment on Server that has its targets on record.
pub fn server_of(deployment: &Deployment) -> Option<(&DeploymentStatus, &ResolvedServer)> {
    let status = deployment.status.as_ref()?;
    Some((status, status.resolved.as_ref()?.server.as_deref()?))
}

/// What a letter of `status.targets` says.
fn state(letter: u8) -> EventStatus {
    match letter {
        b'P' => EventStatus::Pending,
        b'I' => EventStatus::InProgress,
        b'S' => EventStatus::Succeeded,
        b'F' => EventStatus::Failed,
        b'K' => EventStatus::Skipped,
        _ => EventStatus::Unknown,
    }
}

/// The zone of each target, where the deployment goes zone by zone.
fn zones(server: &ResolvedServer) -> Vec<String> {
    let each = server.zones.iter().map(|zone| {
        let count = usize::try_from(zone.targets).unwrap_or_default().min(server.targets.len());
        vec![zone.name.clone(); count]
    });
    each.flatten().collect()
}

struct Seen<'a> {
    deployment: &'a Deployment,
    status: &'a DeploymentStatus,
    server: &'a ResolvedServer,
    name: &'a str,
    state: EventStatus,
    host: Option<&'a Instance>,
}

impl Seen<'_> {
    fn target(&self, zone: Option<String>) -> Target {
        let (asked, said) = (self.asked(), self.said());
        let lifecycle_events = self.events(asked, said);
        let failure = self.status.failed_targets.iter().find(|failed| failed.name == self.name);
        let failed = lifecycle_events.iter().find(|event| event.status == EventStatus::Failed);
        let running = lifecycle_events.iter().find(|event| event.status == EventStatus::InProgress);
        let event = match self.state {
            EventStatus::Failed | EventStatus::Unknown => {
                failure.and_then(|f| f.event).or(failed.map(|e| e.name)).or(running.map(|e| e.name))
            }
            EventStatus::InProgress => running.map(|e| e.name).or(said.and_then(|s| s.event)),
            _ => None,
        };
        let diagnostics =
            failed.and_then(|e| e.diagnostics.clone()).or(failure.map(|f| f.diagnostics.clone()));
        Target {
            deployment: self.deployment.name().into(),
            target: self.name.into(),
            status: self.state,
            event,
            lifecycle_events,
            diagnostics: diagnostics.filter(|d| *d != Diagnostics::default()),
            zone,
            address: self.host.and_then(|host| host.spec.address.clone()),
            bundle_digest: said.and_then(|said| said.bundle_digest.clone()),
            message: said.map(|said| said.message.clone()).unwrap_or_default(),
        }
    }

    /// What this deployment asks of the host.
    fn asked(&self) -> Option<&Assignment> {
        let uid = self.deployment.uid();
        self.host.and_then(|host| host.spec.assignments.iter().find(|a| a.deployment_uid == uid))
    }

    /// What the host says of this deployment.
    fn said(&self) -> Option<&AssignmentStatus> {
        let uid = self.deployment.uid();
        let status = self.host.and_then(|host| host.status.as_ref());
        status.and_then(|status| status.assignments.iter().find(|a| a.deployment_uid == uid))
    }

    /// The course with what is known of each event: the agent's word, the controller's for its own, else not begun.
    fn events(&self, asked: Option<&Assignment>, said: Option<&AssignmentStatus>) -> Vec<HostEvent> {
        let is_untouched = matches!(self.state, EventStatus::Pending | EventStatus::Skipped);
        if asked.is_none() && said.is_none() && !is_untouched {
            return Vec::new();
        }
        let of_agent = said.map(|said| said.events.as_slice()).unwrap_or_default();
        let of_traffic = asked.map(|asked| asked.traffic_events.as_slice()).unwrap_or_default();
        let has_ended = matches!(self.state, EventStatus::Skipped | EventStatus::Failed);
        let rest = if has_ended { EventStatus::Skipped } else { EventStatus::Pending };
        let known = |name| of_agent.iter().chain(of_traffic).find(|event| event.name == name).cloned();
        let unknown =
            |name| HostEvent { name, status: rest, start_time: None, end_time: None, diagnostics: None };
        self.server.course.iter().map(|name| known(*name).unwrap_or_else(|| unknown(*name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn find<'a>(targets: &'a [Target], name: &str) -> &'a Target {
        targets.iter().find(|t| t.target == name).unwrap()
    }

    #[test]
    fn the_record_alone_tells_how_each_host_stands() {
        let targets = targets(&fixture::in_place(), &Hosts::new());
        let states: String =
            targets.iter().map(|t| format!("{:?}", t.status).chars().next().unwrap()).collect();
        assert_eq!(states, "SSFIIPPP");
        let failed = find(&targets, "web-3");
        assert_eq!(failed.event, Some(EventName::ValidateService));
        assert_eq!(failed.diagnostics.as_ref().unwrap().script_name, "check.sh");
        assert_eq!(failed.zone.as_deref(), Some("eu-1a"));
        assert_eq!(find(&targets, "web-5").zone.as_deref(), Some("eu-1b"));
        assert!(failed.lifecycle_events.is_empty(), "nobody read the host");
        assert!(find(&targets, "web-8").lifecycle_events.iter().all(|e| e.status == EventStatus::Pending));
    }

    #[test]
    fn the_hosts_word_and_the_controllers_come_together_in_the_courses_order() {
        let targets = targets(&fixture::in_place(), &fixture::hosts());
        let running = find(&targets, "web-4");
        assert_eq!(running.event, Some(EventName::Install));
        let said: Vec<_> = running.lifecycle_events.iter().map(|e| (e.name, e.status)).collect();
        assert_eq!(said.len(), fixture::COURSE.len());
        assert_eq!(said[1], (EventName::BlockTraffic, EventStatus::Succeeded), "the controller's word");
        assert_eq!(said[6], (EventName::Install, EventStatus::InProgress));
        assert_eq!(said[7].1, EventStatus::Pending);
    }

    #[test]
    fn a_host_of_the_same_name_that_is_another_says_nothing() {
        let mut hosts = fixture::hosts();
        hosts.get_mut("web-4").unwrap().metadata.uid = Some("another".into());
        let targets = targets(&fixture::in_place(), &hosts);
        assert!(find(&targets, "web-4").lifecycle_events.is_empty());
    }

    #[test]
    fn a_host_that_went_on_to_a_later_deployment_says_nothing_of_this_one() {
        let mut hosts = fixture::hosts();
        let host = hosts.get_mut("web-4").unwrap();
        host.spec.assignments[0].deployment_uid = "later".into();
        host.status.as_mut().unwrap().assignments[0].deployment_uid = "later".into();
        let targets = targets(&fixture::in_place(), &hosts);
        assert!(find(&targets, "web-4").lifecycle_events.is_empty());
    }
}
