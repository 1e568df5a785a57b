//! What is there already where something is wanted, whose it is, and what that means.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::Path;

use super::super::entry::Entry;
use super::super::error::Error;
use super::super::host::{Host, is_directory, is_link};
use super::super::record::Record;
use super::super::walk::Wanted;
use super::super::work::Replaced;
use super::is_usable;
use crate::agent::permissions::Attributes;
use crate::appspec::FileExists;

/// What is done with a path that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A directory that is there.
    Stays {
        /// True if the group made it.
        is_own: bool,
    },
    /// A file that is kept for the one in the bundle.
    Retained,
    /// A file that is not the group's.
    Conflict,
    /// Something that is put there.
    Put {
        /// What makes room.
        replaces: Replaced,
        /// The group whose it was.
        taken_from: Option<String>,
    },
}

/// The host, and what each group has on it.
pub struct Present<'a> {
    host: &'a Host<'a>,
    own: HashMap<&'a str, &'a Entry>,
    others: HashMap<&'a str, &'a str>,
    behavior: FileExists,
    changed: Vec<String>,
}

impl<'a> Present<'a> {
    /// Indexes what the records say.
    pub fn new(
        host: &'a Host<'a>,
        before: &'a Record,
        others: &'a [(String, Record)],
        behavior: FileExists,
    ) -> Self {
        let mut by_others = HashMap::new();
        for (group, record) in others {
            by_others.extend(record.by_path().into_keys().map(|path| (path, group.as_str())));
        }
        Self { host, own: before.by_path(), others: by_others, behavior, changed: Vec::new() }
    }

    /// True for a path that the group wrote and no other group has.
    pub fn is_ours(&self, path: &str) -> bool {
        self.own.contains_key(path) && !self.others.contains_key(path)
    }

    /// What becomes of `wanted`.
    pub fn judge(&mut self, wanted: &Wanted) -> Result<Verdict, Error> {
        let path = wanted.entry.path();
        let Some(found) = self.host.find(path)? else {
            return Ok(Verdict::Put { replaces: Replaced::Nothing, taken_from: None });
        };
        let other = self.others.get(path).copied();
        let own = self.own.get(path).copied().filter(|entry| entry.is_of_type(&found));
        if is_usable(wanted, &found) {
            return Ok(Verdict::Stays { is_own: own.is_some() && other.is_none() });
        }
        if is_directory(&found) {
            return self.judge_directory(path, own.is_some());
        }
        // Of whatever type: what a script made of a path of ours is no less ours than an edited file.
        if let Some(own) = self.own.get(path).filter(|_| other.is_none()) {
            if !own.is_as_written(self.host, path, &found)? {
                self.changed.push(path.to_string());
            }
            return Ok(Verdict::Put { replaces: Replaced::File, taken_from: None });
        }
        if wanted.entry.is_directory() && is_link(&found) && !Path::new(path).is_file() {
            // It may be a disk that is not mounted: what a directory is reached by is never traded for a directory.
            return Err(Error::InTheWay {
                path: path.into(),
                problem: "is a link that leads to no file, and the bundle has a directory there",
            });
        }
        match self.behavior {
            FileExists::Overwrite => {
                Ok(Verdict::Put { replaces: Replaced::File, taken_from: other.map(str::to_owned) })
            }
            FileExists::Disallow => Ok(Verdict::Conflict),
            FileExists::Retain if wanted.entry.is_directory() => Err(Error::InTheWay {
                path: path.into(),
                problem: "is a file or a link, and the bundle has a directory there",
            }),
            FileExists::Retain => Ok(Verdict::Retained),
        }
    }

    /// A directory makes room for a file only if nothing in it is anybody's but ours.
    fn judge_directory(&self, path: &str, is_own: bool) -> Result<Verdict, Error> {
        if is_own && self.is_all_ours(path)? {
            return Ok(Verdict::Put { replaces: Replaced::Directory, taken_from: None });
        }
        Err(Error::InTheWay {
            path: path.into(),
            problem: "is a directory, and the bundle has a file or a link there",
        })
    }

    fn is_all_ours(&self, directory: &str) -> Result<bool, Error> {
        for entry in std::fs::read_dir(directory).map_err(Error::host("list", directory))? {
            let path = entry.map_err(Error::host("list", directory))?.path();
            let Some(path) = path.to_str() else { return Ok(false) };
            let (Some(found), Some(own)) = (self.host.find(path)?, self.own.get(path)) else {
                return Ok(false);
            };
            if self.others.contains_key(path) || !own.is_as_written(self.host, path, &found)? {
                return Ok(false);
            }
            if is_directory(&found) && !self.is_all_ours(path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a directory that is there has.
    pub fn attributes_of(&self, path: &str) -> Result<Attributes, Error> {
        let read = self.host.directory(path).and_then(|fd| Attributes::of_directory(fd.as_fd()));
        read.map_err(Error::host("look at", path))
    }

    /// What was changed since it was installed and is replaced all the same.
    pub fn warnings(&self) -> Vec<String> {
        let sentence = |path: &String| format!("{path} was changed since it was installed; it is replaced");
        self.changed.iter().map(sentence).collect()
    }
}
