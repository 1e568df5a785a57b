//! Looks at what was unpacked: names that some file systems take for one, links that leave or lead back to themselves.
//!
//! Judged when everything is there, since a link's way depends on the other links.

use std::collections::HashMap;

use rustix::fs::{AtFlags, Dir, FileType};

use super::error::Error;
use super::options::Options;
use super::refusal::{Refusal, shown};
use crate::agent::beneath::{Beneath, split};
use crate::agent::warnings::Warnings;
use crate::source::entries::{Found, Leads, folded, follow};

/// Refuses the first name or link that breaks a rule below `tree`.
pub(super) fn review(tree: &Beneath, options: &Options, warnings: &mut Warnings) -> Result<(), Error> {
    let allowed = &options.allowed;
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        let mut names: HashMap<String, String> = HashMap::new();
        for (name, kind) in list(tree, &directory)? {
            let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
            match kind {
                FileType::Directory => open.push(path),
                FileType::Symlink if !allowed.outside_links => {
                    if let Some(warning) = judge(tree, &path)? {
                        warnings.add(warning);
                    }
                }
                _ => {}
            }
            if allowed.clashes {
                continue;
            }
            if let Some(other) = names.insert(folded(&name), name.clone()) {
                let (a, b) = (beside(&directory, &other), beside(&directory, &name));
                return Err(Refusal::NameClash(a.clone().min(b.clone()), a.max(b)).into());
            }
        }
    }
    Ok(())
}

fn beside(directory: &str, name: &str) -> String {
    shown(format!("{directory}/{name}").trim_start_matches('/').as_bytes())
}

fn list(tree: &Beneath, directory: &str) -> Result<Vec<(String, FileType)>, Error> {
    let host = |errno: rustix::io::Errno| Error::Host {
        action: "list",
        path: directory.into(),
        source: errno.into(),
    };
    let fd = tree.directory(directory).map_err(host)?;
    let mut found = Vec::new();
    for entry in Dir::read_from(&fd).map_err(host)? {
        let entry = entry.map_err(host)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if matches!(name.as_str(), "." | "..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(&fd, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).map_err(host)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        found.push((name, kind));
    }
    Ok(found)
}

/// Refuses a link that leads where none may; gives a warning for one that leads to nothing.
fn judge(tree: &Beneath, path: &str) -> Result<Option<String>, Error> {
    let target = target_of(tree, path)?;
    let (link, to) = (shown(path.as_bytes()), shown(target.as_bytes()));
    match follow(path, &target, |at| look(tree, at))? {
        Leads::Inside => Ok(None),
        Leads::Nowhere => Ok(Some(format!("the bundle's link {link} leads to nothing, {to}"))),
        Leads::Outside => Err(Refusal::LinkLeaves(link, to).into()),
        Leads::Around => Err(Refusal::LinkLoops(link, to).into()),
    }
}

fn look(tree: &Beneath, path: &str) -> Result<Option<Found>, Error> {
    match kind_of(tree, path) {
        Some(FileType::Symlink) => Ok(Some(Found::Link(target_of(tree, path)?))),
        other => Ok(other.map(|_| Found::Other)),
    }
}

fn kind_of(tree: &Beneath, path: &str) -> Option<FileType> {
    let (directory, name) = split(path);
    let directory = tree.directory(directory).ok()?;
    let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

fn target_of(tree: &Beneath, path: &str) -> Result<String, Error> {
    let host =
        |errno: rustix::io::Errno| Error::Host { action: "read", path: path.into(), source: errno.into() };
    let (directory, name) = split(path);
    let directory = tree.directory(directory).map_err(host)?;
    let target = rustix::fs::readlinkat(&directory, name, Vec::new()).map_err(host)?;
    Ok(target.to_string_lossy().into_owned())
}
