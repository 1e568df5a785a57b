//! The command line as clap reads it: verbs, flags and their spellings. Gives typed values; asks nothing of the cluster,
//! reads no files and knows no output.
//!
//! Verbs and flags are those of `aws deploy` where one exists; habits of flags (`-n`, `-o`, `-A`) are kubectl's.

mod appspec;
mod create;
mod host;
mod push;
mod targets;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;

pub use self::appspec::{Appspec, LintFlags, LintFormat};
pub use self::create::{BundleShortcut, Create, DryRun, ServiceShortcut, Shortcut, TrafficHooks};
pub use self::host::{Deregister, Register};
pub use self::push::{Push, PushFormat};
pub use self::targets::{GetTarget, ListTargets};
use super::words;
use crate::api::{HookAnswer, Phase};

/// Deployments the CodeDeploy way, on any Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "kubectl-sluice", bin_name = "kubectl sluice", version, disable_help_subcommand = true)]
pub struct CommandLine {
    /// Which cluster and namespace.
    #[command(flatten)]
    pub target: Target,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Which cluster and namespace; allowed before and after the verb.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Target {
    /// Namespace; the default is that of the context
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig file; the default is $KUBECONFIG, then ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start a Deployment of a revision
    CreateDeployment(Box<Create>),
    /// Show one Deployment with its lifecycle events and traffic
    GetDeployment(GetDeployment),
    /// List Deployments, newest first
    ListDeployments(ListDeployments),
    /// List the hosts of a Deployment on Server, and how each stands
    ListDeploymentTargets(ListTargets),
    /// Show one host of a Deployment on Server: events, diagnostics, log
    GetDeploymentTarget(GetTarget),
    /// Ask a Deployment to stop
    StopDeployment(Stop),
    /// End a wait of a Deployment early
    ContinueDeployment(Continue),
    /// Answer a lifecycle hook that was called and said "later"
    PutLifecycleEventHookExecutionStatus(Answer),
    /// Show one DeploymentGroup
    GetDeploymentGroup(GetGroup),
    /// List DeploymentGroups
    ListDeploymentGroups(ListGroups),
    /// List Applications
    ListApplications(ListFlags),
    /// List DeploymentConfigs and the predefined CodeDeployDefault.* ones
    ListDeploymentConfigs(ListFlags),
    /// Make a host known: its Instance, its account and rights, and the file for its agent
    Register(Box<Register>),
    /// Take a host's rights and its Instance away
    Deregister(Deregister),
    /// Follow a Deployment to its end: exit code 0 if it succeeded, 1 if it failed or was stopped
    Watch(Watch),
    /// Wait in silence for an end
    #[command(subcommand)]
    Wait(Wait),
    /// Look at AppSpec files, without any cluster
    #[command(subcommand)]
    Appspec(Appspec),
    /// Bundle a folder, upload it to S3-compatible storage, and print the revision
    Push(Push),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Print the version of this program and of the API it speaks
    Version,
}

/// How objects are printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The object, or a List of them, as JSON.
    Json,
    /// The same as YAML.
    Yaml,
    /// A table with more columns.
    Wide,
    /// `kind.group/name`, one a line.
    Name,
}

/// `-o`, wherever objects are printed.
#[derive(Clone, Debug, Default, Args)]
pub struct Output {
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
}

/// Flags of every list.
#[derive(Clone, Debug, Default, Args)]
pub struct ListFlags {
    /// All namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

/// A Deployment by name, as a word or as `--deployment-id`.
#[derive(Clone, Debug, Args)]
pub struct DeploymentName {
    /// Name of the Deployment
    #[arg(value_name = "NAME", required_unless_present = "deployment_id")]
    name: Option<String>,
    /// The same as NAME
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    deployment_id: Option<String>,
}

impl DeploymentName {
    /// The name; clap has seen to it that there is one.
    pub fn name(&self) -> &str {
        self.name.as_deref().or(self.deployment_id.as_deref()).unwrap_or_default()
    }
}

/// `get-deployment`
#[derive(Clone, Debug, Args)]
pub struct GetDeployment {
    /// Which one
    #[command(flatten)]
    pub deployment: DeploymentName,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

/// `list-deployments`
#[derive(Clone, Debug, Args)]
pub struct ListDeployments {
    /// Only those of this group
    #[arg(short = 'g', long, alias = "deployment-group-name", value_name = "GROUP")]
    pub deployment_group: Option<String>,
    /// Only those in these phases
    #[arg(long, alias = "include-only-statuses", value_name = "PHASES", value_delimiter = ',', value_parser = words::phase)]
    pub phase: Vec<Phase>,
    /// Flags of every list
    #[command(flatten)]
    pub list: ListFlags,
}

/// `stop-deployment`
#[derive(Clone, Debug, Args)]
pub struct Stop {
    /// Which one
    #[command(flatten)]
    pub deployment: DeploymentName,
    /// Roll back afterwards; without either flag the group's settings decide
    #[arg(long)]
    pub auto_rollback_enabled: bool,
    /// Don't roll back afterwards
    #[arg(long, conflicts_with = "auto_rollback_enabled")]
    pub no_auto_rollback_enabled: bool,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

impl Stop {
    /// What was said about the rollback; `None` leaves it to the group.
    pub fn auto_rollback(&self) -> Option<bool> {
        match (self.auto_rollback_enabled, self.no_auto_rollback_enabled) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// `continue-deployment`
#[derive(Clone, Debug, Args)]
pub struct Continue {
    /// Which one
    #[command(flatten)]
    pub deployment: DeploymentName,
    /// The wait to end: READY_WAIT (before traffic moves) or TERMINATION_WAIT (before the original is terminated)
    #[arg(long, value_name = "WAIT", default_value = "READY_WAIT", value_parser = words::wait_type)]
    pub deployment_wait_type: WaitType,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

/// The waits that a person can end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum WaitType {
    /// Before traffic moves.
    ReadyWait,
    /// Before the original is terminated.
    TerminationWait,
}

/// `put-lifecycle-event-hook-execution-status`
#[derive(Clone, Debug, Args)]
pub struct Answer {
    /// Which Deployment
    #[command(flatten)]
    pub deployment: DeploymentName,
    /// The id that the hook was called with
    #[arg(long, value_name = "ID", value_parser = words::execution_id)]
    pub lifecycle_event_hook_execution_id: String,
    /// Succeeded or Failed
    #[arg(long, value_parser = words::hook_answer)]
    pub status: HookAnswer,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

/// `get-deployment-group`
#[derive(Clone, Debug, Args)]
pub struct GetGroup {
    /// Name of the DeploymentGroup
    #[arg(value_name = "NAME", required_unless_present = "deployment_group_name")]
    name: Option<String>,
    /// The same as NAME
    #[arg(short = 'g', long, alias = "deployment-group", value_name = "NAME", conflicts_with = "name")]
    deployment_group_name: Option<String>,
    /// Output format
    #[command(flatten)]
    pub output: Output,
}

impl GetGroup {
    /// The name; clap has seen to it that there is one.
    pub fn name(&self) -> &str {
        self.name.as_deref().or(self.deployment_group_name.as_deref()).unwrap_or_default()
    }
}

/// `list-deployment-groups`
#[derive(Clone, Debug, Args)]
pub struct ListGroups {
    /// Only those of this Application
    #[arg(long, value_name = "APPLICATION")]
    pub application_name: Option<String>,
    /// Flags of every list
    #[command(flatten)]
    pub list: ListFlags,
}

/// `watch`
#[derive(Clone, Debug, Args)]
#[command(after_help = "Exit codes:
  0  the Deployment succeeded
  1  it failed or was stopped
  2  anything else: usage, no such Deployment, deleted meanwhile, no connection at the start, timeout")]
pub struct Watch {
    /// Which one
    #[command(flatten)]
    pub deployment: DeploymentName,
    /// Give up after this long (90s, 5m, 1h30m)
    #[arg(long, value_name = "DURATION", value_parser = words::duration)]
    pub timeout: Option<SignedDuration>,
}

/// `wait`
#[derive(Clone, Debug, Subcommand)]
pub enum Wait {
    /// Wait until a Deployment has ended; exit codes as of `watch`
    DeploymentSuccessful(Watch),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RollbackEvent;

    fn read(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(std::iter::once("kubectl-sluice").chain(line.split_whitespace()))
    }

    fn create(line: &str) -> Create {
        match read(line).unwrap().verb {
            Verb::CreateDeployment(create) => *create,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_commands_definition_holds_together() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_group_is_given_as_a_word_or_by_any_of_its_flags() {
        for way in ["g1", "-g g1", "--deployment-group g1", "--deployment-group-name g1"] {
            let line = format!("create-deployment {way} --config-map a/b");
            assert_eq!(create(&line).group(), "g1", "{way}");
        }
        assert!(read("create-deployment --config-map a/b").is_err());
        assert!(read("create-deployment g1 -g g1 --config-map a/b").is_err());
    }

    #[test]
    fn exactly_one_source_of_the_revision_is_taken() {
        assert!(read("create-deployment g").is_err());
        assert!(read("create-deployment g --config-map a/b --app-spec f").is_err());
        assert!(read("create-deployment g --function f --app-spec f --target-version 2").is_err());
        assert!(read("create-deployment g --function f").is_err(), "no target version");
        assert!(read("create-deployment g --app-spec f --target-version 2").is_err(), "no function");
        assert!(read("create-deployment g --task-definition t --function f --target-version 2").is_err());
        assert!(read("create-deployment g --function f --target-version 2 --container c").is_err());
        assert!(read("create-deployment g --config-map a/b --after-allow-traffic h").is_err(), "not ours");
        assert!(read("create-deployment g --task-definition t --container-port 0").is_err());
        for broken in ["a", "/b", "a/", "a/b/c"] {
            assert!(read(&format!("create-deployment g --config-map {broken}")).is_err(), "{broken}");
        }
    }

    #[test]
    fn both_kinds_of_shortcut_have_the_hooks_around_traffic() {
        for what in ["--function f --target-version 2", "--task-definition t"] {
            let line = format!("create-deployment g {what} --before-allow-traffic a --after-allow-traffic b");
            let hooks = create(&line).traffic_hooks;
            assert_eq!(
                (hooks.before_allow_traffic.as_deref(), hooks.after_allow_traffic.as_deref()),
                (Some("a"), Some("b"))
            );
        }
        let service =
            create("create-deployment g --task-definition t --container-port 8080 --after-install h").service;
        assert_eq!((service.container_port, service.after_install.as_deref()), (Some(8080), Some("h")));
    }

    #[test]
    fn enumerations_are_understood_in_both_spellings() {
        let ours = create("create-deployment g --config-map a/b --auto-rollback-events DeploymentFailure");
        let awss = create(
            "create-deployment g --config-map a/b --auto-rollback-events DEPLOYMENT_FAILURE,DEPLOYMENT_STOP_ON_REQUEST",
        );
        assert_eq!(ours.auto_rollback_events, [RollbackEvent::DeploymentFailure]);
        assert_eq!(awss.auto_rollback_events.len(), 2);
        let wait = |line: &str| match read(line).unwrap().verb {
            Verb::ContinueDeployment(c) => c.deployment_wait_type,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("continue-deployment x"), WaitType::ReadyWait);
        assert_eq!(
            wait("continue-deployment x --deployment-wait-type TERMINATION_WAIT"),
            WaitType::TerminationWait
        );
        let error = read("list-deployments --phase Done").unwrap_err().to_string();
        assert!(error.contains("one of Created, Queued, InProgress"), "{error}");
    }

    #[test]
    fn a_deployment_is_named_as_a_word_or_as_an_id() {
        for line in ["watch x", "watch --deployment-id x", "wait deployment-successful --deployment-id x"] {
            match read(line).unwrap().verb {
                Verb::Watch(w) | Verb::Wait(Wait::DeploymentSuccessful(w)) => {
                    assert_eq!(w.deployment.name(), "x")
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(read("watch").is_err() && read("watch x --deployment-id y").is_err());
    }

    #[test]
    fn the_clusters_flags_stand_before_or_after_the_verb() {
        for line in ["-n prod list-applications", "list-applications -n prod"] {
            assert_eq!(read(line).unwrap().target.namespace.as_deref(), Some("prod"));
        }
    }

    #[test]
    fn a_dry_run_may_name_who_looks() {
        let dry = |flag: &str| create(&format!("create-deployment g --config-map a/b {flag}")).dry_run;
        assert_eq!(dry(""), None);
        assert_eq!(dry("--dry-run"), Some(DryRun::Client));
        assert_eq!(dry("--dry-run=server"), Some(DryRun::Server));
    }

    #[test]
    fn a_stop_may_leave_the_rollback_to_the_group() {
        let stop = |line: &str| match read(line).unwrap().verb {
            Verb::StopDeployment(stop) => stop.auto_rollback(),
            other => panic!("{other:?}"),
        };
        assert_eq!(stop("stop-deployment x"), None);
        assert_eq!(stop("stop-deployment x --auto-rollback-enabled"), Some(true));
        assert_eq!(stop("stop-deployment x --no-auto-rollback-enabled"), Some(false));
        assert!(read("stop-deployment x --auto-rollback-enabled --no-auto-rollback-enabled").is_err());
    }
}
