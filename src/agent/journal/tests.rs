//! The journal across kills, power cuts and growth.

use std::fs;

use super::*;
use crate::agent::small_disk::SmallDisk;
use crate::api::HostEvent;
use crate::api::deployment_status::Diagnostics;

impl Journal {
    /// Puts the end of an event on record, as the host does.
    pub fn end(
        &mut self,
        group: &str,
        event: EventName,
        end: (EventStatus, Option<Diagnostics>),
        time: Timestamp,
        lasting: Lasting,
    ) -> Result<(), Error> {
        let (status, diagnostics) = end;
        self.write(Entry::Ended { group: group.into(), event, status, time, diagnostics }, lasting)
    }
}

fn assignment(group: &str, uid: &str) -> Assignment {
    use EventName::*;
    Assignment {
        deployment_group: group.into(),
        deployment_group_id: format!("{group}-id"),
        deployment: format!("d-{uid}"),
        deployment_uid: uid.into(),
        sealed_credentials: Some("secret".into()),
        course: vec![
            BeforeBlockTraffic,
            BlockTraffic,
            ApplicationStop,
            DownloadBundle,
            Install,
            ValidateService,
        ],
        ..Assignment::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A journal in which an event of group a has ended and another one runs.
fn begun(path: &Path) -> Journal {
    let mut journal = Journal::open(path).unwrap();
    journal.accept(&assignment("a", "1")).unwrap();
    journal.begin("a-id", EventName::ApplicationStop, at(1), Lasting::Yes).unwrap();
    journal
        .end("a-id", EventName::ApplicationStop, (EventStatus::Succeeded, None), at(2), Lasting::Yes)
        .unwrap();
    journal.begin("a-id", EventName::DownloadBundle, at(3), Lasting::Yes).unwrap();
    journal
}

fn lines_of(record: &Record) -> Vec<String> {
    record.events.iter().map(|e: &HostEvent| format!("{} {:?}", e.name, e.status)).collect()
}

#[test]
fn what_ran_when_the_agent_was_killed_is_known_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let before = begun(&path).record("a-id").unwrap().clone();
    let again = Journal::open(&path).unwrap();
    let record = again.record("a-id").unwrap();
    assert_eq!(*record, before);
    assert_eq!(record.running(), Some(EventName::DownloadBundle));
    assert_eq!(lines_of(record), ["ApplicationStop Succeeded", "DownloadBundle InProgress"]);
}

#[test]
fn wherever_the_last_line_is_torn_what_came_before_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    drop(begun(&path));
    let bytes = fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in last..bytes.len() {
        for tail in [&b""[..], &[0; 40], b"\0\0\0\n"] {
            let torn = [&bytes[..cut], tail].concat();
            fs::write(&path, torn).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            let record = journal.record("a-id").unwrap();
            assert_eq!(lines_of(record), ["ApplicationStop Succeeded"], "cut at {cut}");
            journal.begin("a-id", EventName::Install, at(9), Lasting::Yes).unwrap();
            drop(journal);
            let record = Journal::open(&path).unwrap().record("a-id").unwrap().clone();
            assert_eq!(record.running(), Some(EventName::Install), "cut at {cut}");
        }
    }
    assert!(!path.with_added_extension("unreadable").exists());
}

#[test]
fn a_line_that_is_spoilt_in_the_middle_is_kept_aside_and_the_rest_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    drop(begun(&path));
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(1, "{\"kind\":");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.record("a-id").unwrap().running(), Some(EventName::DownloadBundle));
    assert!(fs::read_to_string(path.with_added_extension("unreadable")).unwrap().contains("{\"kind\":\n"));
}

#[test]
fn one_that_a_newer_agent_wrote_is_left_as_it_is_and_that_agent_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    drop(begun(&path));
    let written = fs::read_to_string(&path).unwrap();
    drop(Journal::open(&path).unwrap());
    let rewritten = fs::read_to_string(&path).unwrap();
    for text in [written, rewritten] {
        let old = "{\"kind\":\"form\",\"version\":1}\n";
        assert!(text.starts_with(old), "{text}");
        let newer =
            "{\"kind\":\"form\",\"version\":2,\"since\":9}\n{\"kind\":\"unheard\",\"group\":\"a-id\"}\n";
        let newer = text.replace(old, newer);
        fs::write(&path, &newer).unwrap();
        let refused = Journal::open(&path).unwrap_err();
        let said = refused.to_string();
        assert_eq!(refused.reason(), "StateNewer");
        assert!(
            said.contains("journal is in form 2, ") && said.contains("install that agent again"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn one_that_does_not_name_its_form_is_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let before = begun(&path).record("a-id").unwrap().clone();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.split_once('\n').unwrap().1).unwrap();
    assert_eq!(*Journal::open(&path).unwrap().record("a-id").unwrap(), before);
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"kind\":\"form\",\"version\":1}\n"));
}

#[test]
fn it_stays_small_and_says_the_same_however_much_happens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut journal = Journal::open(&path).unwrap();
    for round in 0..400 {
        journal.accept(&assignment("a", &round.to_string())).unwrap();
        journal.begin("a-id", EventName::ApplicationStop, at(round), Lasting::No).unwrap();
        let said = Diagnostics { log_tail: "x".repeat(2_000), ..Diagnostics::default() };
        let end = (EventStatus::Failed, Some(said));
        journal.end("a-id", EventName::ApplicationStop, end, at(round), Lasting::No).unwrap();
        journal.finish("a-id", EventStatus::Failed, at(round)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 300 * 1024, "round {round}");
    }
    let before = journal.record("a-id").unwrap().clone();
    drop(journal);
    assert_eq!(*Journal::open(&path).unwrap().record("a-id").unwrap(), before);
    assert!(fs::metadata(&path).unwrap().len() < 10 * 1024);
}

#[test]
fn a_later_deployment_takes_its_groups_place_and_knows_what_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = begun(&folder.path().join("journal"));
    journal.accept(&assignment("b", "2")).unwrap();
    journal.finish("a-id", EventStatus::Succeeded, at(5)).unwrap();
    journal.accept(&assignment("a", "3")).unwrap();
    let record = journal.record("a-id").unwrap();
    assert_eq!(record.installed.as_ref().map(|i| i.deployment.as_str()), Some("d-1"));
    assert!(record.events.is_empty());
    let order: Vec<&str> = journal.in_order().iter().map(|r| r.assignment.deployment_uid.as_str()).collect();
    assert_eq!(order, ["2", "3"]);
}

#[test]
fn the_end_skips_what_had_not_begun_and_leaves_out_what_is_the_controllers() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = begun(&folder.path().join("journal"));
    let failed = (EventStatus::Failed, None);
    journal.end("a-id", EventName::DownloadBundle, failed, at(4), Lasting::Yes).unwrap();
    journal.finish("a-id", EventStatus::Failed, at(5)).unwrap();
    let record = journal.record("a-id").unwrap();
    assert_eq!(
        lines_of(record),
        [
            "BeforeBlockTraffic Skipped",
            "ApplicationStop Succeeded",
            "DownloadBundle Failed",
            "Install Skipped",
            "ValidateService Skipped"
        ]
    );
}

#[test]
fn credentials_never_reach_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    drop(begun(&path));
    assert!(!fs::read_to_string(&path).unwrap().contains("secret"));
}

#[test]
fn only_the_agent_may_read_it_once_it_was_rewritten() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    drop(begun(&path));
    drop(Journal::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn on_a_full_disk_a_torn_line_goes_and_what_came_before_it_stands() {
    let Some(disk) = SmallDisk::of(64, 100) else { return };
    let path = disk.path().join("journal");
    drop(begun(&path));
    let whole = fs::read(&path).unwrap();
    for tail in [&b"{\"kind\":"[..], b"\0\0\0\n"] {
        fs::write(&path, [&whole, tail].concat()).unwrap();
        let mut ballast = File::create(disk.path().join("ballast")).unwrap();
        while ballast.write_all(&[1; 512]).is_ok() {}
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.record("a-id").unwrap().running(), Some(EventName::DownloadBundle));
        assert_eq!(fs::read(&path).unwrap(), whole);
        fs::remove_file(disk.path().join("ballast")).unwrap();
        journal.tell("a-id", "there is room").unwrap();
        assert_eq!(Journal::open(&path).unwrap().record("a-id").unwrap().message, "there is room");
    }
}
