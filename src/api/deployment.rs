//! `Deployment`: one run of one revision through a group's lifecycle events; an object with an id of its own.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AutoRollback, DeploymentStatus, LocalRef, Phase, ROLLBACK_OF_ANNOTATION, Revision, TRAFFIC_FINALIZER,
};

/// What to deploy, where, and what was asked of it since.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Deployment",
    plural = "deployments",
    namespaced,
    status = "DeploymentStatus",
    derive = "PartialEq",
    shortname = "sdep",
    category = "sluice",
    doc = "Deployment is one run of one revision through a group's lifecycle events.",
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in ['Succeeded', 'Failed', 'Stopped']) || self.spec == oldSelf.spec").message("the Deployment has already completed: stop, continue and hookResults come too late; create another Deployment"),
    printcolumn(name = "Group", type_ = "string", json_path = ".spec.deploymentGroupRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Creator", type_ = "string", json_path = ".status.creator"),
    printcolumn(name = "Traffic", type_ = "string", json_path = ".status.traffic.summary"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.deploymentGroupRef == oldSelf.deploymentGroupRef").message("spec.deploymentGroupRef is immutable: create another Deployment"),
    validation = Rule::new("has(self.revision) == has(oldSelf.revision) && (!has(self.revision) || self.revision == oldSelf.revision)").message("spec.revision is immutable: create another Deployment"),
    validation = Rule::new("has(self.revision) != (self.deploymentMode == 'Restart')").message("revision must be given, except with deploymentMode Restart, which takes the last successful one again"),
    validation = Rule::new("self.deploymentMode == oldSelf.deploymentMode && self.ignoreApplicationStopFailures == oldSelf.ignoreApplicationStopFailures && self.updateOutdatedInstancesOnly == oldSelf.updateOutdatedInstancesOnly && has(self.fileExistsBehavior) == has(oldSelf.fileExistsBehavior) && (!has(self.fileExistsBehavior) || self.fileExistsBehavior == oldSelf.fileExistsBehavior)").message("spec: what a Deployment does is immutable (deploymentMode, ignoreApplicationStopFailures, updateOutdatedInstancesOnly, fileExistsBehavior): create another Deployment"),
    validation = Rule::new("self.deploymentMode != 'Restart' || !self.updateOutdatedInstancesOnly").message("deploymentMode Restart and updateOutdatedInstancesOnly exclude each other: what is outdated cannot be restarted into the present"),
    validation = Rule::new("has(self.description) == has(oldSelf.description) && (!has(self.description) || self.description == oldSelf.description)").message("spec.description is immutable: create another Deployment"),
    validation = Rule::new("has(self.deploymentConfigName) == has(oldSelf.deploymentConfigName) && (!has(self.deploymentConfigName) || self.deploymentConfigName == oldSelf.deploymentConfigName)").message("spec.deploymentConfigName is immutable: create another Deployment"),
    validation = Rule::new("has(self.autoRollback) == has(oldSelf.autoRollback) && (!has(self.autoRollback) || self.autoRollback == oldSelf.autoRollback)").message("spec.autoRollback is immutable: create another Deployment, or say spec.stop.autoRollback when stopping"),
    validation = Rule::new("!has(oldSelf.stop) || (has(self.stop) && self.stop == oldSelf.stop)").message("spec.stop cannot be taken back or changed: create another Deployment"),
    validation = Rule::new("!has(oldSelf.hookResults) || (has(self.hookResults) && oldSelf.hookResults.all(o, self.hookResults.exists(n, n == o)))").message("spec.hookResults: an answer that was given cannot be changed or removed")
)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// The group to deploy to.
    pub deployment_group_ref: LocalRef,
    /// What to deploy; absent with deploymentMode Restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Server: Standard installs the revision, Restart runs the last successful one again.
    #[serde(default, skip_serializing_if = "DeploymentMode::is_standard")]
    #[schemars(extend("default" = "Standard"))]
    pub deployment_mode: DeploymentMode,
    /// What this run is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// Overrides the group's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub deployment_config_name: Option<String>,
    /// Overrides the group's rollback settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_rollback: Option<AutoRollback>,
    /// Server: true passes over failures of ApplicationStop, BeforeBlockTraffic and AfterBlockTraffic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub ignore_application_stop_failures: bool,
    /// Server: what happens to files that are there and not the group's; what the AppSpec says wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_exists_behavior: Option<FileExistsBehavior>,
    /// Server: true leaves hosts alone that have the revision already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub update_outdated_instances_only: bool,
    /// Its presence asks for the stop; it cannot be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopRequest>,
    /// Ends the named waits early.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub continue_: Option<Continue>,
    /// Later answers of HTTP hooks, by execution id; use server-side apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["executionId".into()]))]
    pub hook_results: Vec<HookResult>,
}

/// What a server deployment does on each host.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeploymentMode {
    /// It installs the revision.
    #[default]
    Standard,
    /// It runs the last successful revision again, without copying what is there.
    Restart,
}

impl DeploymentMode {
    /// True for what the API server takes where nothing is said.
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

/// What to do with a file that is there and not the group's (CodeDeploy's `fileExistsBehavior`).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FileExistsBehavior {
    /// Fail.
    #[default]
    Disallow,
    /// Replace it.
    Overwrite,
    /// Keep it.
    Retain,
}

/// A request to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopRequest {
    /// Whether a rollback follows; absent, the group's DeploymentStopOnRequest decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_rollback: Option<bool>,
}

/// Waits to end early.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Continue {
    /// Ends the wait before traffic moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_wait: Option<bool>,
    /// Ends the wait before the original is terminated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_wait: Option<bool>,
}

/// A hook's later answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookResult {
    /// The execution id that the hook was called with.
    #[schemars(length(min = 1, max = 64))]
    pub execution_id: String,
    /// Succeeded or Failed.
    pub status: HookAnswer,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
}

/// How a hook judged.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HookAnswer {
    /// The deployment goes on.
    Succeeded,
    /// The event fails, and with it the deployment.
    Failed,
}

impl Deployment {
    /// The phase on record; an object that was not looked at yet is Created.
    pub fn phase(&self) -> Phase {
        self.status.as_ref().map_or(Phase::Created, |s| s.phase)
    }

    /// The object's uid; empty only on objects that no API server has seen.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The object's name; empty only on objects that no API server has seen.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// True while our finalizer is on it.
    pub fn is_held(&self) -> bool {
        self.metadata.finalizers.iter().flatten().any(|f| f == TRAFFIC_FINALIZER)
    }

    /// True if `other` is the rollback that its end has on record: neither's word alone makes it so.
    pub fn is_rolled_back_by(&self, other: &Self) -> bool {
        let of = other.metadata.annotations.as_ref().and_then(|a| a.get(ROLLBACK_OF_ANNOTATION));
        let named =
            self.status.as_ref().and_then(|s| s.rollback_info.as_ref()?.rollback_deployment.as_deref());
        of.is_some_and(|uid| uid == self.uid()) && named == Some(other.name())
    }
}
