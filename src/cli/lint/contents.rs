//! What of a bundle's files a host refuses though AWS's agent takes it: takes the bundle's directory, gives one finding for each kind. Reads
//! names, modes and where links lead, and follows no link itself.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::Path;

use crate::appspec::Finding;
use crate::source::entries::{self, Leads};

/// A kind of thing that hosts refuse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    LinkLeaves,
    LinkLoops,
    SetIdBits,
    SpecialFile,
    NameClash,
    NameNotUtf8,
    Unread,
}

impl Kind {
    /// What is said of it.
    fn finding(self, message: String) -> Finding {
        match self {
            Self::Unread => Finding::warning(1, message),
            _ => Finding::refused_here(1, message),
        }
    }

    /// What is wrong, and what to do about it.
    fn sentence(self, thing: &str) -> (String, &'static str) {
        match self {
            Self::LinkLeaves => (
                format!("the bundle's link {thing} leads out of it"),
                "link to a file of the bundle, or have hosts allow OutsideLinks",
            ),
            Self::LinkLoops => (
                format!("the bundle's link {thing} leads back to itself"),
                "remove it, or have hosts allow OutsideLinks",
            ),
            Self::SetIdBits => (
                format!("the bundle's file {thing} has set-id bits"),
                "clear them, or have hosts allow SetId",
            ),
            Self::SpecialFile => (
                format!("the bundle's entry {thing} is neither a file nor a directory nor a link"),
                "remove it, or have hosts allow SpecialFiles, which leaves it out",
            ),
            Self::NameClash => (
                format!("the bundle's entries {thing} differ only in case or in Unicode's spelling"),
                "rename one, or have hosts allow Clashes",
            ),
            Self::NameNotUtf8 => {
                (format!("the name of the bundle's entry {thing} is not UTF-8"), "rename it")
            }
            Self::Unread => (
                format!("the bundle's directory {thing} cannot be read, and was not looked at"),
                "run this as a user who may read it",
            ),
        }
    }
}

/// The first thing of each kind, and how many there are.
#[derive(Default)]
struct Found(BTreeMap<Kind, (String, usize)>);

impl Found {
    fn add(&mut self, kind: Kind, thing: impl Into<String>) {
        self.0.entry(kind).or_insert_with(|| (thing.into(), 0)).1 += 1;
    }

    fn into_findings(self) -> Vec<Finding> {
        let said = self.0.into_iter().map(|(kind, (thing, count))| {
            let (what, cure) = kind.sentence(&thing);
            let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
            kind.finding(format!("{what}{more}: {cure}"))
        });
        said.collect()
    }
}

/// One finding for each kind of thing in the bundle that hosts refuse.
///
/// # Errors
/// For a bundle whose own directory cannot be read.
pub fn check(bundle: &Path) -> io::Result<Vec<Finding>> {
    let mut found = Found::default();
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        let mut names: HashMap<String, String> = HashMap::new();
        let all = match list(bundle, &directory, &mut found) {
            Err(error) if !directory.is_empty() => {
                found.add(Kind::Unread, format!("`{directory}` ({error})"));
                continue;
            }
            all => all?,
        };
        for (name, kind) in all {
            let folded = entries::folded(&name);
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            if let Some(other) = names.insert(folded, path.clone()) {
                found.add(Kind::NameClash, format!("`{other}` and `{path}`"));
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_symlink() {
                judge(bundle, &path, &mut found);
            } else if !kind.is_file() {
                found.add(Kind::SpecialFile, format!("`{path}`"));
            } else if fs::symlink_metadata(bundle.join(&path)).is_ok_and(|file| has_set_id(&file)) {
                found.add(Kind::SetIdBits, format!("`{path}`"));
            }
        }
    }
    Ok(found.into_findings())
}

/// What is in a directory, by name; what has no name in UTF-8 is found wanting.
fn list(bundle: &Path, directory: &str, found: &mut Found) -> io::Result<Vec<(String, FileType)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(bundle.join(directory))? {
        let entry = entry?;
        match entry.file_name().into_string() {
            Ok(name) => all.push((name, entry.file_type()?)),
            Err(name) => found.add(Kind::NameNotUtf8, format!("{:?}", Path::new(directory).join(name))),
        }
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}

/// Where the link leads, as the host that unpacks it will see it.
fn judge(bundle: &Path, path: &str, found: &mut Found) {
    let target = fs::read_link(bundle.join(path)).unwrap_or_default();
    let Some(target) = target.to_str() else {
        return found.add(Kind::NameNotUtf8, format!("{target:?}, to which `{path}` is a link,"));
    };
    let Ok(leads) =
        entries::follow(path, target, |at| Ok::<_, Infallible>(entries::Found::at(&bundle.join(at))));
    let kind = match leads {
        Leads::Inside | Leads::Nowhere => return,
        Leads::Outside => Kind::LinkLeaves,
        Leads::Around => Kind::LinkLoops,
    };
    found.add(kind, format!("`{path}` to `{target}`"));
}

#[cfg(unix)]
fn has_set_id(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o6000 != 0
}

/// Elsewhere there are none.
#[cfg(not(unix))]
fn has_set_id(_: &Metadata) -> bool {
    false
}
