//! Hosts behind a load balancer: not a request is lost, and the scripts around traffic run where they belong.

use jiff::Timestamp;
use serde_json::Value;

use super::{ALL, ROLLS_BACK, SIX, counts, end, standing};
use crate::hosts::{ALL_EVENTS, Fleet, INSTANCE};
use crate::server_manifests::{deployment, group, service, settings};
use crate::story::{GROUP, Story};

/// Lines of `spec.server`: the hosts leave Service `hello` while they are worked on.
pub const BALANCED: &str = "deploymentStyle: {option: WithTrafficControl}\n    loadBalancer: {service: {name: hello, port: 8080}, drain: 5s}";

/// Six hosts, half at a time, under load: they leave the load balancer before they are worked on and come back after; a version that fails its validation never
/// sees a client, and what it touched goes back.
pub async fn load_balancer(mut story: Story) {
    let fleet = Fleet::start(&story, &SIX).await;
    story.apply(&(settings() + "---" + &service(&story.host))).await;
    let half = "CodeDeployDefault.HalfAtATime";
    story.apply(&group("web", half, "web", ROLLS_BACK, BALANCED)).await;
    story.apply(&deployment("first", "web", &fleet.shop(1, &[]), "")).await;
    story.phase("first", "Succeeded").await;
    story.begin_load().await;

    story.apply(&deployment("second", "web", &fleet.shop(2, &[]), "")).await;
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    for host in &fleet.names {
        let instance = story.get(INSTANCE, host).await;
        let own = instance["spec"]["assignments"][0]["trafficEvents"].as_array().cloned().expect("events");
        let told: Vec<_> = own.iter().map(|e| (e["name"].as_str(), e["status"].as_str())).collect();
        let expected = [(Some("BlockTraffic"), Some("Succeeded")), (Some("AllowTraffic"), Some("Succeeded"))];
        assert_eq!(told, expected, "{host}");
    }

    story.apply(&deployment("third", "web", &fleet.shop(3, &["FAIL=1"]), "")).await;
    let failed = story.phase("third", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "HealthConstraints");
    assert_eq!(counts(&failed), [0, 3, 3, 0]);
    let rollback = failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback");
    let back = story.phase(rollback, "Succeeded").await;
    assert_eq!(counts(&back), [3, 0, 0, 0], "only the hosts that the failed one touched");
    let is_told = |g: &Value| g["status"]["phase"] == "RolledBack";
    story.until(GROUP, "web", "it says that it was rolled back", is_told).await;
    story.end_unrouted(2).await;
}

/// When a script on a host noted that it ran, by the host's clock.
fn noted(fleet: &Fleet, host: usize, line: &str) -> Timestamp {
    let text = fleet.run(host, &["cat", "/srv/times"]);
    let found = text.lines().find_map(|l| l.strip_prefix(line)).unwrap_or_else(|| panic!("{line}: {text}"));
    found.trim().parse().unwrap_or_else(|e| panic!("{found}: {e}"))
}

/// The scripts around traffic run in their places, of the revision whose turn it is; the controller's own events come between them.
pub async fn hooks(story: Story) {
    let fleet = Fleet::start(&story, &SIX).await;
    story.apply(&(settings() + "---" + &service(&story.host))).await;
    story.apply(&group("web", ALL, "web", "", BALANCED)).await;
    for (name, version) in [("first", "1"), ("second", "2")] {
        let notes = |event: &str| format!("echo {event} {version} $(date -u +%FT%T.%NZ) >>/srv/times");
        let scripts = ALL_EVENTS.map(|event| (event, notes(event)));
        let scripts: Vec<_> = scripts.iter().map(|(event, script)| (*event, script.as_str())).collect();
        story.apply(&deployment(name, "web", &fleet.all_notes(version, &scripts), "")).await;
        assert_eq!(counts(&story.phase(name, "Succeeded").await), [6, 0, 0, 0]);
    }
    let of =
        |events: &[&str], version: &str| events.iter().map(|e| format!("{e} {version}")).collect::<Vec<_>>();
    // Of the first revision nothing could run before it was there; how a host is taken out is the last good one's matter.
    let expected = [of(&ALL_EVENTS[3..], "1"), of(&ALL_EVENTS[..3], "1"), of(&ALL_EVENTS[3..], "2")].concat();
    for (host, name) in fleet.names.iter().enumerate() {
        assert_eq!(fleet.trail(host), expected, "{name}");
        traffic_moved_between(&story, &fleet, host).await;
    }
    end(&story).await;
}

/// By the scripts' own log there is a drain between the two that frame BlockTraffic, and three seconds of readiness between those that frame
/// AllowTraffic; the controller says that it did its part in between.
async fn traffic_moved_between(story: &Story, fleet: &Fleet, host: usize) {
    let instance = story.get(INSTANCE, &fleet.names[host]).await;
    let own = instance["spec"]["assignments"][0]["trafficEvents"].as_array().cloned().expect("events");
    for (event, version, before, after, least) in [
        ("BlockTraffic", "1", "BeforeBlockTraffic", "AfterBlockTraffic", 5),
        ("AllowTraffic", "2", "BeforeAllowTraffic", "AfterAllowTraffic", 3),
    ] {
        let at = |hook: &str| noted(fleet, host, &format!("{hook} {version} "));
        let (before, after) = (at(before), at(after));
        let span = after.duration_since(before);
        assert!(span >= jiff::SignedDuration::from_secs(least), "{event} of {host} took {span}");
        let found: &Value = own.iter().find(|e| e["name"] == *event).expect("the event");
        assert_eq!(found["status"], "Succeeded", "{found}");
        let ended: Timestamp = found["endTime"].as_str().expect("a time").parse().expect("a time");
        assert!(
            before < ended && ended <= after,
            "{event} ended at {ended}, the scripts ran at {before} and {after}"
        );
    }
    let found = standing(story, &fleet.names[host], "web").await;
    assert_eq!(found["status"], "Succeeded", "{found}");
}
