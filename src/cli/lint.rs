//! `appspec lint`: takes a file or a bundle's directory, prints what is to be said of its AppSpec. Asks no cluster.

mod bundle;
mod contents;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{LintFlags, LintFormat};
use super::error::Error;
use super::screen::{print, tell};
use crate::appspec::{Finding, Limits, Lint, Os, Severity, lint};

/// The names that are looked for in a bundle, the better one first.
const NAMES: [&str; 2] = ["appspec.yml", "appspec.yaml"];

/// Lints, prints, and gives the exit code: 1 if there are errors.
///
/// # Errors
/// If there is nothing to look at, which is wrong usage.
pub fn run(args: &LintFlags) -> Result<u8, Error> {
    let (file, lint) = look(&args.path)?;
    match args.output {
        Some(LintFormat::Json) => print(&as_json(&file, &lint))?,
        None => {
            print(&lint.findings.iter().map(|finding| line_of(&file, finding)).collect::<String>())?;
            tell(&format!("{file}: {}", summary(&lint)));
        }
    }
    Ok(u8::from(!lint.is_valid()))
}

/// Tells on standard error what is to be said of a folder that is about to become a bundle.
///
/// # Errors
/// If hosts would refuse it.
pub fn vet(folder: &Path) -> Result<(), Error> {
    let (file, lint) = look(folder)?;
    lint.findings.iter().for_each(|finding| tell(line_of(&file, finding).trim_end()));
    if lint.is_valid() { Ok(()) } else { Err(Error::Invalid(file)) }
}

/// The file's name as messages show it, and what is to be said of it.
fn look(path: &Path) -> Result<(String, Lint), Error> {
    if path == Path::new("-") {
        return Ok(("standard input".into(), lint(&read(io::stdin(), path)?)));
    }
    let is_folder = fs::metadata(path).map_err(|error| unreadable(path, &error))?.is_dir();
    if !is_folder {
        let bytes = read(File::open(path).map_err(|error| unreadable(path, &error))?, path)?;
        return Ok((path.display().to_string(), lint(&bytes)));
    }
    let entries = names_in(path)?;
    let Some(name) = NAMES.into_iter().find(|name| entries.iter().any(|entry| entry == name)) else {
        let finding = Finding::error(1, absent(&entries));
        let absent = Lint { platform: None, server: None, findings: vec![finding] };
        return Ok((shown(&path.join(NAMES[0])), absent));
    };
    let file = path.join(name);
    let bytes = read(File::open(&file).map_err(|error| unreadable(&file, &error))?, &file)?;
    let mut found = lint(&bytes);
    if let Some(spec) = &found.server {
        found.findings.extend(bundle::check(path, spec));
        found.findings.extend(later_name(name, spec.os));
        if spec.os == Os::Linux {
            found.findings.extend(contents::check(path).map_err(|error| unreadable(path, &error))?);
        }
        found.findings.sort_by_key(|finding| finding.line);
    }
    Ok((shown(&file), found))
}

fn shown(path: &Path) -> String {
    path.components().collect::<PathBuf>().display().to_string()
}

/// At most one byte more than the reader takes, which then says so.
fn read(from: impl Read, path: &Path) -> Result<Vec<u8>, Error> {
    let most = u64::try_from(Limits::default().max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Usage(format!("{}: {error}", path.display()))
}

fn names_in(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unreadable(folder, &error))?.file_name();
        names.extend(name.into_string());
    }
    names.sort();
    Ok(names)
}

/// The sentence for a bundle without an AppSpec; a name in another case is the likely reason.
fn absent(entries: &[String]) -> String {
    let is_near = |entry: &&String| NAMES.iter().any(|name| name.eq_ignore_ascii_case(entry));
    match entries.iter().find(is_near) {
        Some(entry) => format!("there is no {}: rename {entry}, the case of its letters counts", NAMES[0]),
        None => format!("there is no {}, and no {}", NAMES[0], NAMES[1]),
    }
}

fn later_name(name: &str, os: Os) -> Option<Finding> {
    (name != NAMES[0] && os == Os::Linux).then(|| {
        let sentence = format!(
            "{name} is found here; AWS's agent 1.x does not find its hooks: rename it to {}",
            NAMES[0]
        );
        Finding::warning(1, sentence)
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn line_of(file: &str, finding: &Finding) -> String {
    format!("{file}:{}: {}: {}\n", finding.line, word(finding.severity), finding.sentence)
}

fn summary(lint: &Lint) -> String {
    let count = |severity: Severity| {
        let found = lint.findings.iter().filter(|finding| finding.severity == severity).count();
        format!("{found} {}{}", word(severity), if found == 1 { "" } else { "s" })
    };
    let platform = lint.platform.map(|platform| format!("{platform} AppSpec, ")).unwrap_or_default();
    format!("{platform}{}, {}", count(Severity::Error), count(Severity::Warning))
}

fn as_json(file: &str, lint: &Lint) -> String {
    let findings: Vec<_> = lint
        .findings
        .iter()
        .map(|finding| {
            json!({
                "line": finding.line,
                "severity": word(finding.severity),
                "message": finding.sentence,
                "refusedHere": finding.is_refused_here,
                "refusedOnAws": finding.is_refused_on_aws,
            })
        })
        .collect();
    let os = lint.server.as_ref().map(|spec| match spec.os {
        Os::Linux => "linux",
        Os::Windows => "windows",
    });
    let document = json!({
        "file": file,
        "platform": lint.platform.map(|platform| platform.to_string()),
        "os": os,
        "valid": lint.is_valid(),
        "findings": findings,
    });
    format!("{document:#}\n")
}
