//! References that don't resolve: the object names the cause and its cure, nothing moves, and it goes on by itself.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};

use super::callee::Callee;
use super::kstatus::{KStatus, kstatus};
use super::parts;
use super::world::{World, condition, in_world, message, split, untouched, weights};

/// Something that a deployment refers to is not there, or is `instead`.
struct Gap {
    function: &'static str,
    kind: &'static str,
    name: &'static str,
    instead: Option<Value>,
    reason: &'static str,
    says: &'static str,
}

fn gap(kind: &'static str, name: &'static str, reason: &'static str, says: &'static str) -> Gap {
    let function = name.trim_end_matches("-2");
    Gap { function, kind, name, instead: None, reason, says }
}

/// Everything that the deployment of a function refers to.
fn whole(function: &str, hook: &str) -> Vec<Value> {
    let hooks = [("BeforeAllowTraffic", function)];
    let (first, second) = (format!("{function}-1"), format!("{function}-2"));
    vec![
        parts::application(function, "Function"),
        parts::group(function, json!({})),
        parts::linear(function, 50, "1s"),
        parts::http_hook(function, hook, None),
        parts::config_map(function, json!({"app.yaml": parts::app_spec(function, "2", &hooks)})),
        parts::route(function),
        parts::service(&first, 80),
        parts::endpoints(&first),
        parts::service(&second, 80),
        parts::endpoints(&second),
    ]
}

async fn is_named_and_recovers(world: &World, hook: &str, gap: Gap) {
    let (function, name) = (gap.function, format!("{}-now", gap.function));
    let is_gap = |m: &&Value| m["kind"] == gap.kind && m["metadata"]["name"] == gap.name;
    let whole = whole(function, hook);
    for manifest in whole.iter().filter(|m| !is_gap(m)).chain(&gap.instead) {
        world.apply(manifest).await;
    }
    let revision = json!({"configMap": {"name": function, "key": "app.yaml"}});
    let more = json!({"deploymentConfigName": function});
    world.create(parts::deployment(&name, function, revision, more)).await;

    let case = format!("{} of {function}", gap.kind);
    let reconciles = |d: &Value| condition(d, "Reconciling") == ("True", gap.reason);
    let waits = world.until("Deployment", &name, &format!("{case}: it is named"), reconciles).await;
    assert!(message(&waits).contains(gap.says), "{case}: {}", message(&waits));
    assert_eq!((condition(&waits, "Ready").0, kstatus(&waits)), ("False", KStatus::InProgress), "{case}");
    let stalls = |d: &Value| condition(d, "Stalled") == ("True", gap.reason);
    let stalled = world.until("Deployment", &name, &format!("{case}: Stalled"), stalls).await;
    assert!(message(&stalled).contains(gap.says), "{case}: {}", message(&stalled));
    assert_eq!(condition(&stalled, "Reconciling").0, "", "{case}: never both");
    assert_eq!(kstatus(&stalled), KStatus::Failed, "{case}");
    if let Some(route) = world.find("HTTPRoute", function).await {
        assert_eq!(weights(&route), untouched(function), "{case}: nothing was moved");
    }

    let missing = whole.iter().find(is_gap).expect("what is missing is one of the whole");
    world.apply(missing).await;
    let done = world.until_settled(&name, "Succeeded").await;
    assert_eq!(kstatus(&done), KStatus::Current, "{case}");
    assert_eq!(weights(&world.get("HTTPRoute", function).await), split(function, 0, 100), "{case}");
}

#[test]
fn a_deployment_names_what_is_missing_then_stalls_and_goes_on_by_itself_when_it_comes() {
    in_world(|world| async move {
        let callee = Callee::start(200, r#"{"status": "Succeeded"}"#).await;
        let mut gaps = vec![
            gap("DeploymentGroup", "no-group", "DeploymentGroupMissing", "create it"),
            gap(
                "Application",
                "no-application",
                "DeploymentGroupNotReady",
                "there is no Application no-application; create it",
            ),
            gap(
                "DeploymentConfig",
                "no-config",
                "DeploymentConfigMissing",
                "there is no DeploymentConfig no-config; create it",
            ),
            gap(
                "ConfigMap",
                "no-map",
                "RevisionMissing",
                "there is no ConfigMap no-map; create it with key app.yaml",
            ),
            gap(
                "LifecycleHook",
                "no-hook",
                "LifecycleHookMissing",
                "names LifecycleHook no-hook, which does not exist; create it",
            ),
            gap(
                "HTTPRoute",
                "no-route",
                "HTTPRouteMissing",
                "there is no HTTPRoute no-route behind alias live; create it",
            ),
            gap(
                "Service",
                "no-service-2",
                "ServiceMissing",
                "there is no Service no-service-2 for the target version; create it",
            ),
            gap(
                "EndpointSlice",
                "no-pods-2",
                "NoReadyEndpoints",
                "Service no-pods-2 has no ready endpoint; start its pods",
            ),
        ];
        let other_key = parts::config_map("no-key", json!({"other.yaml": "version: 0.0"}));
        let no_key = gap(
            "ConfigMap",
            "no-key",
            "RevisionMissing",
            "ConfigMap no-key has no key app.yaml in its data; add it",
        );
        gaps.push(Gap { instead: Some(other_key), ..no_key });
        let no_port = gap("Service", "no-port-2", "ServicePortMissing", "Service no-port-2 has no port 80");
        gaps.push(Gap { instead: Some(parts::service("no-port-2", 81)), ..no_port });
        join_all(gaps.into_iter().map(|gap| is_named_and_recovers(&world, &callee.url, gap))).await;
    });
}

async fn until_group(world: &Arc<World>, name: &str, type_: &str, reason: &str, says: &str) {
    let fits = |g: &Value| condition(g, type_) == ("True", reason) && message(g).contains(says);
    world.until("DeploymentGroup", name, &format!("{type_} {reason}: {says}"), fits).await;
}

#[test]
fn a_group_names_what_is_wrong_with_it_and_recovers_by_itself() {
    in_world(|world| async move {
        let (apply, until) = (
            |manifest: Value| {
                let world = &world;
                async move { world.apply(&manifest).await }
            },
            until_group,
        );

        apply(parts::group("orphan", json!({}))).await;
        until(
            &world,
            "orphan",
            "Reconciling",
            "ApplicationMissing",
            "there is no Application orphan; create it",
        )
        .await;
        apply(parts::application("orphan", "Function")).await;
        until(&world, "orphan", "Ready", "Ready", "nothing was deployed yet").await;

        apply(parts::application("other", "Service")).await;
        apply(parts::group("other", json!({}))).await;
        until(&world, "other", "Stalled", "PlatformMismatch", "Application other is of platform Service")
            .await;
        world.delete("Application", "other").await;
        until(&world, "other", "Reconciling", "ApplicationMissing", "create it").await;
        apply(parts::application("other", "Function")).await;
        until(&world, "other", "Ready", "Ready", "").await;

        apply(parts::application("named", "Function")).await;
        apply(parts::group("named", json!({"deploymentConfigName": "CodeDeployDefault.LambdaCanary"}))).await;
        let says = "is not one of the predefined configurations; they are CodeDeployDefault";
        until(&world, "named", "Stalled", "DeploymentConfigMissing", says).await;
        apply(parts::group("named", json!({"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"}))).await;
        until(&world, "named", "Stalled", "PlatformMismatch", "is for platform Service").await;
        apply(parts::group("named", json!({"deploymentConfigName": "later"}))).await;
        until(
            &world,
            "named",
            "Reconciling",
            "DeploymentConfigMissing",
            "there is no DeploymentConfig later",
        )
        .await;
        apply(parts::linear("later", 10, "1m")).await;
        until(&world, "named", "Ready", "Ready", "").await;
    });
}

#[test]
fn a_bad_app_spec_fails_its_deployment_before_anything_moves() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.apply(&parts::config_map("hello", json!({"app.yaml": "version: 0.0\nResources: none"}))).await;
        let inline = json!({"appSpecContent": {"content": "version: 7"}});
        let stored = json!({"configMap": {"name": "hello", "key": "app.yaml"}});
        let content = parts::app_spec("hello", "2", &[]);
        let digest = json!({"appSpecContent": {"content": content, "sha256": "0a".repeat(32)}});
        for (name, revision) in [("inline", inline), ("stored", stored), ("digest", digest)] {
            world.create(parts::deployment(name, "hello", revision, json!({}))).await;
            let failed = world.until_phase(name, "Failed").await;
            assert_eq!(failed["status"]["errorInformation"]["code"], "InvalidRevision", "{name}");
            assert_eq!(condition(&failed, "Stalled"), ("True", "InvalidRevision"), "{name}");
            assert!(message(&failed).ends_with("No traffic was moved."), "{name}: {}", message(&failed));
        }
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), untouched("hello"));
        world.deploy("good", "hello", "2", json!({})).await;
        world.until_settled("good", "Succeeded").await;
        until_group(&world, "hello", "Ready", "Ready", "serves since Deployment good").await;
    });
}

#[test]
fn a_desired_config_map_is_awaited_its_faults_are_named_and_its_correction_deploys() {
    in_world(|world| async move {
        let revision = json!({"configMap": {"name": "wanted", "key": "app.yaml"}});
        world.prepare("hello", json!({"revision": revision})).await;
        let says = "there is no ConfigMap wanted; create it with key app.yaml";
        until_group(&world, "hello", "Reconciling", "RevisionMissing", says).await;
        world.apply(&parts::config_map("wanted", json!({"app.yaml": "version: 7"}))).await;
        until_group(&world, "hello", "Stalled", "InvalidRevision", "the AppSpec cannot be used").await;
        assert!(world.list("Deployment").await.is_empty(), "what cannot be used starts nothing");
        let good = parts::app_spec("hello", "2", &[]);
        world.apply(&parts::config_map("wanted", json!({"app.yaml": good}))).await;
        until_group(&world, "hello", "Ready", "Ready", "serves since Deployment").await;
        let made = world.list("Deployment").await;
        assert_eq!(made.len(), 1);
        assert_eq!(made[0]["status"]["creator"], "DesiredRevision");
    });
}

#[test]
fn a_current_version_that_is_not_served_fails_before_anything_moves() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let properties =
            json!({"Name": "hello", "Alias": "live", "CurrentVersion": "7", "TargetVersion": "2"});
        let resource = json!({"hello": {"Type": "AWS::Lambda::Function", "Properties": properties}});
        let content = json!({"version": 0.0, "Resources": [resource]}).to_string();
        let revision = json!({"appSpecContent": {"content": content}});
        world.create(parts::deployment("wrong", "hello", revision, json!({}))).await;
        let failed = world.until_phase("wrong", "Failed").await;
        assert_eq!(failed["status"]["errorInformation"]["code"], "InvalidFunctionConfiguration");
        let says = "CurrentVersion is 7, but alias live serves version 1";
        assert!(message(&failed).contains(says), "{}", message(&failed));
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), untouched("hello"));
    });
}
