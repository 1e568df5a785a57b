//! The snapshot in a Deployment's status: what it runs by, whatever is edited meanwhile.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::server_snapshot::{ResolvedServer, ResolvedZone};
pub use super::service_snapshot::{ResolvedListener, ResolvedService, ResolvedSide};

use super::lifecycle_hook::HttpHook;
use super::{AutoRollback, EventName, GoDuration, RoutingType, TrafficRouting};

/// The snapshot that a Deployment runs by: editing the group, its configuration or hooks changes nothing under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// The group's generation.
    pub group_generation: i64,
    /// The group's uid.
    #[schemars(length(max = 64))]
    pub group_uid: String,
    /// The application's name.
    #[schemars(length(max = 253))]
    pub application: String,
    /// The configuration's name.
    #[schemars(length(max = 253))]
    pub deployment_config_name: String,
    /// The configuration; a server deployment's is in its own part.
    #[serde(default = "all_at_once")]
    pub traffic_routing: TrafficRouting,
    /// Function: the parsed AppSpec and what it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<ResolvedFunction>,
    /// Service: the parsed AppSpec and what it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<ResolvedService>>,
    /// Server: the targets and the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Box<ResolvedServer>>,
    /// The hooks, at most one an event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub hooks: Vec<ResolvedHook>,
    /// When a rollback follows.
    #[serde(default)]
    pub auto_rollback: AutoRollback,
}

fn all_at_once() -> TrafficRouting {
    TrafficRouting { type_: RoutingType::AllAtOnce, canary: None, linear: None }
}

impl Resolved {
    /// The function, if it is a function deployment.
    pub fn function(&self) -> Option<&ResolvedFunction> {
        self.function.as_ref()
    }

    /// The service, if it is a service deployment.
    pub fn service(&self) -> Option<&ResolvedService> {
        self.service.as_deref()
    }
}

/// A function deployment's AppSpec with what it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedFunction {
    /// The function's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The alias.
    #[schemars(length(max = 253))]
    pub alias: String,
    /// The version that has the traffic.
    #[schemars(length(max = 253))]
    pub current_version: String,
    /// The version that gets it.
    #[schemars(length(max = 253))]
    pub target_version: String,
    /// The alias' HTTPRoute.
    #[schemars(length(max = 253))]
    pub route: String,
    /// The HTTPRoute's uid: another object of that name is another route.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub route_uid: String,
    /// The route's rules that are concerned, by index: those that held the current version.
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
    /// The Service of the current version.
    #[schemars(length(max = 253))]
    pub original: String,
    /// The Service of the target version.
    #[schemars(length(max = 253))]
    pub replacement: String,
}

/// A lifecycle hook as it stood at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct ResolvedHook {
    /// The event it runs at.
    pub event: EventName,
    /// The LifecycleHook's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Silence past this is a failure.
    pub timeout: GoDuration,
    /// The Job's template, if it is a Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unpruned")]
    pub job: Option<Value>,
    /// The call, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpHook>,
}

fn unpruned(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true,
        "description": "The Job's template, if it is a Job."
    })
}
