//! The Server platform's part of a Deployment's snapshot: its targets in the order in which they are worked on, and the
//! numbers that decide how many at once.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::deployment_config::{MinimumHealthyHosts, ZonalConfig};
use super::{EventName, FileExistsBehavior, GoDuration};

/// The hosts of a server deployment as they stood at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedServer {
    /// The targets, in the order in which they begin: zone by zone where asked for, and in each unhealthy ones first, then
    /// those of unknown, old and current revisions. `status.targets` has one letter for each.
    #[schemars(length(max = 5000), inner(length(max = 63)))]
    pub targets: Vec<String>,
    /// The uid of each target, in the same order: another object of that name is another host.
    #[schemars(length(max = 5000), inner(length(max = 36)))]
    pub uids: Vec<String>,
    /// The zones in their order, with the number of targets of each; empty unless the configuration goes zone by zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub zones: Vec<ResolvedZone>,
    /// The configuration's floor.
    pub minimum_healthy_hosts: MinimumHealthyHosts,
    /// How many targets stay healthy, as computed from the floor.
    pub minimum_healthy: i32,
    /// Of a rollback: how many of the targets that serve are spared, as long as it can go on without them.
    #[serde(default)]
    pub spared_healthy: i32,
    /// Zone by zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zonal_config: Option<ZonalConfig>,
    /// The course on each host.
    #[schemars(length(max = 20))]
    pub course: Vec<EventName>,
    /// The Service whose endpoints are taken out and put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<super::LoadBalancer>,
    /// What all scripts of one event may take together.
    pub event_timeout: GoDuration,
    /// What happens to files that are there and not the group's.
    #[serde(default)]
    pub file_exists_behavior: FileExistsBehavior,
    /// True passes over failures of ApplicationStop, BeforeBlockTraffic and AfterBlockTraffic.
    #[serde(default)]
    pub ignore_application_stop_failures: bool,
    /// True for deploymentMode Restart.
    #[serde(default)]
    pub restart: bool,
    /// The Secret with the credentials of the revision's source, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret: Option<String>,
}

/// A zone and how many of the targets stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedZone {
    /// The zone; empty for hosts that name none.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Targets in it: they follow each other in `targets`.
    pub targets: i32,
    /// How many of them stay healthy.
    pub minimum_healthy: i32,
}
