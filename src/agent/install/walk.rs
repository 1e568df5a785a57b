//! What the AppSpec's `files` come to: takes sources and destinations, gives every path that is wanted, in the order of the tree.
//!
//! Reads the archive and the host's links above the destinations; touches nothing.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::geteuid;

use super::entry::{Entry, tree_order};
use super::error::Error;
use super::{Job, Options};
use crate::appspec::FileEntry;

/// Files that one deployment may put in place.
const FILES: usize = 1_000_000;
/// Directories in each other that a source may have.
const DEPTH: usize = 128;

/// A path that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What is to be there.
    pub entry: Entry,
    /// The directory of the archive that has its bytes, under the same name; many share one.
    pub folder: Arc<str>,
    /// Mode bits of a file.
    pub mode: u32,
    /// User and group of a file, where they are to be kept.
    pub owner: Option<(u32, u32)>,
    /// Line of the AppSpec's entry that wants it.
    pub line: usize,
}

/// Everything that is wanted.
pub fn wanted(job: &Job<'_>) -> Result<Vec<Wanted>, Error> {
    let archive = fs::canonicalize(job.archive).map_err(Error::host("open", job.archive))?;
    let mut walk = Walk {
        archive,
        options: job.options,
        keeps_owners: !job.options.ignores_ownership && geteuid().is_root(),
        found: Vec::new(),
        no_folder: "".into(),
        last_folder: None,
    };
    for entry in &job.spec.files {
        walk.entry(entry)?;
    }
    let mut found = walk.found;
    found.sort_unstable_by(|one, other| tree_order(one.entry.path(), other.entry.path()));
    for pair in found.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        let are_directories = one.entry.is_directory() && other.entry.is_directory();
        if one.entry.path() == other.entry.path() && !are_directories {
            let (first, second) = (one.line.min(other.line), one.line.max(other.line));
            return Err(Error::TargetTwice { path: one.entry.path().into(), first, second });
        }
    }
    found.dedup_by(|one, other| one.entry.path() == other.entry.path());
    Ok(found)
}

struct Walk<'a> {
    archive: PathBuf,
    options: &'a Options,
    keeps_owners: bool,
    found: Vec<Wanted>,
    no_folder: Arc<str>,
    last_folder: Option<(PathBuf, Arc<str>)>,
}

impl Walk<'_> {
    fn entry(&mut self, entry: &FileEntry) -> Result<(), Error> {
        let line = entry.line;
        let missing = || Error::SourceMissing { what: entry.source.clone(), line };
        let outside = || Error::SourceOutside { what: entry.source.clone(), line };
        let destination = real_destination(entry)?;
        let path = self.archive.join(entry.source.trim_start_matches('/'));
        let found = path.symlink_metadata().map_err(|_| missing())?;
        let real = if found.is_symlink() {
            let parent = path.parent().map(fs::canonicalize).transpose().map_err(|_| missing())?;
            parent.unwrap_or_default().join(path.file_name().ok_or_else(outside)?)
        } else {
            fs::canonicalize(&path).map_err(|_| missing())?
        };
        if !real.starts_with(&self.archive) && !self.options.allow_outside_sources {
            return Err(outside());
        }
        self.ancestors(&destination, line)?;
        let directory = if found.is_symlink() { self.linked_directory(&real)? } else { None };
        if found.is_dir() || directory.is_some() {
            let directory = directory.unwrap_or(real);
            return self.directory(&directory, &destination, line, &mut Vec::new());
        }
        self.place(&real, &found, &destination, line, &mut Vec::new())
    }

    /// The destination and what it lies in: directories that are there, or are made.
    fn ancestors(&mut self, destination: &str, line: usize) -> Result<(), Error> {
        let ends = destination.char_indices().skip(1).filter(|(_, character)| *character == '/');
        for end in ends.map(|(end, _)| end).chain([destination.len()]).filter(|end| *end > 0) {
            self.want(Entry::Directory(destination[..end].into()), line)?;
        }
        Ok(())
    }

    /// What a directory of the archive holds; `through` has the directories that it was reached through.
    fn directory(
        &mut self,
        source: &Path,
        target: &str,
        line: usize,
        through: &mut Vec<(u64, u64)>,
    ) -> Result<(), Error> {
        let own = identity(&source.metadata().map_err(Error::host("look at", source))?);
        if through.contains(&own) || through.len() >= DEPTH {
            return Err(Error::LinkLoops(source.to_owned()));
        }
        through.push(own);
        for entry in fs::read_dir(source).map_err(Error::host("list", source))? {
            let entry = entry.map_err(Error::host("list", source))?;
            let found = entry.metadata().map_err(Error::host("look at", entry.path()))?;
            self.place(&entry.path(), &found, target, line, through)?;
        }
        through.pop();
        Ok(())
    }

    /// A directory below a destination that is a link on the host, where the host says that those are followed.
    fn through_link(&self, target: String) -> String {
        if !self.options.follow_directory_links {
            return target;
        }
        let path = Path::new(&target);
        let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let real = if is_link && path.is_dir() { fs::canonicalize(path).ok() } else { None };
        real.and_then(|real| real.to_str().map(str::to_owned)).unwrap_or(target)
    }

    /// One path of the archive, to be put into the directory `into`: a link to a file, or to nothing, stays one; one to a directory is followed.
    fn place(
        &mut self,
        path: &Path,
        found: &Metadata,
        into: &str,
        line: usize,
        through: &mut Vec<(u64, u64)>,
    ) -> Result<(), Error> {
        let name = text(path.file_name().map_or(path, Path::new))?;
        let target = format!("{into}/{name}");
        if found.is_file() {
            let nanoseconds = u32::try_from(found.mtime_nsec()).unwrap_or_default();
            let entry = Entry::File(target.into(), found.len(), found.mtime(), nanoseconds);
            let folder = self.folder(path.parent().unwrap_or(path))?;
            self.want(entry, line)?;
            if let Some(file) = self.found.last_mut() {
                (file.folder, file.mode) = (folder, found.mode() & 0o7777);
                file.owner = self.keeps_owners.then(|| (found.uid(), found.gid()));
            }
            return Ok(());
        }
        let directory = if found.is_dir() {
            Some(path.to_owned())
        } else if found.is_symlink() {
            self.linked_directory(path)?
        } else {
            return Err(Error::SpecialFile(path.to_owned()));
        };
        if let Some(directory) = directory {
            let target = self.through_link(target);
            self.want(Entry::Directory(target.as_str().into()), line)?;
            return self.directory(&directory, &target, line, through);
        }
        let leads = fs::read_link(path).map_err(Error::host("read", path))?;
        self.want(Entry::Link(target.into(), text(&leads)?.into()), line)
    }

    /// The directory that a link leads to; nothing for a link to a file or to nothing, which stays one.
    fn linked_directory(&self, path: &Path) -> Result<Option<PathBuf>, Error> {
        let leads = fs::read_link(path).map_err(Error::host("read", path))?;
        let leaves = || Error::LinkLeaves(path.to_owned());
        let allowed = self.options.allow_outside_links;
        match fs::canonicalize(path) {
            Ok(real) if !leads.is_absolute() && real.starts_with(&self.archive) => {
                Ok(real.is_dir().then_some(real))
            }
            Ok(_) if allowed => Ok(None),
            Ok(_) => Err(leaves()),
            Err(error) if error.kind() == ErrorKind::NotFound && (allowed || !leads.is_absolute()) => {
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(leaves()),
            Err(_) => Err(Error::LinkLoops(path.to_owned())),
        }
    }

    fn want(&mut self, entry: Entry, line: usize) -> Result<(), Error> {
        if self.found.len() >= FILES {
            return Err(Error::TooManyFiles(FILES));
        }
        self.found.push(Wanted { entry, folder: Arc::clone(&self.no_folder), mode: 0, owner: None, line });
        Ok(())
    }

    /// A directory's path from the archive on; whole where it is not in it.
    fn folder(&mut self, path: &Path) -> Result<Arc<str>, Error> {
        if let Some((last, folder)) = &self.last_folder
            && last == path
        {
            return Ok(Arc::clone(folder));
        }
        let folder: Arc<str> = text(path.strip_prefix(&self.archive).unwrap_or(path))?.into();
        self.last_folder = Some((path.to_owned(), Arc::clone(&folder)));
        Ok(folder)
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::NameNotUtf8(path.to_owned()))
}

/// A destination without links in what is there of it; the host's own links above it are followed, as its keeper put them there.
fn real_destination(entry: &FileEntry) -> Result<String, Error> {
    let wrong =
        |problem| Error::DestinationInvalid { what: entry.destination.clone(), line: entry.line, problem };
    let path = Path::new(&entry.destination);
    if !path.is_absolute() {
        return Err(wrong("is not absolute; begin it with /"));
    }
    if entry.destination.split('/').any(|part| part == "..") {
        return Err(wrong("has .. in it; write where it leads"));
    }
    let real = real_path(path)
        .map_err(|_| wrong("leads through a link to nothing, or through a file; correct it"))?;
    let real = text(&real)?;
    Ok(real.trim_end_matches('/').to_owned())
}

/// The path with its links followed as far as it is there; the rest as it is written.
pub fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    for ancestor in path.ancestors() {
        let Ok(found) = ancestor.symlink_metadata() else { continue };
        let real = fs::canonicalize(ancestor)?;
        let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
        if !found.is_symlink() && !found.is_dir() && !rest.as_os_str().is_empty() {
            return Err(ErrorKind::NotADirectory.into());
        }
        return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
    }
    Err(ErrorKind::NotFound.into())
}
