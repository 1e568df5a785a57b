//! For tests: a disk that is soon full, has few inodes, or is read-only. Needs root; without it the tests that use one say so and pass,
//! or fail where `REQUIRE_ROOT_TESTS` is set, as it is by `make test`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::clock::instant;

/// How long a condition may take to come about.
const DEADLINE: Duration = Duration::from_secs(10);

/// Says aloud, past the capture of what tests print, that a test does not run here; fails it where it has to.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
    assert!(std::env::var_os("REQUIRE_ROOT_TESTS").is_none(), "REQUIRE_ROOT_TESTS is set, and {why}");
}

/// A file system in memory, mounted in a directory of its own.
pub struct SmallDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl SmallDisk {
    /// Of `kibibytes` with room for `inodes` files; nothing where that may not be mounted.
    pub fn of(kibibytes: u64, inodes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = std::fs::canonicalize(folder.path()).unwrap().join("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={kibibytes}k,nr_inodes={inodes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&path).status();
        if !mounted.is_ok_and(|status| status.success()) {
            skip("nothing may be mounted here: what a full disk does is not tested");
            return None;
        }
        Some(Self { _folder: folder, path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes and inodes that are free, once no other process has a file of the disk open: what a test beside this one has forked holds all that
    /// we had open until it becomes the program that it is to be.
    pub fn free(&self) -> (u64, u64) {
        let deadline = instant() + DEADLINE;
        while self.is_held() {
            assert!(instant() < deadline, "another process holds a file of {} open", self.path.display());
            std::thread::yield_now();
        }
        let stat = rustix::fs::statvfs(&self.path).unwrap();
        (stat.f_bfree * stat.f_frsize, stat.f_ffree)
    }

    fn is_held(&self) -> bool {
        let own = std::process::id().to_string();
        let others = fs::read_dir("/proc").unwrap().flatten().filter(|entry| *entry.file_name() != *own);
        let mut files =
            others.filter_map(|other| fs::read_dir(other.path().join("fd")).ok()).flatten().flatten();
        files.any(|file| fs::read_link(file.path()).is_ok_and(|path| path.starts_with(&self.path)))
    }

    pub fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.path).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.path).status();
    }
}
