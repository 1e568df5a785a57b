//! Events on a host of their own: what their scripts may take together, and what stays of earlier revisions.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::agent::course::{Next, Orders};
use crate::agent::host::Settings;
use crate::agent::layout::Root;
use crate::api::{Assignment, EventStatus, GoDuration};

/// A host with bundles beside it.
struct World {
    folder: tempfile::TempDir,
    host: Host,
}

impl World {
    async fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(&folder.path().join("root"), "test", false).unwrap();
        let host = Host::open(root, settings).await.unwrap();
        Self { folder, host }
    }

    /// A bundle whose AfterInstall runs these scripts.
    fn bundle(&self, scripts: &[&str]) -> PathBuf {
        let bundle = self.folder.path().join("bundle");
        let _ = fs::remove_dir_all(&bundle);
        fs::create_dir(&bundle).unwrap();
        let mut spec = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n".to_owned();
        for (number, body) in scripts.iter().enumerate() {
            let file = bundle.join(format!("{number}.sh"));
            fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
            spec += &format!("    - location: {number}.sh\n");
        }
        fs::write(bundle.join("appspec.yml"), spec).unwrap();
        bundle
    }

    /// Runs a Deployment of group `g` to its end, through all events that have scripts here.
    async fn deploy(&self, name: &str, bundle: &Path, event_timeout: Option<GoDuration>) -> Record {
        let assignment = Assignment {
            deployment_group: "web".into(),
            deployment_group_id: "g".into(),
            deployment: name.into(),
            deployment_uid: name.into(),
            course: vec![
                EventName::DownloadBundle,
                EventName::Install,
                EventName::AfterInstall,
                EventName::ValidateService,
            ],
            event_timeout,
            ..Assignment::default()
        };
        self.host.journal().accept(&assignment).unwrap();
        let orders = Orders { run_through: Some(EventName::ValidateService), stop: false };
        let supply = Supply::Folder(bundle.to_owned());
        while let Next::Run(_) = self.host.step("g", orders, &supply).await.unwrap() {}
        self.host.record("g").unwrap()
    }

    /// The revisions of group `g` that are on the disk.
    fn kept(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path().join("root/g")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn status(record: &Record, event: EventName) -> Option<EventStatus> {
    record.event(event).map(|event| event.status)
}

#[tokio::test]
async fn scripts_that_take_longer_together_than_the_event_may_end_with_it_by_name() {
    let world = World::new(Settings::default()).await;
    let pid = world.folder.path().join("pid");
    let slow = format!("echo $$ > {}; sleep 600", pid.display());
    let begun = clock::instant();
    // Each is within its own timeout, an hour; the first leaves the second only a part of the event's.
    let bundle = world.bundle(&["sleep 0.5", &slow, "echo never > never"]);
    let record = world.deploy("d-1", &bundle, Some(GoDuration::from_secs(2))).await;
    let took = begun.elapsed();
    let said = record.event(EventName::AfterInstall).unwrap().diagnostics.clone().unwrap();
    assert_eq!((said.error_code.as_str(), said.script_name.as_str()), ("ScriptTimedOut", "1.sh"));
    assert_eq!(
        said.message,
        "script 1.sh was not done within the 2 s that the event may take (eventTimeout)"
    );
    assert!(said.log_tail.contains(&said.message), "{}", said.log_tail);
    assert!((Duration::from_secs(2)..Duration::from_secs(30)).contains(&took), "{took:?}");
    assert_eq!(status(&record, EventName::AfterInstall), Some(EventStatus::Failed));
    assert_eq!(status(&record, EventName::ValidateService), Some(EventStatus::Skipped));
    assert_eq!(record.end, Some(EventStatus::Failed));
    let script = fs::read_to_string(pid).unwrap();
    assert!(!Path::new(&format!("/proc/{}/cwd", script.trim())).exists(), "it was ended");
}

#[tokio::test]
async fn the_events_time_is_each_events_own_and_an_hour_where_nothing_is_said() {
    let world = World::new(Settings::default()).await;
    let bundle = world.bundle(&["sleep 0.2"]);
    let record = world.deploy("d-1", &bundle, Some(GoDuration::from_secs(30))).await;
    assert_eq!(record.end, Some(EventStatus::Succeeded), "{record:?}");
    assert_eq!(event_timeout(&record), Duration::from_secs(30));
    let record = world.deploy("d-2", &bundle, None).await;
    assert_eq!(event_timeout(&record), Duration::from_secs(3_600));
}

#[tokio::test]
async fn as_many_revisions_stay_as_the_host_says_and_the_installed_one_always() {
    for max_revisions in [1, 2, 3, 7] {
        let world = World::new(Settings { max_revisions, ..Settings::default() }).await;
        let (good, bad) = ("true", "exit 1");
        let bundle = world.bundle(&[good]);
        assert_eq!(world.deploy("good", &bundle, None).await.end, Some(EventStatus::Succeeded));
        let bundle = world.bundle(&[bad]);
        for number in 0..9 {
            let name = format!("bad-{number}");
            assert_eq!(world.deploy(&name, &bundle, None).await.end, Some(EventStatus::Failed));
            let kept = world.kept();
            assert!(kept.contains("good") && kept.contains(&name), "{max_revisions}: {kept:?}");
            // The one under way and the installed one stand even where only one is to stay.
            let most = max_revisions.max(2);
            assert!(kept.len() <= most, "{max_revisions}: {kept:?}");
            let is_full = number + 2 >= most;
            assert!(!is_full || kept.len() == most, "{max_revisions}: {kept:?}");
            let newest = (number + 2).saturating_sub(most)..=number;
            assert!(
                newest.into_iter().all(|n| kept.contains(&format!("bad-{n}"))),
                "{max_revisions}: {kept:?}"
            );
        }
        let bundle = world.bundle(&[good]);
        assert_eq!(world.deploy("better", &bundle, None).await.end, Some(EventStatus::Succeeded));
        assert!(world.kept().contains("good"), "it goes when there is another one that works");
        world.deploy("last", &bundle, None).await;
        assert!(world.kept().contains("better") && world.kept().contains("last"));
        assert!(max_revisions > 2 || !world.kept().contains("good"), "{:?}", world.kept());
    }
}
