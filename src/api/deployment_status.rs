//! A Deployment's status: phase, snapshot, lifecycle events and traffic, as the controller's `record` writes them.

use std::fmt;

pub use super::deployment_snapshot::{Resolved, ResolvedFunction, ResolvedHook};
pub use super::lifecycle_event::{Diagnostics, EventName, EventStatus, LifecycleEvent};
use super::{ResolvedRevision, condition};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a Deployment so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Created, Queued, InProgress, Ready, Baking, Succeeded, Failed or Stopped.
    #[serde(default)]
    pub phase: Phase,
    /// What happens, why, and what comes next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Who asked for it; derived, never taken from a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<Creator>,
    /// When the object was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,
    /// When it was granted its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_time: Option<Timestamp>,
    /// What it deploys, as resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<ResolvedRevision>,
    /// The snapshot it runs by to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// What was the last success of the group when it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_revision: Option<ResolvedRevision>,
    /// The rollback that follows, or the Deployment that is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_info: Option<RollbackInfo>,
    /// Why it failed or was stopped: a CodeDeploy code in CamelCase and a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_information: Option<ErrorInformation>,
    /// Targets by state; a function is one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overview: Option<Overview>,
    /// Server: one letter a target, in the order of `resolved.server.targets`: P(ending), I(nProgress), S(ucceeded), F(ailed),
    /// K (skipped), U(nknown). A host is worked on only when its I is on record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 5000), regex(pattern = r"^[PISFKU]*$"))]
    pub targets: String,
    /// Server: targets that failed, the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub failed_targets: Vec<FailedTarget>,
    /// Server, zone by zone: since when all targets of the present zone have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_since: Option<Timestamp>,
    /// The course, event by event; a Server's is on its instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub lifecycle_events: Vec<LifecycleEvent>,
    /// Who has how much of the traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// Service: how often and when last Install has pointed the replacement's target group at its task set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointed: Option<Pointed>,
    /// Service: the test listener's step, recorded before it is written; weight 0 is the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_traffic: Option<Step>,
    /// Service: until when a side that has lost its traffic stands at full scale: its wait and its drain. Gone once it is
    /// terminated, or the Deployment has ended otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_wait_end_time: Option<Timestamp>,
    /// Service: when it was decided that a side that lost its traffic is scaled down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_time: Option<Timestamp>,
    /// How the requested stop stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopState>,
    /// What it waits for, and since when; a wait that lasts becomes Stalled and then a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Ready; Reconciling or Stalled with the cause.
    #[serde(default)]
    #[schemars(schema_with = "condition::list")]
    pub conditions: Vec<Condition>,
}

impl DeploymentStatus {
    /// True for the Deployment that another one's end asked for.
    pub fn is_rollback(&self) -> bool {
        self.creator.is_some_and(Creator::is_rollback)
    }
}

/// Where a Deployment stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not looked at yet, or waiting for what it refers to.
    #[default]
    Created,
    /// Waiting for its turn.
    Queued,
    /// Running, validating and waiting included.
    InProgress,
    /// Waiting for a person to continue.
    Ready,
    /// Everything is done but the watch over the alarms.
    Baking,
    /// Ended well.
    Succeeded,
    /// Ended by a failed hook, a time-out or an input that does not hold.
    Failed,
    /// Ended on request.
    Stopped,
}

impl Phase {
    /// True for the three phases that never change again.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }

    /// True from the grant to the end.
    pub fn is_running(self) -> bool {
        matches!(self, Self::InProgress | Self::Ready | Self::Baking)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Who asked for a Deployment.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Creator {
    /// A person or a pipeline.
    User,
    /// The group's spec.revision.
    DesiredRevision,
    /// The end of another Deployment.
    AutoRollback,
}

impl Creator {
    /// True for the end of another Deployment.
    pub fn is_rollback(self) -> bool {
        self == Self::AutoRollback
    }
}

impl fmt::Display for Creator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A Service that is pointed at other pods, recorded before it is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pointed {
    /// How often.
    pub times: i32,
    /// When last.
    pub time: Timestamp,
}

/// How a Deployment and its rollback are linked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackInfo {
    /// On the Deployment that ended badly: the rollback that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rollback_deployment: Option<String>,
    /// On the rollback: the Deployment that ended badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rollback_triggering_deployment: Option<String>,
    /// Why, or why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub rollback_message: String,
}

/// Why a Deployment ended badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInformation {
    /// A CodeDeploy error code in CamelCase.
    #[schemars(length(max = 64))]
    pub code: String,
    /// What went wrong and what to do.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// Targets by state.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Not begun.
    #[serde(default)]
    pub pending: i32,
    /// Under way.
    #[serde(default)]
    pub in_progress: i32,
    /// Ended well.
    #[serde(default)]
    pub succeeded: i32,
    /// Ended badly.
    #[serde(default)]
    pub failed: i32,
    /// Never begun and never to be.
    #[serde(default)]
    pub skipped: i32,
    /// Waiting to be continued.
    #[serde(default)]
    pub ready: i32,
}

/// A host on which a deployment failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct FailedTarget {
    /// The Instance.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The event that failed; absent if none had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
    /// What is known of it.
    #[serde(default)]
    pub diagnostics: Diagnostics,
}

/// Who has how much of the traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// The version that had everything.
    pub original: Share,
    /// The version that gets it.
    pub replacement: Share,
    /// Both in a few words, for the column.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub summary: String,
    /// When the first step was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// The next step comes no earlier than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step_time: Option<Timestamp>,
    /// The steps on record, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub steps: Vec<Step>,
}

/// One side's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// The Service.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Percent of the pair's traffic.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,
}

/// One step of a shift.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// 1 for the first.
    pub index: i32,
    /// The replacement's percentage from this step on.
    pub weight: i32,
    /// When it was recorded; the route is written right after.
    pub time: Timestamp,
    /// When the gateway was seen at the written generation: the interval begins here. Written with the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_time: Option<Timestamp>,
    /// The route's generation on which the step was decided.
    #[serde(default)]
    pub generation: i64,
}

/// How a requested stop stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopState {
    /// Pending, Succeeded or Error.
    pub status: StopStatus,
    /// What it waits for, or how it ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub message: String,
}

/// CodeDeploy's answers to a stop.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopStatus {
    /// A running hook is awaited.
    Pending,
    /// No further event starts.
    Succeeded,
    /// It could not be stopped.
    Error,
}

/// Something that is missing, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The reason, as in the condition.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}
