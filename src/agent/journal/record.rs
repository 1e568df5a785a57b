//! What the journal knows of one group's Deployment, and how each entry changes that. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::deployment_status::Diagnostics;
use crate::api::instance::{Installed, Standing};
use crate::api::{Assignment, EventName, EventStatus, HostEvent};

/// Beyond this nothing is added to what people should know, in bytes; the API takes 2048 characters.
const MAX_MESSAGE: usize = 8 * 1024;

/// How many earlier Deployments of a group are remembered.
const MAX_PAST: usize = 16;

/// One group's newest Deployment on this host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// In which order Deployments came to this host.
    pub sequence: u64,
    /// What was asked for; without credentials.
    pub assignment: Assignment,
    /// The events that began, in order, and after the end those that were skipped.
    #[serde(default)]
    pub events: Vec<HostEvent>,
    /// What is known of the bundle.
    #[serde(default)]
    pub bundle: Bundle,
    /// What people should know.
    #[serde(default)]
    pub message: String,
    /// The script under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// How the Deployment ended here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EventStatus>,
    /// The group's last Deployment whose whole course succeeded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<Installed>,
    /// The digest of what that one installed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub installed_digest: String,
    /// The group's last Deployment whose files were put in place here, whatever became of it afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// The group's Deployments before this one, the newest last, and how they ended here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
}

/// A Deployment that was here before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// Its uid.
    pub deployment_uid: String,
    /// How it ended.
    pub end: EventStatus,
}

/// What is known of a Deployment's bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// `sha256:` and the digest of the bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The object's ETag.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub e_tag: String,
    /// The object's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// A process as another boot or another process of that number cannot be mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number, which is also its group's.
    pub pid: i32,
    /// When it started, in ticks since the boot.
    pub started: u64,
    /// The boot.
    pub boot: String,
    /// The script that it is, by its location.
    #[serde(default)]
    pub script: String,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Entry {
    /// The form of what follows; the first line.
    Form {
        /// Its number.
        version: u64,
    },
    /// A Deployment came to this host; it takes its group's earlier one's place.
    #[serde(rename_all = "camelCase")]
    Accepted {
        /// Its place in the order.
        sequence: u64,
        /// What is asked for.
        assignment: Box<Assignment>,
    },
    /// What is about to run.
    #[serde(rename_all = "camelCase")]
    Begun {
        /// The group's id.
        group: String,
        /// The event.
        event: EventName,
        /// When.
        time: Timestamp,
    },
    /// The process that a script became.
    #[serde(rename_all = "camelCase")]
    Started {
        /// The group's id.
        group: String,
        /// Which process.
        process: Process,
    },
    /// How an event ended.
    #[serde(rename_all = "camelCase")]
    Ended {
        /// The group's id.
        group: String,
        /// The event.
        event: EventName,
        /// Succeeded or Failed.
        status: EventStatus,
        /// When.
        time: Timestamp,
        /// What its script said.
        diagnostics: Option<Diagnostics>,
    },
    /// What was learned of the bundle.
    #[serde(rename_all = "camelCase")]
    Fetched {
        /// The group's id.
        group: String,
        /// What is known now.
        bundle: Bundle,
    },
    /// Something that people should know.
    #[serde(rename_all = "camelCase")]
    Told {
        /// The group's id.
        group: String,
        /// In a sentence.
        message: String,
    },
    /// The Deployment's files are in place, although its installation was cut off.
    #[serde(rename_all = "camelCase")]
    Placed {
        /// The group's id.
        group: String,
        /// When that was found.
        time: Timestamp,
    },
    /// The end of a Deployment here: what had not begun is skipped.
    #[serde(rename_all = "camelCase")]
    Finished {
        /// The group's id.
        group: String,
        /// How it ended.
        status: EventStatus,
        /// When.
        time: Timestamp,
    },
    /// A whole record, after which the group's earlier entries say nothing more.
    Whole {
        /// The record.
        record: Box<Record>,
    },
    /// The group is no longer this host's.
    Forgotten {
        /// The group's id.
        group: String,
    },
}

impl Record {
    /// A Deployment that has just come; what the group has installed goes on from the `earlier` one.
    pub fn accepted(sequence: u64, assignment: Assignment, earlier: Option<Self>) -> Self {
        let (mut past, mut installed, mut installed_digest) = (vec![], None, String::new());
        let mut standing = None;
        if let Some(earlier) = earlier {
            (past, installed, installed_digest) = (earlier.past, earlier.installed, earlier.installed_digest);
            standing = earlier.standing;
            let deployment_uid = earlier.assignment.deployment_uid;
            past.retain(|one| one.deployment_uid != deployment_uid);
            past.push(Past { deployment_uid, end: earlier.end.unwrap_or(EventStatus::Skipped) });
            past.drain(..past.len().saturating_sub(MAX_PAST));
        }
        Self {
            sequence,
            assignment: Assignment { sealed_credentials: None, ..assignment },
            events: vec![],
            bundle: Bundle::default(),
            message: String::new(),
            process: None,
            end: None,
            installed,
            installed_digest,
            standing,
            past,
        }
    }

    /// The group's id, by which records are kept.
    pub fn group(&self) -> &str {
        &self.assignment.deployment_group_id
    }

    /// The event that runs, or that ran when the agent died.
    pub fn running(&self) -> Option<EventName> {
        let running = self.events.iter().find(|e| e.status == EventStatus::InProgress);
        running.map(|event| event.name)
    }

    /// How an event stands here; nothing if it has not begun.
    pub fn event(&self, name: EventName) -> Option<&HostEvent> {
        self.events.iter().find(|event| event.name == name)
    }

    pub(super) fn begin(&mut self, event: EventName, time: Timestamp) {
        self.process = None;
        self.events.push(HostEvent {
            name: event,
            status: EventStatus::InProgress,
            start_time: Some(time),
            end_time: None,
            diagnostics: None,
        });
    }

    pub(super) fn end_event(
        &mut self,
        name: EventName,
        status: EventStatus,
        time: Timestamp,
        diagnostics: Option<Diagnostics>,
    ) {
        self.process = None;
        if let Some(event) = self.events.iter_mut().find(|event| event.name == name) {
            (event.status, event.end_time, event.diagnostics) = (status, Some(time), diagnostics);
        }
        if name == EventName::Install && status == EventStatus::Succeeded {
            self.place(time);
        }
    }

    /// Its files are what lies here.
    pub(super) fn place(&mut self, time: Timestamp) {
        let digest = &self.bundle.digest;
        self.standing = Some(Standing {
            deployment_group: self.assignment.deployment_group.clone(),
            deployment: self.assignment.deployment.clone(),
            deployment_uid: self.assignment.deployment_uid.clone(),
            bundle_digest: Some(digest.clone()).filter(|digest| !digest.is_empty()),
            time,
        });
    }

    /// What lies here where that is not what is installed: a Deployment that failed or was stopped behind Install. One that is under way may
    /// still be well.
    pub fn half_way(&self) -> Option<&Standing> {
        let installed = self.installed.as_ref().map(|installed| &installed.deployment_uid);
        let under_way = self.end.is_none().then_some(&self.assignment.deployment_uid);
        let standing = self.standing.as_ref()?;
        let uid = Some(&standing.deployment_uid);
        (uid != installed && uid != under_way).then_some(standing)
    }

    /// Only so much is kept as is ever told.
    pub(super) fn tell(&mut self, message: &str) {
        if !self.message.contains(message) && self.message.len() < MAX_MESSAGE {
            let between = if self.message.is_empty() { "" } else { " " };
            self.message = format!("{}{between}{message}", self.message);
        }
    }

    pub(super) fn finish(&mut self, status: EventStatus, time: Timestamp) {
        self.end = Some(status);
        let course = &self.assignment.course;
        let skipped: Vec<_> =
            course.iter().filter(|name| name.is_agents() && self.event(**name).is_none()).copied().collect();
        self.events.extend(skipped.into_iter().map(|name| HostEvent {
            name,
            status: EventStatus::Skipped,
            start_time: None,
            end_time: None,
            diagnostics: None,
        }));
        let place = |event: &HostEvent| course.iter().position(|name| *name == event.name);
        self.events.sort_by_key(place);
        if status == EventStatus::Succeeded {
            self.installed = Some(Installed {
                deployment_group: self.assignment.deployment_group.clone(),
                deployment: self.assignment.deployment.clone(),
                deployment_uid: self.assignment.deployment_uid.clone(),
                revision: self.assignment.revision.clone().unwrap_or_default(),
                time,
            });
            self.installed_digest.clone_from(&self.bundle.digest);
        }
    }
}
