//! One function a verb: what is read, what is written, what is printed. The words are `render`'s, the patches `change`'s.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};

use super::args::{
    Answer, Appspec, CommandLine, Continue, Create, DryRun, Format, GetDeployment, GetGroup, ListDeployments,
    ListFlags, ListGroups, Output, ServiceShortcut, Stop, Target, Verb, Wait, Watch,
};
use super::change;
use super::clock;
use super::connect::{Session, connect};
use super::create::{self, Checked};
use super::error::Error;
use super::fetch::{self, Found, Kind};
use super::lint;
use super::pod_template::{self, PodTemplate};
use super::push;
use super::register;
use super::render::{self, Columns, Extent, Hosts};
use super::screen::{self, Screen, print, tell};
use super::targets;
use super::watch::{Followed, exit_code, follow};
use crate::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, Revision, VERSION};

/// The field manager of everything that the user asked for in a merge patch.
const FIELD_MANAGER: &str = "kubectl-sluice";

/// Does what the line says and gives the exit code.
///
/// # Errors
/// Whatever kept it from being done.
pub async fn run(line: CommandLine) -> Result<u8, Error> {
    let target = &line.target;
    match line.verb {
        Verb::CreateDeployment(args) => return create_deployment(target, &args).await,
        Verb::Watch(args) => return watch(target, &args, Screen::for_stdout()).await,
        Verb::Wait(Wait::DeploymentSuccessful(args)) => return watch(target, &args, Screen::Silent).await,
        Verb::Appspec(Appspec::Lint(args)) => return lint::run(&args),
        Verb::GetDeployment(args) => get_deployment(&connect(target).await?, &args).await?,
        Verb::ListDeployments(args) => list_deployments(&connect(target).await?, &args).await?,
        Verb::ListDeploymentTargets(args) => targets::list(&connect(target).await?, &args).await?,
        Verb::GetDeploymentTarget(args) => targets::get(&connect(target).await?, &args).await?,
        Verb::Register(args) => register::register(&connect(target).await?, &args).await?,
        Verb::Deregister(args) => register::deregister(&connect(target).await?, &args).await?,
        Verb::StopDeployment(args) => stop_deployment(&connect(target).await?, &args).await?,
        Verb::ContinueDeployment(args) => continue_deployment(&connect(target).await?, &args).await?,
        Verb::PutLifecycleEventHookExecutionStatus(args) => {
            answer_hook(&connect(target).await?, &args).await?
        }
        Verb::GetDeploymentGroup(args) => get_group(&connect(target).await?, &args).await?,
        Verb::ListDeploymentGroups(args) => list_groups(&connect(target).await?, &args).await?,
        Verb::ListApplications(args) => list_applications(&connect(target).await?, &args).await?,
        Verb::ListDeploymentConfigs(args) => list_configs(&connect(target).await?, &args).await?,
        Verb::Push(args) => push::run(&args).await?,
        Verb::Completion { shell } => complete(shell)?,
        Verb::Version => {
            print(&format!("kubectl-sluice {} (sluice.dev/{VERSION})\n", env!("CARGO_PKG_VERSION")))?
        }
    }
    Ok(0)
}

fn complete(shell: clap_complete::Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "kubectl-sluice", &mut script);
    print(&String::from_utf8_lossy(&script))
}

async fn create_deployment(target: &Target, args: &Create) -> Result<u8, Error> {
    let checked = revision(target, args).await?;
    for warning in &checked.warnings {
        tell(&format!("warning: {warning}"));
    }
    let manifest = create::manifest(args, checked.revision, target.namespace.as_deref());
    if args.dry_run == Some(DryRun::Client) {
        let is_yaml = args.output.output != Some(Format::Json);
        print(&render::document(&[manifest], Extent::One, is_yaml)?)?;
        return Ok(0);
    }
    let session = connect(target).await?;
    let dry_run = args.dry_run == Some(DryRun::Server);
    let params = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.into()) };
    let raw: DynamicObject = serde_json::to_value(&manifest)
        .and_then(serde_json::from_value)
        .map_err(|e| Error::Unwritable(e.to_string()))?;
    let created = Found::new(fetch::raw_api::<Deployment>(&session, false).create(&params, &raw).await?)?;
    let how = if dry_run { "created (server dry run)" } else { "created" };
    report(&created, &args.output, how)?;
    if !args.watch {
        return Ok(0);
    }
    let followed = Followed {
        name: created.read.name_any(),
        uid: created.read.metadata.uid.clone(),
        timeout: args.timeout,
    };
    follow_to_end(&session, &followed, Screen::for_stdout()).await
}

async fn revision(target: &Target, args: &Create) -> Result<Checked, Error> {
    if let Some(path) = &args.app_spec {
        let file = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
        let text =
            if path == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
        let text = text.map_err(|source| Error::Read { what: file.clone(), source })?;
        return create::from_file(&file, text);
    }
    if let Some(function) = &args.function {
        let alias = match &args.shortcut.alias {
            Some(alias) => alias.clone(),
            None => {
                let group = fetch::get::<DeploymentGroup>(&connect(target).await?, args.group()).await?;
                create::only_alias(args.group(), group.read.spec.function.as_ref())?.to_owned()
            }
        };
        return create::from_function(function, &args.shortcut, &args.traffic_hooks, &alias);
    }
    if let Some(name) = &args.task_definition {
        let served = served_port(target, name, &args.service).await?;
        return create::from_task_definition(name, &args.service, &args.traffic_hooks, served);
    }
    let config_map = args.config_map.clone();
    let config_map = config_map.map(|c| Revision { config_map: Some(c), ..Revision::default() });
    Ok(Checked { revision: config_map.or_else(|| create::bundle(&args.bundle)), warnings: Vec::new() })
}

/// The container that serves and its port: the PodTemplate is read only if the flags leave one of them out.
async fn served_port(target: &Target, name: &str, flags: &ServiceShortcut) -> Result<(String, u16), Error> {
    if let (Some(container), Some(port)) = (&flags.container, flags.container_port) {
        return Ok((container.clone(), port));
    }
    create::check_task_definition(name)?;
    let found = fetch::get::<PodTemplate>(&connect(target).await?, name).await?;
    pod_template::served_port(&found.read, flags)
}

async fn get_deployment(session: &Session, args: &GetDeployment) -> Result<(), Error> {
    let found = fetch::get::<Deployment>(session, args.deployment.name()).await?;
    show_one(
        &found,
        &args.output,
        |d| render::frame(d, &Hosts::new(), screen::look(), clock::now()),
        |all, columns| render::deployments(all, columns, clock::now()),
    )
}

async fn list_deployments(session: &Session, args: &ListDeployments) -> Result<(), Error> {
    let mut found = fetch::list::<Deployment>(session, args.list.all_namespaces).await?;
    let is_wanted = |d: &Deployment| {
        let in_group = args.deployment_group.as_ref().is_none_or(|g| d.spec.deployment_group_ref.name == *g);
        in_group && (args.phase.is_empty() || args.phase.contains(&d.phase()))
    };
    found.retain(|f| is_wanted(&f.read));
    let created = |f: &Found<Deployment>| f.read.metadata.creation_timestamp.as_ref().map(|t| t.0);
    found.sort_by(|a, b| created(b).cmp(&created(a)).then_with(|| a.read.name().cmp(b.read.name())));
    show_list(session, &found, &args.list, |all, columns| render::deployments(all, columns, clock::now()))
}

async fn stop_deployment(session: &Session, args: &Stop) -> Result<(), Error> {
    let found = merge(session, args.deployment.name(), change::stop_patch(args.auto_rollback())).await?;
    let answer = change::stop_answer(&found.read)?;
    report(&found, &args.output, &format!("stop {answer}"))
}

async fn continue_deployment(session: &Session, args: &Continue) -> Result<(), Error> {
    let patch = change::continue_patch(args.deployment_wait_type);
    let found = merge(session, args.deployment.name(), patch).await?;
    let answer = change::continue_answer(&found.read, args.deployment_wait_type);
    report(&found, &args.output, &format!("continued: {answer}"))
}

async fn merge(session: &Session, name: &str, patch: serde_json::Value) -> Result<Found<Deployment>, Error> {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let api = fetch::raw_api::<Deployment>(session, false);
    let patched = api.patch(name, &params, &Patch::Merge(patch)).await;
    Found::new(patched.map_err(|e| change::refusal(name, e))?)
}

async fn answer_hook(session: &Session, args: &Answer) -> Result<(), Error> {
    let (name, id) = (args.deployment.name(), &args.lifecycle_event_hook_execution_id);
    let params = PatchParams::apply(&change::answer_manager(id));
    let api = fetch::raw_api::<Deployment>(session, false);
    let applied = api.patch(name, &params, &Patch::Apply(change::answer_patch(args))).await;
    let found: Found<Deployment> = Found::new(applied.map_err(|e| change::refusal(name, e))?)?;
    if !change::is_known_execution(&found.read, id) {
        tell(&format!("warning: no lifecycle event of \"{name}\" was called with the id {id}"));
    }
    report(&found, &args.output, &format!("hook {id} answered {:?}", args.status))
}

async fn get_group(session: &Session, args: &GetGroup) -> Result<(), Error> {
    let found = fetch::get::<DeploymentGroup>(session, args.name()).await?;
    show_one(
        &found,
        &args.output,
        |g| render::group(g, clock::now()),
        |all, columns| render::deployment_groups(all, columns, clock::now()),
    )
}

async fn list_groups(session: &Session, args: &ListGroups) -> Result<(), Error> {
    let mut found = fetch::list::<DeploymentGroup>(session, args.list.all_namespaces).await?;
    if let Some(application) = &args.application_name {
        found.retain(|f| f.read.spec.application_ref.name == *application);
    }
    show_list(session, &found, &args.list, |all, columns| {
        render::deployment_groups(all, columns, clock::now())
    })
}

async fn list_applications(session: &Session, args: &ListFlags) -> Result<(), Error> {
    let found = fetch::list::<Application>(session, args.all_namespaces).await?;
    show_list(session, &found, args, |all, columns| render::applications(all, columns, clock::now()))
}

async fn list_configs(session: &Session, args: &ListFlags) -> Result<(), Error> {
    let mut found = fetch::list::<DeploymentConfig>(session, args.all_namespaces).await?;
    for config in render::predefined_configs() {
        let raw = serde_json::to_value(&config).and_then(serde_json::from_value);
        found.push(Found::new(raw.map_err(|e| Error::Unwritable(e.to_string()))?)?);
    }
    show_list(session, &found, args, |all, columns| render::deployment_configs(all, columns, clock::now()))
}

async fn watch(target: &Target, args: &Watch, screen: Screen) -> Result<u8, Error> {
    let session = connect(target).await?;
    let followed = Followed { name: args.deployment.name().into(), uid: None, timeout: args.timeout };
    follow_to_end(&session, &followed, screen).await
}

async fn follow_to_end(session: &Session, followed: &Followed, mut screen: Screen) -> Result<u8, Error> {
    let end = follow(&session.watched()?, &session.watched()?, followed, &mut screen, clock::now).await?;
    let code = exit_code(end.phase());
    if code != 0 && matches!(screen, Screen::Silent) {
        tell(&format!("error: {}", render::verdict(&end)));
    }
    Ok(code)
}

/// One object: itself, its row, its name, or the words of the verb.
fn show_one<K: Kind>(
    found: &Found<K>,
    output: &Output,
    words: impl Fn(&K) -> String,
    rows: impl Fn(&[&K], Columns) -> String,
) -> Result<(), Error> {
    let text = match output.output {
        None => words(&found.read),
        Some(Format::Wide) => rows(&[&found.read], Columns { namespace: false, wide: true }),
        Some(Format::Name) => render::name_of(&found.read) + "\n",
        Some(format) => render::document(&[&found.raw], Extent::One, format == Format::Yaml)?,
    };
    print(&text)
}

/// What became of an object, in kubectl's form `kind.group/name verbed`.
fn report(found: &Found<Deployment>, output: &Output, verbed: &str) -> Result<(), Error> {
    show_one(
        found,
        output,
        |d| format!("{} {verbed}\n", render::name_of(d)),
        |all, columns| render::deployments(all, columns, clock::now()),
    )
}

fn show_list<K: Kind>(
    session: &Session,
    found: &[Found<K>],
    flags: &ListFlags,
    rows: impl Fn(&[&K], Columns) -> String,
) -> Result<(), Error> {
    let read: Vec<&K> = found.iter().map(|f| &f.read).collect();
    let text = match flags.output.output {
        Some(format @ (Format::Json | Format::Yaml)) => {
            let raw: Vec<&DynamicObject> = found.iter().map(|f| &f.raw).collect();
            render::document(&raw, Extent::List, format == Format::Yaml)?
        }
        Some(Format::Name) => read.iter().map(|k| render::name_of(*k) + "\n").collect(),
        _ if read.is_empty() => {
            let place = format!(" in {} namespace.", session.namespace);
            tell(&format!("No resources found{}", if flags.all_namespaces { "" } else { &place }));
            return Ok(());
        }
        wide => {
            let wide = wide == Some(Format::Wide);
            rows(&read, Columns { namespace: flags.all_namespaces, wide })
        }
    };
    print(&text)
}
