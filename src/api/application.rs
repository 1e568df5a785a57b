//! `Application`: a name under which deployment groups of one compute platform stand.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::condition;

/// Where an application runs; decides its course of lifecycle events.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ComputePlatform {
    /// Fleets of hosts with an agent (CodeDeploy's EC2/on-premises).
    Server,
    /// Weighted traffic from one function version to the next (CodeDeploy's Lambda).
    Function,
    /// Blue/green task sets behind two target groups (CodeDeploy's ECS).
    Service,
}

impl fmt::Display for ComputePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What an application is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Application",
    plural = "applications",
    namespaced,
    status = "ApplicationStatus",
    derive = "PartialEq",
    shortname = "sapp",
    category = "sluice",
    doc = "Application is a name under which deployment groups of one compute platform stand.",
    printcolumn(name = "Platform", type_ = "string", json_path = ".spec.computePlatform"),
    printcolumn(name = "Groups", type_ = "integer", json_path = ".status.deploymentGroups"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSpec {
    /// Where the application runs: Server, Function or Service. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.computePlatform is immutable: create another Application"))]
    pub compute_platform: ComputePlatform,
    /// What the application is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
}

/// What the controller last saw of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many DeploymentGroups name this application.
    #[serde(default)]
    pub deployment_groups: i64,
    /// Ready; Stalled with the cause while something must be put right.
    #[serde(default)]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}
