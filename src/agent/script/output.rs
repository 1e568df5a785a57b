//! What a script says, as lines; and what becomes of its streams when it has ended and its children have not.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use tokio::io::{self, AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::super::log::{ScriptLog, Stream};

/// A line that is longer is told in pieces, in bytes.
const MAX_LINE: usize = 16 * 1024;

/// Both streams of a script.
pub struct Output {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// What has been said of a line that has not ended, by stream.
    rests: [Vec<u8>; 2],
}

/// Lines of one stream.
pub struct Said {
    stream: Stream,
    lines: Vec<Vec<u8>>,
}

impl Said {
    /// Puts them into the log.
    pub fn log(self, log: &mut ScriptLog) {
        for line in &self.lines {
            log.said(self.stream, line);
        }
        log.flush();
    }
}

impl Output {
    /// Takes a child's streams.
    pub fn of(child: &mut Child) -> Self {
        Self { stdout: child.stdout.take(), stderr: child.stderr.take(), rests: [vec![], vec![]] }
    }

    /// True while more may be said.
    pub fn is_open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// What is said next; a call that is given up loses nothing.
    pub async fn read(&mut self) -> io::Result<Said> {
        let mut chunk = Vec::with_capacity(8 * 1024);
        let mut other = Vec::with_capacity(8 * 1024);
        let (stream, bytes) = tokio::select! {
            end = next(&mut self.stdout, &mut chunk) => { end?; (Stream::Stdout, chunk) }
            end = next(&mut self.stderr, &mut other) => { end?; (Stream::Stderr, other) }
        };
        let rest = &mut self.rests[usize::from(stream == Stream::Stderr)];
        Ok(Said { stream, lines: split(rest, &bytes) })
    }

    /// Leaves the streams to whoever still holds them: a program of its own reads on, so that neither our end nor our restart is
    /// theirs (SIGPIPE).
    pub fn leave(self, log: &mut ScriptLog) {
        if self.is_open() {
            log.line("The script has ended and left a process that holds its output: what is said from here on is not logged.");
        }
        let fds = [self.stdout.map(ChildStdout::into_owned_fd), self.stderr.map(ChildStderr::into_owned_fd)];
        for fd in fds.into_iter().flatten() {
            let left = fd.and_then(read_on);
            if let Err(error) = left {
                tracing::warn!(%error, "a script's child lost its output");
            }
        }
        log.flush();
    }
}

fn read_on(fd: OwnedFd) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("cat");
    command.stdin(fd).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").process_group(0);
    // Through tokio, which takes note of its end.
    tokio::process::Command::from(command).spawn().map(drop)
}

/// Reads once into `chunk`; a stream that has ended is dropped. One that is not there never says anything.
async fn next<R: AsyncRead + Unpin>(stream: &mut Option<R>, chunk: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = stream else { return std::future::pending().await };
    if open.read_buf(chunk).await? == 0 {
        *stream = None;
    }
    Ok(())
}

/// The lines that `bytes` completes; none at all is the stream's end, which completes what is left.
fn split(rest: &mut Vec<u8>, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![];
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        rest.extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
        if piece.ends_with(b"\n") || rest.len() >= MAX_LINE {
            lines.push(std::mem::take(rest));
        }
    }
    if bytes.is_empty() && !rest.is_empty() {
        lines.push(std::mem::take(rest));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_across_reads_and_long_ones_are_cut() {
        let mut rest = vec![];
        assert_eq!(split(&mut rest, b"one\ntw"), [b"one".to_vec()]);
        assert_eq!(split(&mut rest, b"o\n\nthree"), [b"two".to_vec(), vec![]]);
        assert_eq!(split(&mut rest, b""), [b"three".to_vec()]);
        assert!(split(&mut rest, b"").is_empty());
        let long = vec![b'x'; 8 * 1024];
        assert!(split(&mut rest, &long).is_empty());
        assert_eq!(split(&mut rest, &long).len(), 1);
    }
}
