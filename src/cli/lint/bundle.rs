//! A Server AppSpec against its bundle on disk: takes the bundle's directory, gives what is missing in it and what
//! its scripts lack. Reads names, modes and first lines only.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::appspec::{FileEntry, Finding, Os, Script, ServerEvent, ServerSpec};

/// Of a script, this much is read to see its first line.
const FIRST_LINE: u64 = 256;

/// What of the AppSpec the bundle does not bear out.
pub fn check(bundle: &Path, spec: &ServerSpec) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        spec.files.iter().filter_map(|entry| check_source(bundle, entry, spec.os)).collect();
    for (event, scripts) in &spec.hooks {
        findings.extend(scripts.iter().filter_map(|script| check_script(bundle, *event, script, spec.os)));
    }
    findings
}

fn check_source(bundle: &Path, entry: &FileEntry, os: Os) -> Option<Finding> {
    let Some(found) = find(bundle, &entry.source, os) else {
        return Some(missing(bundle, "files.source", &entry.source, entry.line));
    };
    let is_folder = fs::symlink_metadata(found).is_ok_and(|metadata| metadata.is_dir());
    let name = entry.source.rsplit('/').next().unwrap_or_default();
    // With an extension the reader has said it already.
    let is_named = !name.contains('.') && entry.destination.rsplit(['/', '\\']).next() == Some(name);
    (!is_folder && is_named).then(|| {
        let sentence = format!(
            "files.destination is a directory, always: `{name}` becomes `{}/{name}`; leave `{name}` off",
            entry.destination
        );
        Finding::warning(entry.line, sentence)
    })
}

fn check_script(bundle: &Path, event: ServerEvent, script: &Script, os: Os) -> Option<Finding> {
    let field = format!("hooks.{}.location", event.name());
    let metadata =
        find(bundle, &script.location, os).and_then(|path| Some((fs::metadata(&path).ok()?, path)));
    let Some((metadata, path)) = metadata else {
        return Some(missing(bundle, &field, &script.location, script.line));
    };
    if !metadata.is_file() {
        let sentence = format!("{field} is `{}`, which is no file", script.location);
        return Some(Finding::error(script.line, sentence));
    }
    if os == Os::Windows {
        return None;
    }
    if has_windows_shebang(&path) {
        let sentence = format!(
            "{field} is `{}`, whose first line ends in a carriage return: no interpreter of that name is found; save it \
             with unix line ends",
            script.location
        );
        return Some(Finding::warning(script.line, sentence));
    }
    (!is_executable(&metadata)).then(|| {
        let sentence = format!(
            "{field} is `{}`, which is not executable; it is made so before it runs",
            script.location
        );
        Finding::warning(script.line, sentence)
    })
}

fn missing(bundle: &Path, field: &str, path: &str, line: usize) -> Finding {
    // What Windows would find tells of a name in another case.
    let near = find(bundle, path, Os::Windows).and_then(|found| {
        let near = found.strip_prefix(bundle).ok()?.display().to_string();
        Some(format!(": `{near}` is, the case of its letters counts"))
    });
    Finding::error(
        line,
        format!("{field} is `{path}`, which is not in the bundle{}", near.unwrap_or_default()),
    )
}

/// The path in the bundle; links count as found wherever they lead. Windows finds names in any case.
fn find(bundle: &Path, path: &str, os: Os) -> Option<PathBuf> {
    let exact = bundle.join(path);
    if fs::symlink_metadata(&exact).is_ok() {
        return Some(exact);
    }
    if os == Os::Linux {
        return None;
    }
    path.split('/').filter(|part| !part.is_empty()).try_fold(bundle.to_owned(), |folder, part| {
        let mut names: Vec<String> = fs::read_dir(&folder)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        let is_same = |name: &&String| name.to_lowercase() == part.to_lowercase();
        names.iter().find(is_same).map(|name| folder.join(name))
    })
}

fn has_windows_shebang(path: &Path) -> bool {
    let mut start = Vec::new();
    let is_read = File::open(path).and_then(|file| file.take(FIRST_LINE).read_to_end(&mut start)).is_ok();
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    is_read && first.starts_with(b"#!") && first.ends_with(b"\r")
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

/// Elsewhere nobody knows.
#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    true
}
