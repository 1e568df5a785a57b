//! What befalls hosts, agents and the controller in the middle of a deployment.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::balancers::BALANCED;
use super::fleets::{most_at_once, spans};
use super::{
    ALL, SIX, counts, end, events, failed_event, fails_on, five_are_left_alone, installed, installed_on,
    standing,
};
use crate::controllers;
use crate::courses::disturbances::while_killed;
use crate::hosts::{ALL_EVENTS, EVENTS, Fleet, Host, INSTANCE};
use crate::server_manifests::{Bundle, deployment, group, service, settings};
use crate::story::{DEPLOYMENT, LEASE, Story};

/// Waits until that event runs on a host.
pub async fn runs(story: &Story, host: &str, event: &str) {
    let is_so = |i: &Value| {
        let all = i["status"]["assignments"].as_array().cloned().unwrap_or_default();
        all.iter().any(|a| a["event"] == *event && a["status"] == "InProgress")
    };
    story.until(INSTANCE, host, &format!("{event} runs"), is_so).await;
}

/// A script that ends its host's agent, and would go on, in the event that `/srv/kill-in` names.
fn kills(event: &str) -> String {
    format!(
        "[ \"$(cat /srv/kill-in 2>/dev/null)\" = {event} ] || exit 0\nsleep 0.3\nkill -9 \"$(cat /run/agent.pid)\"\nsleep 30"
    )
}

/// Leaves a process behind that ends the agent as soon as it has put on record that it installs, where `/srv/kill-in` says so.
const KILLS_IN_INSTALL: &str = r#"[ "$(cat /srv/kill-in 2>/dev/null)" = Install ] || exit 0
begun() { grep -c '"kind":"begun".*"event":"Install"' /opt/codedeploy-agent/deployment-root/sluice/journal; }
before=$(begun)
(until [ "$(begun)" -gt "$before" ]; do :; done; sleep 0.05; kill -9 "$(cat /run/agent.pid)") >/dev/null 2>&1 </dev/null &
exit 0"#;

/// So many that an installation is not over before its agent is killed.
const FILES: usize = 12_000;

/// The bundle of a host whose agent can be killed in each of these events.
fn deadly(fleet: &Fleet, version: &str, events: &[&str]) -> Bundle {
    let scripts: Vec<_> = events.iter().map(|event| (*event, kills(event))).collect();
    let scripts: Vec<_> = scripts.iter().map(|(event, script)| (*event, script.as_str())).collect();
    fleet.pack(&fleet.notes_on(events, version, &scripts), &format!("notes-{version}.tgz"))
}

/// Names, on the first host alone, the event in which its agent is to be killed.
fn marks(fleet: &Fleet, event: &str) {
    fleet.run(0, &["sh", "-c", &format!("rm -f /srv/trail; echo {event} >/srv/kill-in")]);
}

/// The Deployment went well on the other hosts; on that one the event has failed, by the agent's end, and nothing runs after it.
/// Answers what is said of it.
async fn failed_by_a_kill(story: &Story, fleet: &Fleet, name: &str, event: &str, host: usize) -> String {
    let failed = fails_on(story, fleet, name, host).await;
    assert_eq!(failed["name"], event, "{name}");
    let standing = standing(story, &fleet.names[host], "web").await;
    let told = events(&standing);
    let at = told.iter().position(|(name, _)| name == event).expect("the event");
    assert!(told[..at].iter().all(|(_, status)| status == "Succeeded"), "{told:?}");
    assert_eq!(told[at].1, "Failed", "{told:?}");
    assert!(told[at + 1..].iter().all(|(_, status)| status == "Skipped"), "{told:?}");
    let found = failed_event(&standing)["diagnostics"].clone();
    assert_eq!(found["errorCode"], "AgentRestarted", "{found}");
    let message = found["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with(event) && message.contains("it is not run again"), "{message}");
    message
}

/// Deploys `bundle` to all hosts; the agent of the first is killed by the script of `event`. The last good revision there is `1`.
async fn killed_in(story: &Story, fleet: &Fleet, bundle: &Bundle, all: &[&str], event: &str) {
    let name = format!("in-{}", event.to_lowercase());
    marks(fleet, event);
    story.apply(&deployment(&name, "web", bundle, "")).await;
    let message = failed_by_a_kill(story, fleet, &name, event, 0).await;
    assert!(message.contains("its script was still running and has been ended"), "{message}");
    let of_earlier = ["BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop"];
    let run = all.iter().position(|e| *e == event).expect("an event") + 1;
    let version = |event: &str| if of_earlier.contains(&event) { "1" } else { "2" };
    let expected: Vec<_> = all[..run].iter().map(|event| format!("{event} {}", version(event))).collect();
    assert_eq!(fleet.trail(0), expected, "each script ran once, and none after {event}");
    let target = &story.get(DEPLOYMENT, &name).await["status"]["failedTargets"][0];
    assert_eq!(target["diagnostics"]["scriptName"], format!("scripts/{event}.sh"));
    let last = format!("{} 2", all[all.len() - 1]);
    for other in fleet.others(0) {
        assert_eq!(fleet.trail(other).last(), Some(&last), "{} went on", fleet.names[other]);
    }
}

/// Agents live again: the next Deployment goes well on all hosts, whatever was left half done.
async fn recovers(story: &Story, fleet: &Fleet, bundle: &Bundle) {
    fleet.run(0, &["rm", "-f", "/srv/kill-in"]);
    story.apply(&deployment("good", "web", bundle, "")).await;
    assert_eq!(counts(&story.phase("good", "Succeeded").await), [6, 0, 0, 0]);
    fleet.all_say(&["cat", "/srv/app/version"], "2");
    end(story).await;
}

/// An agent that is killed in an event reports it failed and never runs it again; the other five hosts of the group go on.
pub async fn agent_killed(story: Story) {
    let fleet = Fleet::start(&story, &SIX).await;
    story.apply(&(settings() + "---" + &group("web", ALL, "web", "", ""))).await;
    story.apply(&deployment("first", "web", &deadly(&fleet, "1", &EVENTS), "")).await;
    story.phase("first", "Succeeded").await;
    let second = deadly(&fleet, "2", &EVENTS);
    for event in EVENTS {
        killed_in(&story, &fleet, &second, &EVENTS, event).await;
    }
    killed_in_download(&story, &fleet).await;
    killed_in_install(&story, &fleet).await;
    recovers(&story, &fleet, &second).await;
}

/// One of the six downloads stalls: the agent of that host is killed in it.
async fn killed_in_download(story: &Story, fleet: &Fleet) {
    fleet.run(0, &["rm", "-f", "/srv/kill-in"]);
    let stalled = 3;
    let slow = fleet.faulty_for(stalled, &fleet.large("3", 4), "stall=1000000");
    story.apply(&deployment("in-download", "web", &slow, "")).await;
    let is_alone = |d: &Value| d["status"]["overview"]["succeeded"] == 5;
    story.until(DEPLOYMENT, "in-download", "the others are done", is_alone).await;
    // It may have been too busy to say so yet.
    let downloads = |i: &Value| {
        let said = i["status"]["assignments"].as_array().cloned().unwrap_or_default();
        said.iter().any(|a| a["deployment"] == "in-download" && a["event"] == "DownloadBundle")
    };
    story.until(INSTANCE, &fleet.names[stalled], "it downloads", downloads).await;
    fleet.happens("kill-agent", stalled);
    let message = failed_by_a_kill(story, fleet, "in-download", "DownloadBundle", stalled).await;
    assert!(!message.contains("script"), "{message}");
    let unpacked =
        "ls -d /opt/codedeploy-agent/deployment-root/*/in-download/deployment-archive 2>/dev/null || true";
    assert_eq!(fleet.run(stalled, &["sh", "-c", unpacked]), "", "it was not fetched after all");
}

/// The agent is killed while it puts files in place: one of the two revisions is there, whole, and it says which.
async fn killed_in_install(story: &Story, fleet: &Fleet) {
    let version = ["sh", "-c", "cat /srv/app/version 2>/dev/null || true"];
    let before = fleet.run(0, &version);
    let app = fleet.notes_on(&["BeforeInstall"], "4", &[("BeforeInstall", KILLS_IN_INSTALL)]);
    let many = format!("cd {}/app && mkdir many && cd many && seq {FILES} | xargs touch", app.display());
    assert!(std::process::Command::new("sh").args(["-c", &many]).status().expect("sh").success());
    marks(fleet, "Install");
    story.apply(&deployment("in-install", "web", &fleet.pack(&app, "many-4.tgz"), "")).await;
    let message = failed_by_a_kill(story, fleet, "in-install", "Install", 0).await;
    let after = fleet.run(0, &version);
    let is_new = after == "4";
    assert!(is_new || after == before, "neither revision: {after:?}, {before:?}");
    let told = [("this revision's files are in place", false), ("the earlier revision is in place", true)];
    assert!(message.ends_with("in place, whole"), "{message}");
    assert!(
        !told.iter().any(|(words, is_wrong)| message.contains(words) && is_new == *is_wrong),
        "{message}"
    );
    let files = FILES.to_string();
    let count = if is_new { &*files } else { "0" };
    let found = fleet.run(0, &["sh", "-c", "ls /srv/app/many 2>/dev/null | wc -l"]);
    assert_eq!(found.trim(), count, "{message}");
    assert_eq!(fleet.trail(0).last().map(String::as_str), Some("BeforeInstall 4"));
    for other in fleet.others(0) {
        let found = fleet.run(other, &["sh", "-c", "ls /srv/app/many | wc -l"]);
        assert_eq!(found.trim(), files, "{} went on", fleet.names[other]);
    }
}

/// The same in the hooks of a host that leaves the load balancer and comes back.
pub async fn agent_killed_around_traffic(story: Story) {
    let fleet = Fleet::start(&story, &SIX).await;
    story.apply(&(settings() + "---" + &service(&story.host))).await;
    story.apply(&group("web", ALL, "web", "", BALANCED)).await;
    story.apply(&deployment("first", "web", &deadly(&fleet, "1", &ALL_EVENTS), "")).await;
    story.phase("first", "Succeeded").await;
    let second = deadly(&fleet, "2", &ALL_EVENTS);
    for event in ["BeforeBlockTraffic", "AfterBlockTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"] {
        killed_in(&story, &fleet, &second, &ALL_EVENTS, event).await;
    }
    recovers(&story, &fleet, &second).await;
}

/// A host that reboots in an event knows afterwards which one it was.
pub async fn rebooted(story: Story) {
    let (fleet, _) = installed(&story, "CodeDeployDefault.OneAtATime", "").await;
    let second = fleet.notes("2", &[("AfterInstall", "sleep 3")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let is_begun = |d: &Value| d["status"]["targets"].as_str().is_some_and(|t| t.contains('I'));
    let begun = story.until(DEPLOYMENT, "second", "a host is worked on", is_begun).await;
    let target = begun["status"]["resolved"]["server"]["targets"][0].as_str().expect("a name").to_owned();
    runs(&story, &target, "AfterInstall").await;
    fleet.happens("reboot", fleet.position(&json!(target)));
    let failed = story.phase("second", "Failed").await;
    let (host, told) = five_are_left_alone(&fleet, &failed);
    assert_eq!((&*fleet.names[host], &told["event"]), (&*target, &json!("AfterInstall")));
    assert_eq!(told["diagnostics"]["errorCode"], "AgentRestarted");
    end(&story).await;
}

/// One host of six has its cable out while its scripts run: it goes on by itself, nobody waits for it, and it reports all of it when it is back.
pub async fn unplugged(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    let (host, second) = (4, fleet.notes("2", &[("BeforeInstall", "sleep 3")]));
    story.apply(&deployment("second", "web", &second, "")).await;
    runs(&story, &fleet.names[host], "BeforeInstall").await;
    fleet.happens("unplug", host);
    let is_alone = |d: &Value| counts(d)[0] == 5 && d["status"]["overview"]["inProgress"] == 1;
    story.until(DEPLOYMENT, "second", "the others are done", is_alone).await;
    let (_, _) = story.measure(10).await;
    assert_eq!(fleet.run(host, &["cat", "/srv/app/version"]), "2", "it went on without the API server");
    assert!(is_alone(&story.get(DEPLOYMENT, "second").await), "what it did is not known yet");
    fleet.happens("plug", host);
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    for (host, name) in fleet.names.iter().enumerate() {
        let trail = fleet.trail(host);
        let second: Vec<_> = trail.iter().filter(|line| line.ends_with(" 2")).collect();
        assert_eq!(second.len(), 4, "each script once on {name}: {trail:?}");
    }
    end(&story).await;
}

/// The one of six that falls silent: its agent renews its Lease so often that the story need not wait for two minutes.
const SILENT: usize = 3;
const LIVELY: [Host; 6] = {
    let mut hosts = SIX;
    hosts[SILENT].heartbeat = Some("20s");
    hosts
};

/// Stops the agent of that host, and waits until the host is Unknown: three of its own heartbeats, not of the others'.
async fn falls_silent(story: &Story, fleet: &Fleet) {
    for (host, name) in fleet.names.iter().enumerate() {
        let holds = if host == SILENT { 60 } else { 120 };
        assert_eq!(story.get(LEASE, name).await["spec"]["leaseDurationSeconds"], holds, "{name}");
    }
    fleet.happens("stop-agent", SILENT);
    let stopped = Timestamp::now();
    let is_unknown = |i: &Value| is_ready(i, "Unknown");
    let said = story.until(INSTANCE, &fleet.names[SILENT], "it is Unknown", is_unknown).await;
    let ready =
        said["status"]["conditions"].as_array().and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
    assert_eq!(ready.map(|c| &c["reason"]), Some(&json!("Silent")));
    let lasted = Timestamp::now().duration_since(stopped).as_secs();
    assert!((20..100).contains(&lasted), "it was Unknown after {lasted} s");
    for other in fleet.others(SILENT) {
        assert!(is_ready(&story.get(INSTANCE, &fleet.names[other]).await, "True"), "{}", fleet.names[other]);
    }
}

fn is_ready(instance: &Value, status: &str) -> bool {
    crate::checks::conditions(instance).contains(&("Ready", status))
}

async fn is_heard_again(story: &Story, fleet: &Fleet) {
    fleet.happens("start-agent", SILENT);
    story.until(INSTANCE, &fleet.names[SILENT], "it is back", |i| is_ready(i, "True")).await;
}

/// A host of six that is not heard of is Unknown, not failed: its turn comes first, and what is asked of it begins when it is back.
pub async fn silent(story: Story) {
    let (fleet, _) = installed_on(&story, &LIVELY, "CodeDeployDefault.OneAtATime", "").await;
    falls_silent(&story, &fleet).await;
    story.apply(&deployment("second", "web", &fleet.notes("2", &[]), "")).await;
    let is_begun = |d: &Value| d["status"]["overview"]["inProgress"] == 1;
    let begun = story.until(DEPLOYMENT, "second", "its turn comes first", is_begun).await;
    assert_eq!(counts(&begun), [0, 0, 0, 5]);
    is_heard_again(&story, &fleet).await;
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    fleet.all_say(&["cat", "/srv/app/version"], "2");
    end(&story).await;
}

/// One that stays silent fails by that name when nothing begins there for five minutes. The others hold.
pub async fn silent_at_its_turn(story: Story) {
    let (fleet, _) = installed_on(&story, &LIVELY, "CodeDeployDefault.OneAtATime", "").await;
    falls_silent(&story, &fleet).await;
    story.apply(&deployment("second", "web", &fleet.notes("2", &[]), "")).await;
    let failed =
        story.until_long(DEPLOYMENT, "second", "it failed", |d| d["status"]["phase"] == "Failed").await;
    let (host, told) = five_are_left_alone(&fleet, &failed);
    assert_eq!((host, &told["diagnostics"]["errorCode"]), (SILENT, &json!("AgentIssue")));
    is_heard_again(&story, &fleet).await;
    end(&story).await;
}

/// The controller is killed every few seconds: each host runs each script once, and never two hosts at a time.
pub async fn controller_killed_often(story: Story) {
    let (fleet, _) = installed(&story, "CodeDeployDefault.OneAtATime", "").await;
    let pod = controllers::leader(&story.client).await;
    let before = controllers::restarts(&story.client, &pod).await;
    let second = fleet.notes("2", &[("ApplicationStart", "sleep 2")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let has_ended = |d: &Value| d["status"]["phase"] == "Succeeded";
    let deployed: Value =
        while_killed(&pod, story.until_long(DEPLOYMENT, "second", "Succeeded", has_ended)).await;
    assert!(controllers::restarts(&story.client, &pod).await - before >= 2, "killed too rarely");
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    for (host, name) in fleet.names.iter().enumerate() {
        let trail = fleet.trail(host);
        let second: Vec<_> = trail.iter().filter(|line| line.ends_with(" 2")).collect();
        assert_eq!(second.len(), 4, "each script once on {name}: {trail:?}");
    }
    assert_eq!(most_at_once(&spans(&story, &fleet).await), 1);
    end(&story).await;
    controllers::ready(&story.client).await;
}
