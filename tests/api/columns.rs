//! What `kubectl get` shows: the category, the short names and the columns.

use serde_json::json;

use crate::server::{apply, kubectl, with_namespace};

/// Short name, plural and columns of each kind; `-o wide` shows those in the second list too.
const KINDS: [(&str, &str, &[&str], &[&str]); 6] = [
    ("sapp", "applications", &["NAME", "PLATFORM", "GROUPS", "READY", "AGE"], &[]),
    ("sdc", "deploymentconfigs", &["NAME", "PLATFORM", "TYPE", "READY", "AGE"], &[]),
    ("shook", "lifecyclehooks", &["NAME", "URL", "TIMEOUT", "READY", "AGE"], &["MESSAGE"]),
    ("sdg", "deploymentgroups", &["NAME", "APPLICATION", "PHASE", "ACTIVE", "MESSAGE", "AGE"], &[]),
    ("sinst", "instances", &["NAME", "READY", "ADDRESS", "ZONE", "AGENT", "MESSAGE", "AGE"], &[]),
    ("sdep", "deployments", &["NAME", "GROUP", "PHASE", "CREATOR", "TRAFFIC", "MESSAGE", "AGE"], &[]),
];

async fn apply_one_of_each(client: &kube::Client, namespace: &str) {
    let revision = json!({"appSpecContent": {"content": "version: 0.0"}});
    let aliases = json!([{"name": "live", "httpRoute": {"name": "hello"}}]);
    let routing = json!({"type": "AllAtOnce"});
    for (kind, spec) in [
        ("Application", json!({"computePlatform": "Function"})),
        ("DeploymentConfig", json!({"computePlatform": "Function", "trafficRouting": routing})),
        ("LifecycleHook", json!({"http": {"url": "http://probe"}})),
        ("DeploymentGroup", json!({"applicationRef": {"name": "hello"}, "function": {"aliases": aliases}})),
        ("Instance", json!({"tags": {"env": "prod"}, "address": "10.0.0.7"})),
        ("Deployment", json!({"deploymentGroupRef": {"name": "hello-prod"}, "revision": revision})),
    ] {
        let manifest = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": kind, "metadata": {"name": "hello"}, "spec": spec});
        apply(client, namespace, &manifest).await;
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn get_sluice_lists_all_kinds_by_their_columns() {
    with_namespace(|client, namespace| async move {
        apply_one_of_each(&client, &namespace).await;
        let shown = kubectl(&namespace, &["get", "sluice"]);
        let mut names: Vec<_> =
            shown.lines().filter(|line| line.contains('/')).map(|line| words(line)[0]).collect();
        let mut expected: Vec<_> =
            KINDS.iter().map(|kind| format!("{}.sluice.dev/hello", kind.1.trim_end_matches('s'))).collect();
        expected.sort();
        names.sort_unstable();
        assert_eq!(names, expected, "{shown}");
    });
}

#[test]
fn each_kind_has_a_short_name_and_its_columns() {
    with_namespace(|client, namespace| async move {
        apply_one_of_each(&client, &namespace).await;
        for (short, plural, columns, wide) in KINDS {
            for name in [short, &format!("{plural}.sluice.dev")] {
                let shown = kubectl(&namespace, &["get", name]);
                assert_eq!(words(shown.lines().next().expect("a head")), columns, "{name}");
            }
            let shown = kubectl(&namespace, &["get", short, "-o", "wide"]);
            let mut all = columns.to_vec();
            all.splice(all.len() - 1..all.len() - 1, wide.iter().copied());
            assert_eq!(words(shown.lines().next().expect("a head")), all, "{short}");
        }
    });
}

#[test]
fn a_running_deployments_line_tells_what_happens() {
    with_namespace(|client, namespace| async move {
        apply_one_of_each(&client, &namespace).await;
        let status = json!({"status": {
            "phase": "InProgress",
            "creator": "User",
            "message": "traffic 30 % on v2; next step in 42s",
            "traffic": {
                "original": {"name": "hello-1", "weight": 70},
                "replacement": {"name": "hello-2", "weight": 30},
                "summary": "hello-1 70 %, hello-2 30 %",
            },
        }});
        let patch =
            ["patch", "sdep", "hello", "--subresource=status", "--type=merge", "-p", &status.to_string()];
        kubectl(&namespace, &patch);
        let shown = kubectl(&namespace, &["get", "sdep", "hello", "--no-headers"]);
        let line: Vec<_> = shown.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(
            line[..line.len() - 1],
            [
                "hello",
                "hello-prod",
                "InProgress",
                "User",
                "hello-1 70 %, hello-2 30 %",
                "traffic 30 % on v2; next step in 42s"
            ]
        );
    });
}
