//! What holds of every Deployment and every route, whatever the story.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// One step of a shift, as recorded.
#[derive(Clone, Debug)]
pub struct Step {
    /// 1 for the first.
    pub index: i64,
    /// The replacement's percentage.
    pub weight: i64,
    /// When it was recorded.
    pub time: Timestamp,
    /// When the gateway was seen at it.
    pub served: Option<Timestamp>,
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().map(|text| text.parse().expect("a time"))
}

/// The steps on a Deployment's record.
pub fn steps(deployment: &Value) -> Vec<Step> {
    let steps = deployment["status"]["traffic"]["steps"].as_array().cloned().unwrap_or_default();
    let step = |s: &Value| Step {
        index: s["index"].as_i64().expect("an index"),
        weight: s["weight"].as_i64().expect("a weight"),
        time: time(&s["time"]).expect("a time"),
        served: time(&s["servedTime"]),
    };
    steps.iter().map(step).collect()
}

/// The weights of the steps.
pub fn weights(deployment: &Value) -> Vec<i64> {
    steps(deployment).iter().map(|s| s.weight).collect()
}

/// The steps are exactly these: none skipped, none twice.
pub fn steps_are(deployment: &Value, expected: &[i64]) {
    assert_eq!(weights(deployment), expected, "the steps of {}", deployment["metadata"]["name"]);
}

/// The interval between two steps, from the snapshot.
pub fn interval(deployment: &Value) -> SignedDuration {
    let routing = &deployment["status"]["resolved"]["trafficRouting"];
    let interval = routing.pointer("/linear/interval").or(routing.pointer("/canary/interval"));
    let text = interval.and_then(Value::as_str).unwrap_or("0s");
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// No step was early: each came at least an interval after the gateway had taken the one before.
pub fn steps_are_in_time(deployment: &Value) {
    let (steps, interval) = (steps(deployment), interval(deployment));
    let name = &deployment["metadata"]["name"];
    for (position, pair) in steps.windows(2).enumerate().filter(|(_, pair)| pair[1].weight > 0) {
        let served = pair[0].served.unwrap_or_else(|| panic!("{name}: no servedTime of {:?}", pair[0]));
        assert!(served >= pair[0].time, "{name}: served before it was written: {:?}", pair[0]);
        assert!(pair[1].time >= served + interval, "{name}: step {} is early: {pair:?}", position + 2);
    }
    let indexes: Vec<_> = steps.iter().map(|s| s.index).collect();
    assert_eq!(indexes, (1..=steps.len() as i64).collect::<Vec<_>>(), "{name}: the steps' indexes");
}

/// The longest that a step came after it was due, if there was more than one.
pub fn latest(deployment: &Value) -> Option<SignedDuration> {
    let (steps, interval) = (steps(deployment), interval(deployment));
    let forward = steps.windows(2).filter(|pair| pair[1].weight > 0);
    forward.filter_map(|pair| Some(pair[1].time.duration_since(pair[0].served? + interval))).max()
}

/// True in the three phases that never change again.
pub fn has_ended(deployment: &Value) -> bool {
    matches!(deployment["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Stopped"))
}

/// An ended Deployment says so in every way that it has to.
pub fn is_rounded_off(deployment: &Value) {
    let (name, status) = (&deployment["metadata"]["name"], &deployment["status"]);
    let is_good = status["phase"] == "Succeeded";
    let expected =
        if is_good { vec![("Ready", "True")] } else { vec![("Ready", "False"), ("Stalled", "True")] };
    assert_eq!(conditions(deployment), expected, "{name}: conditions");
    assert_eq!(
        status["observedGeneration"], deployment["metadata"]["generation"],
        "{name}: observedGeneration"
    );
    assert_eq!(status.get("errorInformation").is_none(), is_good, "{name}: errorInformation");
    assert!(status["traffic"].get("nextStepTime").is_none(), "{name}: a next step after the end");
    assert!(status.get("waiting").is_none(), "{name}: waits after its end");
    assert!(!status["message"].as_str().unwrap_or_default().is_empty(), "{name}: message");
    let times: Vec<_> =
        ["createTime", "startTime", "completeTime"].iter().filter_map(|t| time(&status[*t])).collect();
    assert!(times.is_sorted() && times.len() >= 2, "{name}: times {times:?}");
    let counts: i64 =
        status["overview"].as_object().expect("overview").values().filter_map(Value::as_i64).sum();
    let targets = status["targets"].as_str().map_or(1, |letters| letters.len() as i64);
    assert_eq!(counts, targets, "{name}: a function is one target: {}", status["overview"]);
}

/// Types and statuses of the conditions.
pub fn conditions(object: &Value) -> Vec<(&str, &str)> {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |v: &'_ Value| -> &'static str { v.as_str().unwrap_or_default().to_owned().leak() };
    conditions.iter().map(|c| (text(&c["type"]), text(&c["status"]))).collect()
}

/// The reason of the condition Ready.
pub fn reason(object: &Value) -> &str {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|c| c["type"] == "Ready").and_then(|c| c["reason"].as_str()).unwrap_or_default()
}

/// The lifecycle events with their statuses.
pub fn course(deployment: &Value) -> Vec<(String, String)> {
    let events = deployment["status"]["lifecycleEvents"].as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    events.iter().map(|e| (text(&e["name"]), text(&e["status"]))).collect()
}

/// The statuses of BeforeAllowTraffic, AllowTraffic and AfterAllowTraffic are these.
pub fn course_is(deployment: &Value, expected: [&str; 3]) {
    let names = ["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"];
    let expected: Vec<_> = names.iter().zip(expected).map(|(n, s)| ((*n).to_owned(), s.to_owned())).collect();
    assert_eq!(course(deployment), expected, "the course of {}", deployment["metadata"]["name"]);
}

/// Every event of a Service deployment's course that is not in `others` has that status.
pub fn service_course_is(deployment: &Value, status: &str, others: &[(&str, &str)]) {
    let names = [
        "BeforeInstall",
        "Install",
        "AfterInstall",
        "AllowTestTraffic",
        "AfterAllowTestTraffic",
        "BeforeAllowTraffic",
        "AllowTraffic",
        "AfterAllowTraffic",
    ];
    let other = |name: &str| others.iter().find(|(n, _)| *n == name).map_or(status, |(_, s)| *s);
    let expected: Vec<_> = names.iter().map(|n| ((*n).to_owned(), other(n).to_owned())).collect();
    assert_eq!(course(deployment), expected, "the course of {}", deployment["metadata"]["name"]);
}

/// One lifecycle event.
pub fn event<'a>(deployment: &'a Value, name: &str) -> &'a Value {
    let events = deployment["status"]["lifecycleEvents"].as_array().expect("lifecycle events");
    events.iter().find(|e| e["name"] == name).expect("the event")
}

/// The traffic block says these percentages.
pub fn traffic_is(deployment: &Value, original: (&str, i64), replacement: (&str, i64)) {
    let traffic = &deployment["status"]["traffic"];
    let side =
        |s: &Value| (s["name"].as_str().unwrap_or_default().to_owned(), s["weight"].as_i64().unwrap_or(-1));
    let expected = ((original.0.to_owned(), original.1), (replacement.0.to_owned(), replacement.1));
    assert_eq!((side(&traffic["original"]), side(&traffic["replacement"])), expected, "{traffic}");
}

/// The route is what it was but for the weights; `serving` is the Service that must have all of them.
pub fn route_is_as_before(before: &Value, after: &Value, serving: Option<&str>) {
    assert_eq!(without_versions(&after["spec"]), without_versions(&before["spec"]), "the route's spec");
    for field in ["labels", "annotations", "uid", "finalizers"] {
        assert_eq!(after["metadata"].get(field), before["metadata"].get(field), "the route's {field}");
    }
    let Some(service) = serving else { return };
    let rules = after["spec"]["rules"].as_array().cloned().unwrap_or_default();
    for backend in rules.iter().flat_map(|r| r["backendRefs"].as_array().cloned().unwrap_or_default()) {
        let name = backend["name"].as_str().unwrap_or_default();
        let is_idle = !name.starts_with("hello-") || backend["weight"] == 0;
        assert!(is_idle || name == service, "all on {service}, but {rules:?}");
    }
}

/// A route's spec with one backendRef for all versions of a rule, without weights.
fn without_versions(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for rule in spec["rules"].as_array_mut().expect("rules") {
        let Some(backends) = rule["backendRefs"].as_array_mut() else { continue };
        for backend in backends.iter_mut() {
            let fields = backend.as_object_mut().expect("a backendRef");
            fields.remove("weight");
            if fields["name"].as_str().is_some_and(|n| n.starts_with("hello-")) {
                fields.insert("name".into(), "hello".into());
            }
        }
        backends.dedup();
    }
    spec
}
