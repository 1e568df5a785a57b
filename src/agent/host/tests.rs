//! A host whose disk is full, and what is put in order at the start.

use std::path::Path;

use EventName::{ApplicationStop, DownloadBundle};
use EventStatus::{Failed, InProgress, Succeeded};

use super::*;
use crate::agent::small_disk::SmallDisk;
use crate::api::Assignment;

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

async fn open(root: &Path) -> Host {
    let root = Root::open(root, "test", false).unwrap();
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
