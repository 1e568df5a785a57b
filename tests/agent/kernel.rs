//! The agent under strace: one of its calls is killed or fails, or all that change the disk are written down. Nothing in the program knows of it.
//!
//! strace counts the calls of each thread by itself. Each kind of call is gone through on its own, so that those of the thread that
//! installs are reached before another thread's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::host::Host;

/// The calls that change the disk; `?` passes over those that the machine's kind does not have.
pub const CALLS: [&str; 26] = [
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "symlink",
    "symlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "utimensat",
    "openat",
    "fsync",
    "fdatasync",
    "syncfs",
    "ftruncate",
    "write",
    "copy_file_range",
];
/// How many are tried side by side.
const AT_ONCE: usize = 4;

/// All files below a folder, by name.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()).into_iter().map(|(below, is)| (format!("{name}/{below}"), is)));
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

/// The files of a revision, as they are on the host.
pub fn revision(version: &str) -> BTreeMap<String, String> {
    let files = [("conf/port", "80"), ("index", version), (version, "here")];
    files.map(|(name, is)| (name.to_owned(), is.to_owned())).into()
}

/// A host on which `one` is installed below `srv`, with `two` at hand.
pub fn host() -> Host {
    let host = Host::new();
    for version in ["one", "two"] {
        let files = revision(version);
        let bundle =
            files.iter().fold(host.bundle(version), |b, (name, is)| b.file(&format!("app/{name}"), is));
        bundle.install("app", &host.path("srv")).done();
    }
    host.deploy("one", "--deployment-id d-1").succeeded();
    host
}

/// `agent`, run by strace with these words.
pub fn traced(agent: &Command, words: &[&str]) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq"]).args(words);
    traced.arg(agent.get_program()).args(agent.get_args()).current_dir(agent.get_current_dir().unwrap());
    traced
}

/// Does `attempt` with each kind of call at its first time, its second, and so on for as long as something comes of it.
pub fn at_each_call<T: Send>(attempt: impl Fn(&'static str, usize) -> Option<T> + Sync) -> Vec<T> {
    let attempt = &attempt;
    let tried = |first: usize| {
        let calls = CALLS.iter().skip(first).step_by(AT_ONCE);
        calls.flat_map(|call| (1..).map_while(move |at| attempt(call, at))).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|first| scope.spawn(move || tried(first))).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}
