//! `spec.server` of a group: which hosts, in which style, behind which load balancer.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GoDuration, duration};

/// The Server platform's part of a group: its hosts are the tag sets' matches united with the fleets' members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.tagSets) && self.tagSets.size() > 0) || (has(self.fleets) && self.fleets.size() > 0)").message("give tagSets, fleets or both: without them no host belongs to the group"),
    validation = Rule::new("self.deploymentStyle.option != 'WithTrafficControl' || has(self.loadBalancer)").message("deploymentStyle.option WithTrafficControl needs loadBalancer: the Service whose traffic is controlled")
)]
pub struct ServerTarget {
    /// Hosts by tag: an Instance belongs if each inner list holds a filter that matches it (AND of ORs).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(min = 1, max = 10)))]
    pub tag_sets: Vec<Vec<TagFilter>>,
    /// Hosts by fleet: every Instance of these fleets belongs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub fleets: Vec<String>,
    /// How revisions come to the hosts.
    #[serde(default)]
    pub deployment_style: DeploymentStyle,
    /// The Service that sends traffic to the hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancer>,
    /// What becomes of hosts that a fleet launches during a deployment. Changes nothing until fleets launch hosts.
    #[serde(default)]
    pub outdated_instances_strategy: OutdatedInstances,
    /// What all scripts of one lifecycle event may take together, at most 48h.
    #[serde(default = "one_hour")]
    #[x_kube(validation = duration::above_0s_at_most_48h("eventTimeout"))]
    pub event_timeout: GoDuration,
}

fn one_hour() -> GoDuration {
    GoDuration::from_secs(3_600)
}

/// One condition on a host's tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.type == 'ValueOnly' || (has(self.key) && self.key.size() > 0)").message("type KeyOnly and KeyAndValue need key"),
    validation = Rule::new("self.type == 'KeyOnly' || has(self.value)").message("type ValueOnly and KeyAndValue need value"),
    validation = Rule::new("self.type != 'KeyOnly' || !has(self.value)").message("type KeyOnly takes no value"),
    validation = Rule::new("self.type != 'ValueOnly' || !has(self.key)").message("type ValueOnly takes no key")
)]
pub struct TagFilter {
    /// The tag's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub key: Option<String>,
    /// The tag's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub value: Option<String>,
    /// KeyOnly, ValueOnly or KeyAndValue.
    #[serde(rename = "type", default)]
    pub type_: TagFilterType,
}

/// What a tag filter looks at.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TagFilterType {
    /// A tag of that key, whatever its value.
    KeyOnly,
    /// A tag of that value, whatever its key.
    ValueOnly,
    /// A tag of that key and value.
    #[default]
    KeyAndValue,
}

/// How revisions come to the hosts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.type != 'BlueGreen'").message("type BlueGreen is not driven yet on Server: use InPlace"))]
pub struct DeploymentStyle {
    /// InPlace, on the hosts that serve.
    #[serde(rename = "type", default)]
    pub type_: DeploymentType,
    /// WithTrafficControl or WithoutTrafficControl.
    #[serde(default)]
    pub option: TrafficControl,
}

/// On which hosts a revision is installed.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeploymentType {
    /// On the hosts that serve.
    #[default]
    InPlace,
    /// On other hosts, which then take over.
    BlueGreen,
}

/// Whether a host is taken out of the load balancer while it is worked on.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrafficControl {
    /// It is: BlockTraffic before, AllowTraffic after.
    WithTrafficControl,
    /// It is not.
    #[default]
    WithoutTrafficControl,
}

/// What becomes of hosts that a fleet launches during a deployment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutdatedInstances {
    /// A deployment of its own brings them up to date.
    #[default]
    Update,
    /// They stay as they are.
    Ignore,
}

/// The Service that sends traffic to the group's hosts; its EndpointSlices are the group's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct LoadBalancer {
    /// The Service, without a selector, and the port on the hosts.
    pub service: LoadBalancerService,
    /// The time between a host losing its traffic and being worked on, at most 48h.
    #[serde(default = "ten_seconds")]
    #[x_kube(validation = duration::at_most_48h("drain"))]
    pub drain: GoDuration,
}

fn ten_seconds() -> GoDuration {
    GoDuration::from_secs(10)
}

/// A Service without a selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct LoadBalancerService {
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The port on the hosts.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}
