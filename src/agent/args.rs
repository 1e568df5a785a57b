//! The command line of `sluice-agent`, and nothing of what it does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::host::WorkingDirectory;
use super::trust::Trust;
use crate::api::{EventName, FileExistsBehavior};
use crate::appspec::ServerEvent;

/// Where CodeDeploy's agent keeps things, too: scripts that build paths below it run unchanged.
pub const ROOT_DIR: &str = "/opt/codedeploy-agent/deployment-root";
/// CodeDeploy's, and the order in which events come.
const EVENTS: &str = "BeforeBlockTraffic,AfterBlockTraffic,ApplicationStop,DownloadBundle,BeforeInstall,Install,AfterInstall,\
                      ApplicationStart,ValidateService,BeforeAllowTraffic,AfterAllowTraffic";

/// Deployments the CodeDeploy way: the agent of one host.
#[derive(Debug, Parser)]
#[command(name = "sluice-agent", version)]
pub struct CommandLine {
    /// What to do; without a word, run.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// What is logged: levels by target, such as info or info,sluice=debug.
    #[arg(long, global = true)]
    pub log_level: Option<Targets>,
    /// text or json.
    #[arg(long, global = true, default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
    /// Flags of run, for when the word is left out.
    #[command(flatten)]
    pub run: Run,
}

impl CommandLine {
    /// What is logged: of a deployment by hand only what went wrong.
    pub fn log_level(&self) -> Targets {
        let by_hand = matches!(self.verb, Some(Verb::DeployLocal(_)));
        let usual = if by_hand { LevelFilter::ERROR } else { LevelFilter::INFO };
        self.log_level.clone().unwrap_or_else(|| Targets::new().with_default(usual))
    }
}

/// What the agent does.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Carry out what the cluster assigns to this host (the default).
    Run(Run),
    /// Deploy a bundle to this host without any cluster.
    DeployLocal(Box<DeployLocal>),
}

/// Flags of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct Run {
    /// The configuration file, as `kubectl sluice register` prints it. [default: /etc/sluice-agent/config.yaml]
    #[arg(long, env = "SLUICE_AGENT_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder that deployments live in; wins over the configuration's rootDir. [default: /opt/codedeploy-agent/deployment-root]
    #[arg(long)]
    pub root_dir: Option<PathBuf>,
}

/// How a bundle is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Packing {
    /// Not at all.
    Directory,
    /// A tar archive.
    Tar,
    /// A tar archive, compressed with gzip.
    Tgz,
    /// A zip archive.
    Zip,
}

/// Flags of `deploy-local`.
#[derive(Debug, Args)]
pub struct DeployLocal {
    /// The bundle on this host's disk: a folder, or a file that --type says the packing of.
    #[arg(short = 'l', long, default_value = ".")]
    pub bundle_location: PathBuf,
    /// How the bundle is packed.
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "directory")]
    pub packing: Packing,
    /// What happens to files that are there and not the group's: DISALLOW, OVERWRITE or RETAIN; the AppSpec's own word wins.
    #[arg(short = 'b', long, default_value = "DISALLOW", value_parser = file_exists_behavior)]
    pub file_exists_behavior: FileExistsBehavior,
    /// The deployment group's id: deployments of one group follow each other.
    #[arg(short = 'g', long, default_value = "default-local-deployment-group")]
    pub deployment_group: String,
    /// The group's name, for scripts (DEPLOYMENT_GROUP_NAME).
    #[arg(short = 'd', long, default_value = "LocalFleet")]
    pub deployment_group_name: String,
    /// The application's name, for scripts (APPLICATION_NAME). [default: the bundle's location]
    #[arg(short = 'a', long)]
    pub application_name: Option<String>,
    /// The deployment's id (DEPLOYMENT_ID). [default: one that is made up]
    #[arg(long)]
    pub deployment_id: Option<String>,
    /// The events to run, in this order; DownloadBundle and Install have their place among them, named or not. Events of one's own are not taken.
    #[arg(short = 'e', long, value_delimiter = ',', default_value = EVENTS, value_parser = event)]
    pub events: Vec<EventName>,
    /// Another name of the AppSpec. [default: appspec.yml, then appspec.yaml]
    #[arg(short = 'A', long)]
    pub appspec_filename: Option<String>,
    /// The folder that deployments live in.
    #[arg(long, default_value = ROOT_DIR)]
    pub root_dir: PathBuf,
    /// Where scripts run; "revision" stands for the root of the revision that they belong to.
    #[arg(long, default_value = "/", value_parser = working_directory)]
    pub working_dir: WorkingDirectory,
    /// Hand the whole environment on to scripts, not only PATH, HOME, the locale, TZ and the proxies.
    #[arg(long)]
    pub inherit_env: bool,
    /// Go on when ApplicationStop, BeforeBlockTraffic or AfterBlockTraffic fails.
    #[arg(long)]
    pub ignore_application_stop_failures: bool,
    /// Let that through although a bundle cannot be trusted with it; may be given several times.
    #[arg(long, value_name = "WHAT")]
    pub allow: Vec<Trust>,
    /// Leave a bundle's files to who runs this, whoever they belong to in it.
    #[arg(long)]
    pub ignore_ownership: bool,
    /// json for programs; text if it is not given.
    #[arg(short = 'o', long, value_parser = ["json", "text"])]
    pub output: Option<String>,
}

impl DeployLocal {
    /// What is wrong with flags that are right one by one, or do not fit what is there.
    pub fn problem(&self) -> Option<String> {
        self.problem_of_location().or_else(|| self.problem_of_events())
    }

    /// The events to run: as named, and DownloadBundle and Install before the first one that comes after them.
    pub fn course(&self) -> Vec<EventName> {
        let mut course = self.events.clone();
        for needed in [EventName::DownloadBundle, EventName::Install] {
            if !course.contains(&needed) {
                let from = course
                    .iter()
                    .position(|event| *event == EventName::DownloadBundle)
                    .map_or(0, |at| at + 1);
                let later = course[from..].iter().position(|event| place(*event) > place(needed));
                course.insert(later.map_or(course.len(), |at| from + at), needed);
            }
        }
        course
    }

    fn problem_of_location(&self) -> Option<String> {
        let location = self.bundle_location.to_string_lossy();
        let what = match (self.packing, self.bundle_location.metadata()) {
            _ if location.contains("://") => {
                "is no path: deploy-local takes a bundle that is on this disk; download it first, and name \
                 the file or folder (on hosts of a group the Deployment names where it is)"
                    .into()
            }
            (_, Err(error)) => format!("cannot be looked at: {error}"),
            (Packing::Directory, Ok(there)) if !there.is_dir() => {
                "is no folder: name one, or say with --type how the file is packed".into()
            }
            (packing, Ok(there)) if packing != Packing::Directory && !there.is_file() => {
                "is no file: name the archive, or say --type directory".into()
            }
            _ => return None,
        };
        Some(format!("--bundle-location {location} {what}"))
    }

    fn problem_of_events(&self) -> Option<String> {
        let named = |event: EventName| self.events.iter().position(|e| *e == event);
        let twice = self.events.iter().enumerate().find(|(at, event)| named(**event) != Some(*at));
        if let Some((_, event)) = twice {
            return Some(format!("--events names {event} twice"));
        }
        // As CodeDeploy has it: what comes after one of the two never comes before it.
        for (needed, what) in
            [(EventName::DownloadBundle, "the bundle"), (EventName::Install, "what it installs")]
        {
            let before = &self.events[..named(needed).unwrap_or_default()];
            if let Some(early) = before.iter().find(|event| place(**event) > place(needed)) {
                return Some(format!("--events: {early} needs {what}; name it after {needed}"));
            }
        }
        None
    }
}

/// Where an event comes in CodeDeploy's order.
fn place(event: EventName) -> Option<usize> {
    EVENTS.split(',').position(|name| name == event.to_string())
}

fn event(text: &str) -> Result<EventName, String> {
    if ServerEvent::named(text).is_none() && !["DownloadBundle", "Install"].contains(&text) {
        let known: Vec<&str> = ServerEvent::ALL.iter().map(|event| event.name()).collect();
        return Err(format!(
            "no event of a host is named so; there are DownloadBundle, Install, {}. An event of one's own, as AWS's local \
             program takes it, would run on no host of a group: give its scripts to one of these",
            known.join(", ")
        ));
    }
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn file_exists_behavior(text: &str) -> Result<FileExistsBehavior, String> {
    match text.to_uppercase().as_str() {
        "DISALLOW" => Ok(FileExistsBehavior::Disallow),
        "OVERWRITE" => Ok(FileExistsBehavior::Overwrite),
        "RETAIN" => Ok(FileExistsBehavior::Retain),
        _ => Err("DISALLOW, OVERWRITE or RETAIN is meant".into()),
    }
}

/// `revision`, or a folder.
pub fn working_directory(text: &str) -> Result<WorkingDirectory, String> {
    match text {
        "revision" => Ok(WorkingDirectory::Revision),
        "" => Err("a folder is meant, or revision".into()),
        path => Ok(WorkingDirectory::Path(path.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deploy_local(line: &str) -> Result<DeployLocal, String> {
        let line = format!("sluice-agent deploy-local {line}");
        match CommandLine::try_parse_from(line.split_whitespace()).map_err(|e| e.to_string())?.verb {
            Some(Verb::DeployLocal(args)) => Ok(*args),
            verb => Err(format!("{verb:?}")),
        }
    }

    #[test]
    fn the_defaults_are_codedeploys() {
        let args = deploy_local("").unwrap();
        assert_eq!(args.bundle_location, PathBuf::from("."));
        assert_eq!(args.packing, Packing::Directory);
        assert_eq!(args.deployment_group, "default-local-deployment-group");
        assert_eq!(args.deployment_group_name, "LocalFleet");
        assert_eq!(args.events.len(), 11);
        assert_eq!(args.course(), args.events);
        assert_eq!(args.working_dir, WorkingDirectory::Path("/".into()));
        assert_eq!(args.problem(), None);
    }

    #[test]
    fn events_are_hosts_events_each_once_and_the_bundle_comes_before_what_needs_it() {
        for (line, problem) in [
            ("--events Instal", "no event of a host"),
            ("--events BlockTraffic", "no event of a host"),
            ("--events ApplicationStart,HealthCheck", "An event of one's own"),
            ("--events AfterAllowTestTraffic", "no event of a host"),
            ("--type rar", "invalid value"),
        ] {
            let error = deploy_local(line).unwrap_err();
            assert!(error.contains(problem), "{line}: {error}");
        }
        let twice = deploy_local("-e ApplicationStop,ApplicationStop").unwrap().problem();
        assert_eq!(twice.as_deref(), Some("--events names ApplicationStop twice"));
        let early = deploy_local("-e ApplicationStop,BeforeInstall,DownloadBundle").unwrap().problem();
        assert!(early.unwrap().contains("BeforeInstall needs the bundle"));
        let early = deploy_local("-e DownloadBundle,AfterInstall,Install").unwrap().problem();
        assert!(early.unwrap().contains("AfterInstall needs what it installs; name it after Install"));
        assert_eq!(deploy_local("-e AfterInstall").unwrap().problem(), None);
    }

    #[test]
    fn the_bundle_comes_and_is_installed_in_its_place_whatever_events_are_named() {
        for (named, course) in [
            ("AfterInstall", "DownloadBundle,Install,AfterInstall"),
            ("BeforeInstall", "DownloadBundle,BeforeInstall,Install"),
            ("ApplicationStop", "ApplicationStop,DownloadBundle,Install"),
            ("DownloadBundle", "DownloadBundle,Install"),
            ("Install", "DownloadBundle,Install"),
            (
                "DownloadBundle,ValidateService,AfterInstall",
                "DownloadBundle,Install,ValidateService,AfterInstall",
            ),
            (
                "ApplicationStop,BeforeInstall,ApplicationStart",
                "ApplicationStop,DownloadBundle,BeforeInstall,Install,ApplicationStart",
            ),
            ("ValidateService,ApplicationStop", "DownloadBundle,Install,ValidateService,ApplicationStop"),
        ] {
            let args = deploy_local(&format!("--events {named}")).unwrap();
            let names: Vec<String> = args.course().iter().map(ToString::to_string).collect();
            assert_eq!((names.join(","), args.problem()), (course.into(), None), "{named}");
        }
    }

    #[test]
    fn a_bundle_that_is_elsewhere_or_not_as_it_is_said_is_wrong_usage() {
        for (words, problem) in [
            ("-l s3://releases/shop.tgz -t tgz", "download it first"),
            ("-l https://github.com/shop/web", "download it first"),
            ("-l nowhere", "--bundle-location nowhere cannot be looked at"),
            ("-l Cargo.toml", "is no folder"),
            ("-l src -t tar", "is no file"),
        ] {
            let said = deploy_local(words).unwrap().problem().unwrap_or_default();
            assert!(said.contains(problem), "{words}: {said}");
        }
    }

    #[test]
    fn run_is_what_is_done_without_a_word() {
        let line = CommandLine::try_parse_from(["sluice-agent", "--config", "c.yaml"]).unwrap();
        assert!(line.verb.is_none());
        assert_eq!(line.run.config, Some("c.yaml".into()));
    }
}
