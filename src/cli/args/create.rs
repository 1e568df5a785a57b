//! The flags of `create-deployment`: where the revision comes from, and what the run overrides.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use jiff::SignedDuration;

use super::Output;
use crate::api::{
    ConfigMapRevision, FileExistsBehavior, GitHubRevision, HttpRevision, OciRevision, RollbackEvent,
    S3Revision,
};
use crate::cli::{locations, words};

/// `create-deployment`
#[derive(Clone, Debug, Args)]
#[command(group(ArgGroup::new("revision").required(true).args(["app_spec", "config_map", "function", "task_definition", "s3_location", "github_location", "http_location", "oci_image", "restart"])))]
#[command(group(ArgGroup::new("written").args(["function", "task_definition"])))]
#[command(group(ArgGroup::new("bundle").args(["s3_location", "github_location", "http_location", "oci_image"])))]
#[command(after_help = "Examples:
  kubectl sluice create-deployment hello-prod --app-spec appspec.yaml --watch
  kubectl sluice create-deployment hello-prod --function hello --target-version 2
  kubectl sluice create-deployment web-prod --task-definition web-42 --after-allow-test-traffic probe
  kubectl sluice create-deployment shop-prod --s3-location bucket=releases,key=shop/42.tgz,bundleType=tgz
  kubectl sluice create-deployment -g hello-prod --config-map hello-2/appspec.yaml --dry-run")]
pub struct Create {
    /// The DeploymentGroup
    #[arg(value_name = "GROUP", required_unless_present = "deployment_group")]
    group: Option<String>,
    /// The same as GROUP
    #[arg(
        short = 'g',
        long,
        alias = "deployment-group-name",
        value_name = "GROUP",
        conflicts_with = "group"
    )]
    deployment_group: Option<String>,
    /// AppSpec file, YAML or JSON; - reads standard input
    #[arg(long, value_name = "FILE", help_heading = "Revision (one of)")]
    pub app_spec: Option<PathBuf>,
    /// Key of a ConfigMap that holds the AppSpec
    #[arg(long, value_name = "NAME/KEY", value_parser = words::config_map, help_heading = "Revision (one of)")]
    pub config_map: Option<ConfigMapRevision>,
    /// Function whose alias moves to --target-version: writes the AppSpec for you
    #[arg(long, value_name = "NAME", requires = "target_version", help_heading = "Revision (one of)")]
    pub function: Option<String>,
    /// PodTemplate that the group's service is to run: writes the AppSpec for you
    #[arg(long, value_name = "NAME", help_heading = "Revision (one of)")]
    pub task_definition: Option<String>,
    /// The bundle, on Server
    #[command(flatten)]
    pub bundle: BundleShortcut,
    /// What the AppSpec of --function says besides the name
    #[command(flatten)]
    pub shortcut: Shortcut,
    /// What the AppSpec of --task-definition says besides the name
    #[command(flatten)]
    pub service: ServiceShortcut,
    /// The hooks that both have
    #[command(flatten)]
    pub traffic_hooks: TrafficHooks,
    /// What this run is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// DeploymentConfig or CodeDeployDefault.* name, instead of the group's
    #[arg(long, value_name = "NAME")]
    pub deployment_config_name: Option<String>,
    /// Roll back after these, instead of what the group says: DeploymentFailure, DeploymentStopOnAlarm, DeploymentStopOnRequest
    #[arg(long, value_name = "EVENTS", value_delimiter = ',', value_parser = words::rollback_event)]
    pub auto_rollback_events: Vec<RollbackEvent>,
    /// Don't roll back, whatever the group says
    #[arg(long, conflicts_with = "auto_rollback_events")]
    pub no_auto_rollback: bool,
    /// Name of the Deployment; the default is generated from the group's
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Print the manifest and create nothing; "server" has the API server check it too
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub dry_run: Option<DryRun>,
    /// Go on as `watch`
    #[arg(long, conflicts_with_all = ["dry_run", "output"])]
    pub watch: bool,
    /// With --watch: give up after this long (90s, 5m, 1h30m)
    #[arg(long, value_name = "DURATION", value_parser = words::duration, requires = "watch")]
    pub timeout: Option<SignedDuration>,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

impl Create {
    /// The group; clap has seen to it that there is one.
    pub fn group(&self) -> &str {
        self.group.as_deref().or(self.deployment_group.as_deref()).unwrap_or_default()
    }
}

/// Where a bundle for hosts lies, and what the hosts do with it.
#[derive(Clone, Debug, Default, Args)]
pub struct BundleShortcut {
    /// Object in S3-compatible storage, as AWS writes it: bucket=B,key=K[,bundleType=tar|tgz|zip][,version=V][,eTag=E][,endpoint=URL][,region=R]
    #[arg(long, value_name = "LOCATION", value_parser = locations::s3, help_heading = "Revision (one of)")]
    pub s3_location: Option<S3Revision>,
    /// Commit on GitHub: repository=OWNER/NAME,commitId=SHA1[,bundleType=tar|zip][,apiUrl=URL]
    #[arg(long, alias = "git-hub-location", value_name = "LOCATION", value_parser = locations::git_hub, help_heading = "Revision (one of)")]
    pub github_location: Option<GitHubRevision>,
    /// File over HTTP(S): url=URL,sha256=HEX[,bundleType=tar|tgz|zip]
    #[arg(long, value_name = "LOCATION", value_parser = locations::http, help_heading = "Revision (one of)")]
    pub http_location: Option<HttpRevision>,
    /// OCI artifact by its digest: HOST/REPOSITORY@sha256:HEX
    #[arg(long, value_name = "IMAGE", value_parser = locations::oci, help_heading = "Revision (one of)")]
    pub oci_image: Option<OciRevision>,
    /// Run the group's last successful revision again, without installing its files
    #[arg(long, help_heading = "Revision (one of)")]
    pub restart: bool,
    /// Secret with the credentials of the bundle's source
    #[arg(
        help_heading = "On Server",
        long,
        value_name = "NAME",
        requires = "bundle",
        conflicts_with = "http_location"
    )]
    pub secret: Option<String>,
    /// What to do with files that are there and not the group's: DISALLOW, OVERWRITE, RETAIN
    #[arg(help_heading = "On Server", long, value_name = "BEHAVIOR", value_parser = words::file_exists_behavior)]
    pub file_exists_behavior: Option<FileExistsBehavior>,
    /// Pass over failures of ApplicationStop, BeforeBlockTraffic and AfterBlockTraffic
    #[arg(help_heading = "On Server", long)]
    pub ignore_application_stop_failures: bool,
    /// Leave hosts alone that have the revision already
    #[arg(help_heading = "On Server", long, conflicts_with = "restart")]
    pub update_outdated_instances_only: bool,
}

/// The rest of a function's AppSpec.
#[derive(Clone, Debug, Default, Args)]
pub struct Shortcut {
    /// Version that gets the traffic
    #[arg(help_heading = "With --function", long, value_name = "VERSION", requires = "function", conflicts_with_all = ["app_spec", "config_map"])]
    pub target_version: Option<String>,
    /// Alias to move; may be left out if the group has only one
    #[arg(help_heading = "With --function", long, value_name = "NAME", requires = "function", conflicts_with_all = ["app_spec", "config_map"])]
    pub alias: Option<String>,
    /// Version that must have the traffic now; left out, whichever has it
    #[arg(help_heading = "With --function", long, value_name = "VERSION", requires = "function", conflicts_with_all = ["app_spec", "config_map"])]
    pub current_version: Option<String>,
}

/// The rest of a service's AppSpec.
#[derive(Clone, Debug, Default, Args)]
pub struct ServiceShortcut {
    /// Container that serves; may be left out if the PodTemplate has only one
    #[arg(help_heading = "With --task-definition", long, value_name = "NAME", requires = "task_definition", conflicts_with_all = ["app_spec", "config_map", "function"])]
    pub container: Option<String>,
    /// Its port; may be left out if the container names only one
    #[arg(help_heading = "With --task-definition", long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), requires = "task_definition", conflicts_with_all = ["app_spec", "config_map", "function"])]
    pub container_port: Option<u16>,
    /// LifecycleHook to run before the replacement is made
    #[arg(help_heading = "With --task-definition", long, value_name = "HOOK", requires = "task_definition", conflicts_with_all = ["app_spec", "config_map", "function"])]
    pub before_install: Option<String>,
    /// LifecycleHook to run when all of its pods are ready
    #[arg(help_heading = "With --task-definition", long, value_name = "HOOK", requires = "task_definition", conflicts_with_all = ["app_spec", "config_map", "function"])]
    pub after_install: Option<String>,
    /// LifecycleHook to run when test requests reach it
    #[arg(help_heading = "With --task-definition", long, value_name = "HOOK", requires = "task_definition", conflicts_with_all = ["app_spec", "config_map", "function"])]
    pub after_allow_test_traffic: Option<String>,
}

/// The hooks of an AppSpec that is written here, whatever it deploys.
#[derive(Clone, Debug, Default, Args)]
pub struct TrafficHooks {
    /// LifecycleHook to run before traffic moves
    #[arg(help_heading = "With --function or --task-definition", long, value_name = "HOOK", requires = "written", conflicts_with_all = ["app_spec", "config_map"])]
    pub before_allow_traffic: Option<String>,
    /// LifecycleHook to run when all traffic has moved
    #[arg(help_heading = "With --function or --task-definition", long, value_name = "HOOK", requires = "written", conflicts_with_all = ["app_spec", "config_map"])]
    pub after_allow_traffic: Option<String>,
}

/// Who looks at a manifest that is not to be stored.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Only this program.
    Client,
    /// The API server too.
    Server,
}
