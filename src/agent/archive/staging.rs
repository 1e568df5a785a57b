//! The directory that a bundle is unpacked into before it gets its name; gone again unless it does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;

/// The names of an AppSpec.
const APPSPECS: [&str; 2] = ["appspec.yml", "appspec.yaml"];

/// A directory of ours beside the one that is wanted.
pub(super) struct Staging {
    path: PathBuf,
}

impl Staging {
    /// Makes an empty one; what an earlier attempt left there goes.
    pub fn beside(into: &Path) -> Result<Self, Error> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "it has no name");
        let name = into.file_name().ok_or_else(|| Error::host("unpack into", into)(wrong()))?;
        let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(Error::host("make", parent))?;
        let path = parent.join(format!(".{}.unpacking", name.to_string_lossy()));
        remove(&path)?;
        fs::create_dir(&path).map_err(Error::host("make", &path))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the bundle begins: here, or in the one directory that is all there is and has an AppSpec (as in GitHub's archives).
    pub fn bundle_root(&self) -> Result<PathBuf, Error> {
        let mut entries = fs::read_dir(&self.path).map_err(Error::host("list", &self.path))?;
        let only = match (entries.next(), entries.next()) {
            (Some(Ok(only)), None) => only,
            _ => return Ok(self.path.clone()),
        };
        let is_directory = only.file_type().is_ok_and(|kind| kind.is_dir());
        let has_appspec = || {
            let is_there = |name: &&str| only.path().join(name).symlink_metadata().is_ok();
            APPSPECS.iter().any(is_there)
        };
        Ok(if is_directory && has_appspec() { only.path() } else { self.path.clone() })
    }

    /// Gives the bundle its name, and what else is here goes. On the disk when this returns.
    pub fn become_bundle(self, root: &Path, into: &Path) -> Result<(), Error> {
        remove(into)?;
        set_mode(root)?;
        fs::rename(root, into).map_err(Error::host("rename", into))?;
        let parent = self.path.parent().unwrap_or(Path::new("."));
        let synced = fs::File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(Error::host("write to the disk", parent))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = remove(&self.path);
    }
}

fn set_mode(root: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).map_err(Error::host("set the mode of", root))
}

fn remove(path: &Path) -> Result<(), Error> {
    let Ok(found) = path.symlink_metadata() else { return Ok(()) };
    let gone = if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    gone.map_err(Error::host("remove", path))
}
