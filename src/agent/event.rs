//! Runs one event of a Deployment: the scripts of the revision whose turn it is, the download, or the installation.

use std::env;
use std::time::Duration;

use super::download::{self, Supply};
use super::host::Host;
use super::journal::{Entry, Lasting, Record};
use super::layout::DeploymentDir;
use super::log::ScriptLog;
use super::revision::{self, NoSpec};
use super::script::{self, Code, Failure, Surroundings};
use super::{Error, clock, course, environment, install};
use crate::api::deployment_status::Diagnostics;
use crate::api::{EventName, FileExistsBehavior};
use crate::appspec::{FileExists, Script, ServerEvent};

/// What all scripts of an event may take together, where nothing else is said.
const EVENT_TIMEOUT: Duration = Duration::from_secs(3_600);

/// What an event comes to on this host.
enum Work {
    /// Nothing, and perhaps a sentence why.
    Nothing(Option<String>),
    /// These scripts of that revision.
    Scripts(DeploymentDir, Vec<Script>),
    Download,
    Install,
}

/// Runs an event and puts its beginning and its end on record.
pub async fn run(host: &Host, record: &Record, event: EventName, supply: &Supply) -> Result<(), Error> {
    let group = record.group();
    if host.settings.is_idle {
        return pass(host, group, event).await;
    }
    let work = match event {
        EventName::DownloadBundle => Ok(Work::Download),
        EventName::Install => Ok(Work::Install),
        _ => scripts(host, record, event)?,
    };
    if let Ok(Work::Nothing(why)) = work {
        // Without a word on the disk the same nothing is found again.
        host.tell(group, why)?;
        host.begin_event(group, event, Lasting::No)?;
        return host.end_event(group, event, Ok(None), Lasting::No).await;
    }
    host.begin_event(group, event, Lasting::Yes)?;
    tracing::info!(deployment = record.assignment.deployment, %event, "begins");
    let outcome = match work {
        Ok(Work::Scripts(dir, scripts)) => run_scripts(host, record, event, &dir, &scripts).await,
        Ok(Work::Download) => download::run(host, record, supply).await.map(|()| None).map_err(without_log),
        Ok(Work::Install) => install(host, record).await.map(|()| None).map_err(without_log),
        Ok(Work::Nothing(_)) => Ok(None),
        Err(failure) => Err(without_log(failure)),
    };
    match &outcome {
        Ok(_) => tracing::info!(deployment = record.assignment.deployment, %event, "succeeded"),
        Err((failure, _)) => {
            tracing::warn!(deployment = record.assignment.deployment, %event, code = %failure.code, "failed: {}", failure.message);
        }
    }
    host.end_event(group, event, outcome, Lasting::Yes).await
}

/// An event of a host where nothing is done: it says what one whose scripts took no time would.
async fn pass(host: &Host, group: &str, event: EventName) -> Result<(), Error> {
    host.begin_event(group, event, Lasting::No)?;
    // A script's start lets the reports have their turn, too.
    tokio::task::yield_now().await;
    let said =
        event.is_scriptable().then(|| Diagnostics { error_code: "Success".into(), ..Diagnostics::default() });
    host.end_event(group, event, Ok(said), Lasting::No).await
}

fn without_log(failure: Failure) -> (Failure, String) {
    (failure, String::new())
}

/// The scripts of an event: an earlier revision's while the current one is not here, else the current one's.
fn scripts(host: &Host, record: &Record, event: EventName) -> Result<Result<Work, Failure>, Error> {
    let current = host.dir(record)?;
    let mut dir = current.clone();
    if let Some(mark) = course::earlier(event)
        && !current.archive().exists()
    {
        let Some(earlier) = host.root.marked(record.group(), mark)? else {
            return Ok(Ok(Work::Nothing(None)));
        };
        dir = earlier;
    }
    let is_current = dir == current;
    let found = match revision::read(&dir, &host.settings) {
        Ok(found) => found,
        Err(NoSpec::Missing { .. }) if !is_current => {
            let why = format!(
                "{event} of the last successful revision was not run: its archive {} is gone from this host.",
                dir.archive().display()
            );
            return Ok(Ok(Work::Nothing(Some(why))));
        }
        Err(NoSpec::Missing { .. }) if !dir.archive().exists() => {
            let why = format!(
                "{event} needs the revision, and it is not on this host: DownloadBundle has to come first"
            );
            return Ok(Err(Failure::unknown(why)));
        }
        Err(error) => return Ok(Err(Failure::unknown(error.to_string()))),
    };
    let scripts =
        ServerEvent::named(&event.to_string()).and_then(|name| found.spec.hooks.get(&name).cloned());
    Ok(Ok(match scripts {
        Some(scripts) if !scripts.is_empty() => Work::Scripts(dir, scripts),
        _ => Work::Nothing(None),
    }))
}

/// Runs scripts in their order, up to the first that fails.
async fn run_scripts(
    host: &Host,
    record: &Record,
    event: EventName,
    dir: &DeploymentDir,
    scripts: &[Script],
) -> Result<Option<Diagnostics>, (Failure, String)> {
    let unlogged = |error: std::io::Error| {
        without_log(Failure::unknown(format!("the script's log cannot be opened: {error}")))
    };
    // What an earlier revision's script says belongs to the Deployment that runs it.
    let own = host.dir(record).map_err(|e| without_log(Failure::unknown(e.to_string())))?;
    let mut log =
        ScriptLog::open(&own.log(), &host.root.log(), &record.assignment.deployment).map_err(unlogged)?;
    log.event(&event.to_string());
    let timeout = event_timeout(record);
    let environment = environment::of_event(&host.settings.inheritance, env::vars_os(), record, event);
    let archive = dir.archive();
    let surroundings = Surroundings {
        archive: &archive,
        directory: &host.settings.working_directory.of(&archive),
        environment: &environment,
        event_ends: clock::instant() + timeout,
        event_timeout: timeout,
    };
    for script in scripts {
        let started = |process| {
            let entry = Entry::Started { group: record.group().to_owned(), process };
            // The script waits for this. A kill of the agent cannot lose what the system was given; a power cut ends the script, too.
            let written = host.journal().write(entry, Lasting::No);
            written.map_err(|error| {
                format!(
                    "script {} was not started: its process cannot be put on record: {error}",
                    script.location
                )
            })
        };
        let ended = script::run(script, surroundings, &mut log, &host.cut, started).await;
        if let Err(failure) = ended {
            log.line(&failure.message);
            log.flush();
            return Err((failure, log.tail()));
        }
    }
    Ok(Some(Diagnostics { error_code: "Success".into(), ..Diagnostics::default() }))
}

/// What an event of that Deployment may take.
pub fn event_timeout(record: &Record) -> Duration {
    record
        .assignment
        .event_timeout
        .and_then(|timeout| timeout.length().try_into().ok())
        .unwrap_or(EVENT_TIMEOUT)
}

/// Puts the revision's files in place.
async fn install(host: &Host, record: &Record) -> Result<(), Failure> {
    let unknown = |error: Error| Failure::unknown(error.to_string());
    let dir = host.dir(record).map_err(unknown)?;
    let found = revision::read(&dir, &host.settings);
    let spec = found.map_err(|error| Failure::unknown(error.to_string()))?.spec;
    let behavior = match record.assignment.file_exists_behavior.unwrap_or_default() {
        FileExistsBehavior::Disallow => FileExists::Disallow,
        FileExistsBehavior::Overwrite => FileExists::Overwrite,
        FileExistsBehavior::Retain => FileExists::Retain,
    };
    let (state, options) = (host.root.installed(), host.settings.installing.clone());
    let (group, deployment) = (record.group().to_owned(), record.assignment.deployment.clone());
    let uid = record.assignment.deployment_uid.clone();
    let archive = dir.archive();
    let done = tokio::task::spawn_blocking(move || {
        install::install(&install::Job {
            spec: &spec,
            archive: &archive,
            state: &state,
            group_id: &group,
            deployment_id: &deployment,
            deployment_uid: &uid,
            behavior,
            options: &options,
        })
    });
    let report =
        done.await.map_err(|error| Failure::unknown(format!("the installation broke off: {error}")))?;
    let report = report.map_err(|e| Failure::unknown(format!("{}: {e}", e.reason())))?;
    // The revision stands, whether or not the disk has room for a word about it.
    if let Err(error) = host.tell(record.group(), report.warnings) {
        tracing::error!(%error, "what the installation has to say was not put on record");
    }
    Ok(())
}

/// The failure of an event that nothing of ours can be blamed for.
pub fn cut_off(what: &str) -> Failure {
    Failure {
        code: Code::AgentRestarted,
        script: String::new(),
        message: format!("{what} because the agent was told to end"),
    }
}

#[cfg(test)]
mod tests;
