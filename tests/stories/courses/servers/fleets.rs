//! Deployments over a fleet: each configuration, stop, rollback and restart.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::mishaps::runs;
use super::{ALL, ROLLS_BACK, counts, end, events, in_zone, installed, standing, whole};
use crate::hosts::{Fleet, Host, INSTANCE, PLAIN};
use crate::server_manifests::{deployment, group, restart, settings};
use crate::story::{DEPLOYMENT, Story};

/// Begin and end of the agent's work on each host.
async fn spans(story: &Story, fleet: &Fleet) -> Vec<(Timestamp, Timestamp)> {
    let mut spans = vec![];
    for host in &fleet.names {
        let standing = standing(story, host, "web").await;
        let events = standing["events"].as_array().cloned().expect("events");
        let time = |v: &Value| v.as_str().expect("a time").parse::<Timestamp>().expect("a time");
        let first = time(&events.first().expect("an event")["startTime"]);
        spans.push((first, time(&events.last().expect("an event")["endTime"])));
    }
    spans.sort();
    spans
}

/// The most hosts that were worked on at one moment.
fn most_at_once(spans: &[(Timestamp, Timestamp)]) -> usize {
    let at = |moment: Timestamp| spans.iter().filter(|(from, to)| *from <= moment && moment < *to).count();
    spans.iter().map(|(from, _)| at(*from)).max().unwrap_or(0)
}

/// Deploys version 2 under a configuration with slow scripts; answers the most hosts at once.
async fn at_once(story: &Story, hosts: usize, config: &str) -> usize {
    let (fleet, _) = installed(story, hosts, config, "").await;
    let second = fleet.notes("2", &[("ApplicationStart", "sleep 2")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [i64::try_from(hosts).expect("few"), 0, 0, 0]);
    for host in 0..hosts {
        let mut expected = whole("1");
        expected.push("ApplicationStop 1".into());
        expected.extend(whole("2"));
        assert_eq!(fleet.trail(host), expected, "the trail of {}", fleet.names[host]);
        assert_eq!(fleet.run(host, &["ls", "/srv/app"]), "only-2\nversion\n", "what version 1 put is gone");
        let instance = story.get(INSTANCE, &fleet.names[host]).await;
        assert_eq!(instance["status"]["installed"][0]["deployment"], "second");
    }
    let most = most_at_once(&spans(story, &fleet).await);
    end(story).await;
    most
}

/// All at once.
pub async fn all_at_once(story: Story) {
    assert_eq!(at_once(&story, 3, ALL).await, 3);
}

/// Half at a time.
pub async fn half_at_a_time(story: Story) {
    assert_eq!(at_once(&story, 4, "CodeDeployDefault.HalfAtATime").await, 2);
}

/// One at a time.
pub async fn one_at_a_time(story: Story) {
    assert_eq!(at_once(&story, 3, "CodeDeployDefault.OneAtATime").await, 1);
}

/// Three of four stay healthy.
pub async fn custom_count(story: Story) {
    assert_eq!(at_once(&story, 4, "keep-three").await, 1);
}

/// 66 % of four, rounded up, stay healthy.
pub async fn custom_percent(story: Story) {
    assert_eq!(at_once(&story, 4, "keep-two-thirds").await, 1);
}

/// One zone after the other, with its watch in between.
pub async fn zone_by_zone(story: Story) {
    let fleet = Fleet::start(&story, &[in_zone("b"), in_zone("a"), in_zone("a")]).await;
    story.apply(&settings()).await;
    story.apply(&group("web", "zone-by-zone", "web", "", "")).await;
    story.apply(&deployment("first", "web", &fleet.notes("1", &[]), "")).await;
    let deployed = story.phase("first", "Succeeded").await;
    let zones = &deployed["status"]["resolved"]["server"]["zones"];
    assert_eq!((&zones[0]["name"], &zones[1]["name"]), (&json!("a"), &json!("b")));
    let spans = spans(&story, &fleet).await;
    let watched = spans[2].0.duration_since(spans[1].1);
    assert!(watched >= jiff::SignedDuration::from_secs(5), "the first zone was watched for {watched}");
    end(&story).await;
}

/// A stop lets the running events end and starts none; the hosts say what stands on them.
pub async fn stop(story: Story) {
    let (fleet, _) = installed(&story, 3, "CodeDeployDefault.OneAtATime", "").await;
    let second = fleet.notes("2", &[("AfterInstall", "sleep 4")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let is_begun = |d: &Value| d["status"]["overview"]["inProgress"] == 1;
    let begun = story.until(DEPLOYMENT, "second", "a host is worked on", is_begun).await;
    let target = begun["status"]["resolved"]["server"]["targets"][0].as_str().expect("a name").to_owned();
    runs(&story, &target, "AfterInstall").await;
    story.patch(DEPLOYMENT, "second", &json!({"spec": {"stop": {}}})).await;
    let stopped = story.phase("second", "Stopped").await;
    assert_eq!(stopped["status"]["errorInformation"]["code"], "ManualStop");
    let letters = stopped["status"]["targets"].as_str().expect("letters");
    assert!(!letters.contains(['I', 'P']), "nothing is left open: {letters}");
    for host in &fleet.names {
        let status = story.get(INSTANCE, host).await["status"].clone();
        assert_eq!(status["installed"][0]["deployment"], "first", "the last success on {host}");
        let stands = if *host == target { json!("second") } else { Value::Null };
        assert_eq!(status["standing"][0]["deployment"], stands, "whose files lie on {host}");
    }
    end(&story).await;
}

/// A failure goes back to the last good revision, on the touched hosts alone.
pub async fn rollback(story: Story) {
    let (fleet, _) = installed(&story, 3, "CodeDeployDefault.OneAtATime", ROLLS_BACK).await;
    let bad = fleet.notes("2", &[("ValidateService", "echo 'no good' >&2; exit 3")]);
    story.apply(&deployment("second", "web", &bad, "")).await;
    let failed = story.phase("second", "Failed").await;
    assert_eq!(counts(&failed), [0, 1, 2, 0]);
    let target = &failed["status"]["failedTargets"][0];
    assert_eq!(target["event"], "ValidateService");
    assert_eq!(target["diagnostics"]["errorCode"], "ScriptFailed");
    assert!(target["diagnostics"]["logTail"].as_str().is_some_and(|l| l.contains("no good")), "{target}");
    let rollback = failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback");
    let back = story.phase(rollback, "Succeeded").await;
    assert_eq!(back["status"]["creator"], "AutoRollback");
    assert_eq!(counts(&back), [1, 0, 0, 0]);
    let touched = target["name"].as_str().expect("a name");
    let host = fleet.names.iter().position(|n| n == touched).expect("a host");
    assert_eq!(fleet.run(host, &["cat", "/srv/app/version"]), "1");
    end(&story).await;
}

/// The last good revision runs again; what is on the host is used.
pub async fn restart_mode(story: Story) {
    let (fleet, _) = installed(&story, 2, ALL, "").await;
    story.apply(&restart("again", "web")).await;
    story.phase("again", "Succeeded").await;
    let trail = fleet.trail(0);
    assert!(trail.ends_with(&["ApplicationStart 1".to_owned(), "ValidateService 1".to_owned()]), "{trail:?}");
    assert!(trail.contains(&"ApplicationStop 1".to_owned()), "{trail:?}");
    end(&story).await;
}

/// A host that joins later gets only what it lacks.
pub async fn outdated_only(story: Story) {
    let (fleet, first) = installed(&story, 2, ALL, "").await;
    let late = Fleet::start(&story, &[PLAIN]).await;
    story.apply(&deployment("again", "web", &first, "updateOutdatedInstancesOnly: true")).await;
    let deployed = story.phase("again", "Succeeded").await;
    assert_eq!(deployed["status"]["resolved"]["server"]["targets"], json!([late.names[0]]));
    assert_eq!(fleet.trail(0), whole("1"), "the others were left alone");
    end(&story).await;
}

/// Two applications on one host keep apart.
pub async fn two_applications(story: Story) {
    let both = Host { tags: &["web=", "mail="], ..PLAIN };
    let fleet = Fleet::start(&story, &[both]).await;
    story.apply(&settings()).await;
    story.apply(&(group("web", ALL, "web", "", "") + "---" + &group("mail", ALL, "mail", "", ""))).await;
    let (web, mail) = (fleet.notes("web-1", &[("ApplicationStart", "sleep 1")]), fleet.large("mail-1", 1));
    story.apply(&deployment("web-1", "web", &web, "")).await;
    story.apply(&deployment("mail-1", "mail", &mail, "")).await;
    story.phase("web-1", "Succeeded").await;
    let conflict = story.phase("mail-1", "Succeeded").await;
    assert_eq!(counts(&conflict), [1, 0, 0, 0], "they put other files into one folder");
    let (web, mail) =
        (standing(&story, &fleet.names[0], "web").await, standing(&story, &fleet.names[0], "mail").await);
    assert_eq!(events(&web).len(), 7, "{web}");
    assert_eq!(events(&mail).len(), 7, "{mail}");
    let time = |s: &Value, index: usize, key: &str| -> Timestamp {
        s["events"][index][key].as_str().expect("a time").parse().expect("a time")
    };
    let apart = time(&web, 6, "endTime") <= time(&mail, 0, "startTime")
        || time(&mail, 6, "endTime") <= time(&web, 0, "startTime");
    assert!(apart, "one deployment at a time on a host: {web} {mail}");
    let next = fleet.notes("web-2", &[]);
    story.apply(&deployment("web-2", "web", &next, "")).await;
    story.phase("web-2", "Succeeded").await;
    let left = fleet.run(0, &["ls", "/srv/app"]);
    assert_eq!(left, "noise\nonly-web-2\nversion\n", "each cleans up its own only");
    end(&story).await;
}
