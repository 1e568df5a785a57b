//! `spec.blueGreen` of a group: the waits of a Service deployment, as CodeDeploy names them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GoDuration, duration};

/// The waits of a blue/green deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreen {
    /// What happens between the replacement being ready and traffic moving.
    #[serde(default)]
    pub deployment_ready: DeploymentReady,
    /// What becomes of the original once all traffic has moved.
    #[serde(default)]
    pub terminate_original: TerminateOriginal,
}

/// The wait before traffic moves.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.actionOnTimeout != 'StopDeployment' || duration(self.wait) > duration('0s')").message("actionOnTimeout StopDeployment needs a wait longer than 0s: the time in which somebody may say continue"))]
pub struct DeploymentReady {
    /// ContinueDeployment or StopDeployment.
    #[serde(default)]
    pub action_on_timeout: ReadyAction,
    /// How long spec.continue.readyWait is waited for, at most 48h.
    #[serde(default = "no_wait")]
    #[x_kube(validation = duration::at_most_48h("wait"))]
    pub wait: GoDuration,
}

impl Default for DeploymentReady {
    fn default() -> Self {
        Self { action_on_timeout: ReadyAction::ContinueDeployment, wait: no_wait() }
    }
}

fn no_wait() -> GoDuration {
    GoDuration::from_secs(0)
}

/// What happens when nobody has said continue in time.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReadyAction {
    /// Traffic moves.
    #[default]
    ContinueDeployment,
    /// The deployment ends Stopped.
    StopDeployment,
}

/// The original's end.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TerminateOriginal {
    /// Terminate or KeepAlive.
    #[serde(default)]
    pub action: OriginalAction,
    /// How long the original stands at full scale after the last event, at most 48h.
    #[serde(default = "five_minutes")]
    #[x_kube(validation = duration::at_most_48h("wait"))]
    pub wait: GoDuration,
}

impl Default for TerminateOriginal {
    fn default() -> Self {
        Self { action: OriginalAction::Terminate, wait: five_minutes() }
    }
}

fn five_minutes() -> GoDuration {
    GoDuration::from_secs(300)
}

/// What becomes of the original task set.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OriginalAction {
    /// It is scaled to 0 after the wait.
    #[default]
    Terminate,
    /// It stands until the next Install needs its target group.
    KeepAlive,
}
