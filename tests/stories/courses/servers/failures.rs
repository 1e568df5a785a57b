//! What may be wrong with a bundle, its scripts or its download: each by its own name.

use serde_json::{Value, json};

use super::mishaps::runs;
use super::{
    ALL, SIX, configured, counts, end, fails_everywhere, fails_on, installed, installed_on, standing,
};
use crate::hosts::{Fleet, Host, PLAIN};
use crate::server_manifests::{Bundle, deployment};
use crate::story::{DEPLOYMENT, Story};

/// A script that does this on the host that is marked, and goes well on the others.
fn on_the_marked(script: &str) -> String {
    format!("[ -e /srv/marked ] || exit 0\n{script}")
}

/// A script that ends with 1 on one host, one that takes too long there, one that no host has, one that leaves a child on each.
pub async fn scripts(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    one_fails(&story, &fleet, 2, "exits", "AfterInstall", "echo reason >&2; exit 1", "ScriptFailed").await;
    let trail = fleet.trail(2);
    assert!(!trail.contains(&"ApplicationStart exits".to_owned()), "nothing runs after a failure: {trail:?}");

    configured(&story, "CodeDeployDefault.HalfAtATime", "").await;
    one_fails(&story, &fleet, 4, "lasts", "BeforeInstall", "sleep 60", "ScriptTimedOut").await;
    let first = &story.get(DEPLOYMENT, "lasts").await["status"]["resolved"]["server"]["targets"][0];
    assert_eq!(*first, json!(fleet.names[2]), "the one that had failed goes first");

    one_ends_it(&story, &fleet, 4).await;
    configured(&story, ALL, "").await;
    story.apply(&deployment("lacks", "web", &fleet.notes("lacks", &[("ApplicationStart", "-")]), "")).await;
    for failed in fails_everywhere(&story, &fleet, "lacks").await {
        assert_eq!(
            (&failed["name"], &failed["diagnostics"]["errorCode"]),
            (&json!("ApplicationStart"), &json!("ScriptMissing"))
        );
        assert_eq!(failed["diagnostics"]["scriptName"], "scripts/ApplicationStart.sh");
    }
    for host in 0..6 {
        assert_eq!(fleet.trail(host).last().map(String::as_str), Some("AfterInstall lacks"));
    }

    let leaves = fleet.notes("leaves", &[("ApplicationStart", "sleep 300 &")]);
    story.apply(&deployment("leaves", "web", &leaves, "")).await;
    assert_eq!(counts(&story.phase("leaves", "Succeeded").await), [6, 0, 0, 0]);
    fleet.run_all(&["pgrep", "-f", "sleep 300"]);
    end(&story).await;
}

/// A script goes wrong on one host of six; the other five have the version in whole.
async fn one_fails(
    story: &Story,
    fleet: &Fleet,
    host: usize,
    name: &str,
    event: &str,
    script: &str,
    code: &str,
) {
    fleet.mark(host);
    let bundle = fleet.notes(name, &[(event, &on_the_marked(script))]);
    story.apply(&deployment(name, "web", &bundle, "")).await;
    let failed = fails_on(story, fleet, name, host).await;
    assert_eq!((&failed["name"], &failed["diagnostics"]["errorCode"]), (&json!(event), &json!(code)));
    assert_eq!(failed["diagnostics"]["scriptName"], format!("scripts/{event}.sh"));
    for other in fleet.others(host) {
        let last = format!("ValidateService {name}");
        assert_eq!(fleet.trail(other).last(), Some(&last), "{} went on", fleet.names[other]);
    }
}

/// One host at a time: the one that had failed goes first, fails again, and with that nobody else begins.
async fn one_ends_it(story: &Story, fleet: &Fleet, host: usize) {
    configured(story, "CodeDeployDefault.OneAtATime", "").await;
    let bundle = fleet.notes("ends", &[("BeforeInstall", &on_the_marked("exit 1"))]);
    story.apply(&deployment("ends", "web", &bundle, "")).await;
    let failed = story.phase("ends", "Failed").await;
    assert_eq!(counts(&failed), [0, 1, 5, 0]);
    assert_eq!(failed["status"]["failedTargets"][0]["name"], json!(fleet.names[host]));
    for other in fleet.others(host) {
        let standing = standing(story, &fleet.names[other], "web").await;
        assert_eq!(standing["deployment"], "lasts", "{} was not touched", fleet.names[other]);
    }
}

/// A download that is cut on one host goes on where it was; one that is not what it should be there, or nowhere to be had, is named.
pub async fn downloads(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    let large = fleet.faulty_for(1, &fleet.large("2", 8), "cut=3000000");
    story.apply(&deployment("cut", "web", &large, "")).await;
    assert_eq!(counts(&story.phase("cut", "Succeeded").await), [6, 0, 0, 0]);
    goes_on(&fleet, 1, &large);

    // Another one: what was fetched by its digest is not fetched again.
    let other = fleet.faulty_for(3, &fleet.large("2b", 1), "wrong=1");
    story.apply(&deployment("wrong", "web", &other, "")).await;
    let failed = fails_on(&story, &fleet, "wrong", 3).await;
    assert_eq!(failed["name"], "DownloadBundle");
    let message = failed["diagnostics"]["message"].as_str().expect("a message");
    assert!(message.contains("sha256"), "{message}");

    let mut missing = fleet.notes("3", &[]);
    missing.url = missing.url.replace("notes-3", "nowhere");
    story.apply(&deployment("missing", "web", &missing, "")).await;
    for failed in fails_everywhere(&story, &fleet, "missing").await {
        assert_eq!(failed["name"], "DownloadBundle");
    }
    end(&story).await;
}

/// That host fetched the rest of the bundle after what it had; the others had it in one piece.
fn goes_on(fleet: &Fleet, host: usize, bundle: &Bundle) {
    let ranges = fleet.ranges(host, bundle);
    let rest = ranges.last().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let rest: u64 = rest.and_then(|from| from.parse().ok()).unwrap_or_default();
    assert!(ranges[0].is_empty() && rest > 0 && rest <= 3_000_000, "{ranges:?}");
    for other in fleet.others(host) {
        assert_eq!(fleet.ranges(other, bundle), [""], "{}", fleet.names[other]);
    }
}

/// A download from which nothing comes for a minute on one host goes on where it was; the others do not wait for it.
pub async fn stalls(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    let slow = fleet.faulty_for(2, &fleet.large("2", 8), "stall=3000000");
    story.apply(&deployment("stalled", "web", &slow, "")).await;
    let is_alone = |d: &Value| counts(d)[0] == 5 && d["status"]["overview"]["inProgress"] == 1;
    story.until(DEPLOYMENT, "stalled", "five of six are done", is_alone).await;
    runs(&story, &fleet.names[2], "DownloadBundle").await;
    let ended = |d: &Value| d["status"]["phase"] == "Succeeded";
    let deployed = story.until_long(DEPLOYMENT, "stalled", "it succeeded", ended).await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    goes_on(&fleet, 2, &slow);
    end(&story).await;
}

/// One host's disk has no room: it fails with the old revision whole, the other five do well, and it takes the next one that fits.
pub async fn disk_full(story: Story) {
    let mut hosts = SIX;
    hosts[3] = Host { disk: "48m", ..PLAIN };
    let (fleet, _) = installed_on(&story, &hosts, ALL, "").await;
    let large = fleet.large("2", 24);
    story.apply(&deployment("large", "web", &large, "")).await;
    let failed = fails_on(&story, &fleet, "large", 3).await;
    let message = failed["diagnostics"]["message"].as_str().expect("a message");
    assert!(message.to_lowercase().contains("space"), "{message}");
    assert_eq!(fleet.run(3, &["cat", "/srv/app/version"]), "1", "the old revision is whole");
    for host in fleet.others(3) {
        assert_eq!(fleet.run(host, &["ls", "/srv/app"]), "noise\n", "{}", fleet.names[host]);
    }
    story.apply(&deployment("third", "web", &fleet.notes("3", &[]), "")).await;
    assert_eq!(counts(&story.phase("third", "Succeeded").await), [6, 0, 0, 0]);
    fleet.all_say(&["cat", "/srv/app/version"], "3");
    end(&story).await;
}

/// A file that is there on one host and not the group's is kept, and named; the hosts that have none do well.
pub async fn file_exists(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    fleet.run(4, &["sh", "-c", "echo mine >/srv/app/only-2"]);
    let second = fleet.notes("2", &[]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let failed = fails_on(&story, &fleet, "second", 4).await;
    assert_eq!(failed["name"], "Install");
    assert!(
        failed["diagnostics"]["message"].as_str().is_some_and(|m| m.contains("/srv/app/only-2")),
        "{failed}"
    );
    assert_eq!(fleet.run(4, &["cat", "/srv/app/version"]), "1", "the old revision is whole");
    assert_eq!(fleet.run(4, &["cat", "/srv/app/only-2"]), "mine\n");
    for host in fleet.others(4) {
        assert_eq!(fleet.run(host, &["cat", "/srv/app/only-2"]), "2", "{}", fleet.names[host]);
    }
    story.apply(&deployment("third", "web", &second, "fileExistsBehavior: Overwrite")).await;
    assert_eq!(counts(&story.phase("third", "Succeeded").await), [6, 0, 0, 0]);
    fleet.all_say(&["cat", "/srv/app/only-2"], "2");
    end(&story).await;
}
