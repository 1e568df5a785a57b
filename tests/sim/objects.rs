//! The objects of the simulated API server. Ours are the real kinds; the others are what matters of theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sluice::api::{
    Application, Deployment, DeploymentConfig, DeploymentGroup, EventName, Instance, LifecycleHook,
};
use sluice::engine::server::facts::SliceFact;

/// Which kind, in the order of its watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Deployment,
    Group,
    Application,
    Config,
    Hook,
    Route,
    Service,
    Job,
    ConfigMap,
    Slice,
    TaskSet,
    Pod,
    PodTemplate,
    Instance,
    HostSlice,
}

/// Kind and name; everything is in one namespace.
pub type Key = (Kind, String);

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    Deployment(Arc<Deployment>),
    Group(Arc<DeploymentGroup>),
    Application(Arc<Application>),
    Config(Arc<DeploymentConfig>),
    Hook(Arc<LifecycleHook>),
    Route(Arc<Route>),
    Service(Arc<Service>),
    Job(Arc<Job>),
    ConfigMap(Arc<ConfigMap>),
    Slice(Arc<Slice>),
    TaskSet(Arc<TaskSet>),
    Pod(Arc<Pod>),
    PodTemplate(Arc<PodTemplate>),
    Instance(Arc<Instance>),
    /// An EndpointSlice of hosts.
    HostSlice(Arc<SliceFact>),
}

/// An HTTPRoute: rules, and the gateway's word.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub name: String,
    pub uid: String,
    pub generation: i64,
    pub is_going: bool,
    pub rules: Vec<Rule>,
    /// Everything else in the spec, which nobody of ours may touch.
    pub rest: String,
    pub status: Option<GatewayStatus>,
}

/// One rule: what it matches, backends in order, and filters.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub matches: String,
    pub backends: Vec<Backend>,
    pub filters: String,
}

/// One backendRef.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    pub service: String,
    pub weight: i32,
    pub port: i32,
    pub filters: String,
}

/// What the gateway wrote last.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayStatus {
    pub generation: i64,
    pub refused: Option<String>,
    pub written: Timestamp,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    pub name: String,
    pub uid: String,
    pub ports: Vec<i32>,
    /// Ready endpoints that somebody else looks after (Function); `None`: those of its EndpointSlice.
    pub ready: Option<usize>,
    pub selector: Labels,
    pub target_ports: Vec<String>,
    /// The name of the group that made it.
    pub group: Option<String>,
    /// The uid of the group whose it is.
    pub group_uid: Option<String>,
}

/// Labels, or a selector of them.
pub type Labels = BTreeMap<String, String>;

/// The ready endpoints of a Service, as the endpoints controller saw them last.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    pub service: String,
    /// Pod, and the ReplicaSet that owns it.
    pub pods: BTreeMap<String, String>,
}

/// A ReplicaSet: a task set, or what somebody's own Deployment made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskSet {
    pub name: String,
    pub uid: String,
    pub generation: i64,
    pub group: Option<String>,
    pub group_uid: Option<String>,
    pub deployment_uid: Option<String>,
    pub created: Option<Timestamp>,
    pub task_definition: Option<String>,
    pub container: Option<(String, i32)>,
    pub replicas: i32,
    /// The labels of its pods.
    pub labels: Labels,
    /// How its pods fare: see `kubelet`.
    pub plan: String,
    pub total: i32,
    pub ready: i32,
    pub observed_generation: i64,
    /// What the API server says to the creation of its pods.
    pub failure: Option<String>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    pub name: String,
    pub owner: String,
    pub labels: Labels,
    pub is_ready: bool,
    /// What holds it back.
    pub problem: Option<String>,
    /// Which of the two nodes it runs on.
    pub node: usize,
}

/// A PodTemplate.
#[derive(Clone, Debug, PartialEq)]
pub struct PodTemplate {
    pub name: String,
    pub template: serde_json::Value,
}

/// A hook's Job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub name: String,
    pub uid: String,
    pub deployment_uid: String,
    pub event: EventName,
    pub execution_id: String,
    pub is_held: bool,
    pub is_going: bool,
    pub end: Option<JobEnd>,
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEnd {
    Complete,
    Failed { message: String, log_tail: String },
}

/// A ConfigMap.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigMap {
    pub name: String,
    pub data: std::collections::BTreeMap<String, String>,
}

impl Object {
    /// Kind and name.
    pub fn key(&self) -> Key {
        let named = |name: &Option<String>| name.clone().unwrap_or_default();
        match self {
            Self::Deployment(o) => (Kind::Deployment, o.name().into()),
            Self::Group(o) => (Kind::Group, named(&o.metadata.name)),
            Self::Application(o) => (Kind::Application, named(&o.metadata.name)),
            Self::Config(o) => (Kind::Config, named(&o.metadata.name)),
            Self::Hook(o) => (Kind::Hook, named(&o.metadata.name)),
            Self::Route(o) => (Kind::Route, o.name.clone()),
            Self::Service(o) => (Kind::Service, o.name.clone()),
            Self::Job(o) => (Kind::Job, o.name.clone()),
            Self::ConfigMap(o) => (Kind::ConfigMap, o.name.clone()),
            Self::Slice(o) => (Kind::Slice, o.service.clone()),
            Self::TaskSet(o) => (Kind::TaskSet, o.name.clone()),
            Self::Pod(o) => (Kind::Pod, o.name.clone()),
            Self::PodTemplate(o) => (Kind::PodTemplate, o.name.clone()),
            Self::Instance(o) => (Kind::Instance, named(&o.metadata.name)),
            Self::HostSlice(o) => (Kind::HostSlice, o.name.clone()),
        }
    }

    /// The Deployment, if it is one.
    pub fn deployment(&self) -> Option<&Arc<Deployment>> {
        if let Self::Deployment(o) = self { Some(o) } else { None }
    }

    /// The group, if it is one.
    pub fn group(&self) -> Option<&Arc<DeploymentGroup>> {
        if let Self::Group(o) = self { Some(o) } else { None }
    }

    /// The route, if it is one.
    pub fn route(&self) -> Option<&Arc<Route>> {
        if let Self::Route(o) = self { Some(o) } else { None }
    }

    /// The Job, if it is one.
    pub fn job(&self) -> Option<&Arc<Job>> {
        if let Self::Job(o) = self { Some(o) } else { None }
    }

    /// The Service, if it is one.
    pub fn service(&self) -> Option<&Arc<Service>> {
        if let Self::Service(o) = self { Some(o) } else { None }
    }

    /// The EndpointSlice, if it is one.
    pub fn slice(&self) -> Option<&Arc<Slice>> {
        if let Self::Slice(o) = self { Some(o) } else { None }
    }

    /// The ReplicaSet, if it is one.
    pub fn task_set(&self) -> Option<&Arc<TaskSet>> {
        if let Self::TaskSet(o) = self { Some(o) } else { None }
    }

    /// The Instance, if it is one.
    pub fn instance(&self) -> Option<&Arc<Instance>> {
        if let Self::Instance(o) = self { Some(o) } else { None }
    }

    /// The slice of hosts, if it is one.
    pub fn host_slice(&self) -> Option<&SliceFact> {
        if let Self::HostSlice(o) = self { Some(o) } else { None }
    }

    /// The pod, if it is one.
    pub fn pod(&self) -> Option<&Arc<Pod>> {
        if let Self::Pod(o) = self { Some(o) } else { None }
    }
}
