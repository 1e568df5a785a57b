//! The lifecycle events of a course, how each stands, and what is known of one that ended.

use std::fmt;

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lifecycle events, in the order of the longest courses: a Server host's, then a Service's, whose last three are a Function's.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum EventName {
    /// Server: script of the last revision, before the host leaves the load balancer.
    BeforeBlockTraffic,
    /// Server: the host leaves the load balancer; not scriptable.
    BlockTraffic,
    /// Server: script of the last revision, after it has left.
    AfterBlockTraffic,
    /// Server: script of the last revision.
    ApplicationStop,
    /// Server: the bundle is fetched and unpacked; not scriptable.
    DownloadBundle,
    /// Server: script before the files are put in place. Service: hook before the replacement is made.
    BeforeInstall,
    /// Server: the files are put in place. Service: the replacement's task set is made and becomes ready. Not scriptable.
    Install,
    /// Server: script when the files are in place. Service: hook when the replacement is ready.
    AfterInstall,
    /// Server: script that starts what was installed.
    ApplicationStart,
    /// Server: script that judges it.
    ValidateService,
    /// Service: the test listener is pointed at the replacement; not scriptable.
    AllowTestTraffic,
    /// Service: hook when test requests reach the replacement.
    AfterAllowTestTraffic,
    /// Hook: before any traffic moves.
    BeforeAllowTraffic,
    /// Traffic moves; not scriptable.
    AllowTraffic,
    /// Hook: when all traffic has moved.
    AfterAllowTraffic,
}

impl EventName {
    /// True for the events of a Server host that its agent runs; the others are the controller's.
    pub fn is_agents(self) -> bool {
        !matches!(self, Self::BlockTraffic | Self::AllowTraffic)
    }

    /// True for the events that a hook may be named for; the others are Sluice's own work.
    pub fn is_scriptable(self) -> bool {
        let own = [
            Self::BlockTraffic,
            Self::DownloadBundle,
            Self::Install,
            Self::AllowTestTraffic,
            Self::AllowTraffic,
        ];
        !own.contains(&self)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One event of the course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleEvent {
    /// Which one.
    pub name: EventName,
    /// Pending, InProgress, Succeeded, Failed, Skipped or Unknown.
    pub status: EventStatus,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// Under which a hook of this event is called; spec.hookResults answers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub execution_id: Option<String>,
    /// True once the hook's Job was seen: one that vanishes afterwards counts as failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
    /// What the hook said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Diagnostics>,
}

/// How an event stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventStatus {
    /// Not begun.
    #[default]
    Pending,
    /// Under way.
    InProgress,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
    /// Never begun and never to be.
    Skipped,
    /// Cannot be told.
    Unknown,
}

/// What is known of an event that ended: CodeDeploy's four fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostics {
    /// Success, or why not. Of hooks and scripts: ScriptFailed, ScriptTimedOut, UnknownError; of a host's scripts also
    /// ScriptMissing, ScriptNotExecutable, AgentRestarted. Of a host, by the controller: AgentIssue, Timeout, InstanceDeleted,
    /// RevisionChanged, Stopped, TooManyGroups, AddressMissing, AssignmentRefused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub error_code: String,
    /// The hook's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub script_name: String,
    /// What happened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub message: String,
    /// The last lines that it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub log_tail: String,
}
