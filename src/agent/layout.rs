//! Where things lie on a host: the folders below the root, as CodeDeploy's agent lays them out, so that scripts which build those
//! paths run unchanged. What is only ours lies in `sluice`.
//!
//! ```text
//! <group-id>/<deployment-id>/deployment-archive/     the revision, unpacked
//! <group-id>/<deployment-id>/logs/scripts.log        what its scripts said
//! deployment-instructions/<group-id>_last_successful_install, <group-id>_most_recent_install
//! deployment-logs/codedeploy-agent-deployments.log   what all scripts said
//! sluice/                                            journal, bundles, keys, and in `installed` what each group has on this host;
//!                                                    readable by the agent only, and never a name that CodeDeploy's agent has
//! ```

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::Error;

/// Folders below the root that are no group's.
const OWN: [&str; 4] = ["deployment-instructions", "deployment-logs", "ongoing-deployment", "sluice"];

/// The root folder, ours alone while this value or a clone of it lives.
#[derive(Clone, Debug)]
pub struct Root {
    dir: PathBuf,
    /// The kernel lets go of them however the program ends.
    _locks: Arc<(File, Option<File>)>,
}

/// The folder of one Deployment on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentDir {
    dir: PathBuf,
}

impl DeploymentDir {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The unpacked revision.
    pub fn archive(&self) -> PathBuf {
        self.dir.join("deployment-archive")
    }

    /// What its scripts said.
    pub fn log(&self) -> PathBuf {
        self.dir.join("logs/scripts.log")
    }
}

/// Which of a group's earlier Deployments is meant.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The last one whose whole course succeeded here.
    LastSuccessful,
    /// The last one whose bundle was unpacked here.
    MostRecent,
}

impl Mark {
    fn suffix(self) -> &'static str {
        match self {
            Self::LastSuccessful => "_last_successful_install",
            Self::MostRecent => "_most_recent_install",
        }
    }
}

fn open_lock(path: &Path) -> Result<File, Error> {
    let options = File::options().read(true).write(true).create(true).truncate(false).open(path);
    options.map_err(Error::disk("open", path))
}

/// Waits until it is this process' turn.
fn take_turn(path: &Path) -> Result<File, Error> {
    let turn = open_lock(path)?;
    turn.lock().map_err(Error::disk("lock", path))?;
    Ok(turn)
}

impl Root {
    /// Makes the folders that are missing and takes the root for this process. `holder` says what the process is, for another one
    /// that finds it taken; with `in_turn` this one waits for others that take it in turn, and refuses at once whoever else has it.
    pub fn open(dir: &Path, holder: &str, in_turn: bool) -> Result<Self, Error> {
        create_all(dir, 0o755)?;
        let dir = dir.canonicalize().map_err(Error::disk("open", dir))?;
        for (own, mode) in [("deployment-instructions", 0o755), ("deployment-logs", 0o755), ("sluice", 0o700)]
        {
            create_all(&dir.join(own), mode)?;
        }
        let path = dir.join("sluice/lock");
        let mut lock = open_lock(&path)?;
        // Those who take turns share it, so that only others are refused. What its text says would not tell: it is written later.
        match if in_turn { lock.try_lock_shared() } else { lock.try_lock() } {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
                return Err(Error::RootInUse { root: dir, holder });
            }
            Err(TryLockError::Error(error)) => return Err(Error::disk("lock", &path)(error)),
        }
        let turn = in_turn.then(|| take_turn(&dir.join("sluice/turn"))).transpose()?;
        let said = lock.set_len(0).and_then(|()| writeln!(lock, "{holder}, process {}", std::process::id()));
        if let Err(error) = said {
            // The kernel knows who has it; only others who ask for a name hear none.
            tracing::warn!(%error, lock = %path.display(), "the root folder's holder is not written down");
        }
        Ok(Self { dir, _locks: Arc::new((lock, turn)) })
    }

    /// The root folder, absolute.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// What is only the agent's.
    pub fn own(&self, name: &str) -> PathBuf {
        self.dir.join("sluice").join(name)
    }

    /// Where a group's installation keeps its records. CodeDeploy's agent has its own in `deployment-instructions`: they say nothing to us.
    pub fn installed(&self) -> PathBuf {
        self.own("installed")
    }

    /// What all scripts said.
    pub fn log(&self) -> PathBuf {
        self.dir.join("deployment-logs/codedeploy-agent-deployments.log")
    }

    /// The folder of a group's Deployment.
    pub fn deployment(&self, group_id: &str, deployment: &str) -> Result<DeploymentDir, Error> {
        Ok(DeploymentDir { dir: self.group(group_id)?.join(folder_name(deployment)?) })
    }

    fn group(&self, group_id: &str) -> Result<PathBuf, Error> {
        let name = folder_name(group_id)?;
        if OWN.contains(&name) {
            return Err(Error::NoFolderName(name.to_owned()));
        }
        Ok(self.dir.join(name))
    }

    fn mark(&self, group_id: &str, mark: Mark) -> Result<PathBuf, Error> {
        let name = format!("{}{}", folder_name(group_id)?, mark.suffix());
        Ok(self.dir.join("deployment-instructions").join(name))
    }

    /// The Deployment that bears the mark in its group, if one does.
    pub fn marked(&self, group_id: &str, mark: Mark) -> Result<Option<DeploymentDir>, Error> {
        let path = self.mark(group_id, mark)?;
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(DeploymentDir { dir: text.trim().into() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::disk("read", &path)(error)),
        }
    }

    /// Marks a Deployment in its group.
    pub fn set_mark(&self, group_id: &str, mark: Mark, deployment: &DeploymentDir) -> Result<(), Error> {
        replace(&self.mark(group_id, mark)?, deployment.dir.to_string_lossy().as_bytes(), 0o644)
    }

    /// Deletes a group's oldest Deployments so that with `current` at most `keep` stay; the last successful one always does.
    pub fn prune(&self, group_id: &str, current: &DeploymentDir, keep: usize) -> Result<(), Error> {
        let group = self.group(group_id)?;
        let last = self.marked(group_id, Mark::LastSuccessful)?;
        let is_kept = |path: &PathBuf| *path == current.dir || last.as_ref().is_some_and(|l| *path == l.dir);
        let entries = fs::read_dir(&group).map_err(Error::disk("list", &group))?.filter_map(Result::ok);
        let folders = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        let mut others: Vec<(SystemTime, PathBuf)> = folders
            .filter(|entry| !is_kept(&entry.path()))
            .map(|entry| {
                (entry.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH), entry.path())
            })
            .collect();
        others.sort();
        let kept = 1 + usize::from(last.is_some_and(|l| l != *current && l.dir.exists()));
        let surplus = (others.len() + kept).saturating_sub(keep.max(1)).min(others.len());
        for (_, old) in &others[..surplus] {
            fs::remove_dir_all(old).map_err(Error::disk("delete", old))?;
        }
        Ok(())
    }
}

/// `name`, if a folder can have it.
fn folder_name(name: &str) -> Result<&str, Error> {
    let is_fit =
        !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(['/', '\0']);
    if is_fit { Ok(name) } else { Err(Error::NoFolderName(name.to_owned())) }
}

/// Makes a folder and those above it; the mode is the new ones'.
pub fn create_all(dir: &Path, mode: u32) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(mode).create(dir).map_err(Error::disk("create", dir))
}

/// Puts a file in place so that after a power cut it holds the old or the new content, whole.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let (draft, _) = beside(path, content, mode)?;
    fs::rename(&draft, path).and_then(|()| sync_folder_of(path)).map_err(Error::disk("write", path))
}

/// Writes what is to be at `path` beside it, onto the disk. Gives the name that it has until then, and the file, open for more at its end.
pub fn beside(path: &Path, content: &[u8], mode: u32) -> Result<(PathBuf, File), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let draft = path.with_added_extension("new");
    let write = || {
        // A leftover's mode would stay.
        fs::remove_file(&draft)
            .or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
        let mut file = File::options().append(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(file)
    };
    let file = write().map_err(Error::disk("write", path))?;
    Ok((draft, file))
}

/// Makes the names in a file's folder last.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
