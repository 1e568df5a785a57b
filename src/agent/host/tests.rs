//! A host whose disk is full, and what is put in order at the start.

use std::path::Path;

use EventName::{ApplicationStop, DownloadBundle, Install};
use EventStatus::{Failed, InProgress, Succeeded};

use super::*;
use crate::agent::small_disk::SmallDisk;
use crate::appspec;

/// A Deployment of a course of two events, in group `g`.
fn assignment() -> Assignment {
    Assignment {
        deployment_group: "web".into(),
        deployment_group_id: "g".into(),
        deployment: "web-1".into(),
        deployment_uid: "u".into(),
        course: vec![ApplicationStop, DownloadBundle],
        ..Assignment::default()
    }
}

/// In turn: a process that another test is just starting holds, until its exec, what this one had open and has closed.
async fn open(root: &Path) -> Host {
    let root = Root::open(root, "test", true).unwrap();
    Host::open(root, Settings::default()).await.unwrap()
}

/// Takes all that is free; gives the file to remove.
fn fill(disk: &SmallDisk) -> PathBuf {
    let path = disk.path().join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 512]).is_ok() {}
    path
}

/// Writes small entries until the page that the journal ends in is full, too.
fn fill_journal(host: &Host) {
    while host.journal().tell("g", "x").is_ok() {}
}

fn status(host: &Host, event: EventName) -> Option<EventStatus> {
    host.record("g").unwrap().event(event).map(|event| event.status)
}

#[tokio::test]
async fn an_end_that_finds_the_disk_full_is_put_on_record_when_there_is_room_and_nothing_runs_meanwhile() {
    let Some(disk) = SmallDisk::of(64, 100) else { return };
    let host = open(&disk.path().join("root")).await;
    host.journal().accept(&assignment()).unwrap();
    host.begin_event("g", ApplicationStop, Lasting::Yes).unwrap();
    let ballast = fill(&disk);
    fill_journal(&host);
    let ended = host.end_event("g", ApplicationStop, Ok(None), Lasting::Yes);
    let meanwhile = async {
        clock::sleep(Duration::from_millis(100)).await;
        assert_eq!(status(&host, ApplicationStop), Some(InProgress));
        let orders = Orders { run_through: Some(DownloadBundle), stop: false };
        let next = host.step("g", orders, &Supply::Folder("/".into())).await.unwrap();
        assert_eq!((next, status(&host, DownloadBundle)), (Next::Wait, None));
        std::fs::remove_file(ballast).unwrap();
    };
    tokio::join!(async { ended.await.unwrap() }, meanwhile);
    assert_eq!(status(&host, ApplicationStop), Some(Succeeded));
}

#[tokio::test]
async fn a_host_whose_disk_is_full_begins_and_says_later_what_had_failed() {
    let Some(disk) = SmallDisk::of(64, 100) else { return };
    let root = disk.path().join("root");
    let host = open(&root).await;
    host.journal().accept(&assignment()).unwrap();
    host.begin_event("g", ApplicationStop, Lasting::Yes).unwrap();
    let ballast = fill(&disk);
    fill_journal(&host);
    drop(host);
    let host = open(&root).await;
    assert_eq!(status(&host, ApplicationStop), Some(InProgress));
    let orders = Orders { run_through: Some(DownloadBundle), stop: false };
    host.step("g", orders, &Supply::Folder("/".into())).await.unwrap_err();
    std::fs::remove_file(ballast).unwrap();
    let next = host.step("g", orders, &Supply::Folder("/".into())).await.unwrap();
    assert_eq!((next, status(&host, ApplicationStop)), (Next::Finish(Failed), Some(Failed)));
}

#[tokio::test]
async fn a_group_that_cannot_be_put_in_order_fails_by_name_and_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(folder.path()).await;
    for group in ["g", "h"] {
        let assignment = Assignment { deployment_group_id: group.into(), ..assignment() };
        host.journal().accept(&assignment).unwrap();
        host.begin_event(group, DownloadBundle, Lasting::Yes).unwrap();
    }
    let installed = host.root.installed();
    drop(host);
    std::fs::create_dir_all(&installed).unwrap();
    std::fs::write(installed.join("g.journal"), "{}\n").unwrap();
    let host = open(folder.path()).await;
    let said = |group: &str| {
        let record = host.record(group).unwrap();
        let event = record.event(DownloadBundle).unwrap().clone();
        (event.status, event.diagnostics.unwrap().message)
    };
    let (status, message) = said("g");
    assert!(
        status == Failed && message.contains("StateUnreadable") && message.contains("g.journal"),
        "{message}"
    );
    let (status, message) = said("h");
    assert!(status == Failed && !message.contains("in order"), "{message}");
}

#[tokio::test]
async fn told_to_end_it_does_not_wait_for_room() {
    let Some(disk) = SmallDisk::of(64, 100) else { return };
    let host = open(&disk.path().join("root")).await;
    host.journal().accept(&assignment()).unwrap();
    host.begin_event("g", ApplicationStop, Lasting::Yes).unwrap();
    fill(&disk);
    fill_journal(&host);
    host.cut.give();
    host.end_event("g", ApplicationStop, Ok(None), Lasting::Yes).await.unwrap_err();
}

/// Puts a revision's files in place as an event does, and says nothing of it in the journal.
fn put_in_place(host: &Host, uid: &str) {
    let bundle = tempfile::tempdir().unwrap();
    std::fs::write(bundle.path().join("page"), uid).unwrap();
    let target = host.root.path().join("www");
    let text = format!(
        "version: 0.0\nos: linux\nfile_exists_behavior: OVERWRITE\nfiles:\n  - source: page\n    destination: {}\n",
        target.display()
    );
    let rules = appspec::Rules { may_leave_bundle: false };
    let spec = appspec::read_server_by(text.as_bytes(), &appspec::Limits::default(), rules).unwrap();
    let job = install::Job {
        spec: &spec,
        archive: bundle.path(),
        state: &host.root.installed(),
        group_id: "g",
        deployment_id: "web-1",
        deployment_uid: uid,
        behavior: appspec::FileExists::Disallow,
        options: &install::Options::default(),
    };
    install::install(&job).unwrap();
}

fn begin_install(host: &Host, uid: &str) {
    let assignment =
        Assignment { deployment_uid: uid.into(), course: vec![DownloadBundle, Install], ..assignment() };
    host.journal().accept(&assignment).unwrap();
    host.begin_event("g", Install, Lasting::Yes).unwrap();
}

/// Whose files stand, by the uid, and how Install ended.
fn stands(host: &Host) -> (Option<String>, Option<EventStatus>) {
    let standing = host.record("g").unwrap().standing;
    (standing.map(|standing| standing.deployment_uid), status(host, Install))
}

#[tokio::test]
async fn files_that_are_in_place_although_their_install_has_failed_are_told_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(folder.path()).await;
    begin_install(&host, "u");
    put_in_place(&host, "u");
    // As when the last word of the installation's journal failed, and recovery went forward.
    host.journal().end("g", Install, (Failed, None), clock::now(), Lasting::Yes).unwrap();
    host.journal().finish("g", Failed, clock::now()).unwrap();
    assert_eq!(stands(&host).0, None);
    drop(host);
    let host = open(folder.path()).await;
    assert_eq!(stands(&host), (Some("u".into()), Some(Failed)));
}

#[tokio::test]
async fn files_of_an_earlier_deployment_of_the_name_are_not_taken_for_the_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(folder.path()).await;
    put_in_place(&host, "u-1");
    begin_install(&host, "u-2");
    drop(host);
    let host = open(folder.path()).await;
    assert_eq!(stands(&host), (None, Some(Failed)));
    let event = host.record("g").unwrap().event(Install).unwrap().clone();
    let message = event.diagnostics.unwrap().message;
    assert!(message.ends_with("; the earlier revision is in place, whole"), "{message}");
}

#[tokio::test]
async fn what_is_in_place_is_told_later_where_the_disk_had_no_room_for_it_at_the_start() {
    let Some(disk) = SmallDisk::of(64, 100) else { return };
    let root = disk.path().join("root");
    let host = open(&root).await;
    begin_install(&host, "u");
    put_in_place(&host, "u");
    let ballast = fill(&disk);
    fill_journal(&host);
    drop(host);
    let host = open(&root).await;
    assert_eq!(stands(&host), (None, Some(InProgress)));
    std::fs::remove_file(ballast).unwrap();
    host.put_owed_on_record().unwrap();
    assert_eq!(stands(&host), (Some("u".into()), Some(Failed)));
}
