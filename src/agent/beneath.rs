//! A directory that no path leads out of: takes paths below it, gives descriptors, follows no link on the way.
//!
//! The kernel resolves (`openat2` with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, Linux 5.6); where it cannot, the path is walked part by part with
//! O_NOFOLLOW. Paths are relative, without `.`, `..` and empty parts; the empty path is the directory itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};

/// A directory, and whether the kernel can confine paths to it.
pub struct Beneath {
    root: OwnedFd,
    resolves: bool,
}

/// Flags of every descriptor that is opened here.
const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW);
/// How often a resolution that the kernel could not vouch for (something was renamed meanwhile) is tried.
const TRIES: usize = 16;

impl Beneath {
    /// Opens a directory; links in `path` itself are followed.
    pub fn at(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// The directory behind a descriptor.
    pub fn of(root: OwnedFd) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | ALWAYS;
        let resolves = rustix::fs::openat2(&root, ".", flags, Mode::empty(), confined()).is_ok();
        Self { root, resolves }
    }

    /// The same, as a kernel without openat2 would have it.
    #[cfg(test)]
    pub fn by_parts(mut self) -> Self {
        self.resolves = false;
        self
    }

    /// The directory itself.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens what lies at `path`, which may be made when `flags` say so.
    ///
    /// Errors: ELOOP (or ENOTDIR) when a link is on the way or is what lies there.
    pub fn open(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        if path.is_empty() {
            return rustix::fs::openat(&self.root, ".", flags | ALWAYS, mode);
        }
        if !self.resolves {
            return self.open_by_parts(path, flags, mode);
        }
        for _ in 0..TRIES {
            match rustix::fs::openat2(&self.root, path, flags | ALWAYS, mode, confined()) {
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    /// Opens a directory, for work in it.
    pub fn directory(&self, path: &str) -> Result<OwnedFd> {
        self.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    fn open_by_parts(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut inner: Option<OwnedFd> = None;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            let at = inner.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            let step = OFlags::PATH | OFlags::DIRECTORY | ALWAYS;
            inner = Some(rustix::fs::openat(at, checked(part)?, step, Mode::empty())?);
        }
        let at = inner.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
        rustix::fs::openat(at, checked(name)?, flags | ALWAYS, mode)
    }
}

fn confined() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

/// A part that leads down and nowhere else.
fn checked(part: &str) -> Result<&str> {
    if matches!(part, "" | "." | "..") { Err(Errno::XDEV) } else { Ok(part) }
}

/// A path's directory and its last part.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn trees() -> (tempfile::TempDir, [Beneath; 2]) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/file"), "in").unwrap();
        std::fs::write(outer.path().join("secret"), "out").unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("b", root.join("a/link")).unwrap();
        symlink("/etc/passwd", root.join("absolute")).unwrap();
        let kernel = Beneath::at(&root).unwrap();
        assert!(kernel.resolves, "this kernel has no openat2: the test would try one way twice");
        let parts = Beneath::at(&root).unwrap().by_parts();
        (outer, [kernel, parts])
    }

    #[test]
    fn what_lies_below_is_opened_either_way() {
        let (_outer, trees) = trees();
        for tree in &trees {
            tree.open("a/b/file", OFlags::RDONLY, Mode::empty()).unwrap();
            tree.directory("a/b").unwrap();
            tree.directory("").unwrap();
        }
    }

    #[test]
    fn no_link_and_no_parent_leads_anywhere() {
        let (_outer, trees) = trees();
        for tree in &trees {
            for path in [
                "up/secret",
                "a/link/file",
                "a/link",
                "absolute",
                "up",
                "../secret",
                "a/../../secret",
                "/etc/passwd",
            ] {
                let opened = tree.open(path, OFlags::RDONLY, Mode::empty());
                assert!(opened.is_err(), "{path} was opened");
            }
        }
    }
}
