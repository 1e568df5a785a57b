//! How a script is started: as it is, or as another user by the host's own means; and not before its process is known.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;

use rustix::fs::StatVfsMountFlags;
use tokio::process::{Child, Command};

use super::gate;
use super::user::{Start, find, start_as};
use super::{Code, Surroundings};
use crate::appspec::Script;

/// Starts the script; `known` is told the number of its process before anything of it runs, and keeps it from running by an error.
pub async fn spawn(
    script: &Script,
    file: &Path,
    within: Surroundings<'_>,
    known: impl FnOnce(u32) -> Result<(), String>,
) -> Result<Child, (Code, String)> {
    let start = how(script, file).await?;
    // Whoever starts it in our place says less of what is wrong with it.
    if start.words[0] != *file
        && let Some(obstacle) = obstacle(script, file, within.directory)
    {
        return Err(obstacle);
    }
    let held = gate::hold(&start.words, within.directory, &start.environment(within.environment))
        .map_err(|error| why_no_process(&error, script, within.directory))?;
    if let Some(pid) = held.id() {
        known(pid).map_err(|message| (Code::UnknownError, message))?;
    }
    held.release().await.map_err(|error| why_not(&error, script, file, within.directory))
}

/// The command line. Root needs no `sudo`; it becomes itself all the same, to be at home.
async fn how(script: &Script, file: &Path) -> Result<Start, (Code, String)> {
    let is_root = rustix::process::geteuid().is_root();
    let fail = |message: String| (Code::UnknownError, message);
    match (&script.runas, script.sudo && !is_root) {
        (Some(user), false) if is_root => start_as(user, file).await.map_err(fail),
        (Some(user), false) if !is_self(user).await => Err(fail(format!(
            "runas {user}: the agent does not run as root and cannot become another user; run it as root, or set sudo: true"
        ))),
        (None | Some(_), false) => Ok(Start::of(file)),
        (user, true) => {
            let sudo = find("sudo").ok_or_else(|| fail("sudo: true: this host has no sudo; install it, or run the agent as root, which needs none".into()))?;
            let mut words: Vec<OsString> = vec![sudo.into(), "-n".into()];
            if let Some(user) = user {
                words.extend(["-u".into(), user.into()]);
            }
            words.push("--".into());
            Ok(Start::behind(words, file))
        }
    }
}

/// True if that user is the one that the agent runs as. Asked of `id`, which knows users that no file of the host names.
async fn is_self(user: &str) -> bool {
    let asked = Command::new("id").args(["-u", "--", user]).stdin(Stdio::null()).output().await;
    let own = rustix::process::geteuid().as_raw().to_string();
    asked.is_ok_and(|said| said.status.success() && String::from_utf8_lossy(&said.stdout).trim() == own)
}

/// Why there is not even a process that could become the script.
fn why_no_process(error: &io::Error, script: &Script, directory: &Path) -> (Code, String) {
    let location = &script.location;
    let message = if directory.is_dir() {
        format!("script {location} could not be started: no process for it: {error}")
    } else {
        format!("the working directory {} of script {location} does not exist", directory.display())
    };
    (Code::UnknownError, message)
}

/// Why a file that is there and executable could not be started.
fn why_not(error: &io::Error, script: &Script, file: &Path, directory: &Path) -> (Code, String) {
    let location = &script.location;
    if let Some(obstacle) = obstacle(script, file, directory) {
        return obstacle;
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return (Code::ScriptNotExecutable, format!("script {location} could not be executed: {error}"));
    }
    (Code::UnknownError, format!("script {location} could not be started: {error}"))
}

/// What keeps the system from starting a file, whoever tries, whatever its mode says.
fn obstacle(script: &Script, file: &Path, directory: &Path) -> Option<(Code, String)> {
    let location = &script.location;
    let is_noexec = |mount: rustix::fs::StatVfs| mount.f_flag.contains(StatVfsMountFlags::NOEXEC);
    if rustix::fs::statvfs(file).is_ok_and(is_noexec) {
        let message = format!(
            "script {location} could not be executed: the root folder is on a file system that is mounted noexec; mount it \
             with exec, or move the root folder"
        );
        return Some((Code::ScriptNotExecutable, message));
    }
    let interpreter = interpreter(file).filter(|interpreter| !directory.join(interpreter).exists())?;
    let cure = if interpreter.ends_with('\r') { "; save the script with Unix line ends" } else { "" };
    let message = format!(
        "script {location} could not be started: there is no {interpreter:?}, which it names in its first line{cure}"
    );
    Some((Code::UnknownError, message))
}

/// What the first line says after `#!`, if that is anything.
fn interpreter(file: &Path) -> Option<String> {
    let mut start = Vec::new();
    fs::File::open(file).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches([' ', '\t']);
    text.split([' ', '\t']).next().filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}
