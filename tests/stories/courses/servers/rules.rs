//! Rules that decide whether a host, a zone or a Deployment goes on: failures of the earlier revision's scripts that are passed over, scripts that
//! cannot run at all, what each zone has to keep, and a restart that fetches nothing.

use std::fs;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ALL, counts, end, events, failed_event, fails_on, in_zone, standing, whole};
use crate::hosts::{EVENTS, Fleet, Host, PLAIN};
use crate::server_manifests::{deployment, group, restart, settings};
use crate::story::{GROUP, Story};

/// Where the agents keep deployments.
const ROOT: &str = "/opt/codedeploy-agent/deployment-root";

/// A group `web` of these hosts, with nothing on them.
async fn grouped(story: &Story, hosts: &[Host]) -> Fleet {
    let fleet = Fleet::start(story, hosts).await;
    story.apply(&settings()).await;
    story.apply(&group("web", ALL, "web", "", "")).await;
    fleet
}

/// All six hosts do well with a Deployment.
async fn all_do_well(story: &Story, name: &str) {
    assert_eq!(counts(&story.phase(name, "Succeeded").await), [6, 0, 0, 0], "{name}");
}

/// The error code of an event that failed, and the script that is to blame.
fn blamed(event: &Value) -> [&str; 3] {
    let diagnostics = &event["diagnostics"];
    [&event["name"], &diagnostics["errorCode"], &diagnostics["scriptName"]]
        .map(|v| v.as_str().unwrap_or_default())
}

/// What is said of an event that failed has these words.
fn says(event: &Value, words: &str) {
    let message = event["diagnostics"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{words}: {event}");
}

/// On one of six hosts the earlier revision cannot be stopped: the next Deployment fails there before anything of it is done, and the one that
/// passes such failures over goes well. After that its own scripts count.
pub async fn stop_failures_ignored(story: Story) {
    let fleet = grouped(&story, &[PLAIN; 6]).await;
    let stuck = "if [ -e /srv/stuck ]; then echo 'will not stop' >&2; exit 7; fi";
    let first = fleet.notes("1", &[("ApplicationStop", stuck)]);
    story.apply(&deployment("first", "web", &first, "")).await;
    all_do_well(&story, "first").await;
    fleet.run(2, &["touch", "/srv/stuck"]);

    story.apply(&deployment("second", "web", &fleet.notes("2", &[]), "")).await;
    let failed = fails_on(&story, &fleet, "second", 2).await;
    assert_eq!(blamed(&failed), ["ApplicationStop", "ScriptFailed", "scripts/ApplicationStop.sh"]);
    let stopped = [&whole("1")[..], &["ApplicationStop 1".into()]].concat();
    assert_eq!(fleet.trail(2), stopped, "nothing ran behind it");
    assert_eq!(fleet.run(2, &["cat", "/srv/app/version"]), "1", "the old revision is whole");

    let ignoring = "ignoreApplicationStopFailures: true";
    story.apply(&deployment("third", "web", &fleet.notes("3", &[]), ignoring)).await;
    all_do_well(&story, "third").await;
    let standing = standing(&story, &fleet.names[2], "web").await;
    assert_eq!(standing["status"], "Succeeded", "{standing}");
    let told = failed_event(&standing);
    assert_eq!(blamed(&told), ["ApplicationStop", "ScriptFailed", "scripts/ApplicationStop.sh"]);
    assert!(told["diagnostics"]["logTail"].as_str().is_some_and(|l| l.contains("will not stop")), "{told}");
    let others: Vec<_> =
        events(&standing).into_iter().filter(|(name, _)| name != "ApplicationStop").collect();
    assert!(others.len() == 6 && others.iter().all(|(_, status)| status == "Succeeded"), "{others:?}");
    let gone_on = [&stopped[..], &["ApplicationStop 1".into()], &whole("3")].concat();
    assert_eq!(fleet.trail(2), gone_on);

    story.apply(&deployment("fourth", "web", &fleet.notes("4", &[]), "")).await;
    all_do_well(&story, "fourth").await;
    assert_eq!(fleet.trail(2), [&gone_on[..], &["ApplicationStop 3".into()], &whole("4")].concat());
    end(&story).await;
}

/// A script that cannot be run, on one of six hosts: its file system runs nothing; nobody may change its mode; its interpreter is not there. The
/// first two are ScriptNotExecutable, CodeDeploy's word for what is not executable and cannot be made so. The third is executable, and failed for
/// another reason, which is UnknownError.
pub async fn not_executable(story: Story) {
    let fleet = grouped(&story, &[PLAIN; 6]).await;
    fleet.happens("stop-agent", 0);
    let noexec = format!(
        "while kill -0 \"$(cat /run/agent.pid)\" 2>/dev/null; do sleep 0.1; done\n\
         mount --bind {ROOT} {ROOT}\nmount -o remount,bind,noexec {ROOT}"
    );
    fleet.run(0, &["sh", "-ec", &noexec]);
    fleet.happens("start-agent", 0);
    let first = fleet.notes("1", &[]);
    story.apply(&deployment("first", "web", &first, "")).await;
    let failed = fails_on(&story, &fleet, "first", 0).await;
    assert_eq!(blamed(&failed), ["BeforeInstall", "ScriptNotExecutable", "scripts/BeforeInstall.sh"]);
    says(&failed, "mounted noexec");
    assert!(fleet.trail(0).is_empty(), "nothing of it ran");
    fleet.run(0, &["mount", "-o", "remount,bind,exec", ROOT]);
    story.apply(&deployment("second", "web", &first, "")).await;
    all_do_well(&story, "second").await;

    // Nobody may change modes on what is mounted for reading alone.
    let seals = "mkdir /srv/sealed && echo '#!/bin/sh' >/srv/sealed/script\n\
                 mount --bind /srv/sealed /srv/sealed && mount -o remount,bind,ro /srv/sealed";
    fleet.run(1, &["sh", "-ec", seals]);
    let replaces = format!(
        "if [ -e /srv/marked ]; then ln -sf /srv/sealed/script {ROOT}/$DEPLOYMENT_GROUP_ID/$DEPLOYMENT_ID/deployment-archive/scripts/AfterInstall.sh; fi"
    );
    fleet.run(1, &["touch", "/srv/marked"]);
    story.apply(&deployment("third", "web", &fleet.notes("3", &[("BeforeInstall", &replaces)]), "")).await;
    let failed = fails_on(&story, &fleet, "third", 1).await;
    assert_eq!(blamed(&failed), ["AfterInstall", "ScriptNotExecutable", "scripts/AfterInstall.sh"]);
    says(&failed, "is not executable and could not be made so");
    assert_eq!(fleet.trail(1).last().map(String::as_str), Some("BeforeInstall 3"), "nothing ran behind it");

    let app = fleet.notes_on(&EVENTS, "4", &[]);
    fs::write(app.join("scripts/AfterInstall.sh"), "#!/srv/sh\necho AfterInstall 4 >>/srv/trail\n")
        .expect("a script");
    for host in [0, 1, 3, 4, 5] {
        fleet.run(host, &["ln", "-s", "/bin/sh", "/srv/sh"]);
    }
    story.apply(&deployment("fourth", "web", &fleet.pack(&app, "notes-4.tgz"), "")).await;
    let failed = fails_on(&story, &fleet, "fourth", 2).await;
    assert_eq!(blamed(&failed), ["AfterInstall", "UnknownError", "scripts/AfterInstall.sh"]);
    says(&failed, "there is no \"/srv/sh\"");
    end(&story).await;
}

/// Three zones of two hosts each, of which one stays healthy; the fleet as a whole could spare three.
const EACH_ZONE_KEEPS_ONE: &str = r"
apiVersion: sluice.dev/v1alpha1
kind: DeploymentConfig
metadata: {name: each-zone-keeps-one}
spec:
  computePlatform: Server
  minimumHealthyHosts: {type: HostCount, value: 3}
  zonalConfig: {firstZoneMonitorDuration: 2s, monitorDuration: 1s, minimumHealthyHostsPerZone: {type: HostCount, value: 1}}
";

/// From when to when a host was worked on.
async fn span(story: &Story, host: &str) -> (Timestamp, Timestamp) {
    let events = standing(story, host, "web").await["events"].as_array().cloned().unwrap_or_default();
    let time = |event: Option<&Value>, key: &str| -> Timestamp {
        event.and_then(|e| e[key].as_str()).expect("a time").parse().expect("a time")
    };
    (time(events.first(), "startTime"), time(events.last(), "endTime"))
}

/// Each zone keeps a healthy host: its two are worked on one after the other, though the fleet could spare three at once, and a zone in which one
/// has failed is left alone, and ends the Deployment.
pub async fn zone_minimum(story: Story) {
    let fleet = grouped(&story, &["a", "b", "c", "a", "b", "c"].map(in_zone)).await;
    story.apply(EACH_ZONE_KEEPS_ONE).await;
    story.apply(&deployment("first", "web", &fleet.notes("1", &[]), "")).await;
    all_do_well(&story, "first").await;
    story.apply(&group("web", "each-zone-keeps-one", "web", "", "")).await;
    let is_seen = |g: &Value| g["status"]["observedGeneration"] == g["metadata"]["generation"];
    story.until(GROUP, "web", "its configuration is seen", is_seen).await;

    story
        .apply(&deployment("second", "web", &fleet.notes("2", &[("ApplicationStart", "sleep 1")]), ""))
        .await;
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    let server = &deployed["status"]["resolved"]["server"];
    assert_eq!(server["minimumHealthy"], 3);
    let zones = server["zones"].as_array().cloned().unwrap_or_default();
    let kept: Vec<_> = zones.iter().map(|z| json!([z["name"], z["targets"], z["minimumHealthy"]])).collect();
    assert_eq!(kept, ["a", "b", "c"].map(|name| json!([name, 2, 1])));
    let mut before: Option<Timestamp> = None;
    for zone in 0..3 {
        let mut spans = [span(&story, &fleet.names[zone]).await, span(&story, &fleet.names[zone + 3]).await];
        spans.sort();
        assert!(spans[0].1 <= spans[1].0, "one at a time in zone {zone}: {spans:?}");
        assert!(before.is_none_or(|before| before <= spans[0].0), "zone {zone} begins behind the one before");
        before = Some(spans[1].1);
    }

    for host in [1, 4] {
        fleet.run(host, &["touch", "/srv/marked"]);
    }
    let bad = fleet.notes("3", &[("ValidateService", "[ ! -e /srv/marked ]")]);
    story.apply(&deployment("third", "web", &bad, "")).await;
    let failed = story.phase("third", "Failed").await;
    assert_eq!(counts(&failed), [2, 1, 3, 0], "the fleet could have borne it: {}", failed["status"]);
    assert_eq!(failed["status"]["errorInformation"]["code"], "HealthConstraints");
    let message = failed["status"]["errorInformation"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("in zone b: the configuration wants 1"), "{message}");
    let told = &failed["status"]["failedTargets"][0]["name"];
    assert!([1, 4].iter().any(|host| *told == *fleet.names[*host]), "{told} is none of zone b");
    let versions: Vec<_> = (0..6).map(|host| fleet.run(host, &["cat", "/srv/app/version"])).collect();
    assert_eq!([&*versions[0], &*versions[3]], ["3", "3"], "zone a was done");
    assert_eq!([&*versions[2], &*versions[5]], ["2", "2"], "zone c was not begun");
    let mut of_b = [&*versions[1], &*versions[4]];
    of_b.sort_unstable();
    assert_eq!(of_b, ["2", "3"], "the other host of zone b serves on");
    end(&story).await;
}

/// A restart runs what is on the six hosts: neither the server has the bundle any more, nor do the hosts keep its file. Any other Deployment of it
/// fails in its download.
pub async fn restart_fetches_nothing(story: Story) {
    let fleet = grouped(&story, &[PLAIN; 6]).await;
    let first = fleet.notes("1", &[]);
    story.apply(&deployment("first", "web", &first, "")).await;
    all_do_well(&story, "first").await;
    fs::remove_file(fleet.file(&first)).expect("the server's file");
    for host in 0..6 {
        fleet.run(host, &["rm", "-r", &format!("{ROOT}/sluice/bundles")]);
    }
    story.apply(&restart("again", "web")).await;
    all_do_well(&story, "again").await;
    let twice = [&whole("1")[..], &["ApplicationStop 1".into()], &whole("1")].concat();
    for (host, name) in fleet.names.iter().enumerate() {
        assert_eq!(fleet.trail(host), twice, "the trail of {name}");
        assert_eq!(fleet.run(host, &["cat", "/srv/app/version"]), "1");
    }

    story.apply(&deployment("fetched", "web", &first, "")).await;
    let failed = story.phase("fetched", "Failed").await;
    assert_eq!(counts(&failed), [0, 6, 0, 0]);
    let told = failed["status"]["failedTargets"].as_array().cloned().unwrap_or_default();
    assert!(told.iter().all(|target| target["event"] == "DownloadBundle"), "{told:?}");
    end(&story).await;
}
