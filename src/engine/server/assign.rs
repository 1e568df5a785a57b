//! What is written into an Instance: an assignment, how far it may go, that it is to end.

use jiff::Timestamp;

use super::facts::Stand;
use super::host::HostFact;
use super::progress::{self, Place, place};
use crate::api::deployment_status::Resolved;
use crate::api::{Assignment, EventName, EventStatus, HostEvent, ResolvedRevision};
use crate::engine::draft::Draft;
use crate::engine::plan::{Act, Assign, Change, Sealing};

/// Writes of one deployment.
pub struct Pen<'a> {
    /// The snapshot.
    pub resolved: &'a Resolved,
    /// The revision with its digest, as far as it is known.
    pub revision: ResolvedRevision,
    /// The time.
    pub now: Timestamp,
}

impl Pen<'_> {
    fn write(host: &HostFact, group: &str, change: Change) -> Act {
        let place = host.entry(group).and_then(|e| e.wanted.as_ref()).map(|w| w.place);
        Act::Assign(Box::new(Assign {
            instance: host.name.clone(),
            uid: host.uid.clone(),
            version: host.version.clone(),
            place,
            assigned: host.assigned,
            change,
        }))
    }

    /// Gives a host its assignment. One that is to end at once is a fence: no late hand can begin anything behind it.
    pub fn assign(&self, draft: &Draft<'_>, host: &HostFact, stop: bool) -> Option<Act> {
        let server = self.resolved.server.as_deref()?;
        let deployment = &draft.facts.deployment;
        let group = deployment.spec.deployment_group_ref.name.clone();
        let entry = host.entry(&group);
        let stands = draft.facts.server.endpoints.get(&host.name).map(|e| e.stand);
        let had_traffic = place(entry) == Place::In || (entry.is_none() && stands == Some(Stand::Ready));
        let has_traffic = server.course.contains(&EventName::BlockTraffic);
        // Without traffic there is nothing to take away: the agent may go straight on.
        let skips_block = has_traffic && !had_traffic;
        let block = HostEvent {
            name: EventName::BlockTraffic,
            status: EventStatus::Skipped,
            start_time: Some(self.now),
            end_time: Some(self.now),
            diagnostics: None,
        };
        let after = skips_block.then_some(EventName::BlockTraffic);
        let lacks_key = server.secret.is_some() && host.sealing_key.is_empty();
        let run_through = progress::next_stop(&server.course, after).filter(|_| !stop && !lacks_key);
        let sealing = server
            .secret
            .clone()
            .filter(|_| run_through.is_some())
            .map(|secret| Sealing { secret, key: host.sealing_key.clone() });
        let assignment = Assignment {
            deployment_group: group.clone(),
            deployment_group_id: self.resolved.group_uid.clone(),
            deployment: deployment.name().into(),
            deployment_uid: deployment.uid().into(),
            application: self.resolved.application.clone(),
            creator: draft.status.creator,
            revision: Some(self.revision.clone()),
            sealed_credentials: None,
            course: server.course.clone(),
            run_through,
            time: Some(self.now),
            stop,
            file_exists_behavior: Some(server.file_exists_behavior),
            ignore_application_stop_failures: server.ignore_application_stop_failures,
            restart: server.restart,
            event_timeout: Some(server.event_timeout),
            traffic_events: if skips_block { vec![block] } else { vec![] },
        };
        Some(Self::write(host, &group, Change::Put(Box::new(assignment), sealing)))
    }

    /// Lets a host go on behind an event of the controller's that has ended.
    pub fn go(&self, draft: &Draft<'_>, host: &HostFact, event: EventName) -> Option<Act> {
        let server = self.resolved.server.as_deref()?;
        let group = &draft.facts.deployment.spec.deployment_group_ref.name;
        let wanted = host.entry(group)?.wanted.as_ref()?;
        let noted = HostEvent {
            name: event,
            status: EventStatus::Succeeded,
            start_time: host.reported.or(Some(self.now)),
            end_time: Some(self.now),
            diagnostics: None,
        };
        let is_first = wanted.blocked.is_none() && !wanted.is_allowed;
        let run_through = progress::next_stop(&server.course, Some(event))?;
        Some(Self::write(host, group, Change::Go { run_through, noted, is_first, time: self.now }))
    }

    /// Asks a host to end.
    pub fn stop(&self, draft: &Draft<'_>, host: &HostFact) -> Option<Act> {
        let group = &draft.facts.deployment.spec.deployment_group_ref.name;
        let entry = host.entry(group)?;
        let wanted = entry.wanted.as_ref().filter(|w| w.deployment_uid == draft.facts.deployment.uid())?;
        let has_ended = entry.answer().is_some_and(super::host::Said::has_ended);
        (!wanted.stop && !has_ended).then(|| Self::write(host, group, Change::Stop { time: self.now }))
    }
}
