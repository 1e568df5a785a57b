//! What is left out: the API server's defaults, and an explicit null, which must be the same as nothing.

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, Instance, LifecycleHook};

use crate::definitions;
use crate::server::with_namespace;

fn api_of(client: Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let resource = match kind {
        "Application" => ApiResource::erase::<Application>(&()),
        "DeploymentConfig" => ApiResource::erase::<DeploymentConfig>(&()),
        "LifecycleHook" => ApiResource::erase::<LifecycleHook>(&()),
        "DeploymentGroup" => ApiResource::erase::<DeploymentGroup>(&()),
        "Deployment" => ApiResource::erase::<Deployment>(&()),
        "Instance" => ApiResource::erase::<Instance>(&()),
        _ => panic!("{kind} is none of our kinds"),
    };
    Api::namespaced_with(client, namespace, &resource)
}

fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    let manifest =
        json!({"apiVersion": "sluice.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    serde_json::from_value(manifest).expect("an object")
}

/// The least that each kind takes, and what it is then.
fn least() -> Vec<(&'static str, Value, Value)> {
    let revision = json!({"configMap": {"name": "hello", "key": "appspec.yaml"}});
    let server =
        json!({"computePlatform": "Server", "minimumHealthyHosts": {"type": "HostCount", "value": 1}});
    let function = json!({"computePlatform": "Function", "trafficRouting": {"type": "AllAtOnce"}});
    let deployment = json!({"deploymentGroupRef": {"name": "hello-prod"}, "revision": revision});
    let standard = json!({
        "deploymentGroupRef": {"name": "hello-prod"}, "revision": revision, "deploymentMode": "Standard",
        "ignoreApplicationStopFailures": false, "updateOutdatedInstancesOnly": false,
    });
    let before = vec![
        ("Application", json!({"computePlatform": "Function"}), json!({"computePlatform": "Function"})),
        ("DeploymentConfig", server.clone(), server),
        ("DeploymentConfig", function.clone(), function),
        (
            "LifecycleHook",
            json!({"http": {"url": "http://probe"}}),
            json!({"timeout": "1h", "http": {"url": "http://probe"}}),
        ),
    ];
    let after = [
        ("Instance", json!({"tags": {"env": "prod"}}), json!({"tags": {"env": "prod"}})),
        ("Deployment", deployment, standard),
    ];
    before.into_iter().chain(least_groups()).chain(after).collect()
}

/// The least that a group of each platform takes, and what it is then.
fn least_groups() -> Vec<(&'static str, Value, Value)> {
    let aliases = json!([{"name": "live", "httpRoute": {"name": "hello"}}]);
    let listener = json!({"httpRoute": {"name": "web"}});
    vec![
        (
            "DeploymentGroup",
            json!({"applicationRef": {"name": "hello"}, "function": {"aliases": aliases}}),
            json!({
                "applicationRef": {"name": "hello"},
                "concurrencyPolicy": "Queue",
                "deletionPolicy": "Orphan", "revisionHistoryLimit": 10,
                "function": {"versionService": "{name}-{version}", "aliases": aliases},
            }),
        ),
        (
            "DeploymentGroup",
            json!({
                "applicationRef": {"name": "web"},
                "server": {
                    "tagSets": [[{"key": "env", "value": "prod"}]],
                    "loadBalancer": {"service": {"name": "web", "port": 8080}},
                },
            }),
            json!({
                "applicationRef": {"name": "web"},
                "concurrencyPolicy": "Queue",
                "deletionPolicy": "Orphan", "revisionHistoryLimit": 10,
                "server": {
                    "tagSets": [[{"key": "env", "value": "prod", "type": "KeyAndValue"}]],
                    "deploymentStyle": {"type": "InPlace", "option": "WithoutTrafficControl"},
                    "loadBalancer": {"service": {"name": "web", "port": 8080}, "drain": "10s"},
                    "outdatedInstancesStrategy": "Update", "eventTimeout": "1h",
                },
            }),
        ),
        (
            "DeploymentGroup",
            json!({
                "applicationRef": {"name": "web"},
                "blueGreen": {},
                "service": {"targetGroups": ["web-a", "web-b"], "productionListener": listener},
            }),
            json!({
                "applicationRef": {"name": "web"},
                "concurrencyPolicy": "Queue",
                "deletionPolicy": "Orphan", "revisionHistoryLimit": 10,
                "blueGreen": {
                    "deploymentReady": {"actionOnTimeout": "ContinueDeployment", "wait": "0s"},
                    "terminateOriginal": {"action": "Terminate", "wait": "5m"},
                },
                "service": {
                    "replicas": 1, "targetGroups": ["web-a", "web-b"], "productionListener": listener,
                    "installTimeout": "1h", "drain": "10s",
                },
            }),
        ),
    ]
}

/// `spec` with a null for each field of the kind's schema that it leaves out, wherever an object is given.
fn with_nulls(kind: &str, spec: &Value) -> Value {
    let fields = definitions::fields();
    let root = fields.iter().find(|f| f.kind == kind && f.path == "spec").expect("a spec");
    fill(&root.schema, spec)
}

fn fill(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(_) if schema.get("additionalProperties").is_some() => value.clone(),
        Value::Object(given) => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let known = properties.map(|(name, property)| {
                (name.clone(), given.get(name).map_or(Value::Null, |value| fill(property, value)))
            });
            known.collect()
        }
        Value::Array(given) => given.iter().map(|item| fill(&schema["items"], item)).collect(),
        _ => value.clone(),
    }
}

#[test]
fn what_is_left_out_is_filled_in_as_promised() {
    with_namespace(|client, namespace| async move {
        for (index, (kind, given, filled)) in least().into_iter().enumerate() {
            let object = object(kind, &format!("least-{index}"), &given);
            let api = api_of(client.clone(), &namespace, kind);
            let stored = api.create(&PostParams::default(), &object).await.expect(kind);
            assert_eq!(stored.data["spec"], filled, "{kind}");
            assert_eq!(stored.data.get("status"), None, "{kind}");
        }
    });
}

#[test]
fn an_explicit_null_is_the_same_as_nothing() {
    with_namespace(|client, namespace| async move {
        for (index, (kind, given, filled)) in least().into_iter().enumerate() {
            let name = format!("null-{index}");
            let api = api_of(client.clone(), &namespace, kind);
            let nulls = with_nulls(kind, &given);
            assert_ne!(nulls, given, "{kind}: there is something to leave out");
            let stored = api.create(&PostParams::default(), &object(kind, &name, &nulls)).await.expect(kind);
            assert_eq!(stored.data["spec"], filled, "{kind}");
            let mut stored = stored;
            for spec in [&given, &nulls] {
                stored.data = json!({"spec": spec});
                stored = api.replace(&name, &PostParams::default(), &stored).await.expect(kind);
                assert_eq!(stored.data["spec"], filled, "{kind}");
                assert_eq!(stored.metadata.generation, Some(1), "{kind}: nothing changed");
            }
        }
    });
}

/// Kubernetes drops a null from what is created, replaced or patched, but not from what is applied: it is refused by name.
#[test]
fn a_null_that_is_applied_on_the_server_is_refused_by_name() {
    with_namespace(|client, namespace| async move {
        let api = api_of(client, &namespace, "Application");
        let applied =
            object("Application", "null", &json!({"computePlatform": "Function", "description": null}));
        let params = PatchParams::apply("sluice-tests");
        let error = api.patch("null", &params, &Patch::Apply(applied)).await.expect_err("refused");
        assert!(error.to_string().contains("spec.description in body must be of type string"), "{error}");
    });
}

#[test]
fn a_condition_list_left_out_of_a_status_is_empty_and_a_phase_is_created() {
    with_namespace(|client, namespace| async move {
        let (kind, given, _) = least().into_iter().next_back().expect("a deployment");
        let api = api_of(client, &namespace, kind);
        api.create(&PostParams::default(), &object(kind, "fresh", &given)).await.expect("created");
        let status = Patch::Merge(json!({"status": {"message": "seen"}}));
        let seen = api.patch_status("fresh", &PatchParams::default(), &status).await.expect("patched");
        assert_eq!(seen.data["status"], json!({"message": "seen", "phase": "Created", "conditions": []}));
    });
}
