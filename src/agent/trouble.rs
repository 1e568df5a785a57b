//! What a host's file system says when it says no: the word for it, and what cures it.

use std::io;

use rustix::io::Errno;

/// The CamelCase word for an error of this host.
pub fn reason(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => "DiskFull",
        Some(Errno::ROFS) => "FileSystemReadOnly",
        Some(Errno::IO) => "InputOutputError",
        Some(Errno::ACCESS | Errno::PERM) => "PermissionDenied",
        Some(Errno::MFILE | Errno::NFILE) => "TooManyOpenFiles",
        _ => "HostFileSystem",
    }
}

/// What to do about it, to be read after what the system said; empty where nothing is known.
pub fn cure(error: &io::Error) -> &'static str {
    match reason(error) {
        "DiskFull" => "; free space or inodes there, or raise the quota",
        "FileSystemReadOnly" => "; mount it writable",
        "InputOutputError" => "; look at the disk",
        "PermissionDenied" => "; run the agent as root, or let its user write there",
        "TooManyOpenFiles" => "; raise the limit of open files",
        _ => "",
    }
}
