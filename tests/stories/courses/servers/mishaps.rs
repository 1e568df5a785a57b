//! What befalls hosts, agents and the controller in the middle of a deployment.

use serde_json::{Value, json};

use super::{ALL, counts, end, failed_event, installed, standing};
use crate::controllers;
use crate::courses::disturbances::while_killed;
use crate::hosts::{EVENTS, INSTANCE};
use crate::server_manifests::deployment;
use crate::story::{DEPLOYMENT, Story};

/// Waits until that event runs on a host.
async fn runs(story: &Story, host: &str, event: &str) {
    let is_so = |i: &Value| {
        let all = i["status"]["assignments"].as_array().cloned().unwrap_or_default();
        all.iter().any(|a| a["event"] == *event && a["status"] == "InProgress")
    };
    story.until(INSTANCE, host, &format!("{event} runs"), is_so).await;
}

/// An agent that is killed in an event reports it failed and never runs it again; the other hosts go on.
pub async fn agent_killed(story: Story) {
    let (fleet, _) = installed(&story, 1, ALL, "").await;
    for event in EVENTS {
        let name = format!("in-{}", event.to_lowercase());
        let bundle = fleet.notes(&name, &[(event, "sleep 3")]);
        // ApplicationStop is the earlier revision's script: its turn comes with the next one.
        if event == "ApplicationStop" {
            story.apply(&deployment("slow-stop", "web", &bundle, "")).await;
            story.phase("slow-stop", "Succeeded").await;
        }
        story.apply(&deployment(&name, "web", &bundle, "")).await;
        runs(&story, &fleet.names[0], event).await;
        fleet.happens("kill-agent", 0);
        let failed = story.phase(&name, "Failed").await;
        assert_eq!(counts(&failed), [0, 1, 0, 0], "{name}");
        let found = failed_event(&standing(&story, &fleet.names[0], "web").await);
        assert_eq!(
            (&found["name"], &found["diagnostics"]["errorCode"]),
            (&json!(event), &json!("AgentRestarted"))
        );
        let note = if event == "ApplicationStop" { event.into() } else { format!("{event} {name}") };
        let times = fleet.trail(0).iter().filter(|line| line.starts_with(&note)).count();
        assert!(times <= 1 || event == "ApplicationStop", "{note} ran {times} times");
    }
    let good = fleet.notes("good", &[]);
    story.apply(&deployment("good", "web", &good, "ignoreApplicationStopFailures: true")).await;
    story.phase("good", "Succeeded").await;
    end(&story).await;
}

/// A host that reboots in an event knows afterwards which one it was.
pub async fn rebooted(story: Story) {
    let (fleet, _) = installed(&story, 2, "CodeDeployDefault.OneAtATime", "").await;
    let second = fleet.notes("2", &[("AfterInstall", "sleep 3")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let is_begun = |d: &Value| d["status"]["targets"].as_str().is_some_and(|t| t.contains('I'));
    let begun = story.until(DEPLOYMENT, "second", "a host is worked on", is_begun).await;
    let target = begun["status"]["resolved"]["server"]["targets"][0].as_str().expect("a name").to_owned();
    let host = fleet.names.iter().position(|n| *n == target).expect("a host");
    runs(&story, &target, "AfterInstall").await;
    fleet.happens("reboot", host);
    let failed = story.phase("second", "Failed").await;
    assert_eq!(counts(&failed), [0, 1, 1, 0]);
    assert_eq!(failed["status"]["failedTargets"][0]["diagnostics"]["errorCode"], "AgentRestarted");
    end(&story).await;
}

/// A host whose cable is out while its scripts run reports all of it when it is back.
pub async fn unplugged(story: Story) {
    let (fleet, _) = installed(&story, 1, ALL, "").await;
    let second = fleet.notes("2", &[("BeforeInstall", "sleep 3")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    runs(&story, &fleet.names[0], "BeforeInstall").await;
    fleet.happens("unplug", 0);
    let (_, _) = story.measure(10).await;
    assert_eq!(fleet.run(0, &["cat", "/srv/app/version"]), "2", "it went on without the API server");
    fleet.happens("plug", 0);
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [1, 0, 0, 0]);
    end(&story).await;
}

/// A host that is not heard of is Unknown, and fails by that name when nothing begins there.
pub async fn silent(story: Story) {
    let (fleet, _) = installed(&story, 2, "CodeDeployDefault.OneAtATime", "").await;
    fleet.happens("stop-agent", 0);
    let is_unknown = |i: &Value| crate::checks::conditions(i).contains(&("Ready", "Unknown"));
    story.until_long(INSTANCE, &fleet.names[0], "it is Unknown", is_unknown).await;
    story.apply(&deployment("second", "web", &fleet.notes("2", &[]), "")).await;
    let failed =
        story.until_long(DEPLOYMENT, "second", "it failed", |d| d["status"]["phase"] == "Failed").await;
    let target = &failed["status"]["failedTargets"][0];
    assert_eq!(
        (&target["name"], &target["diagnostics"]["errorCode"]),
        (&json!(fleet.names[0]), &json!("AgentIssue"))
    );
    fleet.happens("start-agent", 0);
    story
        .until(INSTANCE, &fleet.names[0], "it is back", |i| {
            crate::checks::conditions(i).contains(&("Ready", "True"))
        })
        .await;
    end(&story).await;
}

/// The controller is killed every few seconds: each host runs each script once.
pub async fn controller_killed_often(story: Story) {
    let (fleet, _) = installed(&story, 4, "CodeDeployDefault.OneAtATime", "").await;
    let pod = controllers::leader(&story.client).await;
    let before = controllers::restarts(&story.client, &pod).await;
    let second = fleet.notes("2", &[("ApplicationStart", "sleep 2")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let deployed: Value = while_killed(&pod, story.phase("second", "Succeeded")).await;
    assert!(controllers::restarts(&story.client, &pod).await - before >= 2, "killed too rarely");
    assert_eq!(counts(&deployed), [4, 0, 0, 0]);
    for host in 0..4 {
        let trail = fleet.trail(host);
        let second: Vec<_> = trail.iter().filter(|line| line.ends_with(" 2")).collect();
        assert_eq!(second.len(), 4, "each script once on {}: {trail:?}", fleet.names[host]);
    }
    end(&story).await;
    controllers::ready(&story.client).await;
}
