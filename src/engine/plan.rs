//! What a decision says: a record, the acts that the record then allows, notes for people, and when to look again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::api::{Assignment, DeploymentSpec, DeploymentStatus, EventName, HostEvent};

/// An act that has not begun so long after its decision is thrown away, and its object looked at again: nothing of a
/// process that was paused comes later than that.
pub const ACT_EXPIRY: SignedDuration = SignedDuration::from_secs(10);

/// The outcome of one decision about a Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The new status, if it differs from the one on record.
    pub record: Option<Box<DeploymentStatus>>,
    /// What to do once that is on record. Each is idempotent by its key.
    pub acts: Vec<Act>,
    /// What people should hear of, once that is on record.
    pub notes: Vec<Note>,
    /// When to look again if nothing changes before.
    pub wake: Option<Timestamp>,
}

impl Plan {
    /// True if nothing is to be done now.
    pub fn is_quiet(&self) -> bool {
        self.record.is_none() && self.acts.is_empty() && self.notes.is_empty()
    }
}

/// One effect outside the Deployment's own status.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Puts our finalizer on the Deployment.
    Hold,
    /// Takes it off.
    Release,
    /// Writes weights into a route.
    SetWeights(SetWeights),
    /// Creates the replacement's task set.
    CreateTaskSet(Box<CreateTaskSet>),
    /// Scales a task set.
    ScaleTaskSet(ScaleTaskSet),
    /// Points a Service at other pods.
    PointService(PointService),
    /// Starts a hook's Job.
    StartJob(StartJob),
    /// Lets go of a hook's Job whose end is on record.
    EndJob {
        /// The Job's name.
        name: String,
        /// True if it is to be deleted: it ran out of time or its Deployment is going.
        delete: bool,
    },
    /// Calls a hook's URL.
    CallHook(CallHook),
    /// Creates the rollback.
    CreateRollback(Box<NewDeployment>),
    /// Writes a host's assignment.
    Assign(Box<Assign>),
}

/// A change of one group's assignment on an Instance, valid only on the version that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Assign {
    /// The Instance's name.
    pub instance: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion: a later one makes the change void.
    pub version: String,
    /// The index of the group's assignment; `None` if there is none.
    pub place: Option<usize>,
    /// How many assignments there are.
    pub assigned: usize,
    /// What changes.
    pub change: Change,
}

/// What changes of an assignment.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// All of it.
    Put(Box<Assignment>, Option<Sealing>),
    /// The agent may go on.
    Go {
        /// How far.
        run_through: EventName,
        /// The event of the controller's that has ended.
        noted: HostEvent,
        /// True if it is the first one that is noted.
        is_first: bool,
        /// When it was decided.
        time: Timestamp,
    },
    /// The running event ends, and none starts.
    Stop {
        /// When it was decided.
        time: Timestamp,
    },
    /// It goes.
    Remove,
}

/// Credentials that go with an assignment, for nobody but its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// The Secret.
    pub secret: String,
    /// The host's public key.
    pub key: String,
}

/// New weights for a route, valid only on the generation they were computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetWeights {
    /// The route's name.
    pub route: String,
    /// Its uid.
    pub uid: String,
    /// Its generation: a later one makes the edits void.
    pub generation: i64,
    /// What changes, by rule.
    pub edits: Vec<Edit>,
}

/// A task set to create: a ReplicaSet with the PodTemplate's template.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTaskSet {
    /// Its name, which is also the label by which its pods are found.
    pub name: String,
    /// Pods wanted.
    pub replicas: i32,
    /// The group's name.
    pub group: String,
    /// The group's uid.
    pub group_uid: String,
    /// The uid of the Deployment that makes it: its key.
    pub deployment_uid: String,
    /// The PodTemplate's name.
    pub task_definition: String,
    /// The container that serves and its port.
    pub container: (String, i32),
    /// A PodTemplateSpec.
    pub template: Value,
}

/// Another size for a task set, valid only on the generation that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleTaskSet {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its generation: a later one makes the change void.
    pub generation: i64,
    /// Pods wanted.
    pub replicas: i32,
}

/// Another selector and target port for a Service, in one patch, valid only on the version that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointService {
    /// Its name.
    pub service: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion: a later one makes the change void.
    pub version: String,
    /// The labels of the pods that it sends to.
    pub selector: BTreeMap<String, String>,
    /// Where all its ports lead; `None` leaves them as they are.
    pub target_port: Option<String>,
    /// How many ports it has.
    pub ports: usize,
}

/// One change of a rule's backendRefs. Indexes are those of the generation that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets a weight.
    Weight {
        /// Index of the rule.
        rule: usize,
        /// Index of the backendRef.
        backend: usize,
        /// The new weight.
        weight: i32,
    },
    /// Appends a copy of a backendRef that names another Service.
    Copy {
        /// Index of the rule.
        rule: usize,
        /// Index of the backendRef to copy.
        from: usize,
        /// The copy's Service.
        service: String,
        /// The copy's weight.
        weight: i32,
    },
    /// Removes a backendRef.
    Remove {
        /// Index of the rule.
        rule: usize,
        /// Index of the backendRef.
        backend: usize,
    },
}

impl Edit {
    /// The rule it changes.
    pub fn rule(&self) -> usize {
        match self {
            Self::Weight { rule, .. } | Self::Copy { rule, .. } | Self::Remove { rule, .. } => *rule,
        }
    }
}

/// What every hook is told, as Job environment or as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookContext {
    /// The application's name.
    pub application: String,
    /// The Deployment's name.
    pub deployment: String,
    /// The group's name.
    pub group: String,
    /// The group's uid.
    pub group_uid: String,
    /// The event.
    pub event: EventName,
    /// The key of this execution.
    pub execution_id: String,
}

/// A Job to start.
#[derive(Clone, Debug, PartialEq)]
pub struct StartJob {
    /// The Job's name, made from its key.
    pub name: String,
    /// What its environment says.
    pub context: HookContext,
    /// A batch/v1 JobTemplateSpec.
    pub template: Value,
}

/// A call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallHook {
    /// What its body says.
    pub context: HookContext,
    /// Where to.
    pub url: String,
    /// The Secret whose keys become headers.
    pub headers_secret: Option<String>,
    /// No try begins after this.
    pub deadline: Timestamp,
}

/// A Deployment to create.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDeployment {
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: DeploymentSpec,
    /// The uid of the Deployment that it rolls back, if it is a rollback.
    pub rollback_of: Option<String>,
    /// True if our finalizer is on it from the first.
    pub is_held: bool,
}

/// A sentence for people: the Event, the log line and the notification say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// True for what somebody should look at.
    pub is_warning: bool,
    /// CamelCase.
    pub reason: &'static str,
    /// What happened, why, and what comes next.
    pub message: String,
}
