//! What scripts say, line by line: into the Deployment's own log and into the one of all Deployments, both rotated, and as the last
//! lines of an event for its diagnostics.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::clock;

/// A log is begun anew at this size, in bytes.
const MAX_SIZE: u64 = 64 * 1024 * 1024;
/// How many of them are kept, the current one among them.
const MAX_FILES: u32 = 8;
/// How much of an event's last lines is told, in bytes.
pub const TAIL: usize = 2_048;

/// Which of a script's streams a line came from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn prefix(self) -> &'static str {
        match self {
            Self::Stdout => "[stdout]",
            Self::Stderr => "[stderr]",
        }
    }
}

/// Where one event's lines go.
#[derive(Debug)]
pub struct ScriptLog {
    own: RotatedFile,
    all: RotatedFile,
    deployment: String,
    tail: Tail,
    /// What has been said and not yet been written, for either file.
    waiting: (String, String),
}

impl ScriptLog {
    /// Opens both logs for an event of that Deployment.
    pub fn open(own: &Path, all: &Path, deployment: &str) -> io::Result<Self> {
        Ok(Self {
            own: RotatedFile::open(own, MAX_SIZE)?,
            all: RotatedFile::open(all, MAX_SIZE)?,
            deployment: deployment.to_owned(),
            tail: Tail::default(),
            waiting: (String::new(), String::new()),
        })
    }

    /// `LifecycleEvent - NAME`, where an event begins.
    pub fn event(&mut self, name: &str) {
        self.line(&format!("LifecycleEvent - {name}"));
        self.flush();
    }

    /// `Script - PATH`, where a script begins.
    pub fn script(&mut self, location: &str) {
        self.line(&format!("Script - {location}"));
        self.flush();
    }

    /// A line of a script.
    pub fn said(&mut self, stream: Stream, line: &[u8]) {
        self.line(&format!("{}{}", stream.prefix(), plain(line)));
    }

    /// A line of the agent's own.
    pub fn line(&mut self, line: &str) {
        let now = local(clock::now());
        let (short, long) = (now.strftime("%Y-%m-%d %H:%M:%S"), now.strftime("%Y-%m-%d %H:%M:%S.%3f"));
        // Writing to a string cannot fail.
        let _ = writeln!(self.waiting.0, "{short} {line}");
        let _ = writeln!(self.waiting.1, "[{long}] [{}]{line}", self.deployment);
        self.tail.push(line);
    }

    /// Writes what has been said since.
    pub fn flush(&mut self) {
        let own = self.own.write(&self.waiting.0);
        let all = self.all.write(&self.waiting.1);
        if let Err(error) = own.and(all) {
            // A script must not fail for its log.
            tracing::warn!(%error, deployment = self.deployment, "a script's log could not be written");
        }
        self.waiting.0.clear();
        self.waiting.1.clear();
    }

    /// The event's last whole lines.
    pub fn tail(&self) -> String {
        self.tail.text()
    }
}

fn local(time: Timestamp) -> jiff::Zoned {
    time.to_zoned(TimeZone::system())
}

/// The last whole lines of what was said, within [`TAIL`] bytes.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    size: usize,
}

impl Tail {
    fn push(&mut self, line: &str) {
        // Of a single line that is too long the end is told.
        let line = &line[line.ceil_char_boundary(line.len().saturating_sub(TAIL - 1))..];
        self.size += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.size > TAIL {
            let Some(first) = self.lines.pop_front() else { break };
            self.size -= first.len() + 1;
        }
    }

    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// A file that only grows, and is put aside as `.1` when it has grown enough.
#[derive(Debug)]
struct RotatedFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: u64,
}

impl RotatedFile {
    fn open(path: &Path, max_size: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // What scripts say may be meant for few.
        let file = File::options().append(true).create(true).mode(0o640).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.into(), file, size, max_size })
    }

    fn write(&mut self, lines: &str) -> io::Result<()> {
        if self.size > 0 && self.size + lines.len() as u64 > self.max_size {
            self.rotate()?;
        }
        self.file.write_all(lines.as_bytes())?;
        self.size += lines.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let aged = |age: u32| self.path.with_added_extension(age.to_string());
        for age in (1..MAX_FILES - 1).rev() {
            match fs::rename(aged(age), aged(age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, aged(1))?;
        *self = Self::open(&self.path, self.max_size)?;
        Ok(())
    }
}

/// The last whole lines of a log, within [`TAIL`] bytes; nothing if it cannot be read.
pub fn tail_of(path: &Path) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(TAIL as u64);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL as u64).read_to_end(&mut bytes)?;
        let first =
            if start == 0 { 0 } else { bytes.iter().position(|b| *b == b'\n').map_or(0, |end| end + 1) };
        io::Result::Ok(String::from_utf8_lossy(&bytes[first..]).into_owned())
    };
    read().unwrap_or_default()
}

/// A line as text without what only a terminal understands: escape sequences and control characters but tabs.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Skips what follows ESC: `[` to a final byte, `]` to BEL or ST, anything else for one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('(' | ')' | '#' | '%') => {
            chars.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_titles_and_carriage_returns_do_not_reach_a_log() {
        for (said, text) in [
            (&b"\x1b[31;1mred\x1b[0m done\r"[..], "red done"),
            (b"\x1b]0;a title\x07here\x1b]8;;http://x\x1b\\link", "herelink"),
            (b"a\tb\x08\x00c", "a\tbc"),
            (b"caf\xc3\xa9 \xff", "caf\u{e9} \u{fffd}"),
            (b"\x1b(Bplain\x1b[", "plain"),
        ] {
            assert_eq!(plain(said), text);
        }
    }

    #[test]
    fn the_tail_holds_whole_lines_within_its_size() {
        let mut tail = Tail::default();
        for number in 0..1_000 {
            tail.push(&format!("[stdout]line {number}"));
        }
        let text = tail.text();
        assert!(text.len() <= TAIL && text.len() > TAIL - 30, "{}", text.len());
        assert!(text.starts_with("[stdout]line ") && text.ends_with("line 999\n"));
        tail.push(&"é".repeat(5_000));
        let text = tail.text();
        assert!(text.len() <= TAIL && text.ends_with("é\n"), "{}", text.len());
    }

    #[test]
    fn a_log_is_put_aside_when_it_has_grown_and_eight_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/scripts.log");
        for number in 0..30 {
            // Opened anew each time, as by another event.
            let mut log = RotatedFile::open(&path, 20).unwrap();
            log.write(&format!("line number {number}\n")).unwrap();
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o7777, 0o640);
        let read = |name: &str| fs::read_to_string(folder.path().join("logs").join(name)).unwrap();
        assert_eq!(read("scripts.log"), "line number 29\n");
        assert_eq!(read("scripts.log.1"), "line number 28\n");
        assert_eq!(read("scripts.log.7"), "line number 22\n");
        assert_eq!(fs::read_dir(folder.path().join("logs")).unwrap().count(), 8);
    }
}
