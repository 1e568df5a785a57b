//! Runs one script of an event: in a process group of its own, with its input closed and its output in the logs, for as long as it may
//! take. What it leaves behind lives on, unless its time was up.

mod command;
mod gate;
mod output;
mod user;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::Instant;

use super::clock;
use super::cut::Cut;
use super::journal::Process;
use super::log::ScriptLog;
use super::process;
use crate::appspec::Script;
use output::Output;

pub use gate::become_script;

/// How long after a script's end its children's output is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// Where and with what a script runs.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The root of the revision.
    pub archive: &'a Path,
    /// The working directory.
    pub directory: &'a Path,
    /// All of its environment.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// When the whole event must be over.
    pub event_ends: Instant,
    /// What the event may take in all.
    pub event_timeout: Duration,
}

/// CodeDeploy's words for how a script, or an event, went wrong.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// There is no such file in the revision.
    ScriptMissing,
    /// It is not executable and could not be made so.
    ScriptNotExecutable,
    /// It was not done in time.
    ScriptTimedOut,
    /// It ended with another exit code than 0, or by a signal.
    ScriptFailed,
    /// Anything else.
    UnknownError,
    /// The agent ended while the event ran.
    AgentRestarted,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// Why an event failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub code: Code,
    /// The script's location; empty where none is to blame.
    pub script: String,
    /// A sentence.
    pub message: String,
}

impl Failure {
    /// A failure that is no script's.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self { code: Code::UnknownError, script: String::new(), message: message.into() }
    }
}

/// Runs a script to its end. `started` is told the process before anything of the script runs, and keeps it from running by an error.
pub async fn run(
    script: &Script,
    within: Surroundings<'_>,
    log: &mut ScriptLog,
    cut: &Cut,
    started: impl FnOnce(Process) -> Result<(), String>,
) -> Result<(), Failure> {
    let fail = |(code, message): (Code, String)| Failure { code, script: script.location.clone(), message };
    log.script(&script.location);
    let ended = async {
        let file = within.archive.join(&script.location);
        make_executable(&file, &script.location)?;
        let known = |pid: u32| {
            // One that has ended already has no record, and needs none.
            process::identify(pid.cast_signed(), &script.location).map_or(Ok(()), started)
        };
        let mut child = command::spawn(script, &file, within, known).await?;
        let limit = Limit::of(script, within);
        let outcome = attend(&mut child, &limit, log, cut).await;
        outcome.map_err(|e| {
            (Code::UnknownError, format!("script {} could not be followed: {e}", script.location))
        })
    };
    match ended.await.map_err(fail)? {
        End::Exited(status) if status.success() => Ok(()),
        End::Exited(status) => Err(fail((Code::ScriptFailed, how_it_failed(&script.location, status)))),
        End::TimedOut(message) => Err(fail((Code::ScriptTimedOut, message))),
        End::Cut => Err(fail((
            Code::AgentRestarted,
            format!("script {} was ended because the agent was told to end", script.location),
        ))),
    }
}

/// Sees to it that the file can be executed by whoever is to run it.
fn make_executable(file: &Path, location: &str) -> Result<(), (Code, String)> {
    let Ok(metadata) = fs::metadata(file) else {
        return Err((
            Code::ScriptMissing,
            format!("the revision has no file {location}: correct its location in the AppSpec"),
        ));
    };
    if !metadata.is_file() {
        return Err((
            Code::ScriptMissing,
            format!("{location} is no file: correct its location in the AppSpec"),
        ));
    }
    let mode = metadata.permissions().mode();
    if mode & 0o111 == 0o111 {
        return Ok(());
    }
    match fs::set_permissions(file, fs::Permissions::from_mode(mode & 0o7777 | 0o111)) {
        Err(error) if mode & 0o111 == 0 => {
            let message = format!("script {location} is not executable and could not be made so: {error}");
            Err((Code::ScriptNotExecutable, message))
        }
        _ => Ok(()),
    }
}

/// When a script must be done, and what is said if it is not.
struct Limit {
    at: Instant,
    message: String,
}

impl Limit {
    fn of(script: &Script, within: Surroundings<'_>) -> Self {
        let own = clock::instant() + Duration::from_secs(script.timeout.into());
        let location = &script.location;
        if own <= within.event_ends {
            let message =
                format!("script {location} was not done within its timeout of {} s", script.timeout);
            return Self { at: own, message };
        }
        let message = format!(
            "script {location} was not done within the {} s that the event may take (eventTimeout)",
            within.event_timeout.as_secs_f64()
        );
        Self { at: within.event_ends, message }
    }
}

enum End {
    Exited(ExitStatus),
    TimedOut(String),
    Cut,
}

/// Follows a script until it has ended or must.
async fn attend(child: &mut Child, limit: &Limit, log: &mut ScriptLog, cut: &Cut) -> io::Result<End> {
    let group = child.id().map(u32::cast_signed);
    let mut output = Output::of(child);
    let over = tokio::time::sleep_until(limit.at);
    tokio::pin!(over);
    let end = loop {
        tokio::select! {
            said = output.read(), if output.is_open() => said?.log(log),
            status = child.wait() => break End::Exited(status?),
            () = &mut over => break End::TimedOut(limit.message.clone()),
            () = cut.wait() => break End::Cut,
        }
    };
    if let (End::TimedOut(_) | End::Cut, Some(group)) = (&end, group) {
        end_group(child, group, &mut output, log).await?;
    } else {
        finish_output(&mut output, log).await?;
    }
    output.leave(log);
    Ok(end)
}

/// Ends a script and whatever it started in its group: asks first.
async fn end_group(
    child: &mut Child,
    group: i32,
    output: &mut Output,
    log: &mut ScriptLog,
) -> io::Result<()> {
    process::terminate(group);
    let over = clock::sleep(process::MERCY);
    tokio::pin!(over);
    let mut has_exited = false;
    loop {
        tokio::select! {
            said = output.read(), if output.is_open() => said?.log(log),
            status = child.wait(), if !has_exited => has_exited = status.is_ok(),
            () = process::ended(group), if has_exited => break,
            () = &mut over => break,
        }
    }
    process::kill(group);
    child.wait().await?;
    finish_output(output, log).await
}

/// Takes what is still said, for a short while.
async fn finish_output(output: &mut Output, log: &mut ScriptLog) -> io::Result<()> {
    let over = clock::sleep(GRACE);
    tokio::pin!(over);
    while output.is_open() {
        tokio::select! {
            said = output.read() => said?.log(log),
            () = &mut over => break,
        }
    }
    Ok(())
}

fn how_it_failed(location: &str, status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("script {location} failed with exit code {code}"),
        (None, Some(signal)) => format!("script {location} was ended by signal {signal}"),
        (None, None) => format!("script {location} failed"),
    }
}
