//! What `helm upgrade` and `helm uninstall` make of the definitions: on an API server of its own, where the chart owns them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::json;

use crate::definitions;
use crate::server::{eventually, folder, kubeconfig, root, stdout_of, tool, with_own_server};

/// A field that the chart of before did not know, with all that is said of it.
const FIELD: &str = "              description:
                description: What the application is, for people.
                maxLength: 256
                type: string
";

/// A chart as an older version was: without a field of Applications, and without Instances.
fn older_chart(space: &str) -> PathBuf {
    let chart = folder(space).join("sluice");
    stdout_of(Command::new("cp").arg("-r").arg(root().join("charts/sluice")).arg(&chart));
    let file = chart.join("crds-generated/applications.yaml");
    let text = fs::read_to_string(&file).expect("a definition");
    assert!(text.contains(FIELD), "spec.description of an Application is not defined as it was");
    fs::write(&file, text.replace(FIELD, "")).expect("written");
    fs::remove_file(chart.join("crds-generated/instances.yaml")).expect("removed");
    chart
}

fn helm(home: &str, verb: &str, chart: Option<&Path>) {
    let mut helm = tool("helm");
    helm.args([verb, "sluice"]).args(chart).args(["--namespace", home]);
    stdout_of(helm.arg("--kubeconfig").arg(kubeconfig()));
}

fn api(client: &Client, kind: &str, plural: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let group = if namespace.is_some() { "sluice.dev/v1alpha1" } else { "apiextensions.k8s.io/v1" };
    let (group, version) = group.split_once('/').expect("a group and a version");
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// The names of our definitions, in order.
async fn defined(client: &Client) -> Vec<String> {
    let all = api(client, "CustomResourceDefinition", "customresourcedefinitions", None);
    let all = all.list(&Default::default()).await.expect("a list").items;
    let names = all.into_iter().filter_map(|d| d.metadata.name);
    let mut names: Vec<_> = names.filter(|n| n.ends_with(".sluice.dev")).collect();
    names.sort();
    names
}

fn generated() -> Vec<String> {
    let names = definitions::read_all().into_iter();
    let mut names: Vec<_> =
        names.map(|d| d["metadata"]["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_upgrade_brings_new_definitions_and_an_uninstall_keeps_them_with_all_objects() {
    with_own_server("-upgrades", &[], |client, home| async move {
        helm(&home, "install", Some(&older_chart(&home)));
        assert!(!defined(&client).await.contains(&"instances.sluice.dev".to_owned()));
        let shops = api(&client, "Application", "applications", Some(&home));
        eventually("Applications are served", || async { shops.list(&Default::default()).await.ok() }).await;
        let plain = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "spec": {"computePlatform": "Function"},
        });
        let plain: DynamicObject = serde_json::from_value(plain).expect("an object");
        let before = shops.create(&PostParams::default(), &plain).await.expect("created");

        helm(&home, "upgrade", Some(&root().join("charts/sluice")));
        assert_eq!(defined(&client).await, generated());
        let described = Patch::Merge(json!({"spec": {"description": "sells"}}));
        eventually("the field that the new definition has is kept", || async {
            let patched = shops.patch("shop", &PatchParams::default(), &described).await.expect("patched");
            (patched.data["spec"]["description"] == "sells").then_some(())
        })
        .await;

        helm(&home, "uninstall", None);
        assert_eq!(defined(&client).await, generated(), "kept");
        let after = shops.get("shop").await.expect("the object is kept");
        assert_eq!(after.metadata.uid, before.metadata.uid);
        assert!(after.metadata.deletion_timestamp.is_none());
        let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(client.clone(), &home);
        let left = deployments.list(&Default::default()).await.expect("a list").items;
        assert!(left.iter().all(|d| d.metadata.deletion_timestamp.is_some()), "the controller goes");

        helm(&home, "install", Some(&root().join("charts/sluice")));
        let again = shops.get("shop").await.expect("still there");
        assert_eq!(again.metadata.uid, before.metadata.uid, "installed again, it takes over what was kept");
    });
}
