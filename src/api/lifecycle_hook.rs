//! `LifecycleHook`: what CodeDeploy calls a validation function; an AppSpec's `Hooks` name one of these.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GoDuration, LocalRef, condition, duration};

/// How a lifecycle event is validated: by a Job or by an HTTP call.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "LifecycleHook",
    plural = "lifecyclehooks",
    namespaced,
    status = "LifecycleHookStatus",
    derive = "PartialEq",
    shortname = "shook",
    category = "sluice",
    doc = "LifecycleHook validates a lifecycle event by a Job or by an HTTP call; an AppSpec's Hooks name it.",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.http.url"),
    printcolumn(name = "Timeout", type_ = "string", json_path = ".spec.timeout"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("has(self.job) != has(self.http)").message("exactly one of job and http must be given"))]
pub struct LifecycleHookSpec {
    /// Silence past this is a failure; at most 48h.
    #[serde(default = "default_timeout")]
    #[x_kube(validation = duration::above_0s_at_most_48h("timeout"))]
    pub timeout: GoDuration,
    /// Runs a Job; Complete is Succeeded, Failed is Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobHook>,
    /// Calls a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpHook>,
}

fn default_timeout() -> GoDuration {
    GoDuration::from_secs(3_600)
}

/// A hook that is a Job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobHook {
    /// A batch/v1 JobTemplateSpec; its backoffLimit decides on retries.
    #[schemars(schema_with = "unpruned")]
    pub template: Value,
}

fn unpruned(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "description": "A batch/v1 JobTemplateSpec; its backoffLimit decides on retries."
    })
}

/// A hook that is an HTTP endpoint: POST, answered by 200 with a status, or by 202 and later through spec.hookResults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpHook {
    /// An http or https URL.
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub url: String,
    /// Request headers from a Secret: each key is a header's name, each value its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_from: Option<HeadersFrom>,
}

/// Where request headers come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadersFrom {
    /// A Secret that the namespace lets the controller read.
    pub secret_ref: LocalRef,
}

/// What the controller last saw of a hook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleHookStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready; Stalled with the cause while something must be put right.
    #[serde(default)]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}
