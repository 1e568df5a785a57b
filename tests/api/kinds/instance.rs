//! Instance.

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice::api::Instance;

use super::revision::revision_bounds;
use super::{field_of, length_bounds, word_bounds};
use crate::case::{Case, accepts, judge, refuses, text, with, without};
use crate::server::with_namespace;

const LONGEST: &str = "a-name-that-is-as-long-as-a-label-may-be-which-is-63-characters";
const LONG: &str = "a-name-that-is-longer-than-a-label-may-be-which-is-63-characters";

const EVENTS: [&str; 15] = [
    "BeforeBlockTraffic",
    "BlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
];

fn instance() -> Value {
    json!({"tags": {"env": "prod", "web": ""}, "address": "10.0.0.7", "zone": "eu-1a", "fleet": "web"})
}

fn assignment(group: &str) -> Value {
    json!({
        "deploymentGroup": group, "deploymentGroupId": "2f1c", "deployment": "web-prod-7f3k2",
        "deploymentUid": "9d0e", "application": "web", "runThrough": "ValidateService",
        "revision": {"s3": {"bucket": "releases", "key": "web/1.zip", "bundleType": "zip"}, "digest": ""},
    })
}

fn assigned() -> Value {
    with(instance(), "assignments", json!([assignment("web-prod")]))
}

fn host_cases() -> Vec<Case> {
    let mut cases = vec![
        accepts("the least", json!({})),
        accepts("a host", instance()),
        refuses("no spec", Value::Null, "spec", "Required value"),
        accepts("the longest name", instance()).named(LONGEST),
        refuses("a long name", instance(), "", "choose one of at most 63 characters").named(LONG),
    ];
    for field in ["zone", "fleet"] {
        cases.extend(length_bounds(&instance(), field, 1, 63));
    }
    cases
}

fn tag_cases() -> Vec<Case> {
    let tags = |tags: Value| with(instance(), "tags", tags);
    let many = |count: usize| tags((0..count).map(|i| (format!("tag-{i}"), json!("x"))).collect());
    let bounds = "tags: a key has 1 to 128 characters and a value at most 256";
    vec![
        accepts("no tags", tags(json!({}))),
        accepts("50 tags", many(50)),
        refuses("51 tags", many(51), "spec.tags", "Too many"),
        accepts("the longest tag", tags(json!({text(128): text(256)}))),
        refuses("a long key", tags(json!({text(129): ""})), "spec.tags", bounds),
        refuses("a long value", tags(json!({"env": text(257)})), "spec.tags", bounds),
        refuses("an empty key", tags(json!({"": "prod"})), "spec.tags", bounds),
    ]
}

fn address_cases() -> Vec<Case> {
    let address = |address: &str| with(instance(), "address", json!(address));
    let field = "spec.address";
    let no_ip = "address must be an IPv4 or IPv6 address";
    vec![
        accepts("IPv4", address("192.0.2.1")),
        accepts("the shortest address", address("::")),
        accepts("the longest address", address("2001:0db8:0000:0000:0000:0000:192.168.100.100")),
        refuses("a name", address("web-7.example"), field, no_ip),
        refuses("a port", address("10.0.0.7:80"), field, no_ip),
        refuses("a network", address("10.0.0.0/8"), field, no_ip),
        refuses("IPv4 in IPv6's clothes", address("::ffff:10.0.0.7"), field, no_ip),
        refuses("one character", address("1"), field, "at least 2 chars"),
        refuses("too many characters", address(&text(46)), field, "Too long"),
    ]
}

fn assignment_cases() -> Vec<Case> {
    let assignments = |count: usize| {
        let all: Vec<_> = (0..count).map(|i| assignment(&format!("group-{i}"))).collect();
        with(instance(), "assignments", json!(all))
    };
    let list = "spec.assignments";
    let twice = with(instance(), "assignments", json!([assignment("a"), assignment("a")]));
    let mut cases = vec![
        accepts("32 groups", assignments(32)),
        refuses("33 groups", assignments(33), list, "Too many"),
        refuses("a group twice", twice, "spec.assignments[1]", "Duplicate value"),
        accepts("nothing of a bundle", without(assigned(), "assignments.0.revision")),
        accepts(
            "all that is said of an assignment",
            with(
                assigned(),
                "assignments.0",
                json!({
                    "deploymentGroup": "web-prod", "deploymentGroupId": "2f1c", "deployment": "web-prod-7f3k2",
                    "deploymentUid": "9d0e", "application": "web", "creator": "AutoRollback",
                    "sealedCredentials": "c2VhbGVk", "course": EVENTS, "runThrough": "BeforeBlockTraffic",
                    "stop": true, "fileExistsBehavior": "Retain", "ignoreApplicationStopFailures": true,
                    "restart": true, "eventTimeout": "1h",
                    "trafficEvents": [{
                        "name": "BlockTraffic", "status": "Succeeded", "startTime": "2026-01-02T03:04:05Z",
                        "endTime": "2026-01-02T03:04:15Z", "diagnostics": {"message": "drained"},
                    }],
                }),
            ),
        ),
    ];
    for (field, least, most) in [
        ("deploymentGroup", 1, 253),
        ("deploymentGroupId", 0, 64),
        ("deployment", 1, 253),
        ("deploymentUid", 0, 64),
        ("application", 0, 253),
    ] {
        let path = format!("assignments.0.{field}");
        cases.extend(length_bounds(&assigned(), &path, least, most));
        let missing = with(assigned(), "assignments.0", left_out(&assignment("web-prod"), field));
        cases.push(refuses("a word that is missing", missing, field_of(&path), "Required value"));
    }
    cases.extend(length_bounds(&assigned(), "assignments.0.sealedCredentials", 0, 16_384));
    cases.extend(length_bounds(&assigned(), "assignments.0.revision.digest", 0, 80));
    cases.extend(length_bounds(&assigned(), "assignments.0.revision.summary", 0, 256));
    cases
}

fn left_out(object: &Value, field: &str) -> Value {
    without(object.clone(), field)
}

fn course_cases() -> Vec<Case> {
    let course = |count: usize| with(assigned(), "assignments.0.course", json!(vec!["Install"; count]));
    let timeout = |text: &str| with(assigned(), "assignments.0.eventTimeout", json!(text));
    let field = "spec.assignments[0].eventTimeout";
    let mut cases = vec![
        accepts("20 events", course(20)),
        refuses("21 events", course(21), "spec.assignments[0].course", "Too many"),
        accepts("a timeout of 32 characters", timeout(&format!("{}1m", "0".repeat(30)))),
        refuses(
            "a timeout beyond 32 characters",
            timeout(&format!("{}1m", "0".repeat(31))),
            field,
            "Too long",
        ),
        refuses("a timeout in words", timeout("5 minutes"), field, "should match"),
    ];
    let one = with(assigned(), "assignments.0.course", json!(["Install"]));
    cases.extend(word_bounds(&one, "assignments.0.course.0", &EVENTS));
    cases.extend(word_bounds(&assigned(), "assignments.0.runThrough", &EVENTS));
    let creators = ["User", "DesiredRevision", "AutoRollback"];
    cases.extend(word_bounds(&assigned(), "assignments.0.creator", &creators));
    let behaviors = ["Disallow", "Overwrite", "Retain"];
    cases.extend(word_bounds(&assigned(), "assignments.0.fileExistsBehavior", &behaviors));
    cases
}

fn traffic_event_cases() -> Vec<Case> {
    let events = |names: &[&str]| {
        let events: Vec<_> = names.iter().map(|name| json!({"name": name, "status": "Pending"})).collect();
        with(assigned(), "assignments.0.trafficEvents", json!(events))
    };
    let list = "spec.assignments[0].trafficEvents";
    let one = events(&["BlockTraffic"]);
    let of_nothing = with(assigned(), "assignments.0.trafficEvents", json!([{}]));
    let mut cases = vec![
        accepts("four events", events(&EVENTS[..4])),
        refuses("five events", events(&EVENTS[..5]), list, "Too many"),
        refuses(
            "an event twice",
            events(&["BlockTraffic", "BlockTraffic"]),
            "spec.assignments[0].trafficEvents[1]",
            "Duplicate value",
        ),
        refuses("no name", of_nothing.clone(), "spec.assignments[0].trafficEvents[0].name", "Required value"),
        refuses("no status", of_nothing, "spec.assignments[0].trafficEvents[0].status", "Required value"),
    ];
    cases.extend(word_bounds(&one, "assignments.0.trafficEvents.0.name", &EVENTS));
    let states = ["Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown"];
    cases.extend(word_bounds(&one, "assignments.0.trafficEvents.0.status", &states));
    for (field, most) in [("errorCode", 64), ("scriptName", 253), ("message", 2048), ("logTail", 4096)] {
        let path = format!("assignments.0.trafficEvents.0.diagnostics.{field}");
        cases.extend(length_bounds(&one, &path, 0, most));
    }
    cases
}

#[test]
fn every_rule_and_bound_of_an_instance_holds() {
    let mut cases = host_cases();
    cases.extend(tag_cases());
    cases.extend(address_cases());
    cases.extend(assignment_cases());
    cases.extend(course_cases());
    cases.extend(traffic_event_cases());
    cases.extend(revision_bounds(&assigned(), "assignments.0.revision"));
    judge::<Instance>(cases);
}

/// A status is written in the words of the API's page; what they leave out is filled in.
#[test]
fn a_status_in_the_words_of_the_apis_page_is_taken() {
    with_namespace(|client, namespace| async move {
        let kind = ApiResource::erase::<Instance>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind);
        let mut host = DynamicObject::new("web-7", &kind);
        host.data = json!({"spec": instance()});
        api.create(&PostParams::default(), &host).await.expect("a host");
        let event = json!({
            "name": "Install", "status": "Failed", "startTime": "2026-01-02T03:04:05Z", "endTime": "2026-01-02T03:04:06Z",
            "diagnostics": {"errorCode": "ScriptFailed", "scriptName": "a.sh", "message": "exit code 1", "logTail": "no"},
        });
        let revision = json!({"s3": {"bucket": "releases", "key": "web/1.zip", "bundleType": "zip"}});
        let status = json!({"status": {
            "agent": {"version": "1.0.0", "os": "linux", "bootId": "b"},
            "assignments": [{
                "deploymentGroup": "web-prod", "deployment": "web-prod-7f3k2", "event": "Install", "status": "Failed",
                "events": [event],
            }],
            "installed": [{
                "deploymentGroup": "web-prod", "deployment": "web-prod-7f3k1", "revision": revision,
                "time": "2026-01-02T03:04:05Z",
            }],
        }});
        let stored = api.patch_status("web-7", &PatchParams::default(), &Patch::Merge(status)).await;
        let stored = serde_json::to_value(stored.expect("a status")).expect("JSON");
        let read: Instance = serde_json::from_value(stored).expect("our type reads it");
        let status = read.status.expect("a status");
        assert_eq!(status.assignment("web-prod").expect("an assignment").deployment_uid, "");
        assert_eq!(status.installed("web-prod").expect("a revision").deployment, "web-prod-7f3k1");
    });
}
