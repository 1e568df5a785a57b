//! How a script is started: as it is, or as another user by the host's own means; and not before its process is known.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::gate;
use super::{Code, Surroundings};
use crate::appspec::Script;

/// Where the programs of the system are, whatever PATH says.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Starts the script; `known` is told the number of its process before anything of it runs.
pub async fn spawn(
    script: &Script,
    file: &Path,
    within: Surroundings<'_>,
    known: impl FnOnce(u32),
) -> Result<Child, (Code, String)> {
    let words = words(script, file).await?;
    let held = gate::hold(&words, within.directory, within.environment)
        .map_err(|error| why_no_process(&error, script, within.directory))?;
    if let Some(pid) = held.id() {
        known(pid);
    }
    held.release().await.map_err(|error| why_not(&error, script, file))
}

/// The command line. Root needs no `sudo`, and nobody a change to whom he is.
async fn words(script: &Script, file: &Path) -> Result<Vec<OsString>, (Code, String)> {
    let own: Vec<OsString> = vec![file.into()];
    let is_root = rustix::process::geteuid().is_root();
    let fail = |message: String| (Code::UnknownError, message);
    match (&script.runas, script.sudo && !is_root) {
        (Some(user), false) if is_root => {
            if user == "root" {
                return Ok(own);
            }
            if let Some(runuser) = find("runuser") {
                return Ok([vec![runuser.into(), "-u".into(), user.into(), "--".into()], own].concat());
            }
            let su = find("su")
                .ok_or_else(|| fail(format!("runas {user}: this host has neither runuser nor su")))?;
            let words = [su.into(), "-s".into(), "/bin/sh".into(), user.into(), "-c".into(), quoted(file)];
            Ok(words.into())
        }
        (Some(user), false) if !is_self(user).await => Err(fail(format!(
            "runas {user}: the agent does not run as root and cannot become another user; run it as root, or set sudo: true"
        ))),
        (None | Some(_), false) => Ok(own),
        (user, true) => {
            let sudo = find("sudo").ok_or_else(|| fail("sudo: this host has no sudo".into()))?;
            let mut words: Vec<OsString> = vec![sudo.into(), "-n".into()];
            if let Some(user) = user {
                words.extend(["-u".into(), user.into()]);
            }
            words.push("--".into());
            Ok([words, own].concat())
        }
    }
}

/// True if that user is the one that the agent runs as. Asked of `id`, which knows users that no file of the host names.
async fn is_self(user: &str) -> bool {
    let asked = Command::new("id").args(["-u", "--", user]).stdin(Stdio::null()).output().await;
    let own = rustix::process::geteuid().as_raw().to_string();
    asked.is_ok_and(|said| said.status.success() && String::from_utf8_lossy(&said.stdout).trim() == own)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> OsString {
    format!("exec '{}'", path.to_string_lossy().replace('\'', r"'\''")).into()
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
fn why_not(error: &io::Error, script: &Script, file: &Path) -> (Code, String) {
    let location = &script.location;
    if error.kind() == io::ErrorKind::NotFound
        && let Some(interpreter) = interpreter(file)
    {
        let cure = if interpreter.ends_with('\r') { "; save the script with Unix line ends" } else { "" };
        let message = format!(
            "script {location} could not be started: there is no {interpreter:?}, which it names in its first line{cure}"
        );
        return (Code::UnknownError, message);
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        let message = format!(
            "script {location} could not be executed: {error}; is the root folder on a file system mounted noexec?"
        );
        return (Code::ScriptNotExecutable, message);
    }
    (Code::UnknownError, format!("script {location} could not be started: {error}"))
}

/// What the first line says after `#!`.
fn interpreter(file: &Path) -> Option<String> {
    let mut start = Vec::new();
    fs::File::open(file).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches([' ', '\t']);
    Some(text.split([' ', '\t']).next()?.to_owned())
}
