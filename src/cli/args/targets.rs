//! The flags of `list-deployment-targets` and `get-deployment-target`.

use clap::Args;

use super::{DeploymentName, Output};
use crate::api::EventStatus;
use crate::cli::words;

/// `list-deployment-targets`
#[derive(Clone, Debug, Args)]
pub struct ListTargets {
    /// Which Deployment
    #[command(flatten)]
    pub deployment: DeploymentName,
    /// Only hosts that stand so: Pending, InProgress, Succeeded, Failed, Skipped, Unknown
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = words::event_status)]
    pub status: Vec<EventStatus>,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

/// `get-deployment-target`
#[derive(Clone, Debug, Args)]
pub struct GetTarget {
    /// Name of the Deployment
    #[arg(value_name = "DEPLOYMENT", required_unless_present = "deployment_id")]
    deployment: Option<String>,
    /// Name of the Instance
    #[arg(value_name = "TARGET", required_unless_present = "target_id", conflicts_with = "target_id")]
    target: Option<String>,
    /// The same as DEPLOYMENT
    #[arg(long, value_name = "NAME", conflicts_with = "deployment", requires = "target_id")]
    deployment_id: Option<String>,
    /// The same as TARGET
    #[arg(long, value_name = "NAME")]
    target_id: Option<String>,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

impl GetTarget {
    /// The Deployment's name; clap has seen to it that there is one.
    pub fn deployment(&self) -> &str {
        self.deployment.as_deref().or(self.deployment_id.as_deref()).unwrap_or_default()
    }

    /// The Instance's name; clap has seen to it that there is one.
    pub fn target(&self) -> &str {
        self.target.as_deref().or(self.target_id.as_deref()).unwrap_or_default()
    }
}
