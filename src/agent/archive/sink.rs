//! Writes what an archive holds: takes entries with clean paths, keeps the limits, and makes files beneath one directory.
//!
//! Every file is new (O_EXCL): an entry never writes into what another one made. Owners are taken on request only, modes of directories never.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::Error;
use super::options::Options;
use super::refusal::{Refusal, shown, shown_bytes};
use super::{Report, name};
use crate::agent::beneath::{Beneath, split};

/// Bytes that are read and written at once.
const BUFFER: usize = 128 * 1024;
/// The longest target that a link can have.
const LINK: usize = 4095;
/// Set-id bits.
const SET_ID: u32 = 0o6000;

/// A file that an archive describes.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// A clean path; not empty.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// When it was last changed, in seconds since 1970.
    pub changed: Option<i64>,
    /// The numbers of its user and its group.
    pub owner: Option<(u32, u32)>,
    /// Its bytes.
    pub size: u64,
}

/// Where a bundle is unpacked.
pub(super) struct Sink<'a> {
    tree: Beneath,
    root: &'a Path,
    options: &'a Options,
    packed: u64,
    entries: u64,
    parent: Option<(String, OwnedFd)>,
    buffer: Vec<u8>,
    /// What was written so far.
    pub report: Report,
}

impl<'a> Sink<'a> {
    /// Writes beneath `root`, a directory that is there and empty; `packed` is the archive's size.
    pub fn new(root: &'a Path, packed: u64, options: &'a Options) -> Result<Self, Error> {
        let tree = Beneath::at(root).map_err(Error::host("open", root))?;
        Ok(Self {
            tree,
            root,
            options,
            packed,
            entries: 0,
            parent: None,
            buffer: vec![0; BUFFER],
            report: Report::default(),
        })
    }

    /// What the host trusts bundles with.
    pub fn options(&self) -> &'a Options {
        self.options
    }

    /// An entry's path; see [`name::clean`].
    pub fn clean(&self, raw: &[u8]) -> Result<String, Error> {
        Ok(name::clean(raw, self.options)?)
    }

    /// Counts an entry, whatever it is.
    pub fn count(&mut self) -> Result<(), Refusal> {
        self.entries += 1;
        let limit = self.options.limits.entries;
        if self.entries > limit { Err(Refusal::TooManyEntries(limit)) } else { Ok(()) }
    }

    /// Counts bytes before they are written.
    pub fn weigh(&mut self, bytes: u64) -> Result<(), Refusal> {
        let limits = &self.options.limits;
        self.report.bytes = self.report.bytes.saturating_add(bytes);
        if self.report.bytes > limits.bytes {
            return Err(Refusal::TooManyBytes(limits.bytes));
        }
        let allowed = self.packed.saturating_mul(limits.ratio);
        if self.report.bytes > limits.ratio_from && self.report.bytes > allowed {
            return Err(Refusal::CompressionRatio(limits.ratio));
        }
        Ok(())
    }

    /// Says what was let through or left out.
    pub fn warn(&mut self, warning: String) {
        self.report.warnings.add(warning);
    }

    /// Makes a directory, and those that it lies in.
    pub fn directory(&mut self, path: &str) -> Result<(), Error> {
        self.enter(path)?;
        Ok(())
    }

    /// Writes a file of exactly `file.size` bytes.
    pub fn file(&mut self, file: &File, content: &mut dyn Read) -> Result<(), Error> {
        if file.mode & SET_ID != 0 && !self.options.allowed.set_id {
            return Err(Refusal::SetIdBits(shown(file.path.as_bytes()), file.mode).into());
        }
        let (parent, name) = split(&file.path);
        self.enter(parent)?;
        let fd = self.create(&file.path, name)?;
        let host = |action| {
            let path = self.root.join(&file.path);
            move |source: Errno| Error::Host { action, path, source: source.into() }
        };
        let written = self.pour(&fd, file, content)?;
        if written != file.size {
            return Err(Error::Truncated(format!("within {}", shown(file.path.as_bytes()))));
        }
        // Before the mode: a change of owner clears bits of it.
        if let Some((user, group)) = file.owner.filter(|_| self.options.allowed.owners && geteuid().is_root())
        {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            rustix::fs::fchown(&fd, Some(user), Some(group)).map_err(host("set the owner of"))?;
        }
        let kept = if self.options.allowed.set_id { 0o6777 } else { 0o777 };
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(file.mode & kept)).map_err(host("set the mode of"))?;
        if let Some(changed) = file.changed {
            rustix::fs::futimens(&fd, &times(changed)).map_err(host("set the time of"))?;
        }
        self.report.files += 1;
        Ok(())
    }

    /// Makes a link; where it leads is judged when everything is there.
    pub fn link(&mut self, path: &str, target: &[u8]) -> Result<(), Error> {
        let show = || shown(path.as_bytes());
        if target.is_empty() {
            return Err(Refusal::NameEmpty(show()).into());
        }
        if target.contains(&0) {
            return Err(Refusal::NameHasNul(show()).into());
        }
        let text =
            std::str::from_utf8(target).map_err(|_| Refusal::LinkNotUtf8(show(), shown_bytes(target)))?;
        if text.len() > LINK {
            return Err(Refusal::PathTooLong(show(), LINK).into());
        }
        let (parent, name) = split(path);
        self.enter(parent)?;
        self.unique(path, name, |dir| rustix::fs::symlinkat(text, dir, name))?;
        self.report.links += 1;
        Ok(())
    }

    /// Gives a file that was unpacked a further name.
    pub fn hard_link(&mut self, path: &str, target: &str) -> Result<(), Error> {
        let missing = || Refusal::LinkTargetMissing(shown(path.as_bytes()), shown(target.as_bytes()));
        let (from, old) = split(target);
        let from = self.tree.directory(from).map_err(|_| missing())?;
        let stat = rustix::fs::statat(&from, old, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(missing().into());
        }
        self.weigh(u64::try_from(stat.st_size).unwrap_or(u64::MAX))?;
        let (parent, name) = split(path);
        self.enter(parent)?;
        self.unique(path, name, |dir| rustix::fs::linkat(&from, old, dir, name, AtFlags::empty()))?;
        self.report.files += 1;
        Ok(())
    }

    /// Flushes what was written to the disk.
    pub fn sync(&self) -> Result<(), Error> {
        rustix::fs::syncfs(self.tree.root()).map_err(Error::host("write to the disk", self.root))
    }

    fn pour(&mut self, fd: &OwnedFd, file: &File, content: &mut dyn Read) -> Result<u64, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut written = 0_u64;
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Error::reading(&format!("within {}", shown(file.path.as_bytes())), error));
                }
            };
            written += read as u64;
            if written > file.size {
                return Err(Refusal::SizeDesync(shown(file.path.as_bytes()), file.size, written).into());
            }
            self.weigh(read as u64)?;
            write_all(fd, &buffer[..read]).map_err(Error::host("write", &self.root.join(&file.path)))?;
        }
        self.buffer = buffer;
        Ok(written)
    }

    fn create(&mut self, path: &str, name: &str) -> Result<OwnedFd, Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.unique(path, name, |dir| rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600)))
    }

    /// Makes something that must not be there yet, in the directory that was entered last.
    fn unique<T>(
        &self,
        path: &str,
        name: &str,
        make: impl Fn(&OwnedFd) -> rustix::io::Result<T>,
    ) -> Result<T, Error> {
        let duplicate = || Error::from(Refusal::DuplicateEntry(shown(path.as_bytes())));
        let dir = match &self.parent {
            Some((_, dir)) if !name.is_empty() => dir,
            _ => return Err(duplicate()),
        };
        match make(dir) {
            Err(Errno::EXIST) if self.options.allowed.duplicates => {
                rustix::fs::unlinkat(dir, name, AtFlags::empty()).map_err(|_| duplicate())?;
                make(dir).map_err(|_| duplicate())
            }
            Err(Errno::EXIST) => Err(duplicate()),
            other => other.map_err(Error::host("make", &self.root.join(path))),
        }
    }

    /// Opens the directory at `path`, making what is missing of it, and keeps it for the next entry.
    fn enter(&mut self, path: &str) -> Result<(), Error> {
        if self.parent.as_ref().is_some_and(|(entered, _)| entered == path) {
            return Ok(());
        }
        let dir = match self.tree.directory(path) {
            Err(Errno::NOENT) => {
                let (parent, name) = split(path);
                self.enter(parent)?;
                self.make_directory(path, name)?
            }
            other => other.map_err(|errno| self.not_entered(path, errno))?,
        };
        self.parent = Some((path.to_owned(), dir));
        Ok(())
    }

    fn make_directory(&mut self, path: &str, name: &str) -> Result<OwnedFd, Error> {
        let mode = Mode::from_raw_mode(0o755);
        self.unique(path, name, |dir| rustix::fs::mkdirat(dir, name, mode))?;
        let dir = self.tree.directory(path).map_err(|errno| self.not_entered(path, errno))?;
        // The agent's umask is not the bundle's business: scripts that run as other users read here.
        rustix::fs::fchmod(&dir, mode).map_err(Error::host("set the mode of", &self.root.join(path)))?;
        self.report.directories += 1;
        Ok(dir)
    }

    fn not_entered(&self, path: &str, errno: Errno) -> Error {
        match errno {
            Errno::LOOP | Errno::NOTDIR | Errno::XDEV => {
                Refusal::PathThroughLink(shown(path.as_bytes())).into()
            }
            _ => Error::Host { action: "open", path: self.host_path(path), source: errno.into() },
        }
    }

    fn host_path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&fd, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn times(changed: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: changed, tv_nsec: 0 },
    }
}
