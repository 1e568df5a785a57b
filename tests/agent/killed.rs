//! The agent, killed by the kernel at one call after the other that changes the disk.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use super::host::{Host, Said};
use super::kernel::{at_each_call, host, revision, traced, tree};

/// Deploys `two` and kills the agent at the `at`th such call of any of its threads. False if it came to its end before.
fn is_killed(host: &Host, call: &str, at: usize) -> bool {
    let agent = host.command("--bundle-location two --deployment-id d-2 -o json");
    let (trace, inject) = (format!("trace=?{call}"), format!("inject=?{call}:signal=KILL:when={at}"));
    let mut traced = traced(&agent, &["-o", "/dev/null", "-e", &trace, "-e", "signal=none", "-e", &inject]);
    let status = traced.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

/// Holds that what the next start says of the event that ran is so.
fn is_told(said: &Said, is_old: bool, at: &str) {
    let (code, _, message) = said.error();
    assert_eq!(code, "AgentRestarted", "{at}: {message}");
    let failed: Vec<String> = said.events().into_iter().filter(|event| event.ends_with(" Failed")).collect();
    assert_eq!(failed.len(), 1, "{at}: {said:?}");
    let event = failed[0].trim_end_matches(" Failed");
    assert!(message.starts_with(&format!("{event} was under way")), "{at}: {message}");
    if event == "Install" {
        let wrong =
            if is_old { "this revision's files are in place" } else { "the earlier revision is in place" };
        assert!(!message.contains(wrong), "{at}: {message}");
    } else {
        let is_behind = said.event("Install") == "Succeeded";
        assert_eq!(is_behind, !is_old, "{at}: {said:?}");
    }
}

/// True if it was killed and the old revision stood afterwards; `None` if it was not killed.
fn goes_back(call: &str, at: usize) -> Option<bool> {
    let host = host();
    if !is_killed(&host, call, at) {
        return None;
    }
    let place = format!("{call} {at}");
    let said = host.deploy("two", "--deployment-id d-2");
    let stands = tree(&host.path("srv"));
    let (old, new) = (revision("one"), revision("two"));
    assert!(stands == new || (stands == old && said.code != 0), "{place}: {stands:?} after {said:?}");
    if said.code != 0 {
        is_told(&said, stands == old, &place);
    }
    host.deploy("two", "--deployment-id d-3").succeeded();
    assert_eq!(tree(&host.path("srv")), new, "{place}");
    Some(stands == old)
}

#[test]
fn at_any_call_that_changes_the_disk_the_old_or_the_new_revision_is_whole() {
    let ends = at_each_call(goes_back);
    let went_back = ends.iter().filter(|is_old| **is_old).count();
    println!("{} kills, {went_back} of them before the new revision was whole", ends.len());
    assert!(ends.len() > 40 && went_back > 10 && went_back < ends.len(), "{went_back} of {}", ends.len());
}
