//! The host's files: every change of an installation goes through here, a step each, and passes no link on its way.
//!
//! Paths are absolute and real (no link in them when they were planned): a link that somebody puts into one later is an error, never a way.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::entry::is_below;
use super::error::Error;
use super::steps::Steps;
use crate::agent::beneath::{Beneath, split};
use crate::agent::permissions::Attributes;

/// The whole host, from `/`.
pub struct Host<'a> {
    root: Beneath,
    steps: &'a Steps,
    parent: RefCell<Option<(String, Rc<OwnedFd>)>>,
}

impl<'a> Host<'a> {
    /// The host that this runs on.
    pub fn new(steps: &'a Steps) -> Result<Self, Error> {
        let root = Beneath::at(Path::new("/")).map_err(Error::host("open", "/"))?;
        Ok(Self { root, steps, parent: RefCell::new(None) })
    }

    /// The steps that changes are counted by.
    pub fn steps(&self) -> &'a Steps {
        self.steps
    }

    /// A directory, opened for work in it.
    pub fn directory(&self, path: &str) -> rustix::io::Result<Rc<OwnedFd>> {
        if let Some((held, fd)) = &*self.parent.borrow()
            && held == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = Rc::new(self.root.directory(path.trim_start_matches('/'))?);
        *self.parent.borrow_mut() = Some((path.to_owned(), Rc::clone(&fd)));
        Ok(fd)
    }

    /// Forgets the directory that is held open if its name is about to mean another one.
    fn forget(&self, moved: &str) {
        let is_moved = |held: &str| held == moved || is_below(held, moved);
        self.parent.borrow_mut().take_if(|(held, _)| is_moved(held));
    }

    /// What is at `path`, links not followed; nothing when nothing is.
    pub fn find(&self, path: &str) -> Result<Option<Stat>, Error> {
        let (parent, name) = split(path);
        let found =
            self.directory(parent).and_then(|dir| rustix::fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(Error::host("look at", path)(errno)),
        }
    }

    /// Where a link leads.
    pub fn link_target(&self, path: &str) -> Result<String, Error> {
        let (parent, name) = split(path);
        let read = self.directory(parent).and_then(|dir| rustix::fs::readlinkat(&*dir, name, Vec::new()));
        Ok(read.map_err(Error::host("read", path))?.to_string_lossy().into_owned())
    }

    /// One change: counted, and done in the directory of `path`.
    fn change<T>(
        &self,
        action: &'static str,
        path: &str,
        change: impl FnOnce(&OwnedFd, &str) -> rustix::io::Result<T>,
    ) -> Result<T, Error> {
        let (parent, name) = split(path);
        let done = self.steps.step().and_then(|()| change(&*self.directory(parent)?, name));
        done.map_err(Error::host(action, path))
    }

    /// Makes a file that must not be there yet; readable by nobody else until its mode is set.
    pub fn create(&self, path: &str) -> Result<OwnedFd, Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.change("make", path, |dir, name| {
            rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))
        })
    }

    /// Makes a directory that must not be there yet, and opens it.
    pub fn make_directory(&self, path: &str) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.change("make", path, |dir, name| {
            rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755))?;
            rustix::fs::openat(dir, name, flags, Mode::empty())
        })
    }

    /// Makes a link.
    pub fn link(&self, path: &str, target: &str) -> Result<(), Error> {
        self.change("make", path, |dir, name| rustix::fs::symlinkat(target, dir, name))
    }

    /// Gives what is at `from` a name in the same directory that nothing has.
    pub fn rename_new(&self, from: &str, to: &str) -> Result<(), Error> {
        let (_, new) = split(to);
        let renamed = self.change("rename", from, |dir, old| {
            match rustix::fs::renameat_with(dir, old, dir, new, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    match rustix::fs::statat(dir, new, AtFlags::SYMLINK_NOFOLLOW) {
                        Err(Errno::NOENT) => rustix::fs::renameat(dir, old, dir, new),
                        Ok(_) => Err(Errno::EXIST),
                        Err(errno) => Err(errno),
                    }
                }
                other => other,
            }
        });
        [from, to].into_iter().for_each(|path| self.forget(path));
        renamed
    }

    /// Lets two names of one directory change places; false where the file system cannot.
    pub fn exchange(&self, one: &str, other: &str) -> Result<bool, Error> {
        let (_, second) = split(other);
        let lacks_exchange = self.steps.lacks_exchange;
        let exchanged = self.change("switch", one, |dir, first| {
            if lacks_exchange {
                return Ok(false);
            }
            match rustix::fs::renameat_with(dir, first, dir, second, RenameFlags::EXCHANGE) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
                other => other.map(|()| true),
            }
        });
        [one, other].into_iter().for_each(|path| self.forget(path));
        exchanged
    }

    /// Removes a file or a link; true if it was there.
    pub fn remove_file(&self, path: &str) -> Result<bool, Error> {
        match self.change("remove", path, |dir, name| rustix::fs::unlinkat(dir, name, AtFlags::empty())) {
            Err(Error::Host { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Removes a directory if it is empty; true if it was.
    pub fn remove_directory(&self, path: &str) -> Result<bool, Error> {
        self.forget(path);
        let removed = self.change("remove", path, |dir, name| {
            match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => Ok(false),
                other => other.map(|()| true),
            }
        });
        match removed {
            Err(Error::Host { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(true),
            other => other,
        }
    }

    /// Removes whatever is at `path`, with all that is below it.
    pub fn remove_tree(&self, path: &str) -> Result<(), Error> {
        let Some(found) = self.find(path)? else { return Ok(()) };
        if !is_directory(&found) {
            return self.remove_file(path).map(|_| ());
        }
        self.forget(path);
        self.steps.step().map_err(Error::host("remove", path))?;
        std::fs::remove_dir_all(path).map_err(Error::host("remove", path))
    }

    /// Gives a directory other attributes.
    pub fn set_attributes(&self, path: &str, attributes: &Attributes) -> Result<(), Error> {
        let set = self.steps.step().and_then(|()| attributes.apply(&*self.directory(path)?));
        set.map_err(Error::host("set owner and mode of", path))
    }

    /// Writes everything that the file system of `path` holds back to its disk.
    pub fn sync(&self, path: &str) -> Result<(), Error> {
        let synced = self.steps.step().and_then(|()| rustix::fs::syncfs(&*self.directory(path)?));
        synced.map_err(Error::host("write to the disk", path))
    }
}

/// True for a directory.
pub fn is_directory(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory
}

/// True for a link.
pub fn is_link(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Symlink
}

/// True for a plain file.
pub fn is_file(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile
}
