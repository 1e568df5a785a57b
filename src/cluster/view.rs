//! Slim views of others' kinds, and how objects are pruned before they go into a cache.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Deserialize;

use super::slim::slim_meta;
use crate::api::{GROUP_LABEL, GROUP_UID_LABEL};

/// Drops what no decision looks at: managed fields and the last applied manifest.
pub fn prune<K: Resource>(mut object: K) -> K {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    meta.self_link = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            meta.annotations = None;
        }
    }
    object
}

/// Drops everything but name, namespace, uid and versions.
pub fn prune_hard<K: Resource>(mut object: K) -> K {
    let meta = std::mem::take(object.meta_mut());
    *object.meta_mut() = ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        uid: meta.uid,
        resource_version: meta.resource_version,
        generation: meta.generation,
        deletion_timestamp: meta.deletion_timestamp,
        ..ObjectMeta::default()
    };
    object
}

/// A core Service: whom it sends to, and whose it is.
#[derive(Clone, Debug, Deserialize, kube::Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::Service)]
pub struct Service {
    /// Standard metadata.
    #[serde(deserialize_with = "slim_meta")]
    pub metadata: ObjectMeta,
    /// What is read of the spec.
    #[serde(default)]
    pub spec: ServiceSpec,
    /// The group that made it, by its labels.
    #[serde(skip)]
    pub group: Option<String>,
    /// That group's uid, while it is the group's.
    #[serde(skip)]
    pub group_uid: Option<String>,
}

/// What is read of a Service's spec.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ServiceSpec {
    /// The ports.
    #[serde(default)]
    pub ports: Box<[ServicePort]>,
    /// The labels of the pods that it sends to.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
}

/// A Service's port.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Its number.
    pub port: i32,
    /// Its name, where it has one.
    pub name: Option<Box<str>>,
    /// TCP, UDP or SCTP; TCP when absent.
    pub protocol: Option<Box<str>>,
    /// What is spoken there.
    pub app_protocol: Option<Box<str>>,
    /// Where it leads: a number or a name.
    target_port: Option<IntOrString>,
}

impl ServicePort {
    /// Where it leads, as text.
    pub fn leads_to(&self) -> String {
        match &self.target_port {
            Some(IntOrString::Int(number)) => number.to_string(),
            Some(IntOrString::String(name)) => name.clone(),
            None => self.port.to_string(),
        }
    }
}

impl Service {
    /// Drops what no decision looks at.
    pub fn pruned(mut self) -> Self {
        let label = |name: &str| self.labels().get(name).cloned();
        (self.group, self.group_uid) = (label(GROUP_LABEL), label(GROUP_UID_LABEL));
        prune_hard(self)
    }
}

/// An EndpointSlice: which Service it belongs to and how many of its endpoints are ready.
#[derive(Clone, Debug, Deserialize, kube::Resource)]
#[resource(inherit = k8s_openapi::api::discovery::v1::EndpointSlice)]
pub struct EndpointSlice {
    /// Standard metadata.
    #[serde(deserialize_with = "slim_meta")]
    pub metadata: ObjectMeta,
    /// The endpoints.
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default)]
    conditions: EndpointConditions,
    target_ref: Option<TargetRef>,
}

#[derive(Clone, Debug, Deserialize)]
struct TargetRef {
    #[serde(default)]
    name: String,
}

/// Ready endpoints: all of them, and by the ReplicaSet of their pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadyEndpoints {
    /// How many.
    pub count: usize,
    /// How many are pods of each ReplicaSet.
    pub of: Vec<(Box<str>, usize)>,
    /// True if there are others that are not ready, those that are about to end apart.
    pub has_unready: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct EndpointConditions {
    ready: Option<bool>,
    terminating: Option<bool>,
}

impl EndpointSlice {
    /// The Service that the slice belongs to.
    pub fn service(&self) -> Option<&str> {
        self.labels().get("kubernetes.io/service-name").map(String::as_str)
    }

    /// When the slice was last written, by the API server's own record, to the second.
    pub fn written(&self) -> Option<Timestamp> {
        self.managed_fields().iter().filter_map(|m| m.time.as_ref().map(|t| t.0)).max()
    }

    /// Which endpoints are ready; an endpoint that does not say counts, as Kubernetes has it.
    pub fn ready(&self) -> ReadyEndpoints {
        let mut ready = ReadyEndpoints::default();
        for endpoint in self.endpoints.iter().flatten() {
            if endpoint.conditions.ready == Some(false) {
                ready.has_unready |= endpoint.conditions.terminating != Some(true);
                continue;
            }
            ready.count += 1;
            // A ReplicaSet's pods are named after it, with one more part.
            let owner = endpoint.target_ref.as_ref().and_then(|t| t.name.rsplit_once('-'));
            let Some((owner, _)) = owner else { continue };
            match ready.of.iter_mut().find(|(name, _)| **name == *owner) {
                Some((_, count)) => *count += 1,
                None => ready.of.push((owner.into(), 1)),
            }
        }
        ready
    }
}

/// A batch Job: its conditions.
#[derive(Clone, Debug, Deserialize, kube::Resource)]
#[resource(inherit = k8s_openapi::api::batch::v1::Job)]
pub struct Job {
    /// Standard metadata.
    #[serde(deserialize_with = "slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    status: JobStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct JobStatus {
    #[serde(default)]
    conditions: Vec<JobCondition>,
}

/// One of a Job's conditions.
#[derive(Clone, Debug, Deserialize)]
pub struct JobCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    /// CamelCase.
    pub reason: Option<String>,
    /// A sentence.
    pub message: Option<String>,
}

impl Job {
    /// The condition of that type, if it is true.
    pub fn true_condition(&self, type_: &str) -> Option<&JobCondition> {
        self.status.conditions.iter().find(|c| c.type_ == type_ && c.status == "True")
    }
}

/// A Pod: how its containers ended.
#[derive(Clone, Debug, Deserialize, kube::Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::Pod)]
pub struct Pod {
    /// Standard metadata.
    #[serde(deserialize_with = "slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerStatus {
    #[serde(default)]
    state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    exit_code: i32,
    message: Option<String>,
}

impl Pod {
    /// The termination message of the first container that failed and left one.
    pub fn failure(&self) -> Option<&str> {
        let statuses = self.status.container_statuses.iter().chain(&self.status.init_container_statuses);
        let ends = statuses.filter_map(|c| c.state.terminated.as_ref());
        ends.filter(|end| end.exit_code != 0).find_map(|end| end.message.as_deref())
    }
}
