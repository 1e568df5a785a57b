//! A script and the record of its process: wherever the agent is killed between the two, nothing runs that the next start does not know of.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::host::{Host, eventually};

/// The calls of the agent's main thread at which it is killed: they write the journal, and let the script begin.
const CALLS: [&str; 2] = ["write", "sendto"];

/// Deploys `noting` and kills the agent, and nothing that it has started, at the `at`th such call. False if it came to its end before.
fn is_killed(host: &Host, call: &str, at: usize) -> bool {
    let agent = host.command("--bundle-location noting --deployment-id d-1 -o json");
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={at}"));
    let mut traced = Command::new("strace");
    traced.args(["-qq", "-o", "/dev/null", "-e", &trace, "-e", "signal=none", "-e", &inject]);
    traced.arg(agent.get_program()).args(agent.get_args()).current_dir(agent.get_current_dir().unwrap());
    let status = traced.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

/// True while the command line of any process has the host's folder in it, as the agent's and its scripts' have.
fn is_busy(host: &Host) -> bool {
    let folder = host.path("").display().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(&folder))
}

/// A host whose agent was killed, and what is seen of it before the next start.
struct Killed {
    host: Host,
    is_begun: bool,
    is_known: bool,
    is_over: bool,
    /// True if the whole deployment has: by its id it then begins anew.
    is_finished: bool,
    has_run: bool,
}

impl Killed {
    fn at(call: &str, at: usize) -> Option<Self> {
        let host = Host::new();
        let body = format!("echo ran >>{}", host.path("ran").display());
        host.bundle("noting").hook("AfterInstall", &body).done();
        if !is_killed(&host, call, at) {
            return None;
        }
        eventually("what the agent has left is over", || (!is_busy(&host)).then_some(()));
        let journal = host.read("root/sluice/journal");
        let says = |kind: &str, rest: &str| {
            let kind = format!(r#""kind":"{kind}""#);
            journal.lines().any(|line| line.contains(&kind) && line.contains(rest))
        };
        let of_event = r#""event":"AfterInstall""#;
        let (is_begun, is_over) = (says("begun", of_event), says("ended", of_event));
        let is_finished = says("finished", "");
        let (is_known, has_run) =
            (says("started", r#""script":"ops/AfterInstall.sh""#), !host.read("ran").is_empty());
        Some(Self { host, is_begun, is_known, is_over, is_finished, has_run })
    }
}

#[test]
fn a_script_runs_only_where_its_process_is_on_record() {
    let (mut unknown, mut held) = (0, 0);
    for call in CALLS {
        for (at, killed) in (1..).map_while(|at| Some((at, Killed::at(call, at)?))) {
            assert!(killed.is_known || !killed.has_run, "{call} {at}: it ran and nobody would know");
            unknown += usize::from(killed.is_begun && !killed.is_known);
            held += usize::from(killed.is_known && !killed.has_run);
            let said = killed.host.deploy("noting", "--deployment-id d-1");
            let runs = killed.host.read("ran").lines().count();
            assert!(runs <= 1 || killed.is_finished, "{call} {at}: {said:?}");
            let is_cut_off = killed.is_begun && !killed.is_over;
            assert!(said.code != 0 || !is_cut_off, "{call} {at}: {said:?}");
            if said.code != 0 {
                let (code, _, message) = said.error();
                assert_eq!(code, "AgentRestarted", "{call} {at}: {message}");
                assert!(
                    !is_cut_off || message.starts_with("AfterInstall was under way"),
                    "{call} {at}: {message}"
                );
                assert!(!message.contains("still running"), "{call} {at}: {message}");
            }
        }
    }
    println!("{unknown} kills before the process was on record, {held} before the script began");
    assert!(unknown > 0, "no kill came between the start of the process and its record");
    assert!(held > 0, "no kill came between the record and the script's begin");
}
