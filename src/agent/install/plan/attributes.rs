//! The AppSpec's `permissions` against what is put in place: every name has its number, every path at most one permission.

use std::collections::HashMap;
use std::path::Path;

use super::super::Job;
use super::super::entry::Entry;
use super::super::error::Error;
use super::super::links::{IsOurs, real_path};
use super::super::walk::Wanted;
use crate::agent::permissions::{
    Attributes, Label, PATIENCE, Place, Unanswered, access_list, default_list, group_id, is_available,
    is_direct_match, is_match, user_id,
};
use crate::appspec::{AclKind, Permission};

/// Set-id bits.
const SET_ID: u32 = 0o6000;

/// One permission in numbers.
pub struct Resolved {
    object: String,
    is_of_file: bool,
    spec: Permission,
    user: Option<u32>,
    group: Option<u32>,
    places: Vec<Place>,
    matches: usize,
}

/// All of them, and the different attributes that came of them so far.
pub struct Permissions {
    all: Vec<Resolved>,
    attributes: Vec<Attributes>,
    /// Where each of them is: a bundle may have as many owners as files.
    indices: HashMap<Attributes, usize>,
    labels: Vec<Label>,
    allow_set_id: bool,
}

impl Permissions {
    /// Looks every name up, and refuses what cannot be.
    pub fn resolve(job: &Job<'_>, wanted: &[Wanted], is_ours: &IsOurs<'_>) -> Result<Self, Error> {
        let mut all = Vec::new();
        for permission in &job.spec.permissions {
            let object = real_object(&permission.object, is_ours);
            all.push(Resolved::of(permission, object, job.options.allow_set_id, wanted)?);
        }
        Ok(Self {
            all,
            attributes: Vec::new(),
            indices: HashMap::new(),
            labels: Vec::new(),
            allow_set_id: job.options.allow_set_id,
        })
    }

    /// The index of what a new file or directory gets. Links get nothing.
    pub fn of_new(&mut self, wanted: &Wanted) -> Result<usize, Error> {
        let base = match &wanted.entry {
            Entry::File(..) if self.allow_set_id => wanted.mode & 0o6777,
            Entry::File(..) => wanted.mode & 0o777,
            Entry::Directory(_) => 0o755,
            Entry::Link(..) => return Ok(self.index(Attributes::default())),
        };
        let mut attributes = match self.matching(wanted)? {
            Some(at) => {
                self.label(at, wanted.entry.path());
                self.all[at].attributes(base)
            }
            None => Attributes { mode: Some(base), ..Attributes::default() },
        };
        if let Some((user, group)) = wanted.owner {
            attributes.user.get_or_insert(user);
            attributes.group.get_or_insert(group);
        }
        Ok(self.index(attributes))
    }

    /// What a directory that stays gets, if anything is said of it.
    pub fn of_present(&mut self, wanted: &Wanted) -> Result<Option<&Resolved>, Error> {
        let Some(at) = self.matching(wanted)? else { return Ok(None) };
        self.label(at, wanted.entry.path());
        Ok(Some(&self.all[at]))
    }

    fn matching(&mut self, wanted: &Wanted) -> Result<Option<usize>, Error> {
        let path = wanted.entry.path();
        let written = wanted.origin.written(path);
        let mut matching =
            self.all.iter().enumerate().filter(|(_, resolved)| resolved.is_about(&wanted.entry, &written));
        let (first, second) = (matching.next(), matching.next());
        let Some((at, resolved)) = first else { return Ok(None) };
        if let Some((_, second)) = second {
            let lines = (resolved.spec.line, second.spec.line);
            return Err(Error::PermissionTwice { path: path.into(), first: lines.0, second: lines.1 });
        }
        let has_default = resolved.places.iter().any(|place| place.is_default);
        if has_default && !wanted.entry.is_directory() {
            return Err(Error::DefaultAclOnFile { path: path.into(), line: resolved.spec.line });
        }
        self.all[at].matches += 1;
        Ok(Some(at))
    }

    fn label(&mut self, at: usize, path: &str) {
        if let Some(context) = &self.all[at].spec.context {
            self.labels.push(Label {
                path: path.into(),
                user: context.user.clone(),
                type_: context.type_.clone(),
                range: context.range.clone(),
            });
        }
    }

    fn index(&mut self, attributes: Attributes) -> usize {
        if let Some(at) = self.indices.get(&attributes) {
            return *at;
        }
        let at = self.attributes.len();
        self.attributes.push(attributes.clone());
        self.indices.insert(attributes, at);
        at
    }

    /// Permissions that nothing answers to.
    pub fn warnings(&self) -> Vec<String> {
        let idle = self.all.iter().filter(|resolved| resolved.matches == 0);
        idle.map(|resolved| {
            let (line, object) = (resolved.spec.line, &resolved.spec.object);
            format!("line {line}: the permissions of {object} are about nothing that this deployment puts in place")
        })
        .collect()
    }

    /// What items get, and what is labelled.
    pub fn into_parts(self) -> (Vec<Attributes>, Vec<Label>) {
        (self.attributes, self.labels)
    }
}

impl Resolved {
    fn of(
        permission: &Permission,
        object: String,
        allow_set_id: bool,
        wanted: &[Wanted],
    ) -> Result<Self, Error> {
        let line = permission.line;
        let is_file = |wanted: &Wanted| !wanted.entry.is_directory() && wanted.entry.path() == object;
        let is_of_file = wanted.iter().any(is_file);
        if is_of_file && permission.files && (permission.pattern != "**" || !permission.except.is_empty()) {
            return Err(Error::PatternOnFile { object: permission.object.clone(), line });
        }
        if let Some(mode) = permission.mode.filter(|mode| mode & SET_ID != 0)
            && permission.files
            && !allow_set_id
        {
            return Err(Error::SetIdMode { object: permission.object.clone(), mode, line });
        }
        if permission.context.is_some() {
            for program in ["semanage", "restorecon"] {
                if !is_available(program) {
                    return Err(Error::SelinuxUnavailable { program, line });
                }
            }
        }
        let user = permission.owner.as_deref().map(|name| account("user", name, line)).transpose()?;
        let group = permission.group.as_deref().map(|name| account("group", name, line)).transpose()?;
        let places = permission.acls.iter().map(|acl| {
            let id = match acl.kind {
                _ if acl.name.is_empty() => None,
                AclKind::User => Some(account("user", &acl.name, line)?),
                AclKind::Group => Some(account("group", &acl.name, line)?),
                AclKind::Mask | AclKind::Other => None,
            };
            Ok(Place { is_default: acl.is_default, kind: acl.kind, id, permissions: acl.permissions })
        });
        let places = places.collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { object, is_of_file, spec: permission.clone(), user, group, places, matches: 0 })
    }

    /// True if it is about what is wanted, which the AppSpec calls `written`: the object above a link means that name, the one behind it the real one.
    fn is_about(&self, entry: &Entry, written: &str) -> bool {
        let path = entry.path();
        match entry {
            Entry::Link(..) => false,
            Entry::File(..) if !self.spec.files => false,
            Entry::Directory(_) if !self.spec.directories => false,
            _ if self.is_of_file => path == self.object,
            _ => {
                let names = [path, written];
                let is_left_out =
                    |pattern: &String| names.iter().any(|name| is_direct_match(&self.object, pattern, name));
                names.iter().any(|name| is_match(&self.object, &self.spec.pattern, name))
                    && !self.spec.except.iter().any(is_left_out)
            }
        }
    }

    /// What it comes to for something that has the mode `base` without it.
    pub fn attributes(&self, base: u32) -> Attributes {
        let mode = self.spec.mode.unwrap_or(base);
        let has_lists = !self.places.is_empty();
        Attributes {
            user: self.user,
            group: self.group,
            mode: Some(mode),
            access: has_lists.then(|| access_list(&self.places, mode)),
            default: if has_lists { default_list(&self.places, mode) } else { None },
        }
    }
}

fn account(kind: &'static str, name: &str, line: usize) -> Result<u32, Error> {
    let id = if kind == "user" { user_id(name) } else { group_id(name) };
    let unanswered =
        |Unanswered| Error::AccountUnanswered { kind, name: name.to_owned(), line, patience: PATIENCE };
    id.map_err(unanswered)?.ok_or_else(|| Error::UnknownAccount { kind, name: name.to_owned(), line })
}

/// The object as paths on the host are known here: its directory without links.
fn real_object(object: &str, is_ours: &IsOurs<'_>) -> String {
    let path = Path::new(object.trim_end_matches('/'));
    let is_link_to_directory = path.symlink_metadata().is_ok_and(|found| found.is_symlink()) && path.is_dir();
    let real = if is_link_to_directory {
        real_path(path, is_ours).ok()
    } else {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => real_path(parent, is_ours).ok().map(|parent| parent.join(name)),
            _ => None,
        }
    };
    let real = real.and_then(|real| real.to_str().map(str::to_owned));
    real.unwrap_or_else(|| object.to_owned()).trim_end_matches('/').to_owned()
}
