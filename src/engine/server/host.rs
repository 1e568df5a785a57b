//! One host as a decision sees it: what its Instance says of it, and of each group's deployments on it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::condition::{TRUE, find};
use crate::api::deployment_status::Diagnostics;
use crate::api::{
    Assignment, AssignmentStatus, EventName, EventStatus, Instance, ResolvedRevision, Revision,
};

/// A host: thousands are kept, so that this is no more than decisions look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFact {
    /// The Instance's name.
    pub name: String,
    /// Its uid: another object of that name is another host.
    pub uid: String,
    /// Its resourceVersion: a write is valid on nothing else.
    pub version: String,
    /// True while it is being deleted.
    pub is_going: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Where the load balancer sends traffic.
    pub address: Option<String>,
    /// The zone; empty if it names none.
    pub zone: String,
    /// Its fleet.
    pub fleet: Option<String>,
    /// Whether its agent is heard of.
    pub reach: Reach,
    /// The public key to which credentials are sealed; empty before its agent has published one.
    pub sealing_key: String,
    /// When the API server last took a status of it, to the second: no event has begun since.
    pub reported: Option<Timestamp>,
    /// How many assignments it has.
    pub assigned: usize,
    /// What each group has to do with it, in order of the groups' names.
    pub entries: Vec<Entry>,
}

/// Whether a host is heard of.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Nobody has said yet.
    #[default]
    Unsaid,
    /// Its heartbeat is fresh.
    Heard,
    /// It has been silent since then.
    Silent(Timestamp),
}

/// What one group has to do with a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The group's name.
    pub group: String,
    /// What is to be done.
    pub wanted: Option<Wanted>,
    /// What its agent says.
    pub said: Option<Said>,
    /// What is installed.
    pub installed: Option<Had>,
}

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its index in the list.
    pub place: usize,
    /// The Deployment's name.
    pub deployment: String,
    /// The Deployment's uid.
    pub deployment_uid: String,
    /// The group's uid.
    pub group_uid: String,
    /// How far the agent may go.
    pub run_through: Option<EventName>,
    /// True once it is to end.
    pub stop: bool,
    /// When it was written last.
    pub time: Option<Timestamp>,
    /// True if the course takes the host out of the load balancer.
    pub has_traffic: bool,
    /// BlockTraffic: Skipped if the host had no traffic when it was assigned, Succeeded once it is out and has drained.
    pub blocked: Option<EventStatus>,
    /// True once AllowTraffic has ended.
    pub is_allowed: bool,
}

/// What the agent says of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The Deployment's uid.
    pub deployment_uid: String,
    /// InProgress, Succeeded, Failed or Skipped.
    pub status: EventStatus,
    /// The events so far, in order.
    pub events: Vec<(EventName, EventStatus)>,
    /// The event that failed, with what is known of it.
    pub failure: Option<Box<(Option<EventName>, Diagnostics)>>,
    /// The bundle's digest as it was downloaded there.
    pub bundle_digest: Option<String>,
}

/// What is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Had {
    /// The Deployment's uid.
    pub deployment_uid: String,
    /// The bundle.
    pub revision: Box<ResolvedRevision>,
}

impl HostFact {
    /// What an Instance says.
    pub fn of(instance: &Instance) -> Self {
        let (meta, spec) = (&instance.metadata, &instance.spec);
        let status = instance.status.clone().unwrap_or_default();
        let mut entries = BTreeMap::<String, Entry>::new();
        for (place, assignment) in spec.assignments.iter().enumerate() {
            let entry = entries.entry(assignment.deployment_group.clone()).or_default();
            entry.wanted = Some(Wanted::of(place, assignment));
        }
        for said in status.assignments {
            let entry = entries.entry(said.deployment_group.clone()).or_default();
            entry.said = Some(Said::of(said));
        }
        for had in status.installed {
            let (deployment_uid, revision) = (had.deployment_uid, Box::new(had.revision));
            entries.entry(had.deployment_group).or_default().installed =
                Some(Had { deployment_uid, revision });
        }
        let reach = find(&status.conditions, "Ready").map_or(Reach::Unsaid, |c| match c.status.as_str() {
            TRUE => Reach::Heard,
            _ => Reach::Silent(c.last_transition_time.0),
        });
        let writes =
            meta.managed_fields.iter().flatten().filter(|m| m.subresource.as_deref() == Some("status"));
        Self {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            version: meta.resource_version.clone().unwrap_or_default(),
            is_going: meta.deletion_timestamp.is_some(),
            tags: spec.tags.clone(),
            address: spec.address.clone(),
            zone: spec.zone.clone().unwrap_or_default(),
            fleet: spec.fleet.clone(),
            reach,
            sealing_key: status.agent.map(|a| a.sealing_key).unwrap_or_default(),
            reported: writes.filter_map(|m| m.time.as_ref().map(|t| t.0)).max(),
            assigned: spec.assignments.len(),
            entries: entries.into_iter().map(|(group, entry)| Entry { group, ..entry }).collect(),
        }
    }

    /// What that group has to do with it.
    pub fn entry(&self, group: &str) -> Option<&Entry> {
        let place = self.entries.binary_search_by(|e| e.group.as_str().cmp(group)).ok()?;
        self.entries.get(place)
    }

    /// True if its agent is heard of.
    pub fn is_heard_of(&self) -> bool {
        self.reach == Reach::Heard
    }

    /// The group for which it works now, if that is another one: one deployment at a time is carried out on a host.
    pub fn works_for(&self, other_than: &str) -> Option<&str> {
        let works = |e: &&Entry| e.answer().is_some_and(|said| said.status == EventStatus::InProgress);
        self.entries.iter().filter(|e| e.group != other_than).find(works).map(|e| e.group.as_str())
    }

    /// True if the group's last deployment to it succeeded: CodeDeploy's instance health.
    pub fn is_healthy(&self, group: &str) -> bool {
        self.entry(group).is_some_and(Entry::is_healthy)
    }
}

impl Entry {
    /// True if the last deployment succeeded. One that was stopped before anything had begun leaves it as it was.
    pub fn is_healthy(&self) -> bool {
        let Some(installed) = &self.installed else { return false };
        let Some(said) = &self.said else { return true };
        said.deployment_uid == installed.deployment_uid
            || said.status == EventStatus::Succeeded
            || (said.status == EventStatus::Skipped && !said.has_begun())
    }

    /// What the agent says of the present assignment.
    pub fn answer(&self) -> Option<&Said> {
        let uid = &self.wanted.as_ref()?.deployment_uid;
        self.said.as_ref().filter(|s| s.deployment_uid == *uid)
    }

    /// True if the installed revision is that one; `None` if that cannot be told.
    pub fn has(&self, wanted: &ResolvedRevision) -> Option<bool> {
        is_same(&self.installed.as_ref()?.revision, wanted)
    }
}

impl Wanted {
    fn of(place: usize, assignment: &Assignment) -> Self {
        let noted = |name| assignment.traffic_events.iter().find(|e| e.name == name).map(|e| e.status);
        Self {
            place,
            deployment: assignment.deployment.clone(),
            deployment_uid: assignment.deployment_uid.clone(),
            group_uid: assignment.deployment_group_id.clone(),
            run_through: assignment.run_through,
            stop: assignment.stop,
            time: assignment.time,
            has_traffic: assignment.course.contains(&EventName::BlockTraffic),
            blocked: noted(EventName::BlockTraffic),
            is_allowed: noted(EventName::AllowTraffic) == Some(EventStatus::Succeeded),
        }
    }
}

impl Said {
    fn of(status: AssignmentStatus) -> Self {
        let failed = status.events.iter().find(|e| e.status == EventStatus::Failed);
        let failure = (status.status == EventStatus::Failed).then(|| {
            let (event, known) =
                failed.map_or((status.event, None), |e| (Some(e.name), e.diagnostics.clone()));
            let unsaid = || Diagnostics { message: status.message.clone(), ..Diagnostics::default() };
            Box::new((event, known.unwrap_or_else(unsaid)))
        });
        Self {
            deployment_uid: status.deployment_uid,
            status: status.status,
            events: status.events.iter().map(|e| (e.name, e.status)).collect(),
            failure,
            bundle_digest: status.bundle_digest,
        }
    }

    /// True once the agent has nothing more to do.
    pub fn has_ended(&self) -> bool {
        matches!(self.status, EventStatus::Succeeded | EventStatus::Failed | EventStatus::Skipped)
    }

    /// How an event stands.
    pub fn event(&self, name: EventName) -> EventStatus {
        let found = self.events.iter().find(|(known, _)| *known == name);
        found.map_or(EventStatus::Pending, |(_, status)| *status)
    }

    /// True once an event is over, and the course goes on behind it: it succeeded, or its failure was passed over.
    pub fn has_passed(&self, name: EventName) -> bool {
        match self.event(name) {
            EventStatus::Succeeded => true,
            EventStatus::Failed => self.status != EventStatus::Failed,
            EventStatus::Skipped => !matches!(self.status, EventStatus::Failed | EventStatus::Skipped),
            _ => false,
        }
    }

    /// The event that runs.
    pub fn running(&self) -> Option<EventName> {
        self.events.iter().find(|(_, s)| *s == EventStatus::InProgress).map(|(name, _)| *name)
    }

    /// True once any event has begun.
    pub fn has_begun(&self) -> bool {
        self.events.iter().any(|(_, s)| has_begun(*s))
    }

    /// True once an event that comes after `name` in the course has begun.
    pub fn has_begun_after(&self, name: EventName) -> bool {
        self.events.iter().any(|(event, s)| *event > name && has_begun(*s))
    }
}

fn has_begun(status: EventStatus) -> bool {
    !matches!(status, EventStatus::Pending | EventStatus::Skipped)
}

/// True if both revisions are the same bundle; `None` if one of them is a name whose content is not known.
pub fn is_same(one: &ResolvedRevision, other: &ResolvedRevision) -> Option<bool> {
    if one.digest.starts_with("sha256:") && other.digest.starts_with("sha256:") {
        return Some(one.digest == other.digest);
    }
    if is_moving(&one.source) || is_moving(&other.source) {
        return None;
    }
    Some(one.source.without_secret() == other.source.without_secret())
}

/// True for an object in S3 that is named by its key alone.
pub fn is_moving(source: &Revision) -> bool {
    source.s3.as_ref().is_some_and(|s| s.version.is_none() && s.e_tag.is_none())
}
