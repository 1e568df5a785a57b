//! How a script is started as another user: takes the name, gives the command line.
//!
//! By the host's own `su`, as CodeDeploy's agent does it: what the host gives a user whom it lets in (a home, a shell, what PAM reads of
//! `/etc/environment` and the like) scripts find as well.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::agent::permissions::{self, Login};

/// Where the programs of the system are, whatever PATH says.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/// Runs the command line, whatever the user's shell is: there are users who have none.
const SHELL: &str = "/bin/sh";
/// Runs a command in the session and the process group of its caller, which ends the group when the script's time is up. With `-c` alone
/// `su` makes a session of its own.
const IN_THIS_SESSION: &str = "--session-command";

/// A command line, and what it finds in its environment beside what every script does.
#[derive(Debug)]
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    also: Vec<(OsString, OsString)>,
}

impl Start {
    /// A script as it is.
    pub fn of(file: &Path) -> Self {
        Self { words: vec![file.into()], also: vec![] }
    }

    /// A script behind the words of a program that starts it.
    pub fn behind(mut words: Vec<OsString>, file: &Path) -> Self {
        words.push(file.into());
        Self { words, also: vec![] }
    }

    /// All of its environment, on top of that of every script.
    pub fn environment(&self, common: &BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
        common
            .iter()
            .chain(self.also.iter().map(|(name, value)| (name, value)))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect()
    }
}

/// How root starts a script as that user.
pub async fn start_as(user: &str, file: &Path) -> Result<Start, String> {
    let login = login_of(user).await;
    if let Some((program, option)) = changer().await {
        let line = line(file, login.as_ref().map_or("", |login| &login.shell));
        let words = [program.into(), "-s".into(), SHELL.into(), user.into(), option.into(), line];
        return Ok(Start { words: words.into(), also: vec![] });
    }
    if user != "root" {
        return Err(format!(
            "runas {user}: this host has neither su nor runuser, by which the agent becomes another user; install either"
        ));
    }
    // There is nobody to become, only a home to be at.
    let login = login.unwrap_or_else(|| Login { home: "/root".into(), shell: SHELL.into() });
    let also = vec![("HOME".into(), login.home.into()), ("SHELL".into(), login.shell.into())];
    Ok(Start { also, ..Start::of(file) })
}

/// What the host's accounts say of a user. A directory service may take its time.
async fn login_of(user: &str) -> Option<Login> {
    let user = user.to_owned();
    tokio::task::spawn_blocking(move || permissions::login(&user).ok().flatten()).await.ok().flatten()
}

/// The program that becomes another user, and the option that its command line follows. `runuser` reads no `/etc/environment`, and comes
/// second; a `su` that makes a session of its own comes last.
async fn changer() -> Option<(PathBuf, &'static str)> {
    let su = find("su");
    if let Some(su) = su.as_ref()
        && stays_in_session(su).await
    {
        return Some((su.clone(), IN_THIS_SESSION));
    }
    let runuser = find("runuser").map(|runuser| (runuser, IN_THIS_SESSION));
    runuser.or_else(|| su.map(|su| (su, "-c")))
}

/// True for the `su` of util-linux; others do not know the option.
async fn stays_in_session(su: &Path) -> bool {
    let asked = Command::new(su).arg("--help").stdin(Stdio::null()).output().await;
    asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(IN_THIS_SESSION))
}

/// The shell's line that becomes the script. `-s` has made the shell the user's own for whoever asks; a shell that the host does not know
/// for one, as of users who may not log in, is nobody's.
fn line(file: &Path, shell: &str) -> OsString {
    let exec = format!("exec {}", quoted(&file.to_string_lossy()));
    if shell == SHELL || !is_shell(shell) {
        return exec.into();
    }
    format!("SHELL={}; {exec}", quoted(shell)).into()
}

fn is_shell(shell: &str) -> bool {
    fs::read_to_string("/etc/shells").unwrap_or_default().lines().any(|line| line == shell)
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A program of the host.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
