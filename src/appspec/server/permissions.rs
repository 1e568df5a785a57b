//! The `permissions` of a Server AppSpec: takes the top level, gives what owners, modes and labels are asked for.
//! Which files they meet is not known here.

use super::super::error::{Error, Position};
use super::super::section::{Keys, Section, scalar};
use super::super::spelling::{listed, shown};
use super::super::tree::{Node, Value};
use super::acl::acl_of;
use super::findings::Findings;
use super::paths::absolute;
use super::selinux::context_of;
use super::{Acl, Os, Permission, list_of, settle};

const FIELD: &str = "permissions";
/// The pattern of every depth.
const EVERYTHING: &str = "**";
const TYPES: [&str; 2] = ["file", "directory"];
/// The bits of a mode that hand on the file's owner or group.
const SET_ID: u32 = 0o6000;

const ENTRY: Keys = Keys {
    known: &["object", "pattern", "except", "owner", "group", "mode", "acls", "context", "type"],
    elsewhere: &[
        ("source", "files"),
        ("destination", "files"),
        ("file_exists_behavior", "the top level"),
        ("hooks", "the top level"),
        ("location", "an event of hooks"),
    ],
    instead: &[("user", "owner is the key"), ("recursive", "the pattern ** meets every depth")],
    only_on_aws: &[],
};

/// Reads `permissions`, which may be absent, null or empty, and has to be on Windows.
pub(super) fn permissions_of(top: &Section<'_>, os: Os, findings: &mut Findings) -> Vec<Permission> {
    let Some(node) = top.get(FIELD) else { return Vec::new() };
    let items = findings.take(list_of(node, FIELD, "an object")).unwrap_or_default();
    if os == Os::Windows {
        if !items.is_empty() {
            let problem = "are for linux, os is windows: remove them and let a script set the access";
            findings.refuse(Error::field(node.at, FIELD, problem));
        }
        return Vec::new();
    }
    let mut permissions: Vec<Permission> = Vec::new();
    for item in items {
        let read = permission_of(item, findings);
        let Some(permission) = findings.take(read) else { continue };
        if let Some(earlier) = permissions.iter().find(|earlier| is_same(earlier, &permission)) {
            let said = format!(
                "{FIELD} has the same object and pattern in line {}: what both meet fails the Install event",
                earlier.line
            );
            findings.warnings.add(item.at, said);
        }
        permissions.push(permission);
    }
    permissions
}

fn is_same(one: &Permission, other: &Permission) -> bool {
    let shares_type = (one.files && other.files) || (one.directories && other.directories);
    shares_type && one.object == other.object && one.pattern == other.pattern
}

fn permission_of(item: &Node, findings: &mut Findings) -> Result<Permission, Error> {
    let section = Section::open_exact(item, FIELD, &ENTRY, &mut findings.warnings)?;
    let object = object_of(&section, item, findings)?;
    let pattern = match section.get("pattern") {
        Some(node) => scalar(node, "permissions.pattern")?.to_owned(),
        None => EVERYTHING.to_owned(),
    };
    let except = texts(&section, "except")?;
    let types = texts(&section, "type")?;
    if let Some(unknown) = types.iter().find(|(word, _)| !TYPES.contains(word)) {
        let problem = format!("has {}: there are {}", shown(unknown.0), listed(&TYPES));
        return Err(Error::field(unknown.1, "permissions.type", problem));
    }
    let is_meant =
        |word: &str| section.get("type").is_none() || types.iter().any(|(known, _)| *known == word);
    let permission = Permission {
        object,
        pattern,
        except: except.iter().map(|(text, _)| (*text).to_owned()).collect(),
        owner: name_of(&section, "owner", findings)?,
        group: name_of(&section, "group", findings)?,
        mode: section.get("mode").map(|node| mode_of(node, findings)).transpose()?,
        acls: acls_of(&section)?,
        context: section.get("context").map(|node| context_of(node, findings)).transpose()?,
        files: is_meant("file"),
        directories: is_meant("directory"),
        line: item.at.line,
    };
    explain(&permission, item.at, findings);
    Ok(permission)
}

fn object_of(section: &Section<'_>, item: &Node, findings: &mut Findings) -> Result<String, Error> {
    let field = "permissions.object";
    let text = section.required("object", "write the absolute path that it is about", |_| Ok(()))?;
    let node = section.get("object").unwrap_or(item);
    findings.check_rendered(node.at, field, text);
    if text.contains('*') {
        let said = format!("{field} is {}, taken as it stands: globs belong into pattern", shown(text));
        findings.warnings.add(node.at, said);
    }
    settle(absolute(text, Os::Linux), node, field, findings)
}

/// An owner or a group; whether the host has it is seen there.
fn name_of(section: &Section<'_>, key: &str, findings: &mut Findings) -> Result<Option<String>, Error> {
    let text = section.text(key, |_| Ok(()))?;
    if let (Some(text), Some(node)) = (text, section.get(key)) {
        findings.check_rendered(node.at, &section.named(key), text);
    }
    Ok(text.map(Into::into))
}

/// A list of texts; absent and null are empty.
fn texts<'n>(section: &Section<'n>, key: &str) -> Result<Vec<(&'n str, Position)>, Error> {
    let Some(node) = section.get(key) else { return Ok(Vec::new()) };
    let field = section.named(key);
    let Value::List(items) = &node.value else {
        let cure = match &node.value {
            Value::Scalar { text, .. } => format!(": write {}", shown(&format!("[{text}]"))),
            _ => String::new(),
        };
        let problem = format!("must be a list of texts; this is {}{cure}", node.shape());
        return Err(Error::field(node.at, field, problem));
    };
    items.iter().map(|item| Ok((scalar(item, &field)?, item.at))).collect()
}

fn acls_of(section: &Section<'_>) -> Result<Vec<Acl>, Error> {
    let entries = texts(section, "acls")?;
    let read = entries
        .into_iter()
        .map(|(text, at)| acl_of(text).map_err(|problem| Error::field(at, section.named("acls"), problem)));
    read.collect()
}

/// Mode bits, as they were written; AWS's agent reads YAML 1.1, where a number with a leading zero is octal already.
fn mode_of(node: &Node, findings: &mut Findings) -> Result<u32, Error> {
    let field = "permissions.mode";
    let text = scalar(node, field)?;
    let mode = mode_bits(text).ok_or_else(|| {
        let problem = if text.contains(['+', '=', ',']) {
            format!("is {}, a symbolic mode: write octal digits, like \"0644\"", shown(text))
        } else {
            format!("is {}: write one to four octal digits, like \"0644\"", shown(text))
        };
        Error::field(node.at, field, problem)
    })?;
    let is_octal = matches!(&node.value, Value::Scalar { quoted: false, .. }) && text.starts_with('0');
    let on_aws = if is_octal { mode.to_string() } else { text.to_owned() };
    match mode_bits(&on_aws) {
        None => {
            let problem = format!(
                "is {text} without quotes, {on_aws} to YAML 1.1 and no mode then: quote it, \"{text}\""
            );
            findings.refuse_on_aws(node.at, field, problem);
        }
        Some(other) if other != mode => {
            let said = format!(
                "{field} is {text} without quotes and {mode:04o} here; AWS's agent 1.x makes {other:04o} of it: quote it, \
                 \"{text}\""
            );
            findings.advice.add(node.at, said);
        }
        Some(_) => {}
    }
    Ok(mode)
}

fn mode_bits(digits: &str) -> Option<u32> {
    let is_mode = matches!(digits.len(), 1..=4) && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    is_mode.then(|| u32::from_str_radix(digits, 8).ok()).flatten()
}

/// What surprises people about the entries that they write.
fn explain(permission: &Permission, at: Position, findings: &mut Findings) {
    let Permission { pattern, except, .. } = permission;
    // On directories they hand on no rights to programs, and are taken as they are.
    if let Some(mode) = permission.mode.filter(|mode| mode & SET_ID != 0 && permission.files) {
        let said = format!(
            "{FIELD}.mode {mode:04o} has set-id bits, which a host has to allow for files (SetId in the agent's configuration)"
        );
        findings.advice.add(at, said);
    }
    let sets_nothing = permission.owner.is_none()
        && permission.group.is_none()
        && permission.mode.is_none()
        && permission.acls.is_empty()
        && permission.context.is_none();
    if sets_nothing {
        let said = format!(
            "{FIELD} has an entry that sets nothing: owner, group, mode, acls and context are missing"
        );
        findings.warnings.add(at, said);
    }
    if !permission.files && !permission.directories {
        findings.warnings.add(at, format!("{FIELD} has an entry with an empty type: it meets nothing"));
    }
    let words = except.iter().chain((pattern != EVERYTHING).then_some(pattern));
    if let Some(deep) = words.clone().find(|word| word.contains('/')) {
        let said = format!("{FIELD} has the pattern {}, which meets nothing: names have no `/`", shown(deep));
        findings.warnings.add(at, said);
    } else if words.count() > 0 {
        let said = format!(
            "{FIELD}: except, and a pattern other than {EVERYTHING}, match the names of what is directly in the object"
        );
        findings.advice.add(at, said);
    }
    if permission.directories && !permission.files {
        let said = format!("{FIELD} meets directories below {}, not itself", shown(&permission.object));
        findings.advice.add(at, said);
    }
}
