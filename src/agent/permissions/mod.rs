//! Who may do what with what is put in place: takes the AppSpec's `permissions`, gives numbers and bytes that a descriptor can be given.
//!
//! Names become numbers before anything is touched. Everything is set through descriptors, so that no link's target is ever reached; the owner comes before
//! the mode, since a change of owner clears bits of it.

mod acl;
mod names;
mod pattern;
mod selinux;

use std::os::fd::AsFd;

use rustix::fs::{Gid, Mode, Uid, XattrFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use acl::{Place, access_list, default_list};
pub use names::{Login, PATIENCE, Unanswered, group_id, login, user_id};
pub use pattern::{is_direct_match, is_match};
pub use selinux::{Label, forget_each, is_available, label, unlabel};

/// Where the kernel keeps an access control list.
const ACCESS: &str = "system.posix_acl_access";
/// Where it keeps the one that new files of a directory get.
const DEFAULT: &str = "system.posix_acl_default";

/// What a file or directory gets; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// The group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// Mode bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The access control list in the kernel's form; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<u8>>,
    /// The default access control list, the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Vec<u8>>,
}

impl Attributes {
    /// Gives them to what is open.
    pub fn apply(&self, fd: impl AsFd) -> rustix::io::Result<()> {
        let fd = fd.as_fd();
        if self.user.is_some() || self.group.is_some() {
            rustix::fs::fchown(fd, self.user.map(Uid::from_raw), self.group.map(Gid::from_raw))?;
        }
        if let Some(mode) = self.mode {
            rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))?;
        }
        for (name, list) in [(ACCESS, &self.access), (DEFAULT, &self.default)] {
            match list {
                Some(list) if !list.is_empty() => rustix::fs::fsetxattr(fd, name, list, XattrFlags::empty())?,
                Some(_) => match rustix::fs::fremovexattr(fd, name) {
                    Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
                    other => other?,
                },
                None => {}
            }
        }
        Ok(())
    }

    /// What a directory that is open has of all that can be set.
    pub fn of_directory(fd: impl AsFd) -> rustix::io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Self {
            user: Some(stat.st_uid),
            group: Some(stat.st_gid),
            mode: Some(stat.st_mode & 0o7777),
            access: Some(attribute(&fd, ACCESS)?),
            default: Some(attribute(&fd, DEFAULT)?),
        })
    }

    /// True if `self` has everything that `wanted` asks for.
    pub fn covers(&self, wanted: &Self) -> bool {
        fn agrees<T: PartialEq>(is: &Option<T>, wanted: &Option<T>) -> bool {
            wanted.is_none() || is == wanted
        }
        agrees(&self.user, &wanted.user)
            && agrees(&self.group, &wanted.group)
            && agrees(&self.mode, &wanted.mode)
            && agrees(&self.access, &wanted.access)
            && agrees(&self.default, &wanted.default)
    }
}

fn attribute(fd: impl AsFd, name: &str) -> rustix::io::Result<Vec<u8>> {
    let mut value = Vec::with_capacity(4096);
    match rustix::fs::fgetxattr(&fd, name, rustix::buffer::spare_capacity(&mut value)) {
        Ok(_) => Ok(value),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}
