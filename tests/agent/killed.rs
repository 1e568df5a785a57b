//! The agent, killed by the kernel at one call after the other that changes the disk: nothing in the program knows of it.
//!
//! strace counts the calls of each thread by itself. Each kind of call is gone through on its own, so that those of the thread that
//! installs are reached before another thread's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::host::Host;

/// The calls that change the disk; `?` passes over those that the machine's kind does not have.
const CALLS: [&str; 23] = [
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
    "fsync",
    "fdatasync",
    "ftruncate",
    "write",
    "copy_file_range",
];
/// How many are tried side by side.
const AT_ONCE: usize = 4;

/// All files below a folder, by name.
fn tree(folder: &Path) -> BTreeMap<String, String> {
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

fn revision(version: &str) -> BTreeMap<String, String> {
    let files = [("conf/port", "80"), ("index", version), (version, "here")];
    files.map(|(name, is)| (name.to_owned(), is.to_owned())).into()
}

/// A host on which `one` is installed, with `two` at hand.
fn host() -> Host {
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

/// Deploys `two` and kills the agent at the `at`th such call of any of its threads. False if it came to its end before.
fn is_killed(host: &Host, call: &str, at: usize) -> bool {
    let agent = host.command("--bundle-location two --deployment-id d-2 -o json");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace=?{call}"), "-e", "signal=none", "-e"]);
    traced.arg(format!("inject=?{call}:signal=KILL:when={at}"));
    traced.arg(agent.get_program()).args(agent.get_args()).current_dir(agent.get_current_dir().unwrap());
    let status = traced.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

/// True if it was killed and the old revision stood afterwards; `None` if it was not killed.
fn goes_back(call: &str, at: usize) -> Option<bool> {
    let host = host();
    if !is_killed(&host, call, at) {
        return None;
    }
    let said = host.deploy("two", "--deployment-id d-2");
    let (code, _, message) = if said.code == 0 { Default::default() } else { said.error() };
    assert!(code.is_empty() || code == "AgentRestarted", "{call} {at}: {code}: {message}");
    let stands = tree(&host.path("srv"));
    let (old, new) = (revision("one"), revision("two"));
    assert!(stands == new || (stands == old && said.code != 0), "{call} {at}: {stands:?} after {said:?}");
    host.deploy("two", "--deployment-id d-3").succeeded();
    assert_eq!(tree(&host.path("srv")), new, "{call} {at}");
    Some(stands == old)
}

#[test]
fn at_any_call_that_changes_the_disk_the_old_or_the_new_revision_is_whole() {
    let tried = |first: usize| {
        let calls = CALLS.iter().skip(first).step_by(AT_ONCE);
        calls.flat_map(|call| (1..).map_while(|at| goes_back(call, at))).collect::<Vec<_>>()
    };
    let ends = thread::scope(|scope| {
        let all: Vec<_> = (0..AT_ONCE).map(|first| scope.spawn(move || tried(first))).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    let went_back = ends.iter().filter(|is_old| **is_old).count();
    println!("{} kills, {went_back} of them before the new revision was whole", ends.len());
    assert!(ends.len() > 40 && went_back > 10 && went_back < ends.len(), "{went_back} of {}", ends.len());
}
