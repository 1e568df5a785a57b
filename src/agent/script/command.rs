//! How a script is started: as it is, or as another user by the host's own means.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use tokio::process::{Child, Command};

use super::user::{Start, find, start_as};
use super::{Code, Surroundings};
use crate::appspec::Script;

/// Starts the script.
pub async fn spawn(script: &Script, file: &Path, within: Surroundings<'_>) -> Result<Child, (Code, String)> {
    let how = how(script, file).await?;
    let (words, environment) = (&how.words, how.environment(within.environment));
    // Whoever starts it in our place says less of what is wrong with it.
    if words[0] != *file
        && let Some(obstacle) = obstacle(script, file)
    {
        return Err(obstacle);
    }
    let start = |words: &[OsString]| {
        let mut command = Command::from(StdCommand::new(&words[0]));
        command.args(&words[1..]).current_dir(within.directory);
        command.env_clear().envs(&environment).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    let started = match start(words) {
        // As every shell does with a file that does not say what runs it.
        Err(error) if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
            start(&[&["/bin/sh".into()], words.as_slice()].concat())
        }
        started => started,
    };
    started.map_err(|error| why_not(&error, script, file, within.directory))
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
            let sudo = find("sudo").ok_or_else(|| fail("sudo: this host has no sudo".into()))?;
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

/// Why a file that is there and executable could not be started.
fn why_not(error: &io::Error, script: &Script, file: &Path, directory: &Path) -> (Code, String) {
    let location = &script.location;
    if !directory.is_dir() {
        let directory = directory.display();
        return (
            Code::UnknownError,
            format!("the working directory {directory} of script {location} does not exist"),
        );
    }
    if let Some(obstacle) = obstacle(script, file) {
        return obstacle;
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return (Code::ScriptNotExecutable, format!("script {location} could not be executed: {error}"));
    }
    (Code::UnknownError, format!("script {location} could not be started: {error}"))
}

/// What keeps the system from starting a file, whoever tries, whatever its mode says.
fn obstacle(script: &Script, file: &Path) -> Option<(Code, String)> {
    let location = &script.location;
    let is_noexec = |mount: rustix::fs::StatVfs| mount.f_flag.contains(StatVfsMountFlags::NOEXEC);
    if rustix::fs::statvfs(file).is_ok_and(is_noexec) {
        let message = format!(
            "script {location} could not be executed: the root folder is on a file system that is mounted noexec; mount it \
             with exec, or move the root folder"
        );
        return Some((Code::ScriptNotExecutable, message));
    }
    let interpreter = interpreter(file).filter(|interpreter| !Path::new(interpreter).exists())?;
    let cure = if interpreter.ends_with('\r') { "; save the script with Unix line ends" } else { "" };
    let message = format!(
        "script {location} could not be started: there is no {interpreter:?}, which it names in its first line{cure}"
    );
    Some((Code::UnknownError, message))
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
