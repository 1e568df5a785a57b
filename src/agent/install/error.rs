//! Why an installation failed: the word, and a sentence that names the path and the cure.

use std::io;
use std::path::{Path, PathBuf};

use crate::agent::trouble;

/// What keeps a revision from being installed. The revision before it is whole in every case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The AppSpec is for another operating system.
    #[error(
        "the AppSpec's os is windows and this host runs Linux; deploy it to hosts that run Windows, or change os"
    )]
    WrongOs,
    /// A source that the bundle does not have.
    #[error("line {line}: source {what:?} is not in the bundle; correct it, or add the file")]
    SourceMissing {
        /// The source.
        what: String,
        /// Line of the entry.
        line: usize,
    },
    /// A source that leads out of the bundle.
    #[error("line {line}: source {what:?} leads out of the bundle; name a path within it")]
    SourceOutside {
        /// The source.
        what: String,
        /// Line of the entry.
        line: usize,
    },
    /// A destination that is no directory to put things into.
    #[error("line {line}: destination {what:?} {problem}")]
    DestinationInvalid {
        /// The destination.
        what: String,
        /// Line of the entry.
        line: usize,
        /// What is wrong and the cure.
        problem: &'static str,
    },
    /// Two entries of `files` that land on one path.
    #[error("lines {first} and {second}: both put something at {}; remove one of them", .path.display())]
    TargetTwice {
        /// The path.
        path: PathBuf,
        /// Line of the one.
        first: usize,
        /// Line of the other.
        second: usize,
    },
    /// Files that are there and not the group's.
    #[error("{} exists already and is not this deployment group's{}; remove it, or set file_exists_behavior to OVERWRITE or RETAIN", .path.display(), and_more(*.more))]
    FileExists {
        /// The first one.
        path: PathBuf,
        /// How many more there are.
        more: usize,
    },
    /// Something that cannot be replaced is where something of the bundle goes.
    #[error("{} {problem}; move it away, or change the destination", .path.display())]
    InTheWay {
        /// Its path.
        path: PathBuf,
        /// What it is.
        problem: &'static str,
    },
    /// A link of the host's where the bundle has a directory, which others than root could turn to where they like.
    #[error(
        "{} is a link to a directory, and others than root can turn it: they can change {}, which is on its way (owner {owner}, mode {mode:04o}); \
         let nobody but root write there, or allow FollowDirectoryLinks in the agent's configuration",
        .link.display(), .directory.display()
    )]
    LinkUntrusted {
        /// The link.
        link: PathBuf,
        /// The directory on its way that others can change.
        directory: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// A link that leads out of the bundle.
    #[error(
        "the bundle's link {} leads out of the bundle; link to a file of the bundle, or allow OutsideLinks in the agent's configuration",
        .0.display()
    )]
    LinkLeaves(PathBuf),
    /// A link that leads back to itself.
    #[error("the bundle's link {} leads back to itself; remove it", .0.display())]
    LinkLoops(PathBuf),
    /// A device, a pipe or a socket.
    #[error("{} is neither a file nor a directory nor a link; remove it from the bundle", .0.display())]
    SpecialFile(PathBuf),
    /// A name that is no UTF-8.
    #[error("the name of {0:?} is not UTF-8, and names are kept as text; rename it")]
    NameNotUtf8(PathBuf),
    /// More files than a host takes, as links to directories can make of few.
    #[error("the AppSpec puts more than {0} files in place; split it")]
    TooManyFiles(usize),
    /// A user or a group that the host does not have.
    #[error(
        "line {line}: this host has no {kind} {name:?}; create it before the deployment, or correct the name"
    )]
    UnknownAccount {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Line of the permission.
        line: usize,
    },
    /// The host's directory service did not say whether it has a user or a group.
    #[error(
        "line {line}: getent did not say within {} s whether this host has the {kind} {name:?}; see to the directory service that nsswitch.conf names, then deploy again",
        .patience.as_secs()
    )]
    AccountUnanswered {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Line of the permission.
        line: usize,
        /// How long it was waited for.
        patience: std::time::Duration,
    },
    /// A mode with set-id bits for files.
    #[error(
        "line {line}: mode {mode:04o} would set the set-id bits of files below {object}; leave them out, or allow SetId in the agent's configuration"
    )]
    SetIdMode {
        /// The object.
        object: String,
        /// The mode.
        mode: u32,
        /// Line of the permission.
        line: usize,
    },
    /// Two permissions for one path.
    #[error("lines {first} and {second}: both set the permissions of {}; remove one, or use except", .path.display())]
    PermissionTwice {
        /// The path.
        path: PathBuf,
        /// Line of the one.
        first: usize,
        /// Line of the other.
        second: usize,
    },
    /// `pattern` or `except` where the object is a file.
    #[error("line {line}: {object} is a file, and pattern and except are for directories; remove them")]
    PatternOnFile {
        /// The object.
        object: String,
        /// Line of the permission.
        line: usize,
    },
    /// A default access control entry for a file.
    #[error("line {line}: {} is a file, and only directories have default acls; set type to [directory]", .path.display())]
    DefaultAclOnFile {
        /// The file.
        path: PathBuf,
        /// Line of the permission.
        line: usize,
    },
    /// A file system without access control lists.
    #[error("the file system of {} keeps no access control lists; mount it with acl, or remove acls", .0.display())]
    AclUnsupported(PathBuf),
    /// A program that labels need.
    #[error(
        "line {line}: context needs the program {program}, which this host does not have; install policycoreutils, or remove context"
    )]
    SelinuxUnavailable {
        /// Its name.
        program: &'static str,
        /// Line of the permission.
        line: usize,
    },
    /// A program that labels need said no.
    #[error("{program} failed, {said}; correct the context in permissions")]
    SelinuxFailed {
        /// Its name.
        program: &'static str,
        /// How it ended and what it said.
        said: String,
    },
    /// A group id that cannot be part of a file's name.
    #[error("the deployment group's id {0:?} cannot be part of a file's name")]
    GroupIdInvalid(String),
    /// A record or a journal that is not ours, or is damaged.
    #[error("{} cannot be read: {problem}; move it away, and what it lists is this group's no more", .path.display())]
    StateUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A record or a journal in a form that this agent does not know yet.
    #[error(
        "{} is in form {version}, as a newer sluice-agent writes it, and this one reads no newer one than {known}; install that agent again, and what the \
         file lists stays the group's",
        .path.display()
    )]
    StateNewer {
        /// The file.
        path: PathBuf,
        /// Its form.
        version: u64,
        /// The newest form that is read.
        known: u32,
    },
    /// The archive changed while it was installed.
    #[error("{} changed while it was installed; deploy again, and let no script write into the archive meanwhile", .0.display())]
    ArchiveChanged(PathBuf),
    /// The host's file system said no.
    #[error("failed to {action} {}: {source}{}", .path.display(), trouble::cure(.source))]
    Host {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The CamelCase word for it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::WrongOs => "WrongOs",
            Self::SourceMissing { .. } => "SourceMissing",
            Self::SourceOutside { .. } => "SourceOutside",
            Self::DestinationInvalid { .. } => "DestinationInvalid",
            Self::TargetTwice { .. } => "TargetTwice",
            Self::FileExists { .. } => "FileExists",
            Self::InTheWay { .. } => "InTheWay",
            Self::LinkUntrusted { .. } => "LinkUntrusted",
            Self::LinkLeaves(_) => "LinkLeaves",
            Self::LinkLoops(_) => "LinkLoops",
            Self::SpecialFile(_) => "SpecialFile",
            Self::NameNotUtf8(_) => "NameNotUtf8",
            Self::TooManyFiles(_) => "TooManyFiles",
            Self::UnknownAccount { .. } => "UnknownAccount",
            Self::AccountUnanswered { .. } => "AccountUnanswered",
            Self::SetIdMode { .. } => "SetIdMode",
            Self::PermissionTwice { .. } => "PermissionTwice",
            Self::PatternOnFile { .. } => "PatternOnFile",
            Self::DefaultAclOnFile { .. } => "DefaultAclOnFile",
            Self::AclUnsupported(_) => "AclUnsupported",
            Self::SelinuxUnavailable { .. } => "SelinuxUnavailable",
            Self::SelinuxFailed { .. } => "SelinuxFailed",
            Self::GroupIdInvalid(_) => "GroupIdInvalid",
            Self::StateUnreadable { .. } => "StateUnreadable",
            Self::StateNewer { .. } => "StateNewer",
            Self::ArchiveChanged(_) => "ArchiveChanged",
            Self::Host { source, .. } => trouble::reason(source),
        }
    }

    /// What the system said while something was tried on a path.
    pub(in crate::agent) fn host<E: Into<io::Error>>(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Host { action, path: path.as_ref().to_owned(), source: source.into() }
    }
}

fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (nor is one other file)".into(),
        _ => format!(" (nor are {count} other files)"),
    }
}
