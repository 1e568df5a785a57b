//! Holds the house in order: the arrows between rooms, the purity of the pure rooms, and the form of files.
//!
//! The tables below are the law; the design's drawing explains them. The check reads the sources as text: strings,
//! comments and tests are blanked out first, then every path that starts at `crate`, `super` or `sluice` is followed
//! to the room it enters.

mod caught;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::{Code, calls, contains_word, paths};

/// A room, its rank, and the rooms it may call.
struct Room {
    name: &'static str,
    rank: u8,
    may_call: &'static [&'static str],
}

const ROOMS: [Room; 16] = [
    Room { name: "api", rank: 0, may_call: &[] },
    Room { name: "appspec", rank: 0, may_call: &[] },
    Room { name: "lookup", rank: 0, may_call: &[] },
    Room { name: "engine", rank: 1, may_call: &["api", "appspec"] },
    Room { name: "cluster", rank: 1, may_call: &["api", "lookup"] },
    Room { name: "remote", rank: 1, may_call: &["lookup"] },
    Room { name: "platform", rank: 2, may_call: &["engine", "cluster", "remote", "api", "appspec"] },
    Room { name: "traffic", rank: 2, may_call: &["engine", "cluster", "remote", "api", "appspec"] },
    Room { name: "alarm", rank: 2, may_call: &["engine", "remote", "api"] },
    Room { name: "source", rank: 2, may_call: &["engine", "remote", "cluster", "api"] },
    Room { name: "notify", rank: 2, may_call: &["engine", "remote", "api"] },
    Room { name: "hook", rank: 2, may_call: &["engine", "remote", "cluster", "api"] },
    Room {
        name: "controller",
        rank: 3,
        may_call: &[
            "api", "appspec", "engine", "cluster", "remote", "platform", "traffic", "alarm", "source",
            "notify", "hook",
        ],
    },
    Room { name: "agent", rank: 3, may_call: &["source", "cluster", "api", "appspec"] },
    Room { name: "cli", rank: 3, may_call: &["engine", "cluster", "source", "api", "appspec"] },
    Room { name: "bin", rank: 4, may_call: &["controller", "agent", "cli", "api"] },
];

/// Rooms that know one outside system each; of the engine they see the types.
const DRIVERS: [&str; 6] = ["platform", "traffic", "alarm", "source", "notify", "hook"];

/// Rooms without async, I/O, clocks and chance.
const PURE: [&str; 3] = ["api", "appspec", "engine"];
const IMPURE_WORDS: [&str; 16] = [
    "async",
    "await",
    "tokio",
    "futures",
    "reqwest",
    "hyper",
    "tracing",
    "println",
    "eprintln",
    "rand",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "hash_map",
    "RandomState",
];
const IMPURE_PATHS: [&[&str]; 12] = [
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "io"],
    &["kube", "Client"],
    &["kube", "Api"],
    &["kube", "client"],
    &["kube", "api", "Api"],
    &["kube", "runtime"],
    &["kube_runtime"],
];
/// Clocks by their call; the types of a date are words, not clocks.
const CLOCK_CALLS: [&[&str]; 3] = [&["Timestamp", "now"], &["Zoned", "now"], &["Utc", "now"]];
/// Words of one cluster that the AppSpec reader and the engine have no use for.
const CLUSTER_CRATES: [&str; 2] = ["kube", "k8s_openapi"];

/// Names that say nothing of what a thing is.
const EMPTY_ENDINGS: [&str; 2] = ["Manager", "Helper"];
const EMPTY_MODULES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];

const BIN_LINES: usize = 60;
const FILE_LINES: usize = 400;

/// One source file below `src`, with `/` between the parts of its path.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The room: `src/<room>/…` or `src/<room>.rs`; nothing for `lib.rs`.
    fn room(&self) -> Option<&str> {
        let first = self.path.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (name != "lib").then_some(name)
    }

    /// Names of the modules from the crate's root to this file.
    fn module(&self) -> Vec<&str> {
        let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let mut parts: Vec<&str> = stem.split('/').collect();
        if matches!(parts.last(), Some(&"mod" | &"lib")) {
            parts.pop();
        }
        parts
    }
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// Everything that is wrong with one file.
fn faults(file: &File) -> Vec<String> {
    let code = Code::of(&file.text);
    let mut faults = form_faults(file, &code);
    match file.room() {
        None => faults.extend(root_faults(file, &code)),
        Some(name) => match room(name) {
            None => faults.push(format!("{name} is no room of the table")),
            Some(room) => {
                faults.extend(arrow_faults(room, file, &code));
                if PURE.contains(&room.name) {
                    faults.extend(purity_faults(room, &code));
                }
            }
        },
    }
    faults.iter().map(|fault| format!("src/{}: {fault}", file.path)).collect()
}

fn form_faults(file: &File, code: &Code) -> Vec<String> {
    let mut faults = Vec::new();
    if !file.text.trim_start().starts_with("//!") {
        faults.push("does not open with //!".into());
    }
    let (limit, lines) = if file.room() == Some("bin") {
        (BIN_LINES, file.text.lines().count())
    } else {
        (FILE_LINES, code.lines_without_tests())
    };
    if lines > limit {
        faults.push(format!("has {lines} lines, at most {limit} are allowed"));
    }
    let empty_type = |name: &String| EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let empty_module = |name: &String| EMPTY_MODULES.contains(&name.as_str());
    let empty =
        code.types().into_iter().filter(empty_type).chain(code.modules().into_iter().filter(empty_module));
    faults.extend(empty.map(|name| format!("{name} is a name that says nothing")));
    for call in ["unwrap", "expect"] {
        for line in calls(code, call) {
            faults.push(format!("calls .{call}() in line {line}"));
        }
    }
    faults
}

/// `lib.rs` is the map: it forbids unsafe code and names rooms.
fn root_faults(file: &File, code: &Code) -> Vec<String> {
    let mut faults = Vec::new();
    if !file.text.contains("#![forbid(unsafe_code)]") {
        faults.push("does not forbid unsafe code".into());
    }
    for module in code.modules() {
        if room(&module).is_none() {
            faults.push(format!("declares {module}, which is no room of the table"));
        }
    }
    faults
}

fn arrow_faults(from: &Room, file: &File, code: &Code) -> Vec<String> {
    let mut faults = Vec::new();
    for path in entered(file, code) {
        let Some(target) = path.first() else { continue };
        if target == from.name {
            continue;
        }
        match room(target) {
            None => faults.push(format!("names {target} at the crate's root, which is no room of the table")),
            Some(to) if !from.may_call.contains(&to.name) => {
                faults.push(format!("{} may not call {} ({})", from.name, to.name, path.join("::")));
            }
            Some(to) if to.name == "engine" && DRIVERS.contains(&from.name) && !names_type(&path[1..]) => {
                faults.push(format!("{} may use the engine's types only ({})", from.name, path.join("::")));
            }
            Some(_) => {}
        }
    }
    faults
}

/// Paths into the crate from its root on, whichever way they are written.
fn entered(file: &File, code: &Code) -> Vec<Vec<String>> {
    let module = file.module();
    let mut entered = Vec::new();
    for path in paths(code) {
        match path[0].as_str() {
            "crate" | "sluice" => entered.push(path[1..].to_vec()),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let stays = module.get(..module.len().saturating_sub(ups)).unwrap_or_default();
                let mut whole: Vec<String> = stays.iter().map(ToString::to_string).collect();
                whole.extend_from_slice(&path[ups..]);
                entered.push(whole);
            }
            _ => {}
        }
    }
    entered
}

/// A type's name begins with a capital; so do constants.
fn names_type(path: &[String]) -> bool {
    path.iter().any(|part| part.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn purity_faults(room: &Room, code: &Code) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    let barred = |what: &str| format!("{} is pure and may not use {what}", room.name);
    faults.extend(IMPURE_WORDS.iter().filter(|word| contains_word(code, word)).map(|word| barred(word)));
    let all = paths(code);
    for path in &all {
        let starts =
            |barred: &&&[&str]| path.len() >= barred.len() && path.iter().zip(**barred).all(|(a, b)| a == b);
        faults.extend(IMPURE_PATHS.iter().find(starts).map(|path| barred(&path.join("::"))));
        let holds = |call: &&&[&str]| {
            path.windows(call.len()).any(|part| part.iter().zip(**call).all(|(a, b)| a == b))
        };
        faults.extend(CLOCK_CALLS.iter().find(holds).map(|call| barred(&call.join("::"))));
    }
    if room.name != "api" {
        faults
            .extend(CLUSTER_CRATES.iter().filter(|word| contains_word(code, word)).map(|word| barred(word)));
    }
    faults
}

/// Every `.rs` file below `src`, but those that only tests declare.
fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(read(&root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let tests: Vec<String> = found.iter().flat_map(test_modules).collect();
    found.retain(|file| {
        !tests
            .iter()
            .any(|test| file.path == format!("{test}.rs") || file.path.starts_with(&format!("{test}/")))
    });
    found
}

fn read(root: &Path, path: &PathBuf) -> File {
    let inside = path.strip_prefix(root).unwrap();
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    File { path: parts.join("/"), text: fs::read_to_string(path).unwrap() }
}

/// Paths, without `.rs`, of the modules that a file declares for tests only.
fn test_modules(file: &File) -> Vec<String> {
    let module = file.module().join("/");
    let code = Code::of(&file.text);
    code.test_modules().iter().map(|name| format!("{module}/{name}").trim_start_matches('/').into()).collect()
}

#[test]
fn the_house_is_in_order() {
    let files = sources();
    assert!(files.iter().any(|file| file.path == "lib.rs"), "the sources were not found");
    let faults: Vec<String> = files.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_table_has_only_downward_arrows() {
    for from in &ROOMS {
        for to in from.may_call {
            let to = room(to).unwrap_or_else(|| panic!("{} may call {to}, which is no room", from.name));
            assert!(to.rank < from.rank, "{} -> {}", from.name, to.name);
        }
    }
}
