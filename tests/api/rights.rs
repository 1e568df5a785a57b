//! The controller's rights: beyond what any account may, exactly those below.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::flowcontrol::v1::FlowSchema;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::chart::{self, CONTROLLER, RELEASE_NAMESPACE};
use crate::server::{client_as, create_namespace, eventually, with_namespace};

/// In every namespace: API group, resource, name of the one object (empty: all), verbs.
const EVERYWHERE: [(&str, &str, &str, &str); 26] = [
    ("", "configmaps", "", "get list watch"),
    ("", "namespaces", "", "get"),
    ("", "pods", "", "get list watch"),
    ("", "podtemplates", "", "get list watch"),
    ("", "services", "", "get list watch create patch delete"),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "httproutes.gateway.networking.k8s.io",
        "get list watch",
    ),
    ("apps", "replicasets", "", "get list watch create patch delete"),
    ("batch", "jobs", "", "get list watch create patch delete"),
    ("coordination.k8s.io", "leases", "", "get list watch"),
    ("discovery.k8s.io", "endpointslices", "", "get list watch create patch delete"),
    ("events.k8s.io", "events", "", "create patch"),
    ("gateway.networking.k8s.io", "httproutes", "", "get list watch patch"),
    ("sluice.dev", "applications", "", "get list watch"),
    ("sluice.dev", "applications/status", "", "update patch"),
    ("sluice.dev", "deploymentconfigs", "", "get list watch"),
    ("sluice.dev", "deploymentconfigs/status", "", "update patch"),
    ("sluice.dev", "deploymentgroups", "", "get list watch patch finalize"),
    ("sluice.dev", "deploymentgroups/finalizers", "", "update"),
    ("sluice.dev", "deploymentgroups/status", "", "update patch"),
    ("sluice.dev", "deployments", "", "get list watch create patch delete finalize"),
    ("sluice.dev", "deployments/finalizers", "", "update"),
    ("sluice.dev", "deployments/status", "", "update patch"),
    ("sluice.dev", "instances", "", "get list watch patch assign"),
    ("sluice.dev", "instances/status", "", "patch"),
    ("sluice.dev", "lifecyclehooks", "", "get list watch"),
    ("sluice.dev", "lifecyclehooks/status", "", "update patch"),
];

/// In the namespaces that a release does not watch which is told to watch one: what it takes to let go of what it holds in a
/// namespace that has lost its roles.
const ELSEWHERE: [(&str, &str, &str, &str); 10] = [
    ("", "namespaces", "", "get"),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "httproutes.gateway.networking.k8s.io",
        "get list watch",
    ),
    ("batch", "jobs", "", "patch"),
    ("sluice.dev", "applications", "", "get list watch"),
    ("sluice.dev", "deploymentconfigs", "", "get list watch"),
    ("sluice.dev", "deploymentgroups", "", "get list watch"),
    ("sluice.dev", "deployments", "", "get list watch patch finalize"),
    ("sluice.dev", "deployments/status", "", "update"),
    ("sluice.dev", "instances", "", "get list watch"),
    ("sluice.dev", "lifecyclehooks", "", "get list watch"),
];

/// In the release's namespace besides.
const AT_HOME: [(&str, &str, &str, &str); 2] = [
    ("coordination.k8s.io", "leases", "", "create"),
    ("coordination.k8s.io", "leases", "sluice-controller", "get update"),
];

/// API group, resource, name, verb; a wildcard in a role stays one.
type Right = [String; 4];

fn rights(table: &[(&str, &str, &str, &str)]) -> BTreeSet<Right> {
    let each = |(group, resource, name, verbs): &(&str, &str, &str, &str)| {
        verbs.split(' ').map(|verb| [*group, *resource, *name, verb].map(str::to_owned)).collect::<Vec<_>>()
    };
    table.iter().flat_map(each).collect()
}

/// What the API server says that the account may do in the namespace, and with objects that are in none.
async fn rights_of(account: &str, namespace: &str) -> BTreeSet<Right> {
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.into()) };
    let review = SelfSubjectRulesReview { spec, ..Default::default() };
    let api = Api::all(client_as(account).await);
    let status =
        api.create(&PostParams::default(), &review).await.expect("a review").status.expect("an answer");
    assert!(!status.incomplete, "{:?}", status.evaluation_error);
    let mut rights = BTreeSet::new();
    for rule in status.resource_rules {
        let names =
            rule.resource_names.filter(|names| !names.is_empty()).unwrap_or_else(|| vec![String::new()]);
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for name in &names {
                    rights.extend(
                        rule.verbs.iter().map(|verb| [group, resource, name, verb].map(String::clone)),
                    );
                }
            }
        }
    }
    rights
}

/// Beyond what an account has that nobody gave anything.
async fn given_to(account: &str, namespace: &str) -> BTreeSet<Right> {
    let anyone = rights_of("system:serviceaccount:elsewhere:anyone", namespace).await;
    assert!(!anyone.is_empty(), "every account may ask for its rights");
    rights_of(account, namespace).await.difference(&anyone).cloned().collect()
}

#[test]
fn the_controller_may_what_it_needs_and_nothing_else() {
    with_namespace(|client, namespace| async move {
        chart::install(&client, &namespace).await;
        let mut expected = rights(&EVERYWHERE);
        assert_eq!(given_to(CONTROLLER, &namespace).await, expected, "in any namespace");
        expected.extend(rights(&AT_HOME));
        assert_eq!(given_to(CONTROLLER, RELEASE_NAMESPACE).await, expected, "in its own");
    });
}

/// The uid of the FlowSchema by which the API server took a request of the controller's.
async fn flow_of(path: &str) -> String {
    let request = http::Request::get(path).body(kube::client::Body::empty()).expect("a request");
    let answer = client_as(CONTROLLER).await.send(request).await.expect("an answer");
    let uid = answer.headers().get("x-kubernetes-pf-flowschema-uid").expect("priority and fairness is on");
    uid.to_str().expect("a uid").to_owned()
}

#[test]
fn renewals_of_the_lease_have_the_turns_of_leader_elections_and_other_requests_have_not() {
    with_namespace(|client, namespace| async move {
        chart::install(&client, &namespace).await;
        let schemas: Api<FlowSchema> = Api::all(client);
        let ours = schemas.get("sluice-lease.sluice-system").await.expect("the chart's").metadata.uid;
        let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{RELEASE_NAMESPACE}/leases");
        let lease = format!("{leases}/sluice-controller");
        eventually("the flow", || async { (ours == Some(flow_of(&lease).await)).then_some(()) }).await;
        assert_ne!(ours, Some(flow_of(&leases).await), "a list is no renewal");
        assert_ne!(ours, Some(flow_of("/apis/sluice.dev/v1alpha1/deployments?limit=1").await));
    });
}

#[test]
fn a_release_that_watches_one_namespace_may_elsewhere_only_let_go() {
    with_namespace(|client, watched| async move {
        let (home, other) = (create_namespace(&client).await, create_namespace(&client).await);
        chart::install_at(&client, &home, Some(&watched)).await;
        let account = format!("system:serviceaccount:{home}:{home}");
        for (namespace, table) in [(&watched, &EVERYWHERE[..]), (&other, &ELSEWHERE[..])] {
            let expected = rights(table);
            eventually("the rights", || async {
                (given_to(&account, namespace).await.len() >= expected.len()).then_some(())
            })
            .await;
            assert_eq!(given_to(&account, namespace).await, expected, "in {namespace}");
        }
    });
}

/// A Job of that namespace, by cluster-admin.
async fn create_job(client: &Client, namespace: &str, name: &str, finalizers: Value) -> Api<Job> {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "probe", "image": "probe:1"}]});
    let job = json!({
        "metadata": {"name": name, "finalizers": finalizers}, "spec": {"template": {"spec": pod}, "suspend": true},
    });
    let api = Api::namespaced(client.clone(), namespace);
    let job = serde_json::from_value(job).expect("a Job");
    api.create(&PostParams::default(), &job).await.expect("created");
    api
}

#[test]
fn a_release_that_watches_one_namespace_takes_off_its_own_finalizer_of_jobs_elsewhere_and_nothing_else() {
    with_namespace(|client, watched| async move {
        let (home, other) = (create_namespace(&client).await, create_namespace(&client).await);
        chart::install_at(&client, &home, Some(&watched)).await;
        let ours = "sluice.dev/hook-result";
        create_job(&client, &other, "held", json!([ours])).await;
        create_job(&client, &other, "theirs", json!(["example.com/other"])).await;
        let account = client_as(&format!("system:serviceaccount:{home}:{home}")).await;
        let jobs: Api<Job> = Api::namespaced(account, &other);
        let patch = |name: &'static str, patch: Value, dry_run: bool| {
            let (jobs, params) = (jobs.clone(), PatchParams { dry_run, ..Default::default() });
            async move { jobs.patch(name, &params, &Patch::Merge(patch)).await.map(drop) }
        };
        let let_go = json!({"metadata": {"finalizers": null}});
        eventually("the right", || async { patch("held", let_go.clone(), true).await.ok() }).await;
        let says = "changes nothing of a Job but the finalizer sluice.dev/hook-result";
        let run = json!({"spec": {"suspend": false}});
        eventually("the policy", || async { patch("held", run.clone(), true).await.err() }).await;
        for (name, deed) in [("held", run), ("theirs", let_go.clone())] {
            let refused = patch(name, deed, true).await.expect_err(name);
            assert!(refused.to_string().contains(says), "{name}: {refused}");
        }
        patch("held", let_go, false).await.expect("it lets go of its own");
    });
}

#[test]
fn the_controller_may_nothing_with_secrets() {
    with_namespace(|client, namespace| async move {
        chart::install(&client, &namespace).await;
        for space in [namespace.as_str(), RELEASE_NAMESPACE, "kube-system"] {
            for [group, resource, name, verb] in rights_of(CONTROLLER, space).await {
                let has_secrets = (group.is_empty() || group == "*")
                    && (resource.starts_with("secrets") || resource == "*");
                assert!(!has_secrets, "{verb} {resource} {name} in {space}");
            }
        }
    });
}
