//! The host's own links to directories: takes a path, gives where it leads, or who else could have a say in that. Touches nothing.
//!
//! What is put into a directory of the host goes where the host's keeper has laid it: `/lib` is `/usr/lib` on most hosts. A link that somebody else
//! can turn would let him say where root writes. So a link below a destination is followed only where nobody but root could
//! have laid it, as the kernel (`fs.protected_symlinks`) and systemd reason. A path of the group's own that became a link is no way: it is put back.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::Error;
use super::host::{Host, is_link};

/// Links in a row, as the kernel has it.
const LINKS: usize = 40;
/// Write bits of group and others; of a file with an access control list, the first are its mask's.
const OTHERS_WRITE: u32 = 0o022;
/// What keeps others from moving what is not theirs.
const STICKY: u32 = 0o1000;

/// Which paths the group wrote, and nobody else has.
pub type IsOurs<'a> = dyn Fn(&str) -> bool + 'a;

/// A directory on a link's way that others than root can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Its path.
    pub directory: PathBuf,
    /// Its owner.
    pub owner: u32,
    /// Its mode.
    pub mode: u32,
}

/// Where a directory that is wanted at `path` goes: to what a link of the host's there leads to. Nothing where there is none to follow: no link, one of
/// the group's own, or one that leads to no directory.
pub fn followed(
    host: &Host<'_>,
    path: &str,
    is_ours: &IsOurs<'_>,
    follows_all: bool,
) -> Result<Option<String>, Error> {
    let at = Path::new(path);
    let is_way = host.find(path)?.is_some_and(|found| is_link(&found)) && at.is_dir() && !is_ours(path);
    if !is_way {
        return Ok(None);
    }
    let real = if follows_all {
        fs::canonicalize(at).map_err(Error::host("look at", at))?
    } else {
        chased(at).map_err(Error::host("look at", at))?.map_err(|doubt| Error::LinkUntrusted {
            link: at.to_owned(),
            directory: doubt.directory,
            owner: doubt.owner,
            mode: doubt.mode,
        })?
    };
    match real.to_str() {
        Some(real) => Ok(Some(real.trim_end_matches('/').to_owned())),
        None => Err(Error::NameNotUtf8(real)),
    }
}

/// The path with its links followed as far as it is there; the rest as it is written. A link of the group's own is where it ends.
pub fn real_path(path: &Path, is_ours: &IsOurs<'_>) -> std::io::Result<PathBuf> {
    let ancestors: Vec<&Path> = path.ancestors().collect();
    for ancestor in ancestors.iter().rev() {
        if ancestor.symlink_metadata().is_ok_and(|found| found.is_symlink())
            && let (Some(parent), Some(name)) = (ancestor.parent(), ancestor.file_name())
        {
            let own = fs::canonicalize(parent)?.join(name);
            if own.to_str().is_some_and(is_ours) {
                return Ok(joined(own, path.strip_prefix(ancestor).unwrap_or(Path::new(""))));
            }
        }
    }
    for ancestor in ancestors {
        let Ok(found) = ancestor.symlink_metadata() else { continue };
        let real = fs::canonicalize(ancestor)?;
        let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
        if !found.is_symlink() && !found.is_dir() && !rest.as_os_str().is_empty() {
            return Err(ErrorKind::NotADirectory.into());
        }
        return Ok(joined(real, rest));
    }
    Err(ErrorKind::NotFound.into())
}

fn joined(path: PathBuf, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { path } else { path.join(rest) }
}

/// A directory on the way, with no link in its path.
struct Place {
    fd: OwnedFd,
    path: PathBuf,
    stat: Stat,
}

impl Place {
    fn root() -> rustix::io::Result<Self> {
        let fd = rustix::fs::openat(CWD, "/", flags() | OFlags::DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Self { fd, path: "/".into(), stat })
    }

    /// What lies here under a name, a link as itself.
    fn step(&self, name: &OsString) -> rustix::io::Result<Self> {
        let fd = rustix::fs::openat(&self.fd, name, flags(), Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Self { fd, path: self.path.join(name), stat })
    }

    /// True if nobody but root, or whom the agent runs as, could put something else under the name of `entry`.
    fn holds(&self, entry: &Self) -> bool {
        let is_trusted = |stat: &Stat| stat.st_uid == 0 || stat.st_uid == geteuid().as_raw();
        let is_closed = self.stat.st_mode & OTHERS_WRITE == 0;
        let is_sticky = self.stat.st_mode & STICKY != 0;
        is_trusted(&self.stat) && (is_closed || (is_sticky && is_trusted(&entry.stat)))
    }
}

fn flags() -> OFlags {
    OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Where a path leads, by descriptors from `/` on, so that what was looked at is what was passed; a doubt if others than root could turn it.
pub fn chased(path: &Path) -> rustix::io::Result<Result<PathBuf, Doubt>> {
    let root = Place::root()?;
    let mut places: Vec<Place> = Vec::new();
    let mut parts = reversed(path);
    let mut links = 0;
    while let Some(part) = parts.pop() {
        if part == ".." {
            places.pop();
            continue;
        }
        let here = places.last().unwrap_or(&root);
        let next = here.step(&part)?;
        if !here.holds(&next) {
            let (owner, mode) = (here.stat.st_uid, here.stat.st_mode & 0o7777);
            return Ok(Err(Doubt { directory: here.path.clone(), owner, mode }));
        }
        if !is_link(&next.stat) {
            places.push(next);
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP);
        }
        let leads = rustix::fs::readlinkat(&next.fd, "", Vec::new())?.into_bytes();
        let leads = PathBuf::from(OsString::from_vec(leads));
        if leads.is_absolute() {
            places.clear();
        }
        parts.extend(reversed(&leads));
    }
    Ok(Ok(places.pop().map_or_else(|| "/".into(), |place| place.path)))
}

/// A path's parts, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests;
