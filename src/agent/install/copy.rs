//! Copies a file's bytes, each written once at most: shared where the file system can, moved by the kernel where not, read and written else.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

/// Bytes up to which a read and a write cost less than the kernel's way.
const SMALL: u64 = 64 * 1024;
/// Bytes that the kernel is asked for at once.
const LARGE: usize = 1 << 30;

/// What was learned of the file systems so far.
pub struct Copier {
    shares: AtomicBool,
    moves: AtomicBool,
}

impl Default for Copier {
    fn default() -> Self {
        Self { shares: AtomicBool::new(true), moves: AtomicBool::new(true) }
    }
}

impl Copier {
    /// Copies all of `from`, which is said to have `size` bytes; gives how many it had.
    pub fn copy(&self, from: &OwnedFd, to: &OwnedFd, size: u64) -> rustix::io::Result<u64> {
        if size == 0 {
            return self.by_hand(from, to, 0);
        }
        if self.shares.load(Ordering::Relaxed) {
            match rustix::fs::ioctl_ficlone(to, from) {
                Ok(()) => return Ok(u64::try_from(rustix::fs::fstat(to)?.st_size).unwrap_or_default()),
                Err(errno) if is_unable(errno) => self.shares.store(false, Ordering::Relaxed),
                Err(errno) => return Err(errno),
            }
        }
        if size <= SMALL || !self.moves.load(Ordering::Relaxed) {
            return self.by_hand(from, to, size);
        }
        let mut copied = 0;
        loop {
            match rustix::fs::copy_file_range(from, None, to, None, LARGE) {
                Ok(0) => return Ok(copied),
                Ok(more) => copied += more as u64,
                Err(Errno::INTR) => {}
                Err(errno) if copied == 0 && is_unable(errno) => {
                    self.moves.store(false, Ordering::Relaxed);
                    return self.by_hand(from, to, size);
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    fn by_hand(&self, from: &OwnedFd, to: &OwnedFd, size: u64) -> rustix::io::Result<u64> {
        // One byte more than it should have shows whether it grew.
        let room = usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX).clamp(512, 128 * 1024);
        let mut buffer = vec![0; room];
        let mut copied = 0;
        loop {
            let read = match rustix::io::read(from, &mut buffer) {
                Ok(0) => return Ok(copied),
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            write_all(to.as_fd(), &buffer[..read])?;
            copied += read as u64;
            // A file gives less than it is asked for at its end only.
            if read < buffer.len() {
                return Ok(copied);
            }
        }
    }
}

fn is_unable(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::XDEV
            | Errno::INVAL
            | Errno::OPNOTSUPP
            | Errno::NOSYS
            | Errno::NOTTY
            | Errno::PERM
            | Errno::TXTBSY
    )
}

fn write_all(to: impl AsFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&to, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
