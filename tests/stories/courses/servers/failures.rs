//! What may be wrong with a bundle, its scripts or its download: each by its own name.

use serde_json::Value;

use super::{ALL, counts, end, failed_event, installed, standing};
use crate::hosts::{Fleet, Host, PLAIN};
use crate::server_manifests::{deployment, group, settings};
use crate::story::{DEPLOYMENT, Story};

/// The diagnostics of the event that failed on the only host.
async fn fails(story: &Story, fleet: &Fleet, name: &str) -> Value {
    let failed = story.phase(name, "Failed").await;
    assert_eq!(counts(&failed), [0, 1, 0, 0], "{name}");
    assert_eq!(failed["status"]["errorInformation"]["code"], "HealthConstraints", "{name}");
    let event = failed_event(&standing(story, &fleet.names[0], "web").await);
    assert_eq!(failed["status"]["failedTargets"][0]["event"], event["name"], "{name}");
    event
}

/// A script that ends with 1, one that is missing, one that takes too long, one that leaves a child.
pub async fn scripts(story: Story) {
    let (fleet, _) = installed(&story, 1, ALL, "").await;
    let cases = [
        ("exits", "AfterInstall", "echo reason >&2; exit 1", "ScriptFailed"),
        ("lacks", "ApplicationStart", "-", "ScriptMissing"),
        ("lasts", "BeforeInstall", "sleep 60", "ScriptTimedOut"),
    ];
    for (name, event, script, code) in cases {
        let bundle = fleet.notes(name, &[(event, script)]);
        story.apply(&deployment(name, "web", &bundle, "")).await;
        let failed = fails(&story, &fleet, name).await;
        assert_eq!((&failed["name"], &failed["diagnostics"]["errorCode"]), (&event.into(), &code.into()));
        assert_eq!(failed["diagnostics"]["scriptName"], format!("scripts/{event}.sh"));
    }
    let trail = fleet.trail(0);
    assert!(!trail.contains(&"ApplicationStart exits".to_owned()), "nothing runs after a failure: {trail:?}");

    let leaves = fleet.notes("leaves", &[("ApplicationStart", "sleep 300 &")]);
    story.apply(&deployment("leaves", "web", &leaves, "")).await;
    story.phase("leaves", "Succeeded").await;
    fleet.run(0, &["pgrep", "-f", "sleep 300"]);
    end(&story).await;
}

/// A download that is cut goes on where it was; one that is not what it should be, or not there, is named.
pub async fn downloads(story: Story) {
    let (fleet, _) = installed(&story, 1, ALL, "").await;
    let large = fleet.large("2", 8);
    story.apply(&deployment("cut", "web", &fleet.faulty(&large, "cut=3000000"), "")).await;
    story.phase("cut", "Succeeded").await;

    // Another one: what was fetched by its digest is not fetched again.
    let other = fleet.large("2b", 1);
    story.apply(&deployment("wrong", "web", &fleet.faulty(&other, "wrong=1"), "")).await;
    let failed = fails(&story, &fleet, "wrong").await;
    assert_eq!(failed["name"], "DownloadBundle");
    let message = failed["diagnostics"]["message"].as_str().expect("a message");
    assert!(message.contains("sha256"), "{message}");

    let mut missing = fleet.notes("3", &[]);
    missing.url = missing.url.replace("notes-3", "nowhere");
    story.apply(&deployment("missing", "web", &missing, "")).await;
    let failed = fails(&story, &fleet, "missing").await;
    assert_eq!(failed["name"], "DownloadBundle");
    end(&story).await;
}

/// A download from which nothing comes for a minute goes on where it was.
pub async fn stalls(story: Story) {
    let (fleet, _) = installed(&story, 1, ALL, "").await;
    let slow = fleet.large("2", 8);
    story.apply(&deployment("stalled", "web", &fleet.faulty(&slow, "stall=3000000"), "")).await;
    story.until_long(DEPLOYMENT, "stalled", "it succeeded", |d| d["status"]["phase"] == "Succeeded").await;
    end(&story).await;
}

/// A disk without room fails the deployment with the old revision whole, and takes the next one that fits.
pub async fn disk_full(story: Story) {
    let fleet = Fleet::start(&story, &[Host { disk: "96m", ..PLAIN }]).await;
    story.apply(&settings()).await;
    story.apply(&group("web", ALL, "web", "", "")).await;
    story.apply(&deployment("first", "web", &fleet.notes("1", &[]), "")).await;
    story.phase("first", "Succeeded").await;
    story.apply(&deployment("large", "web", &fleet.large("2", 40), "")).await;
    let failed = fails(&story, &fleet, "large").await;
    let message = failed["diagnostics"]["message"].as_str().expect("a message");
    assert!(message.to_lowercase().contains("space"), "{message}");
    assert_eq!(fleet.run(0, &["cat", "/srv/app/version"]), "1", "the old revision is whole");
    story.apply(&deployment("third", "web", &fleet.notes("3", &[]), "")).await;
    story.phase("third", "Succeeded").await;
    assert_eq!(fleet.run(0, &["cat", "/srv/app/version"]), "3", "the space was given back");
    end(&story).await;
}

/// A file that is there and not the group's is kept, and named.
pub async fn file_exists(story: Story) {
    let (fleet, _) = installed(&story, 1, ALL, "").await;
    fleet.run(0, &["sh", "-c", "echo mine >/srv/app/only-2"]);
    let second = fleet.notes("2", &[]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let failed = fails(&story, &fleet, "second").await;
    assert_eq!(failed["name"], "Install");
    assert!(
        failed["diagnostics"]["message"].as_str().is_some_and(|m| m.contains("/srv/app/only-2")),
        "{failed}"
    );
    assert_eq!(fleet.run(0, &["cat", "/srv/app/version"]), "1", "the old revision is whole");
    assert_eq!(fleet.run(0, &["cat", "/srv/app/only-2"]), "mine\n");
    story.apply(&deployment("third", "web", &second, "fileExistsBehavior: Overwrite")).await;
    story.phase("third", "Succeeded").await;
    assert_eq!(fleet.run(0, &["cat", "/srv/app/only-2"]), "2");
    end(&story).await;
}
