//! Holds a script back until its process is on record. A kill of the agent between the two would leave it running, and the next start would not
//! know of it.
//!
//! The process begins as this same program, which waits for a word on its standard input and then becomes the script: its number and
//! its start, by which it is known, stay. Where the agent has ended the word never comes, and the script never runs. Through the same
//! socket it says why it could not become the script; that it did closes the socket.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as Socket;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// The first argument of a process that is held back; the script's command line follows.
const HELD: &str = "held-script";
/// The word: a line, which a shell could read, too.
const WORD: &[u8; 1] = b"\n";

/// A process that is there and is no script yet.
pub struct Held {
    child: Child,
    socket: UnixStream,
}

/// Starts the process that is to become `words`, in a process group of its own.
pub fn hold(
    words: &[OsString],
    directory: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> io::Result<Held> {
    let (own, other) = Socket::pair()?;
    own.set_nonblocking(true)?;
    let socket = UnixStream::from_std(own)?;
    let mut command = Command::from(program());
    command.args(words).current_dir(directory).env_clear().envs(environment).process_group(0);
    command.stdin(OwnedFd::from(other)).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The command has the other end for as long as it lives, and with it nobody would hear that the process closed it.
    Ok(Held { child: command.spawn()?, socket })
}

/// This program as it runs, though another one may have its name by now.
#[cfg(not(test))]
fn program() -> StdCommand {
    let mut command = StdCommand::new("/proc/self/exe");
    command.arg0("sluice-agent").arg(HELD);
    command
}

/// The program of a unit test does not have the agent's command line.
#[cfg(test)]
fn program() -> StdCommand {
    let mut command = StdCommand::new("/bin/sh");
    command.args(["-c", r#"read -r word && exec "$@" </dev/null"#, HELD]);
    command
}

impl Held {
    /// The process's number.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Lets it become the script.
    ///
    /// Errors: the kernel's, where it could not.
    pub async fn release(mut self) -> io::Result<Child> {
        let mut said = vec![];
        // One that somebody has ended meanwhile takes no word; how it ended is the script's end.
        if self.socket.write_all(WORD).await.is_ok() {
            // Nothing is said by one that was ended before it could.
            let _ = self.socket.read_to_end(&mut said).await;
        }
        let Ok(errno) = <[u8; 4]>::try_from(said) else { return Ok(self.child) };
        self.child.wait().await?;
        Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
    }
}

/// What a process does that is held back, if `arguments` are those of one: it waits, and becomes the script. Returns, with the exit code, only
/// if it is not to or cannot.
pub fn become_script(arguments: impl Iterator<Item = OsString>) -> Option<u8> {
    let mut words = arguments.skip(1);
    words.next().filter(|first| first == HELD)?;
    Some(u8::from(wait_and_become(&words.collect::<Vec<_>>()).is_err()))
}

fn wait_and_become(words: &[OsString]) -> io::Result<()> {
    // Its own end: closed when the script begins, and still there when its input is not.
    let mut agent = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut word = *WORD;
    agent.read_exact(&mut word)?;
    let (program, rest) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut error = StdCommand::new(program).args(rest).stdin(Stdio::null()).exec();
    if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) {
        // As every shell does with a file that does not say what runs it.
        error = StdCommand::new("/bin/sh").args(words).stdin(Stdio::null()).exec();
    }
    agent.write_all(&error.raw_os_error().unwrap_or_default().to_ne_bytes())?;
    Err(error)
}
