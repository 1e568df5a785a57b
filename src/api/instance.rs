//! `Instance`: one host of the Server platform, by its tags. The controller writes what is to be done there (`spec.assignments`),
//! that host's agent what was done (`status`); one object a host, reused by every deployment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::deployment_status::{Diagnostics, EventName, EventStatus};
use super::{Creator, FileExistsBehavior, GoDuration, ResolvedRevision, condition};

/// A host, and what is to be done on it.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Instance",
    plural = "instances",
    namespaced,
    status = "InstanceStatus",
    derive = "PartialEq",
    shortname = "sinst",
    category = "sluice",
    doc = "Instance is a host of the Server platform: an agent on it carries out what the controller assigns.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name: the name of an Instance is also the name of its Lease and account; choose one of at most 63 characters"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zone"),
    printcolumn(name = "Agent", type_ = "string", json_path = ".status.agent.version"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSpec {
    /// CodeDeploy tags, by which groups choose their hosts; an empty value is a tag that only has a key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(k, k.size() > 0 && k.size() <= 128 && self[k].size() <= 256)").message("tags: a key has 1 to 128 characters and a value at most 256"))]
    pub tags: BTreeMap<String, String>,
    /// The IP address to which a group's load balancer sends traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 45))]
    #[x_kube(validation = Rule::new("isIP(self)").message("address must be an IPv4 or IPv6 address"))]
    pub address: Option<String>,
    /// The zone that it stands in, for configurations that go zone by zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub zone: Option<String>,
    /// The fleet that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub fleet: Option<String>,
    /// What is to be done here, one entry a group; written by the controller only: who writes here is root on that host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["deploymentGroup".into()]))]
    pub assignments: Vec<Assignment>,
}

/// What one group's Deployment wants done on the host. A later Deployment of the group replaces it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The group's name: `DEPLOYMENT_GROUP_NAME`.
    #[schemars(length(min = 1, max = 253))]
    pub deployment_group: String,
    /// The group's uid: `DEPLOYMENT_GROUP_ID`, by which the agent keeps state.
    #[schemars(length(max = 64))]
    pub deployment_group_id: String,
    /// The Deployment's name: `DEPLOYMENT_ID`.
    #[schemars(length(min = 1, max = 253))]
    pub deployment: String,
    /// The Deployment's uid: the key under which nothing is done twice.
    #[schemars(length(max = 64))]
    pub deployment_uid: String,
    /// The application's name: `APPLICATION_NAME`.
    #[schemars(length(max = 253))]
    pub application: String,
    /// Who asked for the Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<Creator>,
    /// The bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<ResolvedRevision>,
    /// What the source of the revision asks for, encrypted to this host's public key; base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub sealed_credentials: Option<String>,
    /// The whole course on this host, in order; BlockTraffic and AllowTraffic are the controller's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub course: Vec<EventName>,
    /// Run the course up to and including this event, report, and wait for more; nothing yet while it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_through: Option<EventName>,
    /// When it was given something to do last, by the controller's clock: an event that has not begun 5 minutes later never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// True asks for the end: the running event ends, none starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
    /// What happens to files that are there and not the group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_exists_behavior: Option<FileExistsBehavior>,
    /// True passes over failures of ApplicationStop, BeforeBlockTraffic and AfterBlockTraffic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_application_stop_failures: bool,
    /// True for deploymentMode Restart: what is on the host is used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restart: bool,
    /// What all scripts of one event may take together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_timeout: Option<GoDuration>,
    /// How the controller's own events went here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub traffic_events: Vec<HostEvent>,
}

/// One lifecycle event on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostEvent {
    /// Which one.
    pub name: EventName,
    /// Pending, InProgress, Succeeded, Failed, Skipped or Unknown.
    pub status: EventStatus,
    /// When it began, by the host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// When it ended, by the host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// What the script said, when it failed or has something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Diagnostics>,
}

/// What a host's agent says of itself, and what the controller concludes from its Lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// The generation that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentInfo>,
    /// How each assignment stands; the same key as in the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["deploymentGroup".into()]))]
    pub assignments: Vec<AssignmentStatus>,
    /// What is installed, one entry a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["deploymentGroup".into()]))]
    pub installed: Vec<Installed>,
    /// Whose files lie here, one entry a group, where that is not what is installed: a Deployment that failed or was stopped behind Install, once it has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["deploymentGroup".into()]))]
    pub standing: Vec<Standing>,
    /// Ready, from the heartbeat Lease: a host that is not heard of is Unknown, not failed.
    #[serde(default)]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}

/// The agent on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentInfo {
    /// Its version.
    #[schemars(length(max = 64))]
    pub version: String,
    /// The host's operating system, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub os: String,
    /// Which boot of the host this is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub boot_id: String,
    /// The public key (base64) to which credentials for this host are sealed; its private half never leaves the host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub sealing_key: String,
}

/// How one assignment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentStatus {
    /// The group's name.
    #[schemars(length(min = 1, max = 253))]
    pub deployment_group: String,
    /// The Deployment's name.
    #[schemars(length(max = 253))]
    pub deployment: String,
    /// The Deployment's uid.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub deployment_uid: String,
    /// The event that runs, or the last one that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
    /// InProgress while it runs or waits for more; Succeeded after the whole course; Failed; Skipped when stopped.
    pub status: EventStatus,
    /// The agent's events so far, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub events: Vec<HostEvent>,
    /// `sha256:` and the digest of the bundle as it was downloaded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub bundle_digest: Option<String>,
    /// What people should know of this host, such as warnings of the AppSpec's reader.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub message: String,
}

/// What a group has installed on a host: the last Deployment whose whole course succeeded there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// The group's name.
    #[schemars(length(min = 1, max = 253))]
    pub deployment_group: String,
    /// The Deployment's name.
    #[schemars(length(max = 253))]
    pub deployment: String,
    /// The Deployment's uid.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub deployment_uid: String,
    /// The bundle.
    pub revision: ResolvedRevision,
    /// When it succeeded, by the host's clock.
    pub time: Timestamp,
}

/// Whose files a group has on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The group's name.
    #[schemars(length(min = 1, max = 253))]
    pub deployment_group: String,
    /// The Deployment's name.
    #[schemars(length(max = 253))]
    pub deployment: String,
    /// The Deployment's uid.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub deployment_uid: String,
    /// `sha256:` and the digest of the bundle as it was downloaded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub bundle_digest: Option<String>,
    /// When they were put in place, by the host's clock.
    pub time: Timestamp,
}

impl InstanceSpec {
    /// What that group wants done here.
    pub fn assignment(&self, group: &str) -> Option<&Assignment> {
        self.assignments.iter().find(|a| a.deployment_group == group)
    }
}

impl InstanceStatus {
    /// How that group's assignment stands.
    pub fn assignment(&self, group: &str) -> Option<&AssignmentStatus> {
        self.assignments.iter().find(|a| a.deployment_group == group)
    }

    /// What that group has installed here.
    pub fn installed(&self, group: &str) -> Option<&Installed> {
        self.installed.iter().find(|i| i.deployment_group == group)
    }
}
