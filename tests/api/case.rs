//! Tables of what the API server accepts and refuses, and the proof that a table leaves no rule and no bound of its kind out.

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::response::StatusCause;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::definitions::{self, Field};
use crate::server::with_namespace;

/// One object, or one change of an object, and what becomes of it.
pub struct Case {
    title: &'static str,
    name: Option<&'static str>,
    /// The spec of an object that is there already; then `input` is a merge patch of it.
    before: Option<Value>,
    /// The status that this object has by then.
    status: Option<Value>,
    input: Value,
    verdict: Verdict,
}

#[derive(Clone, Copy)]
enum Verdict {
    Accepted,
    Refused { field: &'static str, says: &'static str },
}

impl Case {
    /// The object is there already, with this spec; the case's own is a merge patch.
    pub fn changing(mut self, before: Value) -> Self {
        self.before = Some(before);
        self
    }

    /// The object that is changed has this status.
    pub fn whose_status_is(mut self, status: Value) -> Self {
        self.status = Some(status);
        self
    }

    /// The object has this name.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }
}

/// The API server takes this spec as it is, and our type reads it.
pub fn accepts(title: &'static str, spec: Value) -> Case {
    Case { title, name: None, before: None, status: None, input: spec, verdict: Verdict::Accepted }
}

/// The API server refuses this spec: one of its causes is about `field` (empty: the whole object) and contains `says`.
pub fn refuses(title: &'static str, spec: Value, field: &'static str, says: &'static str) -> Case {
    Case { verdict: Verdict::Refused { field, says }, ..accepts(title, spec) }
}

/// `spec` with `value` at a path such as `function.aliases.0.name`; what is on the way is made.
pub fn with(mut spec: Value, path: &str, value: Value) -> Value {
    let mut place = &mut spec;
    for step in path.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    spec
}

/// `spec` without what is at the path.
pub fn without(mut spec: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('.').map_or(("", path), |(parent, name)| (parent, name));
    let pointer = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
    let parent = spec.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("an object on the path");
    parent.remove(name).expect("something at the path");
    spec
}

/// A text of that many characters.
pub fn text(length: usize) -> String {
    "x".repeat(length)
}

/// Runs a kind's table, then fails if a rule or a bound of its spec was never refused, or never just met.
pub fn judge<K: Resource<DynamicType = ()> + DeserializeOwned>(cases: Vec<Case>) {
    with_namespace(|client, namespace| async move {
        let mut seen = Seen::default();
        for (index, case) in cases.into_iter().enumerate() {
            run::<K>(&client, &namespace, index, case, &mut seen).await;
        }
        let fields: Vec<_> =
            definitions::fields().into_iter().filter(|f| f.kind == K::kind(&()) && f.is_of_spec()).collect();
        assert!(!fields.is_empty(), "crds/ defines no {}", K::kind(&()));
        let gaps: Vec<_> = fields.iter().flat_map(|field| seen.gaps(field)).collect();
        assert!(gaps.is_empty(), "the table leaves out:\n{}", gaps.join("\n"));
    });
}

#[derive(Default)]
struct Seen {
    causes: Vec<StatusCause>,
    accepted: Vec<Value>,
    /// Objects whose every word the schema knows, and that a rule refuses.
    ruled_out: Vec<Value>,
}

async fn run<K: Resource<DynamicType = ()> + DeserializeOwned>(
    client: &Client,
    namespace: &str,
    index: usize,
    case: Case,
    seen: &mut Seen,
) {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<K>(&()));
    let name = case.name.map_or_else(|| format!("case-{index}"), str::to_owned);
    let answer = answer::<K>(&api, &name, &case).await;
    match (case.verdict, answer) {
        (Verdict::Accepted, Ok(object)) => {
            let object = serde_json::to_value(object).expect("JSON");
            assert_kept(case.title, &case.input, &object["spec"]);
            if let Err(error) = serde_json::from_value::<K>(object.clone()) {
                panic!("{}: accepted, and our type cannot read it: {error}", case.title);
            }
            seen.accepted.push(object);
        }
        (Verdict::Refused { field, says }, Err(kube::Error::Api(status))) => {
            let causes = status.details.clone().map_or_else(Vec::new, |details| details.causes);
            let is_named = causes.iter().any(|c| subject(c) == field && c.message.contains(says));
            assert!(is_named, "{}: no cause about {field:?} says {says:?}: {status:#?}", case.title);
            if causes.iter().all(|cause| cause.reason == "FieldValueInvalid") {
                seen.ruled_out.push(json!({"spec": case.input}));
            }
            seen.causes.extend(causes);
        }
        (_, Ok(object)) => panic!("{}: accepted: {:#}", case.title, json!(object)),
        (_, Err(error)) => panic!("{}: {error:#?}", case.title),
    }
}

/// What the API server says to the case; only an object that is to be changed is stored.
async fn answer<K: Resource<DynamicType = ()>>(
    api: &Api<DynamicObject>,
    name: &str,
    case: &Case,
) -> kube::Result<DynamicObject> {
    let object = |spec: &Value| {
        let mut object = DynamicObject::new(name, &ApiResource::erase::<K>(&()));
        object.data = json!({"spec": spec});
        object
    };
    let Some(before) = &case.before else {
        return api.create(&PostParams { dry_run: true, ..Default::default() }, &object(&case.input)).await;
    };
    let there = api.create(&PostParams::default(), &object(before)).await;
    there.unwrap_or_else(|error| panic!("{}: the object to change: {error}", case.title));
    if let Some(status) = &case.status {
        let patch = Patch::Merge(json!({"status": status}));
        let patched = api.patch_status(name, &PatchParams::default(), &patch).await;
        patched.unwrap_or_else(|error| panic!("{}: the status: {error}", case.title));
    }
    api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": case.input}))).await
}

/// Nothing that was given is lost: a pruned field would be a word of the contract that the schema lacks.
fn assert_kept(title: &str, given: &Value, stored: &Value) {
    match (given, stored) {
        (Value::Object(given), Value::Object(stored)) => {
            for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let kept = stored.get(name).unwrap_or_else(|| panic!("{title}: {name} was dropped"));
                assert_kept(title, value, kept);
            }
        }
        (Value::Array(given), Value::Array(stored)) if given.len() == stored.len() => {
            given.iter().zip(stored).for_each(|(given, stored)| assert_kept(title, given, stored));
        }
        _ => assert_eq!(given, stored, "{title}"),
    }
}

/// The field that a cause is about; the API server writes `<nil>` for the whole object.
fn subject(cause: &StatusCause) -> &str {
    if cause.field == "<nil>" { "" } else { &cause.field }
}

impl Seen {
    /// Which rules and bounds of the field the table never tried, from either side.
    fn gaps(&self, field: &Field) -> Vec<String> {
        let mut gaps = Vec::new();
        for rule in field.rules().filter(|rule| !self.was_refused(&field.path, rule)) {
            gaps.push(format!("{field}: the rule {rule:?} was never broken"));
        }
        for (keyword, limit) in field.schema.as_object().into_iter().flatten() {
            if OTHER_KEYWORDS.contains(&keyword.as_str()) {
                continue;
            }
            let Some((_, says)) = BOUNDS.into_iter().find(|(known, _)| known == keyword) else {
                gaps.push(format!("{field}: {keyword} is no bound that these tables know"));
                continue;
            };
            if !self.was_refused(&field.path, says) {
                gaps.push(format!("{field}: {keyword} {limit} was never broken"));
            }
            if !self.was_met(&field.path, keyword, limit) {
                gaps.push(format!("{field}: {keyword} {limit} was never just met by an accepted object"));
            }
        }
        for name in field.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let path = if field.path.is_empty() { name.to_owned() } else { format!("{}.{name}", field.path) };
            if !self.was_refused(&path, "Required value") {
                gaps.push(format!("{field}: {name} was never left out"));
            }
        }
        gaps
    }

    fn was_refused(&self, path: &str, says: &str) -> bool {
        self.causes.iter().any(|cause| {
            let subject = without_indices(subject(cause));
            let is_subject =
                subject == path || (says == DUPLICATE && subject.strip_suffix("[]") == Some(path));
            is_subject && cause.message.contains(says)
        })
    }

    fn was_met(&self, path: &str, keyword: &str, limit: &Value) -> bool {
        let values: Vec<_> = self.accepted.iter().flat_map(|object| values_at(object, path)).collect();
        let measures = |measure: &dyn Fn(&Value) -> Option<f64>| {
            values.iter().any(|value| measure(value).is_some() && measure(value) == limit.as_f64())
        };
        match keyword {
            "maxLength" | "minLength" => measures(&|v| v.as_str().map(|text| text.chars().count() as f64)),
            "maxItems" | "minItems" => measures(&|v| v.as_array().map(|list| list.len() as f64)),
            "maxProperties" => measures(&|v| v.as_object().map(|map| map.len() as f64)),
            "maximum" | "minimum" => measures(&Value::as_f64),
            "enum" => limit.as_array().into_iter().flatten().all(|one| {
                values.contains(&one)
                    || self.ruled_out.iter().any(|spec| values_at(spec, path).contains(&one))
            }),
            _ => !values.is_empty(),
        }
    }
}

const DUPLICATE: &str = "Duplicate value";

/// Each bound that a schema may set, and how the API server speaks of a broken one.
const BOUNDS: [(&str, &str); 10] = [
    ("maxLength", "Too long"),
    ("minLength", "should be at least"),
    ("pattern", "should match"),
    ("minimum", "should be greater than or equal to"),
    ("maximum", "should be less than or equal to"),
    ("maxItems", "Too many"),
    ("maxProperties", "Too many"),
    ("minItems", "should have at least"),
    ("enum", "Unsupported value"),
    ("x-kubernetes-list-type", DUPLICATE),
];

/// What else a schema may say; a keyword of neither list is a bound that these tables do not know yet.
const OTHER_KEYWORDS: [&str; 12] = [
    "title",
    "type",
    "format",
    "description",
    "default",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

/// `spec.aliases[3].name` as `spec.aliases[].name`; a list-map's entry may also be named by its key, `[name="live"]`.
fn without_indices(path: &str) -> String {
    let mut plain = String::new();
    let mut is_inside = false;
    for c in path.chars() {
        is_inside = (is_inside || c == '[') && c != ']';
        if !is_inside || c == '[' {
            plain.push(c);
        }
    }
    plain
}

/// All values at a path of the schema, in one object.
fn values_at<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut values = vec![object];
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, depth) = (step.trim_end_matches("[]"), step.matches("[]").count());
        values = values.into_iter().filter_map(|value| value.get(name)).collect();
        for _ in 0..depth {
            values = values.into_iter().filter_map(Value::as_array).flatten().collect();
        }
    }
    values
}
