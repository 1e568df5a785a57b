//! A host in a directory: archives, destinations and a state, and what can be seen of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::super::steps::Steps;
use super::super::{Error, Job, Options, Recovered, Recoveries, Report, install_by, recover_by};
use crate::appspec::{FileEntry, FileExists, Os, Permission, ServerSpec};

/// What is at a path: mode, owner, and content or target.
pub type Seen = BTreeMap<String, String>;

pub struct World {
    _folder: tempfile::TempDir,
    pub root: PathBuf,
    pub group: String,
    pub behavior: FileExists,
    pub options: Options,
}

impl World {
    /// In memory where that is possible: thousands of installations would wait for the disk else.
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self::of(folder)
    }

    /// On the disk.
    pub fn on_disk() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    fn of(folder: tempfile::TempDir) -> Self {
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("host")).unwrap();
        let (behavior, options) = (FileExists::Disallow, Options::default());
        Self { _folder: folder, root, group: "group-a".into(), behavior, options }
    }

    /// A path of the host.
    pub fn host(&self, path: &str) -> PathBuf {
        self.root.join("host").join(path)
    }

    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Writes a file, and the directories that it lies in.
    pub fn write(&self, path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A revision's archive: `name` or `name -> target` to content; a name that ends in `/` is a directory.
    pub fn archive(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let archive = self.root.join(name);
        fs::create_dir_all(&archive).unwrap();
        for (path, content) in files {
            match path.split_once(" -> ") {
                Some((path, target)) => {
                    fs::create_dir_all(archive.join(path).parent().unwrap()).unwrap();
                    symlink(target, archive.join(path)).unwrap();
                }
                None if path.ends_with('/') => fs::create_dir_all(archive.join(path)).unwrap(),
                None => {
                    self.write(&archive.join(path), content);
                    let mode = if path.ends_with(".sh") { 0o755 } else { 0o644 };
                    fs::set_permissions(archive.join(path), fs::Permissions::from_mode(mode)).unwrap();
                }
            }
        }
        archive
    }

    /// `source` to `destination` on the host, one line each.
    pub fn spec(&self, files: &[(&str, &str)], permissions: Vec<Permission>) -> ServerSpec {
        let entry = |(at, (source, destination)): (usize, &(&str, &str))| FileEntry {
            source: (*source).into(),
            destination: self.host(destination).to_str().unwrap().into(),
            line: at + 4,
        };
        ServerSpec {
            os: Os::Linux,
            files: files.iter().enumerate().map(entry).collect(),
            file_exists_behavior: None,
            permissions,
            hooks: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    pub fn permission(&self, object: &str) -> Permission {
        Permission {
            object: self.host(object).to_str().unwrap().into(),
            pattern: "**".into(),
            except: Vec::new(),
            owner: None,
            group: None,
            mode: None,
            acls: Vec::new(),
            context: None,
            files: true,
            directories: true,
            line: 20,
        }
    }

    pub fn install(&self, archive: &Path, spec: &ServerSpec) -> Result<Report, Error> {
        self.install_by(archive, spec, &Steps::default())
    }

    pub fn install_by(&self, archive: &Path, spec: &ServerSpec, steps: &Steps) -> Result<Report, Error> {
        let job = Job {
            spec,
            archive,
            state: &self.state(),
            group_id: &self.group,
            deployment_id: "d-1",
            deployment_uid: "u-1",
            behavior: self.behavior,
            options: &self.options,
        };
        install_by(&job, steps)
    }

    pub fn recover(&self) -> Vec<Recovered> {
        let recoveries = self.recover_by(&Steps::default()).unwrap();
        recoveries.into_iter().map(|(_, outcome)| outcome.unwrap()).collect()
    }

    pub fn recover_by(&self, steps: &Steps) -> Result<Recoveries, Error> {
        recover_by(&self.state(), steps)
    }

    /// Everything on the host.
    pub fn seen(&self) -> Seen {
        seen(&self.root.join("host"))
    }

    /// What is in the state, but for records.
    pub fn leftovers(&self) -> Vec<String> {
        let names = fs::read_dir(self.state()).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with(".record")).collect()
    }
}

/// Everything below `root`.
pub fn seen(root: &Path) -> Seen {
    let mut found = Seen::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let what = match meta.file_type() {
                kind if kind.is_dir() => "directory".to_owned(),
                kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
                _ => format!("{:?}", fs::read_to_string(&path).unwrap()),
            };
            if meta.is_dir() {
                open.push(path.clone());
            }
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.insert(name, format!("{:o} {}:{} {what}", meta.mode() & 0o7777, meta.uid(), meta.gid()));
        }
    }
    found
}

/// Only the names.
pub fn names(seen: &Seen) -> Vec<&str> {
    seen.keys().map(String::as_str).collect()
}
