//! The Service platform's part of a Deployment's snapshot: task set, sides and listeners as they stood at its start.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::GoDuration;
use super::blue_green::{DeploymentReady, TerminateOriginal};

/// A service deployment's AppSpec with what it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedService {
    /// The AppSpec's TaskDefinition: the PodTemplate.
    #[schemars(length(max = 253))]
    pub task_definition: String,
    /// The container that serves.
    #[schemars(length(max = 253))]
    pub container_name: String,
    /// Its port, behind which the target group sends.
    pub container_port: i32,
    /// The PodTemplate's template; absent when the replacement's task set stands already (a rollback).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unpruned")]
    pub pod_template: Option<Value>,
    /// `sha256:` and the digest of that template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 80))]
    pub pod_template_digest: String,
    /// The side that had the traffic; absent when nothing served before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<ResolvedSide>,
    /// The side that gets it.
    pub replacement: ResolvedSide,
    /// The group's other target group, by which a test listener may still send where nothing served before.
    #[schemars(length(max = 63))]
    pub other_target_group: String,
    /// The task set that still stood behind the replacement's target group: Install scales it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub leftover: Option<String>,
    /// Where production requests come in.
    pub production: ResolvedListener,
    /// Where test requests come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<ResolvedListener>,
    /// The wait before traffic moves.
    pub deployment_ready: DeploymentReady,
    /// The original's end.
    pub terminate_original: TerminateOriginal,
    /// How long Install may take.
    pub install_timeout: GoDuration,
    /// The time between a side losing its traffic and being scaled down.
    pub drain: GoDuration,
}

/// One side of a service: a target group and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedSide {
    /// The Service; for an original that stood behind a front Service before Sluice, that Service.
    #[schemars(length(max = 63))]
    pub target_group: String,
    /// The ReplicaSet; absent when Sluice did not make what serves there, which it then never scales.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub task_set: Option<String>,
    /// The PodTemplate that the task set was made from, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub task_definition: Option<String>,
    /// The selector under which it serves, by which a front Service finds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub selector: BTreeMap<String, String>,
    /// The target port behind it, by which a front Service finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub target_port: Option<String>,
}

/// A listener as it stood at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedListener {
    /// True for a front Service whose selector is switched, false for an HTTPRoute.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_service: bool,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid: another object of that name is another listener.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The route's rules that are concerned, by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rules: Vec<i32>,
    /// How many rules the route had then.
    #[serde(default)]
    pub rule_count: i32,
    /// What each of them is known by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 254)))]
    pub rule_keys: Vec<String>,
}

fn unpruned(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true,
        "description": "The PodTemplate's template; absent when the replacement's task set stands already (a rollback)."
    })
}
