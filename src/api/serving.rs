//! What serves between deployments, as a group's status remembers it.

use jiff::Timestamp;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Which Service has the traffic since the last success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// Function: its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub function: String,
    /// Function: the version that serves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub version: String,
    /// The HTTPRoute.
    #[schemars(length(max = 253))]
    pub route: String,
    /// The Service that has the traffic.
    #[schemars(length(max = 253))]
    pub service: String,
    /// The route's rules that are concerned, by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rules: Vec<i32>,
    /// How many rules the route had then.
    #[serde(default)]
    pub rule_count: i32,
    /// What each of them was known by then, in order: its name, or a digest of what it matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 254)))]
    pub rule_keys: Vec<String>,
    /// The Service that had it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub previous_service: Option<String>,
}

/// A route that was put right between deployments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteRestored {
    /// The HTTPRoute.
    #[schemars(length(max = 253))]
    pub route: String,
    /// The generation that was put right.
    pub generation: i64,
    /// The last successful Deployment by then: one restoration each.
    #[schemars(length(max = 253))]
    pub deployment: String,
    /// When that was decided.
    pub time: Timestamp,
}
