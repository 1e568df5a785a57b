//! What the AppSpec's `files` come to: takes sources and destinations, gives every path that is wanted, in the order of the tree.
//!
//! Reads the archive and the host's links on the way to what is wanted; touches nothing.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, tree_order};
use super::error::Error;
use super::host::Host;
use super::links::{self, IsOurs};
use super::way::{Origin, Way};
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
    /// The AppSpec's entry that wants it; many share one.
    pub origin: Arc<Origin>,
}

/// Everything that is wanted, and the ways on which it comes there. Links of the host's that are the group's own are not followed.
pub fn wanted(
    job: &Job<'_>,
    host: &Host<'_>,
    is_ours: &IsOurs<'_>,
) -> Result<(Vec<Wanted>, Vec<Way>), Error> {
    let archive = fs::canonicalize(job.archive).map_err(Error::host("open", job.archive))?;
    let mut walk = Walk {
        archive,
        options: job.options,
        host,
        is_ours,
        found: Vec::new(),
        ways: Vec::new(),
        no_folder: "".into(),
        last_folder: None,
    };
    for entry in &job.spec.files {
        walk.entry(entry)?;
    }
    let Walk { mut found, mut ways, .. } = walk;
    ways.sort();
    ways.dedup();
    found.sort_unstable_by(|one, other| {
        // Of a directory that is wanted twice, the one stays that has a way.
        tree_order(one.entry.path(), other.entry.path()).then_with(|| other.origin.cmp(&one.origin))
    });
    for pair in found.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        let are_directories = one.entry.is_directory() && other.entry.is_directory();
        if one.entry.path() == other.entry.path() && !are_directories {
            let (one_line, other_line) = (one.origin.line, other.origin.line);
            let (first, second) = (one_line.min(other_line), one_line.max(other_line));
            return Err(Error::TargetTwice { path: one.entry.path().into(), first, second });
        }
    }
    found.dedup_by(|one, other| one.entry.path() == other.entry.path());
    Ok((found, ways))
}

struct Walk<'a> {
    archive: PathBuf,
    options: &'a Options,
    host: &'a Host<'a>,
    is_ours: &'a IsOurs<'a>,
    found: Vec<Wanted>,
    ways: Vec<Way>,
    no_folder: Arc<str>,
    last_folder: Option<(PathBuf, Arc<str>)>,
}

impl Walk<'_> {
    fn entry(&mut self, entry: &FileEntry) -> Result<(), Error> {
        let line = entry.line;
        let missing = || Error::SourceMissing { what: entry.source.clone(), line };
        let outside = || Error::SourceOutside { what: entry.source.clone(), line };
        let destination = real_destination(entry, self.is_ours)?;
        let written = entry.destination.trim_end_matches('/').to_owned();
        let origin = self.origin(Way { written, real: destination.clone() }, line);
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
        self.ancestors(&destination, &origin)?;
        let directory = if found.is_symlink() { self.linked_directory(&real)? } else { None };
        if found.is_dir() || directory.is_some() {
            let directory = directory.unwrap_or(real);
            return self.directory(&directory, &destination, &origin, &mut Vec::new());
        }
        self.place(&real, &found, &destination, &origin, &mut Vec::new())
    }

    fn origin(&mut self, way: Way, line: usize) -> Arc<Origin> {
        self.ways.push(way.clone());
        Arc::new(Origin { way: Some(way), line })
    }

    /// The destination and what it lies in: directories that are there, or are made.
    fn ancestors(&mut self, destination: &str, origin: &Arc<Origin>) -> Result<(), Error> {
        let ends = destination.char_indices().skip(1).filter(|(_, character)| *character == '/');
        for end in ends.map(|(end, _)| end).chain([destination.len()]).filter(|end| *end > 0) {
            self.want(Entry::Directory(destination[..end].into()), origin)?;
        }
        Ok(())
    }

    /// What a directory of the archive holds; `through` has the directories that it was reached through.
    fn directory(
        &mut self,
        source: &Path,
        target: &str,
        origin: &Arc<Origin>,
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
            self.place(&entry.path(), &found, target, origin, through)?;
        }
        through.pop();
        Ok(())
    }

    /// Where a directory below a destination goes: itself, or what the host's link there leads to, which is another way.
    fn through_link(&mut self, target: String, origin: &Arc<Origin>) -> Result<(String, Arc<Origin>), Error> {
        let follows_all = self.options.follow_directory_links;
        let followed = links::followed(self.host, &target, self.is_ours, follows_all)?;
        let Some(real) = followed else { return Ok((target, Arc::clone(origin))) };
        let above = real.rsplit_once('/').map_or("", |(above, _)| above);
        self.ancestors(above, &Arc::new(Origin { way: None, line: origin.line }))?;
        let way = Way { written: origin.written(&target).into_owned(), real: real.clone() };
        Ok((real, self.origin(way, origin.line)))
    }

    /// One path of the archive, to be put into the directory `into`: a link to a file, or to nothing, stays one; one to a directory is followed.
    fn place(
        &mut self,
        path: &Path,
        found: &Metadata,
        into: &str,
        origin: &Arc<Origin>,
        through: &mut Vec<(u64, u64)>,
    ) -> Result<(), Error> {
        let name = text(path.file_name().map_or(path, Path::new))?;
        let target = format!("{into}/{name}");
        if found.is_file() {
            let nanoseconds = u32::try_from(found.mtime_nsec()).unwrap_or_default();
            let entry = Entry::File(target.into(), found.len(), found.mtime(), nanoseconds);
            let folder = self.folder(path.parent().unwrap_or(path))?;
            self.want(entry, origin)?;
            if let Some(file) = self.found.last_mut() {
                (file.folder, file.mode) = (folder, found.mode() & 0o7777);
                file.owner = self.options.keep_owners.then(|| (found.uid(), found.gid()));
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
            let (target, origin) = self.through_link(target, origin)?;
            // A link may lead to the root, which nobody need want.
            if !target.is_empty() {
                self.want(Entry::Directory(target.as_str().into()), &origin)?;
            }
            return self.directory(&directory, &target, &origin, through);
        }
        let leads = fs::read_link(path).map_err(Error::host("read", path))?;
        self.want(Entry::Link(target.into(), text(&leads)?.into()), origin)
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

    fn want(&mut self, entry: Entry, origin: &Arc<Origin>) -> Result<(), Error> {
        if self.found.len() >= FILES {
            return Err(Error::TooManyFiles(FILES));
        }
        let (folder, origin) = (Arc::clone(&self.no_folder), Arc::clone(origin));
        self.found.push(Wanted { entry, folder, mode: 0, owner: None, origin });
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
fn real_destination(entry: &FileEntry, is_ours: &IsOurs<'_>) -> Result<String, Error> {
    let wrong =
        |problem| Error::DestinationInvalid { what: entry.destination.clone(), line: entry.line, problem };
    let path = Path::new(&entry.destination);
    if !path.is_absolute() {
        return Err(wrong("is not absolute; begin it with /"));
    }
    if entry.destination.split('/').any(|part| part == "..") {
        return Err(wrong("has .. in it; write where it leads"));
    }
    let real = links::real_path(path, is_ours)
        .map_err(|_| wrong("leads through a link to nothing, or through a file; correct it"))?;
    let real = text(&real)?;
    Ok(real.trim_end_matches('/').to_owned())
}
