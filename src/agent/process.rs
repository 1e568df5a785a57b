//! Processes of the host: told apart for good, and ended as a group.

use std::fs;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::clock;
use super::journal::Process;

/// How long a group has between being asked to end and being ended.
pub const MERCY: Duration = Duration::from_secs(5);
/// How often a group that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Which boot of the host this is.
pub fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The process of that number, so that no later one can be taken for it; it runs `script`.
pub fn identify(pid: i32, script: &str) -> Option<Process> {
    Some(Process { pid, started: started(pid)?, boot: boot_id(), script: script.to_owned() })
}

/// When it started, in ticks since the boot (`proc_pid_stat(5)`, field 22). One that has ended is none, though nobody may have asked how: what a
/// killed agent leaves is asked by the host's pid 1, and in some containers never.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    fields.next().filter(|state| !matches!(*state, "Z" | "X"))?;
    fields.nth(18)?.parse().ok()
}

/// True while a process of the group lives.
pub fn lives(group: i32) -> bool {
    Pid::from_raw(group).is_some_and(|pid| test_kill_process_group(pid) != Err(Errno::SRCH))
}

/// Asks every process of the group to end.
pub fn terminate(group: i32) {
    signal(group, Signal::TERM);
}

/// Ends every process of the group.
pub fn kill(group: i32) {
    signal(group, Signal::KILL);
}

fn signal(group: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(group) {
        // No such group: it has ended by itself.
        let _ = kill_process_group(pid, signal);
    }
}

/// Ends what an earlier life of the agent started and left, if it still runs. True if it did.
pub async fn end_leftover(process: &Process) -> bool {
    if process.boot != boot_id() || started(process.pid) != Some(process.started) {
        return false;
    }
    terminate(process.pid);
    let gone = async {
        while lives(process.pid) {
            clock::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(MERCY, gone).await.is_err() {
        kill(process.pid);
    }
    true
}

/// Returns when no process of the group lives any more.
pub async fn ended(group: i32) {
    while lives(group) {
        clock::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let own = i32::try_from(std::process::id()).unwrap();
        let process = identify(own, "a.sh").unwrap();
        assert!(process.started > 0 && process.boot.len() == 36, "{process:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let earlier = Process { started: process.started - 1, ..process.clone() };
        assert!(!runtime.block_on(end_leftover(&earlier)));
        assert!(!runtime.block_on(end_leftover(&Process { boot: "another".into(), ..process })));
    }

    #[test]
    fn a_process_that_has_ended_is_none_whether_or_not_anybody_has_asked_how() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let begun = clock::instant();
        while identify(child.id().cast_signed(), "a.sh").is_some() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it is still taken for one that runs");
            std::thread::yield_now();
        }
        assert!(child.wait().unwrap().success());
    }
}
