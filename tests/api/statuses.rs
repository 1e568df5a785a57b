//! A status as our types write it, with every field filled in, is stored and read back unchanged.
//!
//! Where a type and its schema disagree the API server drops the field or refuses the write, and the controller would find out
//! at the end of a deployment.

use std::fmt::Debug;

use kube::api::{Api, PostParams};
use kube::core::{NamespaceResourceScope, object::HasStatus};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sluice::api::deployment_status::{Diagnostics, FailedTarget};
use sluice::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, Instance, LifecycleHook};
use sluice::cluster::write;
use sluice::engine::server::fleet::{MAX_FAILED, MAX_LOG_TAIL, MAX_MESSAGE};
use sluice::engine::server::snapshot::MAX_TARGETS;

use crate::definitions;
use crate::server::with_namespace;

/// A value that has every property of the schema; each list and each map has one item.
fn fullest(schema: &Value) -> Value {
    if let Some(one) = schema["enum"].get(0) {
        return one.clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            json!({"key": fullest(&schema["additionalProperties"])})
        }
        (Some("object"), _) => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, property)| (name.clone(), fullest(property))).collect()
        }
        (Some("array"), _) => json!([fullest(&schema["items"])]),
        (Some("string"), Some("date-time")) => json!("2026-01-02T03:04:05Z"),
        (Some("string"), _) => text(schema),
        (Some("integer"), _) => json!(7),
        (Some("boolean"), _) => json!(true),
        other => panic!("no value for {other:?}"),
    }
}

fn text(schema: &Value) -> Value {
    let digest = "0a".repeat(32);
    let rules = schema["x-kubernetes-validations"].to_string();
    if rules.contains("@sha256:") {
        return json!(format!("registry.example/web@sha256:{digest}"));
    }
    if rules.contains("https://") {
        return json!("https://storage.example");
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match pattern {
        "" => json!("text"),
        _ if pattern.contains("(ms|s|m|h)") => json!("5m"),
        _ if pattern.contains("https?") => json!("http://probe.tools/verify"),
        _ if pattern.contains("a-fA-F") => json!(digest),
        _ if pattern.ends_with("]*$") => json!(letters(pattern)),
        _ if pattern.contains('/') => json!("org/app"),
        _ => json!("Reason"),
    }
}

/// For `^[PISFKU]*$`: each letter once.
fn letters(pattern: &str) -> &str {
    pattern.split(['[', ']']).nth(1).unwrap_or("Reason")
}

/// Where a revision comes from: exactly one of these.
const SOURCES: [&str; 6] = ["s3", "gitHub", "http", "oci", "appSpecContent", "configMap"];

/// `full` with that one source in each revision.
fn of_source(full: &mut Value, source: &str) {
    match full {
        Value::Object(fields) => {
            if SOURCES.iter().all(|source| fields.contains_key(*source)) {
                fields.retain(|name, _| name == source || !SOURCES.contains(&name.as_str()));
            }
            fields.values_mut().for_each(|value| of_source(value, source));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| of_source(item, source)),
        _ => {}
    }
}

async fn is_kept<K>(client: &Client, namespace: &str, spec: Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + HasStatus<Status: PartialEq + Debug + Serialize + DeserializeOwned>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let kind = K::kind(&());
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let manifest =
        json!({"apiVersion": K::api_version(&()), "kind": kind, "metadata": {"name": "full"}, "spec": spec});
    let object: K = serde_json::from_value(manifest).expect("an object");
    let mut stored = api.create(&PostParams::default(), &object).await.expect("created");

    let fields = definitions::fields();
    let schema = &fields.iter().find(|f| f.kind == kind && f.path == "status").expect("a status").schema;
    for source in SOURCES {
        let mut full = fullest(schema);
        of_source(&mut full, source);
        if let Some(routing) = full.pointer_mut("/resolved/trafficRouting") {
            *routing = json!({"type": "TimeBasedCanary", "canary": routing["canary"]});
        }
        let typed: K::Status =
            serde_json::from_value(full.clone()).expect("our type reads what the schema allows");
        assert_eq!(
            json!(typed),
            full,
            "{kind}: our type writes every field of the schema, and in the same words"
        );
        stored = is_stored(&api, stored, typed).await;
    }
}

/// Puts the status onto the object, and gives it as it is then.
async fn is_stored<K>(api: &Api<K>, mut object: K, status: K::Status) -> K
where
    K: HasStatus<Status: PartialEq + Debug> + Clone + Debug + Serialize + DeserializeOwned,
{
    *object.status_mut() = Some(status);
    let replaced =
        api.replace_status("full", &PostParams::default(), &object).await.expect("a status is accepted");
    assert_eq!(replaced.status(), object.status(), "nothing is dropped");
    replaced
}

#[test]
fn a_status_with_every_field_is_stored_and_read_back_unchanged() {
    with_namespace(|client, namespace| async move {
        let revision = json!({"appSpecContent": {"content": "version: 0.0"}});
        let aliases = json!([{"name": "live", "httpRoute": {"name": "hello"}}]);
        let function = json!({"computePlatform": "Function"});
        let routing = json!({"computePlatform": "Function", "trafficRouting": {"type": "AllAtOnce"}});
        let group = json!({"applicationRef": {"name": "hello"}, "function": {"aliases": aliases}});
        let deployment = json!({"deploymentGroupRef": {"name": "hello-prod"}, "revision": revision});
        is_kept::<Application>(&client, &namespace, function).await;
        is_kept::<DeploymentConfig>(&client, &namespace, routing).await;
        is_kept::<LifecycleHook>(&client, &namespace, json!({"http": {"url": "http://probe"}})).await;
        is_kept::<DeploymentGroup>(&client, &namespace, group).await;
        is_kept::<Deployment>(&client, &namespace, deployment).await;
        is_kept::<Instance>(&client, &namespace, json!({"tags": {"env": "prod"}})).await;
    });
}

/// etcd takes half as much again with its usual settings: that is left to what others write into the metadata, and to what needs escapes.
const MEBIBYTE: usize = 1 << 20;

/// The status of a deployment to as many hosts as there may be, all names and words as long as may be. `line` is what scripts say, again and again.
fn on_a_whole_fleet(schema: &Value, line: &str) -> Value {
    let mut full = fullest(schema);
    of_source(&mut full, "s3");
    full["resolved"]
        .as_object_mut()
        .expect("a snapshot")
        .retain(|part, _| part != "function" && part != "service");
    full["resolved"]["trafficRouting"] = json!({"type": "AllAtOnce"});
    let names: Vec<String> = (0..MAX_TARGETS).map(|host| format!("{host:x>63}")).collect();
    full["resolved"]["server"]["targets"] = json!(names);
    full["resolved"]["server"]["uids"] =
        (0..MAX_TARGETS).map(|host| format!("{host:08}-0000-4000-8000-000000000000")).collect();
    full["targets"] = json!("PISFKU".repeat(MAX_TARGETS.div_ceil(6))[..MAX_TARGETS]);
    let diagnostics = Diagnostics {
        error_code: "ScriptNotExecutable".into(),
        script_name: "s".repeat(253),
        message: "m".repeat(MAX_MESSAGE),
        log_tail: line.repeat(MAX_LOG_TAIL / line.len()),
    };
    let failed =
        |name: &String| FailedTarget { name: name.clone(), event: None, diagnostics: diagnostics.clone() };
    full["failedTargets"] = names.iter().take(MAX_FAILED).map(|name| json!(failed(name))).collect();
    full["message"] = json!("m".repeat(4_000));
    full
}

#[test]
fn a_deployment_to_five_thousand_hosts_of_which_a_hundred_say_much_is_stored_and_stays_below_a_mebibyte() {
    with_namespace(|client, namespace| async move {
        let api: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
        let manifest = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Deployment", "metadata": {"name": "full"},
            "spec": {"deploymentGroupRef": {"name": "g"}, "revision": {"s3": {"bucket": "releases", "key": "web.tgz"}}},
        });
        let object: Deployment = serde_json::from_value(manifest).expect("an object");
        let mut stored = api.create(&PostParams::default(), &object).await.expect("created");
        let fields = definitions::fields();
        let status = fields.iter().find(|f| f.kind == "Deployment" && f.path == "status").expect("a status");
        // Words, then markup, of which each bracket and quote takes several bytes where it is kept.
        for (line, limit) in [
            ("a line of a log, as long as lines are\n", MEBIBYTE),
            ("<li class=\"no\">bad</li>\n", MEBIBYTE * 5 / 4),
        ] {
            let full = on_a_whole_fleet(&status.schema, line);
            let typed: sluice::api::DeploymentStatus =
                serde_json::from_value(full.clone()).expect("a status");
            assert_eq!(json!(typed), full, "our type writes the same");
            let version = write::replace_status(&client, &stored, &typed).await.expect("it is taken");
            let path = format!("{}/full", Deployment::url_path(&(), Some(&namespace)));
            let kept = client.request_text(http::Request::get(path).body(vec![]).expect("a request")).await;
            let kept = kept.expect("the object");
            println!(
                "{} bytes, of which {} are the targets'",
                kept.len(),
                json!(typed.resolved).to_string().len()
            );
            assert!(kept.len() < limit, "{} bytes, {limit} at most", kept.len());
            stored = serde_json::from_str(&kept).expect("a Deployment");
            assert_eq!(stored.metadata.resource_version, version);
            assert_eq!(stored.status.as_ref(), Some(&typed), "nothing is dropped");
        }
    });
}
