//! The objects of the simulated API server. Ours are the real kinds; the others are what matters of theirs.

use std::sync::Arc;

use jiff::Timestamp;
use sluice::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, EventName, LifecycleHook};

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

/// A Service with its endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub name: String,
    pub ports: Vec<i32>,
    pub ready: usize,
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
}
