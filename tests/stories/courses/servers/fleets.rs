//! Deployments over a fleet: each configuration, stop, rollback and restart.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::mishaps::runs;
use super::{
    ALL, ROLLS_BACK, SIX, counts, end, events, five_are_left_alone, in_zone, installed, installed_on,
    standing, whole,
};
use crate::hosts::{Fleet, Host, INSTANCE, PLAIN};
use crate::server_manifests::{deployment, group, group_of, settings};
use crate::story::{DEPLOYMENT, Story};

/// From when to when an agent worked.
type Span = (Timestamp, Timestamp);

/// Begin and end of the agent's work for a group on a host.
async fn span(story: &Story, host: &str, group: &str) -> Span {
    let standing = standing(story, host, group).await;
    let events = standing["events"].as_array().cloned().expect("events");
    let time = |v: &Value| v.as_str().expect("a time").parse::<Timestamp>().expect("a time");
    let first = time(&events.first().expect("an event")["startTime"]);
    (first, time(&events.last().expect("an event")["endTime"]))
}

/// The same on each host, in the hosts' order.
pub async fn spans(story: &Story, fleet: &Fleet) -> Vec<Span> {
    let mut spans = vec![];
    for host in &fleet.names {
        spans.push(span(story, host, "web").await);
    }
    spans
}

/// The most hosts that were worked on at one moment.
pub fn most_at_once(spans: &[Span]) -> usize {
    let at = |moment: Timestamp| spans.iter().filter(|(from, to)| *from <= moment && moment < *to).count();
    spans.iter().map(|(from, _)| at(*from)).max().unwrap_or(0)
}

/// The trail of a host to which version 2 came after version 1.
fn both() -> Vec<String> {
    let mut both = whole("1");
    both.push("ApplicationStop 1".into());
    both.extend(whole("2"));
    both
}

/// Deploys version 2 under a configuration with slow scripts; answers the most hosts at once.
async fn at_once(story: &Story, config: &str) -> usize {
    let (fleet, _) = installed(story, config, "").await;
    let second = fleet.notes("2", &[("ApplicationStart", "sleep 3")]);
    story.apply(&deployment("second", "web", &second, "")).await;
    let deployed = story.phase("second", "Succeeded").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    for host in 0..6 {
        assert_eq!(fleet.trail(host), both(), "the trail of {}", fleet.names[host]);
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
    assert_eq!(at_once(&story, ALL).await, 6);
}

/// Half at a time.
pub async fn half_at_a_time(story: Story) {
    assert_eq!(at_once(&story, "CodeDeployDefault.HalfAtATime").await, 3);
}

/// One at a time.
pub async fn one_at_a_time(story: Story) {
    assert_eq!(at_once(&story, "CodeDeployDefault.OneAtATime").await, 1);
}

/// Two of six stay healthy.
pub async fn custom_count(story: Story) {
    assert_eq!(at_once(&story, "keep-two").await, 4);
}

/// 51 % of six, rounded up, stay healthy.
pub async fn custom_percent(story: Story) {
    assert_eq!(at_once(&story, "keep-most").await, 2);
}

/// One zone after the other, with its watch in between; those without a zone come last.
pub async fn zone_by_zone(story: Story) {
    let zones = [in_zone("b"), in_zone("a"), PLAIN, in_zone("a"), in_zone("b"), in_zone("a")];
    let fleet = Fleet::start(&story, &zones).await;
    story.apply(&settings()).await;
    story.apply(&group("web", "zone-by-zone", "web", "", "")).await;
    story.apply(&deployment("first", "web", &fleet.notes("1", &[]), "")).await;
    let deployed = story.phase("first", "Succeeded").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    let resolved = &deployed["status"]["resolved"]["server"];
    let told: Vec<_> = (0..3).map(|z| &resolved["zones"][z]).map(|z| (&z["name"], &z["targets"])).collect();
    assert_eq!(
        told,
        [(&json!("a"), &json!(3)), (&json!("b"), &json!(2)), (&json!(""), &json!(1))],
        "{resolved}"
    );
    let spans = spans(&story, &fleet).await;
    let of = |zone: &[usize]| {
        let from = zone.iter().map(|host| spans[*host].0).min().expect("a host");
        (from, zone.iter().map(|host| spans[*host].1).max().expect("a host"))
    };
    let (a, b, rest) = (of(&[1, 3, 5]), of(&[0, 4]), of(&[2]));
    for (before, after, least) in [(a, b, 5), (b, rest, 2)] {
        let watched = after.0.duration_since(before.1);
        assert!(watched >= jiff::SignedDuration::from_secs(least), "a zone was watched for {watched}");
    }
    end(&story).await;
}

/// A stop lets the running events end and starts none; the hosts say what stands on them.
pub async fn stop(story: Story) {
    let (fleet, _) = installed(&story, "CodeDeployDefault.OneAtATime", "").await;
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
    let (begun, told) = five_are_left_alone(&fleet, &stopped);
    assert_eq!((&told["name"], &told["diagnostics"]["errorCode"]), (&json!(target), &json!("Stopped")));
    let part = ["ApplicationStop 1", "BeforeInstall 2", "AfterInstall 2"].map(ToOwned::to_owned);
    assert_eq!(
        fleet.trail(begun),
        [&whole("1")[..], &part].concat(),
        "what runs ends, and nothing follows it"
    );
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
    let (fleet, _) = installed(&story, "CodeDeployDefault.OneAtATime", ROLLS_BACK).await;
    let bad = fleet.notes("2", &[("ValidateService", "echo 'no good' >&2; exit 3")]);
    story.apply(&deployment("second", "web", &bad, "")).await;
    let failed = story.phase("second", "Failed").await;
    let (host, target) = five_are_left_alone(&fleet, &failed);
    assert_eq!(target["event"], "ValidateService");
    assert_eq!(target["diagnostics"]["errorCode"], "ScriptFailed");
    assert!(target["diagnostics"]["logTail"].as_str().is_some_and(|l| l.contains("no good")), "{target}");
    let rollback = failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback");
    let back = story.phase(rollback, "Succeeded").await;
    assert_eq!(back["status"]["creator"], "AutoRollback");
    assert_eq!(counts(&back), [1, 0, 0, 0]);
    assert_eq!(back["status"]["resolved"]["server"]["targets"], json!([fleet.names[host]]));
    fleet.all_say(&["cat", "/srv/app/version"], "1");
    for other in fleet.others(host) {
        assert_eq!(fleet.trail(other), whole("1"), "{} was not touched", fleet.names[other]);
    }
    end(&story).await;
}

/// The last good revision runs again; what is on the host is used.
pub async fn restart_mode(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    story.plugin(&["create-deployment", "web", "--restart", "--name", "again"]).await;
    assert_eq!(counts(&story.phase("again", "Succeeded").await), [6, 0, 0, 0]);
    for (host, name) in fleet.names.iter().enumerate() {
        let trail = fleet.trail(host);
        let last = ["ApplicationStart 1".to_owned(), "ValidateService 1".to_owned()];
        assert!(trail.ends_with(&last), "{name}: {trail:?}");
        assert!(trail.contains(&"ApplicationStop 1".to_owned()), "{name}: {trail:?}");
    }
    end(&story).await;
}

/// A host that joins later gets only what it lacks.
pub async fn outdated_only(story: Story) {
    let (fleet, first) = installed_on(&story, &SIX[1..], ALL, "").await;
    let late = Fleet::start(&story, &[PLAIN]).await;
    let location = format!("url={},sha256={}", first.url, first.sha256);
    let again = ["create-deployment", "web", "--name", "again", "--http-location", &location];
    story.plugin(&[&again[..], &["--update-outdated-instances-only"]].concat()).await;
    let deployed = story.phase("again", "Succeeded").await;
    assert_eq!(deployed["status"]["resolved"]["server"]["targets"], json!([late.names[0]]));
    assert_eq!(late.trail(0), whole("1"));
    for (host, name) in fleet.names.iter().enumerate() {
        assert_eq!(fleet.trail(host), whole("1"), "{name} was left alone");
    }
    end(&story).await;
}

/// A host of that fleet with these tags.
const fn chosen_by(fleet: Option<&'static str>, tags: &'static [&'static str]) -> Host {
    Host { tags, fleet, ..PLAIN }
}

/// Each belongs to `web` by its fleet and to `mail` by its tags: one filter of each of two sets, in a way of its own.
const BOTH: [Host; 6] = [
    chosen_by(Some("shop"), &["env=prod", "role=mail"]),
    chosen_by(Some("shop"), &["canary=", "runs=mail"]),
    chosen_by(Some("shop"), &["env=prod", "role=post"]),
    chosen_by(Some("shop"), &["canary=yes", "role=post"]),
    chosen_by(Some("edge"), &["env=prod", "runs=mail"]),
    chosen_by(Some("edge"), &["env=test", "canary=", "role=post"]),
];

/// Each of these lacks one thing, and belongs to neither: its fleet begins like another's, its tag has another value or has the value for its key, or
/// one of two sets has nothing that fits.
const NEITHER: [Host; 4] = [
    chosen_by(Some("shop-2"), &["env=prod", "mail="]),
    chosen_by(None, &["env=test", "role=mail"]),
    chosen_by(None, &["env=prod", "canary="]),
    chosen_by(None, &["prod=env", "role=mail", "runs=post"]),
];

const BY_FLEET: &str = "fleets: [edge, shop]";
const BY_TAGS: &str = "tagSets:
    - - {key: env, value: prod, type: KeyAndValue}
      - {key: canary, type: KeyOnly}
    - - {value: mail, type: ValueOnly}
      - {key: role, value: post, type: KeyAndValue}";

/// Exactly the six are its targets.
fn goes_to_the_six(fleet: &Fleet, deployed: &Value) {
    let targets = deployed["status"]["resolved"]["server"]["targets"].as_array().cloned().unwrap_or_default();
    let mut named: Vec<_> = targets.iter().filter_map(Value::as_str).collect();
    named.sort_unstable();
    assert_eq!(named, fleet.names, "{}", deployed["metadata"]["name"]);
    assert_eq!(counts(deployed), [6, 0, 0, 0], "they put other files into one folder");
}

/// Two applications on each of six hosts keep apart: one is for fleets, the other for tags. Hosts that merely look like theirs are left alone.
pub async fn two_applications(story: Story) {
    let fleet = Fleet::start(&story, &BOTH).await;
    let bystanders = Fleet::start(&story, &NEITHER).await;
    story.apply(&settings()).await;
    let groups = [group_of("web", ALL, "", BY_FLEET), group_of("mail", ALL, "", BY_TAGS)];
    story.apply(&groups.join("---")).await;
    let (web, mail) = (fleet.notes("web-1", &[("ApplicationStart", "sleep 1")]), fleet.large("mail-1", 1));
    story.apply(&deployment("web-1", "web", &web, "")).await;
    story.apply(&deployment("mail-1", "mail", &mail, "")).await;
    for name in ["web-1", "mail-1"] {
        goes_to_the_six(&fleet, &story.phase(name, "Succeeded").await);
    }
    for host in &fleet.names {
        for group in ["web", "mail"] {
            let standing = standing(&story, host, group).await;
            assert_eq!(events(&standing).len(), 7, "{standing}");
        }
        let (web, mail) = (span(&story, host, "web").await, span(&story, host, "mail").await);
        let is_apart = web.1 <= mail.0 || mail.1 <= web.0;
        assert!(is_apart, "one deployment at a time on {host}: {web:?} {mail:?}");
    }
    let next = fleet.notes("web-2", &[]);
    story.apply(&deployment("web-2", "web", &next, "")).await;
    goes_to_the_six(&fleet, &story.phase("web-2", "Succeeded").await);
    // Each cleans up its own only.
    fleet.all_say(&["ls", "/srv/app"], "noise\nonly-web-2\nversion\n");
    for name in &bystanders.names {
        let host = story.get(INSTANCE, name).await;
        let assigned = host["spec"]["assignments"].as_array().cloned().unwrap_or_default();
        assert!(assigned.is_empty(), "{name}: {assigned:?}");
    }
    bystanders.all_say(&["sh", "-c", "ls /srv/app 2>/dev/null || true"], "");
    end(&story).await;
}
