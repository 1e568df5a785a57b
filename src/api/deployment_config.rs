//! `DeploymentConfig`: how fast traffic moves, or how many hosts stay healthy. Immutable, as in CodeDeploy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ComputePlatform, GoDuration, condition, duration};

/// The pace of a deployment.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "DeploymentConfig",
    plural = "deploymentconfigs",
    namespaced,
    status = "DeploymentConfigStatus",
    derive = "PartialEq",
    shortname = "sdc",
    category = "sluice",
    doc = "DeploymentConfig says how fast traffic moves (Function, Service) or how many hosts stay healthy (Server). The predefined CodeDeployDefault.* configurations need no object.",
    validation = Rule::new("!self.metadata.name.startsWith('codedeploydefault.')").message("metadata.name: the prefix CodeDeployDefault. is reserved for the predefined configurations, which need no object; choose another name"),
    printcolumn(name = "Platform", type_ = "string", json_path = ".spec.computePlatform"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.trafficRouting.type"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("spec is immutable: create another DeploymentConfig and name it in the group"),
    validation = Rule::new("self.computePlatform != 'Server' || (has(self.minimumHealthyHosts) && !has(self.trafficRouting))").message("computePlatform Server takes minimumHealthyHosts and no trafficRouting"),
    validation = Rule::new("self.computePlatform == 'Server' || (has(self.trafficRouting) && !has(self.minimumHealthyHosts) && !has(self.zonalConfig))").message("computePlatform Function and Service take trafficRouting and neither minimumHealthyHosts nor zonalConfig")
)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfigSpec {
    /// The platform whose groups may name this configuration.
    pub compute_platform: ComputePlatform,
    /// How traffic moves (Function, Service).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_routing: Option<TrafficRouting>,
    /// How many hosts stay healthy at any moment (Server).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_healthy_hosts: Option<MinimumHealthyHosts>,
    /// Zone by zone (Server).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zonal_config: Option<ZonalConfig>,
}

/// How traffic moves from the original to the replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.type == 'TimeBasedCanary' ? has(self.canary) && !has(self.linear) : true").message("type TimeBasedCanary takes canary and no linear"),
    validation = Rule::new("self.type == 'TimeBasedLinear' ? has(self.linear) && !has(self.canary) : true").message("type TimeBasedLinear takes linear and no canary"),
    validation = Rule::new("self.type == 'AllAtOnce' ? !has(self.canary) && !has(self.linear) : true").message("type AllAtOnce takes neither canary nor linear")
)]
pub struct TrafficRouting {
    /// AllAtOnce, TimeBasedCanary or TimeBasedLinear.
    #[serde(rename = "type")]
    pub type_: RoutingType,
    /// Two steps: this percentage, and after the interval the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Increment>,
    /// Equal steps: this percentage each interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Increment>,
}

/// The shape of a traffic shift.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoutingType {
    /// Everything in one step.
    AllAtOnce,
    /// A part first, the rest after an interval.
    TimeBasedCanary,
    /// Equal parts at equal intervals.
    TimeBasedLinear,
}

/// A percentage and the time before the next step.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Increment {
    /// Percentage of the traffic that one step moves, 1 to 99.
    #[schemars(range(min = 1, max = 99))]
    pub percentage: i32,
    /// Time between two steps, at most 48h; it begins when the gateway has taken the step.
    #[x_kube(validation = duration::above_0s_at_most_48h("interval"))]
    pub interval: GoDuration,
}

/// A floor of healthy hosts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.type != 'FleetPercent' || self.value <= 99").message("value of type FleetPercent must be 0 to 99"))]
pub struct MinimumHealthyHosts {
    /// HostCount or FleetPercent.
    #[serde(rename = "type")]
    pub type_: HealthyHostsType,
    /// Hosts, or percent of the fleet (rounded up).
    #[schemars(range(min = 0, max = 1_000_000))]
    pub value: i32,
}

/// How a floor of healthy hosts is counted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HealthyHostsType {
    /// A number of hosts.
    HostCount,
    /// A percentage of the fleet.
    FleetPercent,
}

/// One zone after the other.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZonalConfig {
    /// How long the first zone is watched before the next begins, at most 48h; the default is monitorDuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_most_48h("firstZoneMonitorDuration"))]
    pub first_zone_monitor_duration: Option<GoDuration>,
    /// How long each further zone is watched, at most 48h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_most_48h("monitorDuration"))]
    pub monitor_duration: Option<GoDuration>,
    /// The floor inside one zone, besides the fleet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_healthy_hosts_per_zone: Option<MinimumHealthyHosts>,
}

/// What the controller last saw of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfigStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready; Stalled with the cause while something must be put right.
    #[serde(default)]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}
