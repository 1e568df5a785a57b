//! The AppSpec of an unpacked revision: found under its names, read and checked before anything of it runs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::host::Settings;
use super::layout::DeploymentDir;
use crate::appspec::{self, Limits, Os, Rules, ServerSpec};

/// Where an AppSpec lies, in this order, unless another name is asked for.
const NAMES: [&str; 2] = ["appspec.yml", "appspec.yaml"];
/// Beside the archive: the name under which its AppSpec was found.
const NOTE: &str = ".appspec";

/// Why there is no AppSpec to go by.
#[derive(Debug, thiserror::Error)]
pub enum NoSpec {
    /// The revision has none.
    #[error("the revision has no {wanted} at its root{hint}")]
    Missing {
        /// The names that were looked for.
        wanted: String,
        /// What is there instead.
        hint: String,
    },
    /// It is there and says something that does not hold.
    #[error("{name}: {source}")]
    Invalid {
        /// Its name.
        name: String,
        /// What is wrong.
        #[source]
        source: appspec::Error,
    },
    /// It is for another operating system.
    #[error(
        "{name}: os is windows, and this host is not: deploy it to hosts of that system, or write os: linux"
    )]
    OtherSystem {
        /// Its name.
        name: String,
    },
    /// It could not be read.
    #[error("{name} could not be read: {source}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An AppSpec and the name that it was found under.
#[derive(Debug)]
pub struct Found {
    /// The file's name.
    pub name: String,
    /// What it says.
    pub spec: ServerSpec,
}

/// Reads the AppSpec of the revision in `dir` as this host takes it, under another name than the usual ones if one is asked for. Of a revision
/// that was read before the name is known.
pub fn read(dir: &DeploymentDir, settings: &Settings) -> Result<Found, NoSpec> {
    let noted = fs::read_to_string(dir.path().join(NOTE)).ok();
    let names = match noted.as_deref().or(settings.appspec.as_deref()) {
        Some(name) => vec![name],
        None => NAMES.to_vec(),
    };
    let archive = dir.archive();
    for name in &names {
        let unreadable = |source| NoSpec::Unreadable { name: (*name).to_owned(), source };
        let file = match File::open(archive.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file.map_err(unreadable)?,
        };
        let mut bytes = Vec::new();
        // One byte more than is read, so that the reader says what is wrong with it.
        let limits = Limits::default();
        file.take(limits.max_bytes as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let rules = Rules { may_leave_bundle: settings.installing.allow_outside_sources };
        let spec = appspec::read_server_by(&bytes, &limits, rules);
        let spec = spec.map_err(|source| NoSpec::Invalid { name: (*name).to_owned(), source })?;
        if spec.os == Os::Windows {
            return Err(NoSpec::OtherSystem { name: (*name).to_owned() });
        }
        return Ok(Found { name: (*name).to_owned(), spec });
    }
    Err(NoSpec::Missing { wanted: names.join(" or "), hint: hint(&archive, &names) })
}

/// Notes the name under which the AppSpec was found; an earlier note for that folder goes with `None`.
pub fn note(dir: &DeploymentDir, name: Option<&str>) -> io::Result<()> {
    let path = dir.path().join(NOTE);
    match name {
        Some(name) => fs::write(path, name),
        None => fs::remove_file(path)
            .or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) }),
    }
}

/// A file that was perhaps meant.
fn hint(archive: &Path, names: &[&str]) -> String {
    let Ok(entries) = fs::read_dir(archive) else { return String::new() };
    let there = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_meant = |name: &String| {
        let name = name.to_lowercase();
        name.starts_with("appspec.") || names.iter().any(|wanted| name == wanted.to_lowercase())
    };
    let mut meant: Vec<String> = there.filter(is_meant).collect();
    meant.sort();
    meant.first().map_or_else(String::new, |name| format!("; there is {name}: rename it"))
}
