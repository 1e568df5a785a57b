//! The `files` of a Server AppSpec: takes the top level, gives what is put where, in the order of the text.

use super::super::error::Error;
use super::super::section::{Keys, Section};
use super::super::spelling::shown;
use super::super::tree::Node;
use super::findings::Findings;
use super::paths::{absolute, extension, inside, last_part};
use super::{FileEntry, Os, Rules, list_of, settle};

const ENTRY: Keys = Keys {
    known: &["source", "destination"],
    elsewhere: &[
        ("file_exists_behavior", "the top level"),
        ("owner", "permissions"),
        ("group", "permissions"),
        ("mode", "permissions"),
        ("acls", "permissions"),
        ("context", "permissions"),
        ("object", "permissions"),
        ("pattern", "permissions"),
        ("except", "permissions"),
        ("type", "permissions"),
        ("hooks", "the top level"),
        ("permissions", "the top level"),
    ],
    instead: &[
        ("overwrite", "file_exists_behavior: OVERWRITE at the top level does what it says"),
        ("exclude", "leave out of the bundle what is not to be copied"),
        ("runas", "owner and group under permissions say whose the files are"),
    ],
    only_on_aws: &[],
};

/// Reads `files`, which may be absent or null.
pub(super) fn files_of(top: &Section<'_>, os: Os, rules: Rules, findings: &mut Findings) -> Vec<FileEntry> {
    let Some(node) = top.get("files") else { return Vec::new() };
    let Some(items) = findings.take(list_of(node, "files", "a source and a destination")) else {
        return Vec::new();
    };
    let mut files: Vec<FileEntry> = Vec::new();
    for item in items {
        let read = entry_of(item, os, rules, findings);
        let Some(entry) = findings.take(read) else { continue };
        let is_same =
            |other: &&FileEntry| other.source == entry.source && other.destination == entry.destination;
        if let Some(earlier) = files.iter().find(is_same) {
            let problem =
                format!("puts the same there as line {}: two entries may not meet, remove one", earlier.line);
            findings.refuse(Error::field(item.at, "files", problem));
        }
        files.push(entry);
    }
    files
}

fn entry_of(item: &Node, os: Os, rules: Rules, findings: &mut Findings) -> Result<FileEntry, Error> {
    let section = Section::open_exact(item, "files", &ENTRY, &mut findings.warnings)?;
    let needed = |key: &str, cure: &str| -> Result<(&Node, &str), Error> {
        let missing = || section.missing(key, cure);
        let node = section.get(key).ok_or_else(missing)?;
        Ok((node, section.text(key, |_| Ok(()))?.ok_or_else(missing)?))
    };
    let (source_node, source_text) =
        needed("source", "write a path below the bundle's root, or / for the whole bundle")?;
    let (node, text) = needed("destination", "write the absolute directory to copy it into")?;
    findings.check_rendered(source_node.at, "files.source", source_text);
    findings.check_rendered(node.at, "files.destination", text);
    if source_text.contains(['*', '?']) {
        return Err(Error::field(source_node.at, "files.source", glob(source_text)));
    }
    if os == Os::Linux && source_text.contains('\\') {
        let said = "files.source has a backslash, which is part of a name on linux: write / between folders";
        findings.warnings.add(source_node.at, said);
    }
    let source = settle(inside(source_text, os, rules), source_node, "files.source", findings)?;
    let destination = settle(absolute(text, os), node, "files.destination", findings)?;
    warn_of_file_name(&source, &destination, node, os, findings);
    Ok(FileEntry { source, destination, line: item.at.line })
}

fn glob(source: &str) -> String {
    let folder = source.rsplit_once('/').map_or("", |(folder, _)| folder).trim_start_matches("./");
    let instead = match folder {
        "" | "." => "`.` for the whole bundle".to_owned(),
        folder if folder.contains(['*', '?']) => "one entry for each folder or file".to_owned(),
        folder => format!("{}: the contents of a folder are copied", shown(folder)),
    };
    format!("is {}, a glob, which nobody expands: write {instead}", shown(source))
}

/// A destination is always a directory, also when it looks like the file's new name.
fn warn_of_file_name(source: &str, destination: &str, node: &Node, os: Os, findings: &mut Findings) {
    let (from, to) = (last_part(source, Os::Linux), last_part(destination, os));
    let is_like = |to: &str| extension(from).is_some_and(|known| extension(to) == Some(known));
    if is_like(to) {
        let said = format!(
            "files.destination is a directory, always: if {} is a file, it becomes {}; leave {} off",
            shown(from),
            shown(&format!("{destination}/{from}")),
            shown(to)
        );
        findings.warnings.add(node.at, said);
    }
}
