//! The agent, told by the kernel at one call after the other that changes the disk that it cannot be done.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::host::{Host, Said};
use super::kernel::{at_each_call, host, revision, traced, tree};

/// Files below the root folder into which a write fails.
const OWN: [&str; 5] = [
    "sluice/journal",
    "sluice/journal.new",
    "sluice/installed/g1.journal",
    "sluice/installed/g1.journal.new",
    "sluice/installed/g1.record.new",
];

/// Deploys `two` while the `at`th such call of each thread fails. Nothing if none did.
fn deploy(host: &Host, call: &str, at: usize) -> Option<Said> {
    let agent = host.command("--bundle-location two --deployment-id d-2 -o json");
    let log = host.path("trace");
    let (trace, inject) = (format!("trace=?{call}"), format!("inject=?{call}:error=EIO:when={at}"));
    let to = log.display().to_string();
    let mut words = vec!["-o", &to, "-e", &trace, "-e", "signal=none", "-e", &inject];
    let own = OWN.map(|name| host.root().canonicalize().unwrap().join(name).display().to_string());
    if call == "write" {
        // By the same call threads wake each other, which never fails.
        words.extend(own.iter().flat_map(|path| ["-P", path]));
    }
    let mut traced = traced(&agent, &words);
    let said = Said::of(traced.stdin(Stdio::null()).output().unwrap());
    fs::read_to_string(log).unwrap().contains("(INJECTED)").then_some(said)
}

/// How the journal says that the group's Deployment ended.
fn journal_says(host: &Host) -> (String, Option<String>) {
    let text = fs::read_to_string(host.root().join("sluice/journal")).unwrap();
    let (mut deployment, mut end) = (String::new(), None);
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let word = |value: &Value| value.as_str().map(str::to_owned);
        match entry["kind"].as_str().unwrap() {
            "accepted" => (deployment, end) = (word(&entry["assignment"]["deployment"]).unwrap(), None),
            "whole" => {
                let record = &entry["record"];
                (deployment, end) =
                    (word(&record["assignment"]["deployment"]).unwrap(), word(&record["end"]));
            }
            "finished" => end = word(&entry["status"]),
            _ => {}
        }
    }
    (deployment, end)
}

/// True if the new revision is there, whole, and false if the old one is. Of what the new one replaced something may lie there until the
/// next deployment: where removing it failed, the installation stands all the same.
fn is_new(host: &Host, place: &str) -> bool {
    let (mut stands, old) = (tree(&host.path("srv")), revision("one"));
    if stands == old {
        return false;
    }
    for (name, is) in revision("two") {
        assert_eq!(stands.remove(&name), Some(is), "{name} after {place}");
    }
    stands.retain(|name, is| !name.contains(".sluice-") && old.get(name) != Some(is));
    assert_eq!(stands, [].into(), "after {place}");
    true
}

/// True if the old revision stood afterwards; `None` if nothing failed.
fn stays(call: &str, at: usize) -> Option<bool> {
    let host = host();
    let said = deploy(&host, call, at)?;
    let place = format!("{call} {at}");
    assert!((0..=2).contains(&said.code) && !said.err.contains("panicked"), "{place}: {said:?}");
    let (is_new, new) = (is_new(&host, &format!("{place}: {said:?}")), revision("two"));
    if said.code == 0 {
        assert!(is_new, "{place}: {said:?}");
        assert_eq!(journal_says(&host), ("d-2".into(), Some("Succeeded".into())), "{place}");
    } else if !said.out.is_empty() && said.json()["events"].as_array().is_some_and(|all| !all.is_empty()) {
        assert_eq!(is_new, said.event("Install") == "Succeeded", "{place}: {said:?}");
        assert_eq!(journal_says(&host), ("d-2".into(), Some("Failed".into())), "{place}");
    }
    host.deploy("two", "--deployment-id d-3").succeeded();
    assert_eq!(tree(&host.path("srv")), new, "{place}");
    Some(!is_new)
}

#[test]
fn whatever_call_fails_the_old_or_the_new_revision_is_whole_and_the_journal_says_how_it_ended() {
    let ends = at_each_call(stays);
    let stayed = ends.iter().filter(|is_old| **is_old).count();
    println!("{} failures, {stayed} of them with the old revision afterwards", ends.len());
    assert!(ends.len() > 40 && stayed > 10 && stayed < ends.len(), "{stayed} of {}", ends.len());
}
