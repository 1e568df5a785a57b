//! The AppSpec of the Server platform (CodeDeploy's EC2/on-premises): takes bytes, gives what it says of files,
//! permissions and scripts. Whether the bundle and the host have what it names is not known here.
//!
//! Keys count in their own case only, as AWS's agent reads them: what it ignores is ignored here too, with a warning, so
//! that a bundle does not begin to do here what it never did there.

mod acl;
mod files;
mod findings;
mod paths;
mod permissions;
mod scripts;
mod selinux;

use std::collections::BTreeMap;

use super::error::Error;
use super::platform::{Platform, detect};
use super::resource::check_format;
use super::section::{Keys, Section, scalar};
use super::spelling::{nearest, shown};
use super::tree::{Limits, Node, Value, parse};
pub(super) use findings::{By, Findings};
use paths::Fault;

/// What a Server AppSpec says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// The operating system that it is written for.
    pub os: Os,
    /// What is put where, in the order of the text.
    pub files: Vec<FileEntry>,
    /// What happens to files that are there and not the group's; wins over what the Deployment says.
    pub file_exists_behavior: Option<FileExists>,
    /// Modes, owners and labels of what was put in place.
    pub permissions: Vec<Permission>,
    /// The scripts of each event, in their order; an event without scripts is absent.
    pub hooks: BTreeMap<ServerEvent, Vec<Script>>,
    /// What was ignored, one sentence each with its line.
    pub warnings: Vec<String>,
}

/// An operating system, as `os` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Os {
    /// `linux`.
    Linux,
    /// `windows`.
    Windows,
}

/// One entry of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the bundle's root, without a leading or trailing slash and without `.` parts; empty for the whole bundle.
    pub source: String,
    /// The absolute directory that it is put into.
    pub destination: String,
    /// Line of the entry, for messages.
    pub line: usize,
}

/// `file_exists_behavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileExists {
    /// `DISALLOW`.
    Disallow,
    /// `OVERWRITE`.
    Overwrite,
    /// `RETAIN`.
    Retain,
}

/// One entry of `permissions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The absolute path that it is about, without a trailing slash.
    pub object: String,
    /// Which of what lies below: `**` for every depth, else a pattern of direct children's names in which only `*` is special.
    pub pattern: String,
    /// Patterns of direct children's names that are left out.
    pub except: Vec<String>,
    /// The user.
    pub owner: Option<String>,
    /// The group.
    pub group: Option<String>,
    /// Mode bits, at most 0o7777.
    pub mode: Option<u32>,
    /// Access control entries.
    pub acls: Vec<Acl>,
    /// SELinux label.
    pub context: Option<SelinuxContext>,
    /// True if files are meant.
    pub files: bool,
    /// True if directories are meant.
    pub directories: bool,
    /// Line of the entry, for messages.
    pub line: usize,
}

/// One access control entry: `[default:](user|group|mask|other):[name]:permissions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// True for a default entry, which only directories have.
    pub is_default: bool,
    /// Whom it is about.
    pub kind: AclKind,
    /// The user or group; empty for the owner, the mask and others.
    pub name: String,
    /// `r` = 4, `w` = 2, `x` = 1.
    pub permissions: u8,
}

/// Whom an access control entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// The mask.
    Mask,
    /// Others.
    Other,
}

/// An SELinux label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelinuxContext {
    /// The SELinux user.
    pub user: Option<String>,
    /// The type.
    pub type_: String,
    /// The range.
    pub range: Option<String>,
}

/// One script of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Path below the bundle's root, without a leading slash.
    pub location: String,
    /// Seconds that it may take; 3600 when the text says nothing.
    pub timeout: u32,
    /// The user that it runs as.
    pub runas: Option<String>,
    /// True runs it by sudo.
    pub sudo: bool,
    /// Line of the entry, for messages.
    pub line: usize,
}

/// The lifecycle events of a Server deployment that can have scripts, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerEvent {
    /// The earlier revision's, before the host leaves the load balancer.
    BeforeBlockTraffic,
    /// The earlier revision's, after it has left.
    AfterBlockTraffic,
    /// The earlier revision's.
    ApplicationStop,
    /// Before files are put in place.
    BeforeInstall,
    /// After.
    AfterInstall,
    /// Starts what was installed.
    ApplicationStart,
    /// Judges it.
    ValidateService,
    /// Before the host comes back into the load balancer.
    BeforeAllowTraffic,
    /// After.
    AfterAllowTraffic,
}

impl ServerEvent {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::BeforeBlockTraffic,
        Self::AfterBlockTraffic,
        Self::ApplicationStop,
        Self::BeforeInstall,
        Self::AfterInstall,
        Self::ApplicationStart,
        Self::ValidateService,
        Self::BeforeAllowTraffic,
        Self::AfterAllowTraffic,
    ];

    /// The event's name in an AppSpec.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeBlockTraffic => "BeforeBlockTraffic",
            Self::AfterBlockTraffic => "AfterBlockTraffic",
            Self::ApplicationStop => "ApplicationStop",
            Self::BeforeInstall => "BeforeInstall",
            Self::AfterInstall => "AfterInstall",
            Self::ApplicationStart => "ApplicationStart",
            Self::ValidateService => "ValidateService",
            Self::BeforeAllowTraffic => "BeforeAllowTraffic",
            Self::AfterAllowTraffic => "AfterAllowTraffic",
        }
    }

    /// The event of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

/// What the reader lets pass that it refuses otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// True takes sources and locations that lead out of the bundle by `..`.
    pub may_leave_bundle: bool,
}

const TOP: Keys = Keys {
    known: &["version", "os", "files", "file_exists_behavior", "permissions", "hooks"],
    elsewhere: &[
        ("BeforeBlockTraffic", "hooks"),
        ("AfterBlockTraffic", "hooks"),
        ("ApplicationStop", "hooks"),
        ("BeforeInstall", "hooks"),
        ("AfterInstall", "hooks"),
        ("ApplicationStart", "hooks"),
        ("ValidateService", "hooks"),
        ("BeforeAllowTraffic", "hooks"),
        ("AfterAllowTraffic", "hooks"),
        ("source", "files"),
        ("destination", "files"),
        ("location", "an event of hooks"),
        ("timeout", "an event of hooks"),
        ("runas", "an event of hooks"),
        ("sudo", "an event of hooks"),
        ("object", "permissions"),
        ("pattern", "permissions"),
        ("except", "permissions"),
        ("owner", "permissions"),
        ("group", "permissions"),
        ("mode", "permissions"),
        ("acls", "permissions"),
        ("context", "permissions"),
        ("type", "permissions"),
    ],
    instead: &[
        ("defaults", "file_exists_behavior is a key of the top level"),
        ("overwrite", "file_exists_behavior: OVERWRITE at the top level does what it says"),
    ],
    only_on_aws: &[],
};

/// Reads the AppSpec of a Server deployment within the default [`Limits`].
///
/// Takes YAML or JSON. An AppSpec for Windows reads, too; an agent refuses it.
///
/// # Errors
/// For anything that could not be deployed as it stands; see [`Error`]. All are `InvalidRevision`.
pub fn read_server(bytes: &[u8]) -> Result<ServerSpec, Error> {
    read_server_within(bytes, &Limits::default())
}

/// [`read_server`] with limits of one's own.
///
/// # Errors
/// Those of [`read_server`].
pub fn read_server_within(bytes: &[u8], limits: &Limits) -> Result<ServerSpec, Error> {
    read_server_by(bytes, limits, Rules::default())
}

/// [`read_server`] with limits and rules of one's own.
///
/// # Errors
/// Those of [`read_server`], without what the rules let pass.
pub fn read_server_by(bytes: &[u8], limits: &Limits, rules: Rules) -> Result<ServerSpec, Error> {
    let mut findings = Findings::default();
    let spec = read(&parse(bytes, limits)?, rules, &mut findings)?;
    match findings.first_of_ours() {
        Some(error) => Err(error.clone()),
        None => Ok(ServerSpec { warnings: findings.warnings.to_sentences(), ..spec }),
    }
}

/// What the tree says, without its warnings; whatever is refused is among the findings.
///
/// # Errors
/// For what has no keys of a Server AppSpec to look at.
pub(super) fn read(root: &Node, rules: Rules, findings: &mut Findings) -> Result<ServerSpec, Error> {
    let wanted = Platform::Server;
    if let Some((described, at)) = detect(root).filter(|(platform, _)| *platform != wanted) {
        return Err(Error::OtherPlatform { at: Some(at), described, wanted });
    }
    let top = Section::open_exact(root, "", &TOP, &mut findings.warnings)?;
    let version = check_version(&top, findings);
    findings.take(version);
    let os = os_of(&top);
    // Without one, the rest is looked at as if for Linux: the spec is refused whatever comes.
    let os = findings.take(os).unwrap_or(Os::Linux);
    let file_exists_behavior = file_exists_behavior_of(&top, findings);
    Ok(ServerSpec {
        os,
        files: files::files_of(&top, os, rules, findings),
        file_exists_behavior: findings.take(file_exists_behavior).flatten(),
        permissions: permissions::permissions_of(&top, os, findings),
        hooks: scripts::scripts_of(&top, os, rules, findings),
        warnings: Vec::new(),
    })
}

/// `version` has to be there and be 0.0; AWS's agent takes the number alone.
fn check_version(top: &Section<'_>, findings: &mut Findings) -> Result<(), Error> {
    let missing = || top.missing("version", "write `version: 0.0`, the version of the file format");
    let node = top.get("version").ok_or_else(missing)?;
    check_format(node)?;
    if matches!(&node.value, Value::Scalar { quoted: true, .. }) {
        let problem = "is a text in quotes, AWS's agent takes the number 0.0 alone: leave the quotes off";
        findings.refuse_on_aws(node.at, "version", problem);
    }
    Ok(())
}

fn os_of(top: &Section<'_>) -> Result<Os, Error> {
    let os = top.read("os", |text| match text {
        "linux" => Ok(Os::Linux),
        "windows" => Ok(Os::Windows),
        other => {
            let meant = match nearest(other, &["linux", "windows"]) {
                Some(near) => format!("{near} is the nearest"),
                None => "write linux, whatever the distribution, or windows".into(),
            };
            Err(format!("is {}: {meant}", shown(other)))
        }
    })?;
    os.ok_or_else(|| top.missing("os", "write `os: linux`"))
}

/// A known value in another case is ignored; AWS's agent refuses it.
fn file_exists_behavior_of(top: &Section<'_>, findings: &mut Findings) -> Result<Option<FileExists>, Error> {
    let key = "file_exists_behavior";
    let words = ["DISALLOW", "OVERWRITE", "RETAIN"];
    let Some(node) = top.get(key) else { return Ok(None) };
    let text = scalar(node, key)?;
    match text {
        "DISALLOW" => return Ok(Some(FileExists::Disallow)),
        "OVERWRITE" => return Ok(Some(FileExists::Overwrite)),
        "RETAIN" => return Ok(Some(FileExists::Retain)),
        _ => {}
    }
    if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
        findings.warnings.add(node.at, format!("{key} is {} and ignored: {word} is the word", shown(text)));
        findings.refuse_on_aws(node.at, key, format!("is {}: only {word} is understood", shown(text)));
        return Ok(None);
    }
    let problem = format!("is {}: write DISALLOW, OVERWRITE or RETAIN", shown(text));
    Err(Error::field(node.at, key, problem))
}

/// The items of a list of maps; `of` says what is in each.
fn list_of<'n>(node: &'n Node, field: &str, of: &str) -> Result<&'n [Node], Error> {
    let Value::List(items) = &node.value else {
        let dash = if matches!(node.value, Value::Map(_)) { " (is a `- ` missing?)" } else { "" };
        let problem = format!("must be a list of maps with {of}; this is {}{dash}", node.shape());
        return Err(Error::field(node.at, field, problem));
    };
    Ok(items)
}

/// A path in its normal form. One that AWS's agent takes and ours does not stays as it was written: what else is wrong
/// with its entry has to be found too.
fn settle(
    path: Result<String, Fault>,
    node: &Node,
    field: &str,
    findings: &mut Findings,
) -> Result<String, Error> {
    path.or_else(|Fault { problem, by }| {
        let error = Error::field(node.at, field, problem);
        if by != By::Us {
            return Err(error);
        }
        findings.refuse_here(error);
        scalar(node, field).map(Into::into)
    })
}

#[cfg(test)]
mod tests;
