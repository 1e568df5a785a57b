//! `DeploymentGroup`: where and how an application's revisions are deployed; one Deployment of a group runs at a time.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::serving::{RouteRestored, Serving};

use super::blue_green::BlueGreen;
use super::deployment_status::Waiting;
use super::server_target::ServerTarget;
use super::service_target::ServiceTarget;
use super::{
    ComputePlatform, ENDPOINTS_FINALIZER, FileExistsBehavior, LocalRef, Phase, ResolvedRevision, Revision,
    TASK_SET_FINALIZER, condition,
};

/// Where and how revisions are deployed.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "DeploymentGroup",
    plural = "deploymentgroups",
    namespaced,
    status = "DeploymentGroupStatus",
    derive = "PartialEq",
    shortname = "sdg",
    category = "sluice",
    scale(
        spec_replicas_path = ".spec.service.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = Rule::new("!has(self.spec.service) || self.metadata.name.size() <= 63").message("metadata.name: the name of a service group becomes a label of its pods, which holds at most 63 characters; choose a shorter one"),
    doc = "DeploymentGroup says where and how an application's revisions are deployed; one Deployment of a group runs at a time.",
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.applicationRef.name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Active", type_ = "string", json_path = ".status.activeDeployment.name"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("[has(self.function), has(self.service), has(self.server)].filter(x, x).size() == 1").message("exactly one of function, service and server must be given: the block of the application's platform"),
    validation = Rule::new("!has(self.blueGreen) || has(self.service)").message("blueGreen is for service groups: a function's versions are not terminated, and a server group's hosts are updated in place")
)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentGroupSpec {
    /// The application. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.applicationRef is immutable: create another DeploymentGroup"))]
    pub application_ref: LocalRef,
    /// A predefined CodeDeployDefault.* name or a DeploymentConfig; the default is the platform's AllAtOnce, on Server
    /// CodeDeployDefault.OneAtATime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub deployment_config_name: Option<String>,
    /// The desired revision: changing it starts a Deployment (GitOps).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// What a Deployment does that finds the group busy: Queue, Reject or Replace.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// Finished Deployments kept, of those that the group made or that have a generated name; the last successful one always is.
    #[serde(default = "default_history")]
    #[schemars(range(min = 0, max = 1000))]
    pub revision_history_limit: i32,
    /// When a rollback follows by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_rollback: Option<AutoRollback>,
    /// Service: the waits before traffic moves and before the original is terminated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<Box<BlueGreen>>,
    /// What becomes of what serves when the group is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Weighted traffic from one function version to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionTarget>,
    /// Blue/green task sets behind two target groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<ServiceTarget>>,
    /// Hosts with an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Box<ServerTarget>>,
}

impl DeploymentGroup {
    /// True while our finalizer is on it.
    pub fn is_held(&self) -> bool {
        self.metadata.finalizers.iter().flatten().any(|f| f == self.spec.finalizer())
    }
}

impl DeploymentGroupSpec {
    /// The platform whose block the group has.
    pub fn platform(&self) -> ComputePlatform {
        match () {
            () if self.service.is_some() => ComputePlatform::Service,
            () if self.server.is_some() => ComputePlatform::Server,
            () => ComputePlatform::Function,
        }
    }

    /// The finalizer under which the group's end says what becomes of what it made.
    pub fn finalizer(&self) -> &'static str {
        if self.server.is_some() { ENDPOINTS_FINALIZER } else { TASK_SET_FINALIZER }
    }
}

/// What becomes of task sets, target groups and hosts' endpoints when their group is deleted.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They stay, and serve on; a new group of that name adopts them.
    #[default]
    Orphan,
    /// They are deleted.
    Delete,
}

fn default_history() -> i32 {
    10
}

/// What becomes of a Deployment that finds another of its group running.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// It waits for its turn, in order of creation.
    #[default]
    Queue,
    /// It fails at once (DeploymentLimitExceeded).
    Reject,
    /// The running one puts its traffic back and ends Stopped; then it starts.
    Replace,
}

/// When a rollback follows by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!self.enabled || (has(self.events) && self.events.size() > 0)").message("enabled needs at least one of events: DeploymentFailure, DeploymentStopOnAlarm, DeploymentStopOnRequest"))]
pub struct AutoRollback {
    /// True switches automatic rollbacks on for the named events.
    pub enabled: bool,
    /// The ends after which a rollback follows.
    #[serde(default)]
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub events: Vec<RollbackEvent>,
}

impl AutoRollback {
    /// True if a rollback follows that end.
    pub fn covers(&self, event: RollbackEvent) -> bool {
        self.enabled && self.events.contains(&event)
    }
}

/// An end after which a rollback may follow.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RollbackEvent {
    /// A hook failed, or an event ran out of time.
    DeploymentFailure,
    /// An alarm fired.
    DeploymentStopOnAlarm,
    /// Somebody asked for the stop.
    DeploymentStopOnRequest,
}

/// The Function platform's part of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionTarget {
    /// The core Service that serves one version of one function, with {name} and {version} filled in from the AppSpec.
    #[serde(default = "default_version_service")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.contains('{version}')").message("versionService must contain {version}: each version has a Service of its own"))]
    pub version_service: String,
    /// The aliases an AppSpec may name, and the route behind each.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub aliases: Vec<Alias>,
}

fn default_version_service() -> String {
    "{name}-{version}".into()
}

impl FunctionTarget {
    /// The name of the Service that serves `version` of `function`.
    pub fn service(&self, function: &str, version: &str) -> String {
        self.version_service.replace("{name}", function).replace("{version}", version)
    }

    /// The alias of that name.
    pub fn alias(&self, name: &str) -> Option<&Alias> {
        self.aliases.iter().find(|a| a.name == name)
    }
}

/// A name under which a function's versions are served, and the route that carries their weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// The AppSpec's Alias.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The HTTPRoute whose weights are moved, in every rule that holds the current version.
    pub http_route: LocalRef,
}

/// What the controller last saw of a group, and the grant by which its Deployments run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentGroupStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Deploying, Failed, Stopped or RolledBack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<GroupPhase>,
    /// What happens, why, and what comes next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// The revision that was last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_revision: Option<ResolvedRevision>,
    /// The last Deployment that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_deployment: Option<SuccessfulDeployment>,
    /// The last Deployment that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempted_deployment: Option<AttemptedDeployment>,
    /// The grant: a Deployment starts only on seeing its own uid here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_deployment: Option<DeploymentRef>,
    /// Those that wait, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub queued_deployments: Vec<DeploymentRef>,
    /// The desired revision as recorded before its Deployment is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<DesiredRevision>,
    /// The last route that was put right between deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_restored: Option<RouteRestored>,
    /// Service: pods of the side with the greater share, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Service: the label selector of that side's pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub selector: Option<String>,
    /// What it waits for, and since when; a wait that lasts becomes Stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Ready; Reconciling or Stalled with the cause.
    #[serde(default)]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}

/// How a group stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GroupPhase {
    /// Nothing runs, and the last deployment, if there was one, succeeded.
    Ready,
    /// A Deployment runs or waits.
    Deploying,
    /// The last deployment failed, without a rollback.
    Failed,
    /// The last deployment was stopped, without a rollback.
    Stopped,
    /// The last deployment was rolled back: the desired revision is not what is served.
    RolledBack,
}

impl fmt::Display for GroupPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A Deployment by name and uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentRef {
    /// Name of the Deployment.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid: another object of that name is another Deployment.
    #[schemars(length(max = 64))]
    pub uid: String,
}

/// A Deployment that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuccessfulDeployment {
    /// Name of the Deployment.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What it deployed.
    pub revision: ResolvedRevision,
    /// When it ended.
    pub complete_time: Timestamp,
    /// Server: what it did about files that were there and not the group's; a rollback to it does the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_exists_behavior: Option<FileExistsBehavior>,
    /// What serves since, by which drift is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
}

/// A Deployment that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptedDeployment {
    /// Name of the Deployment.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub uid: String,
    /// How it ended.
    pub phase: Phase,
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_time: Option<Timestamp>,
    /// What it deployed, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub revision: Option<String>,
    /// The rollback that follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rollback: Option<String>,
    /// The Deployment that it rolled back, if it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rollback_of: Option<String>,
    /// Why it ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
}

/// The desired revision on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesiredRevision {
    /// The group's generation that asked for it.
    pub generation: i64,
    /// The digest of its content, or of the fields that say where it lies: the value's identity.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// The Deployment that carries it.
    #[schemars(length(max = 253))]
    pub deployment: String,
    /// True once that Deployment was seen: it is not created again when it is deleted.
    #[serde(default)]
    pub created: bool,
}
