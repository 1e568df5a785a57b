//! What a decision looks at: one frozen picture, built only by `observe` or by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

pub use super::server::facts::ServerFacts;
use crate::api::condition::is_true;
use crate::api::{
    Application, Deployment, DeploymentConfig, DeploymentGroup, EventName, HookAnswer, LifecycleHook,
};

/// Everything one Deployment's decision may depend on. What is not known is `None` or says so; it never advances anything.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The Deployment itself.
    pub deployment: Arc<Deployment>,
    /// Its group.
    pub group: Option<Arc<DeploymentGroup>>,
    /// The group's application.
    pub application: Option<Arc<Application>>,
    /// The configuration that it names, when it is an object.
    pub config: Option<Arc<DeploymentConfig>>,
    /// The lifecycle hooks that its AppSpec names, as far as they exist.
    pub hooks: BTreeMap<String, Arc<LifecycleHook>>,
    /// What its revision's source holds.
    pub revision: RevisionFact,
    /// The Deployment that holds the group's grant, when it is another one.
    pub rival: Option<Arc<Deployment>>,
    /// The Deployment that this one says it rolls back.
    pub triggering: Option<Arc<Deployment>>,
    /// Whether the rollback that its status names exists.
    pub rollback: RollbackFact,
    /// Service: the PodTemplate that the AppSpec names, while it is wanted.
    pub pod_template: Option<Arc<PodTemplateFact>>,
    /// Service: the ReplicaSets of both sides, by name.
    pub task_sets: BTreeMap<String, TaskSetFact>,
    /// Service: the API server's words, if it refused to create the replacement's task set.
    pub task_set_refused: Option<String>,
    /// The production listener's route.
    pub route: Option<Arc<RouteFact>>,
    /// Service: the test listener's route.
    pub test_route: Option<Arc<RouteFact>>,
    /// The Services of the two sides, and a front Service, by name.
    pub services: BTreeMap<String, ServiceFact>,
    /// How each hook event's Job stands.
    pub jobs: BTreeMap<EventName, JobFact>,
    /// How each HTTP call stands, by execution id.
    pub calls: BTreeMap<String, CallFact>,
    /// What only a Server deployment looks at.
    pub server: ServerFacts,
    /// True while the namespace is being deleted.
    pub namespace_is_going: bool,
}

/// What a revision's source holds right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionFact {
    /// Not read, because no decision needs it.
    NotRead,
    /// The content.
    Content(String),
    /// A reference of the cluster is not there, or may not be read.
    Missing {
        /// CamelCase.
        reason: &'static str,
        /// What is missing, and the cure.
        message: String,
    },
    /// What lies outside the cluster cannot be had now.
    NotReady {
        /// CamelCase.
        reason: &'static str,
        /// What went wrong, and the cure.
        message: String,
    },
    /// It cannot be used, now or later.
    Invalid {
        /// CamelCase.
        reason: &'static str,
        /// What is wrong with it, and the cure.
        message: String,
    },
}

/// Whether a rollback exists.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RollbackFact {
    /// No object of that name is known.
    Absent,
    /// It is there, made for this Deployment, whose record it needs to begin.
    Due,
    /// It is there, made for this Deployment, which may go.
    Made,
    /// An object of that name is there, and it is not ours.
    NameTaken,
}

impl RollbackFact {
    /// What the object of the name that `cause` gave its rollback is to it.
    pub fn of(cause: &Deployment, found: Option<&Deployment>) -> Self {
        let Some(found) = found else { return Self::Absent };
        if !cause.is_rolled_back_by(found) {
            return Self::NameTaken;
        }
        let status = found.status.as_ref();
        let has_begun = found.phase().has_ended() || status.is_some_and(|s| s.resolved.is_some());
        // It may wait for good: a deletion does not wait with it for long.
        let is_stalled = status.is_some_and(|s| is_true(&s.conditions, "Stalled"));
        let may_go = cause.metadata.deletion_timestamp.is_some() && is_stalled;
        if found.is_held() && !has_begun && !may_go { Self::Due } else { Self::Made }
    }
}

/// That the Deployment of a desired revision could not be created when that was tried last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreationRefused {
    /// The Deployment's name: what is remembered of another one means nothing any more.
    pub deployment: String,
    /// When it was tried.
    pub time: Timestamp,
    /// The API server's words; `None` if an object of that name is there and is not the group's.
    pub words: Option<String>,
}

/// An HTTPRoute, as far as weights and the gateway's word go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFact {
    /// Name of the route.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// True while it is being deleted.
    pub is_going: bool,
    /// The API server's words, if it refused our last write to the route.
    pub write_refused: Option<String>,
    /// The rules, in order.
    pub rules: Vec<RuleFact>,
    /// What the gateway says of this generation.
    pub gateway: GatewayFact,
    /// Since when the gateway was seen at a generation or a later one, oldest first.
    pub sightings: Vec<Sighting>,
    /// The last generation on which a write of ours was refused because the route had changed, as far as it is remembered.
    pub refused_at: Option<i64>,
    /// True if the rules that a deployment concerns cannot be told from the others any more; then no rule has backends here.
    pub rules_are_lost: bool,
    /// Services that have weight in rules that were added since the deployment began.
    pub added: BTreeSet<String>,
}

impl RouteFact {
    /// When the gateway was first seen at `generation` or a later one.
    pub fn served_since(&self, generation: i64) -> Option<Timestamp> {
        self.sightings.iter().filter(|s| s.generation >= generation).map(|s| s.time).min()
    }
}

/// The gateway was seen to have taken a generation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The route's generation.
    pub generation: i64,
    /// No earlier than this.
    pub time: Timestamp,
}

/// One rule: what it is known by, and its backends, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFact {
    /// The rule's own name, or what stands for what it matches: the same as long as the rule is the same, wherever it stands.
    pub key: String,
    /// The backendRefs.
    pub backends: Vec<BackendFact>,
}

/// One backendRef.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendFact {
    /// The core Service in the route's own namespace; `None` for anything else.
    pub service: Option<String>,
    /// Its weight; 1 when the route does not say.
    pub weight: i32,
    /// The Service's port.
    pub port: Option<i32>,
}

/// What the gateway says of the route's present generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayFact {
    /// No parent has ever written a status.
    Silent,
    /// A parent's status speaks of an older generation.
    Behind,
    /// Accepted, with all references resolved.
    Taken,
    /// Not accepted, or a reference is not resolved: the gateway's words.
    Refused(String),
}

/// A Service and the endpoints behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFact {
    /// False if there is no such Service.
    pub exists: bool,
    /// Its ports.
    pub ports: Vec<i32>,
    /// Ready endpoints; `None` while that is not known yet.
    pub ready: Option<usize>,
    /// Since when at least one has been ready without a break.
    pub ready_since: Option<Timestamp>,
    /// True if there are endpoints that are not ready, those that are about to end apart.
    pub has_unready: bool,
    /// Ready endpoints by the ReplicaSet of their pods.
    pub ready_of: BTreeMap<String, usize>,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// The group that made it, by its label.
    pub group: Option<String>,
    /// That group's uid, while it is the group's.
    pub group_uid: Option<String>,
    /// Its selector.
    pub selector: BTreeMap<String, String>,
    /// Where its ports lead, as text, in order.
    pub target_ports: Vec<String>,
}

/// A PodTemplate.
#[derive(Clone, Debug, PartialEq)]
pub struct PodTemplateFact {
    /// Its name.
    pub name: String,
    /// Its template: a PodTemplateSpec.
    pub template: Value,
}

/// A ReplicaSet that a Deployment made, or one that bears the name of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSetFact {
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// The uid of the group whose it is, by its label.
    pub group_uid: Option<String>,
    /// The uid of the Deployment that made it, by its label.
    pub deployment_uid: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The PodTemplate that it was made from, by its annotation.
    pub task_definition: Option<String>,
    /// The container that serves and its port, by its annotation.
    pub container: Option<(String, i32)>,
    /// Pods wanted.
    pub replicas: i32,
    /// Pods there.
    pub total: i32,
    /// Pods ready.
    pub ready: i32,
    /// True if the numbers speak of the present generation.
    pub is_observed: bool,
    /// True while it is being deleted.
    pub is_going: bool,
    /// What holds its pods back, in a sentence; `None` if nothing is known to.
    pub problem: Option<String>,
}

/// How a hook's Job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFact {
    /// The Job's name.
    pub name: String,
    /// Where it stands.
    pub state: JobState,
    /// True while our finalizer holds it.
    pub is_held: bool,
}

/// Where a Job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Not over.
    Running,
    /// Complete.
    Succeeded,
    /// Failed: why, and the last lines that it said.
    Failed {
        /// The Job's own words.
        message: String,
        /// The termination message of its last pod.
        log_tail: String,
    },
    /// Deleted by somebody before its end.
    Deleted,
    /// A Job of that name is there, and it is not ours.
    NameTaken,
    /// The API server refuses it: its words.
    Refused(String),
}

/// How an HTTP call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFact {
    /// On its way, or between two tries.
    Calling,
    /// 202: the answer comes through `spec.hookResults`.
    Later,
    /// 200 with a verdict.
    Answered(HookAnswer, String),
    /// An answer that cannot become a good one.
    Refused(String),
    /// The Secret of its headers may not be read: the command that grants it.
    SecretNotGranted(String),
}
