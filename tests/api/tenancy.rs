//! What a registered host's token opens: that host's own objects, and nothing else. Real tokens, as `kubectl sluice register` gives
//! them, against the real API server.

use std::path::PathBuf;
use std::process::{Command, Output};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::ApiResource;
use kube::{Client, Config, ResourceExt};
use serde_json::{Value, json};
use sluice::api::Instance;

use crate::chart;
use crate::server::{
    apply, client_as, create_namespace, documents, eventually, folder, kubeconfig, with_namespace,
};

/// Runs the plugin against the server as the user of that kubeconfig.
fn sluice_as(kubeconfig: &PathBuf, namespace: &str, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"));
    command.arg("--kubeconfig").arg(kubeconfig).args(["--namespace", namespace]);
    command.args(line.split_whitespace()).output().expect("the plugin runs")
}

fn sluice(namespace: &str, line: &str) -> Output {
    sluice_as(&kubeconfig(), namespace, line)
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Registers a host and gives the file for its agent.
fn register(namespace: &str, line: &str) -> Value {
    let output = sluice(namespace, &format!("register {line}"));
    assert!(output.status.success(), "{line}: {}", said(&output.stderr));
    documents(&said(&output.stdout)).remove(0)
}

/// A client that knows nothing but what that file says.
async fn agent(file: &Value) -> Client {
    agent_with(file, file["token"].as_str().expect("a token")).await
}

async fn agent_with(file: &Value, token: &str) -> Client {
    let kubeconfig = json!({
        "clusters": [{"name": "c", "cluster": {
            "server": file["server"], "certificate-authority-data": file["certificateAuthorityData"],
        }}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": file["namespace"]}}],
        "current-context": "x",
    });
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

/// The code with which the server answers a line such as `GET /api`; a body makes a POST, or a merge patch of it.
async fn code(client: &Client, line: &str, body: &Value) -> u16 {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = http::Request::builder().method(method).uri(path).header("content-type", kind).body(body);
    match client.request_text(request.expect("a request")).await {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{line}: {error}"),
    }
}

fn instances(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<Instance>(&()))
}

const SLUICE: &str = "/apis/sluice.dev/v1alpha1/namespaces/NS";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/NS/leases";

/// What the agent of `web-a` may do, and nobody else but its controller.
fn allowed() -> Vec<(String, Value)> {
    let renewal = json!({"spec": {"holderIdentity": "web-a", "leaseDurationSeconds": 120}});
    let word = json!({"status": {"agent": {"version": "1.0.0"}}});
    let token = json!({"spec": {"audiences": [], "expirationSeconds": 3600}});
    let name = "fieldSelector=metadata.name%3Dweb-a";
    vec![
        (format!("GET {SLUICE}/instances/web-a"), Value::Null),
        (format!("GET {SLUICE}/instances?{name}"), Value::Null),
        (format!("GET {SLUICE}/instances?{name}&watch=1&timeoutSeconds=1"), Value::Null),
        (format!("PATCH {SLUICE}/instances/web-a/status"), word),
        (format!("GET {LEASES}/web-a"), Value::Null),
        (format!("PATCH {LEASES}/web-a"), renewal),
        ("POST /api/v1/namespaces/NS/serviceaccounts/sluice-agent-web-a/token".into(), token),
    ]
}

/// What it may not.
fn refused() -> Vec<(String, Value)> {
    let core = "/api/v1/namespaces/NS";
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/NS";
    let nothing = json!({"metadata": {"labels": {"mine": "yes"}}});
    let word = json!({"status": {"agent": {"version": "6.6.6"}}});
    let assignments = json!({"spec": {"assignments": [{
        "deploymentGroup": "g", "deploymentGroupId": "g", "deployment": "d", "deploymentUid": "d", "application": "a",
    }]}});
    let verdict = json!({"status": {"conditions": [{
        "type": "Ready", "status": "True", "reason": "Heard", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z",
    }]}});
    let token = json!({"spec": {"audiences": []}});
    let lease =
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "another"}});
    let other = "fieldSelector=metadata.name%3Dweb-b";
    let labels = "labelSelector=sluice.dev/instance%3Dweb-a";
    let mut lines: Vec<(String, Value)> = vec![
        (format!("PATCH {SLUICE}/instances/web-b/status"), word.clone()),
        (format!("PATCH {SLUICE}/instances/web-a/status"), verdict),
        (format!("PATCH {SLUICE}/instances/web-a"), assignments),
        (format!("PATCH {SLUICE}/instances/web-a"), nothing.clone()),
        (format!("DELETE {SLUICE}/instances/web-a"), Value::Null),
        (format!("DELETE {SLUICE}/instances/web-b"), Value::Null),
        (format!("PATCH {LEASES}/web-b"), nothing.clone()),
        (format!("DELETE {LEASES}/web-a"), Value::Null),
        (format!("POST {LEASES}"), lease),
        (format!("POST {core}/serviceaccounts/sluice-agent-web-b/token"), token.clone()),
        (format!("POST {core}/serviceaccounts/default/token"), token),
        (format!("PATCH {rbac}/roles/sluice-agent-web-a"), nothing),
    ];
    for path in [
        format!("{SLUICE}/instances/web-b"),
        format!("{SLUICE}/instances?{other}"),
        format!("{SLUICE}/instances?{other}&watch=1&timeoutSeconds=1"),
        format!("{SLUICE}/instances"),
        format!("{SLUICE}/instances?watch=1&timeoutSeconds=1"),
        format!("{SLUICE}/instances?{labels}"),
        "/apis/sluice.dev/v1alpha1/instances".into(),
        "/apis/sluice.dev/v1alpha1/instances?fieldSelector=metadata.name%3Dweb-a".into(),
        "/apis/sluice.dev/v1alpha1/namespaces/ELSEWHERE/instances/web-a".into(),
        format!("{SLUICE}/deployments"),
        format!("{SLUICE}/deploymentgroups"),
        format!("{LEASES}/web-b"),
        LEASES.into(),
        format!("{core}/secrets"),
        format!("{core}/secrets/storage"),
        "/api/v1/secrets".into(),
        format!("{core}/configmaps"),
        format!("{core}/serviceaccounts/sluice-agent-web-a"),
        format!("{core}/serviceaccounts"),
        format!("{core}/pods"),
        format!("{rbac}/roles/sluice-agent-web-a"),
        format!("{rbac}/rolebindings"),
        "/api/v1/nodes".into(),
        "/api/v1/namespaces".into(),
    ] {
        lines.push((format!("GET {path}"), Value::Null));
    }
    lines
}

#[test]
fn an_agent_reaches_its_own_objects_and_nobody_elses() {
    with_namespace(|client, namespace| async move {
        chart::install(&client, &namespace).await;
        let elsewhere = create_namespace(&client).await;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "storage"}});
        apply(&client, &namespace, &secret).await;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        apply(&client, &namespace, &account).await;
        let a = agent(&register(&namespace, "web-a --tag env=prod --address 10.0.0.1")).await;
        let b = agent(&register(&namespace, "web-b --tag env=prod --address 10.0.0.2")).await;
        register(&elsewhere, "web-a");
        let here = |line: &str| line.replace("NS", &namespace).replace("ELSEWHERE", &elsewhere);
        for (line, body) in allowed() {
            let line = here(&line);
            let by_a = || async { (code(&a, &line, &body).await == 200).then_some(()) };
            eventually(&format!("web-a: {line}"), by_a).await;
            assert_eq!(code(&b, &line, &body).await, 403, "web-b: {line}");
        }
        for (line, body) in refused() {
            let line = here(&line);
            assert_eq!(code(&a, &line, &body).await, 403, "web-a: {line}");
        }
    });
}

#[test]
fn an_agent_renews_its_token_by_itself() {
    with_namespace(|_, namespace| async move {
        let file = register(&namespace, "web-a --token-duration 10m");
        let first = agent(&file).await;
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/sluice-agent-web-a/token");
        let request = || {
            let body = json!({"spec": {"audiences": [], "expirationSeconds": 3600}}).to_string().into_bytes();
            let request = http::Request::post(&path).header("content-type", "application/json").body(body);
            request.expect("a request")
        };
        let answer: Value = eventually("a token", || async { first.request(request()).await.ok() }).await;
        let token = answer["status"]["token"].as_str().expect("a token");
        assert_ne!(token, file["token"], "it is another one");
        let renewed = agent_with(&file, token).await;
        let own = format!("GET /apis/sluice.dev/v1alpha1/namespaces/{namespace}/instances/web-a");
        assert_eq!(code(&renewed, &own, &Value::Null).await, 200);
    });
}

#[test]
fn registering_again_keeps_what_is_there_and_gives_a_new_token() {
    with_namespace(|client, namespace| async move {
        let first = register(&namespace, "web-a --tag env=prod --tag web --address 10.0.0.1");
        assert_eq!((&first["namespace"], &first["name"]), (&json!(namespace), &json!("web-a")));
        let api = instances(&client, &namespace);
        let before = api.get("web-a").await.expect("the instance");
        let assignment = json!({
            "deploymentGroup": "g", "deploymentGroupId": "g", "deployment": "d", "deploymentUid": "d", "application": "a",
        });
        let work = Patch::Merge(json!({"spec": {"assignments": [assignment]}}));
        api.patch("web-a", &PatchParams::default(), &work).await.expect("the controller's work");
        let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
        let renewal = Patch::Merge(json!({"spec": {"holderIdentity": "web-a"}}));
        leases.patch("web-a", &PatchParams::default(), &renewal).await.expect("renewed");
        let second =
            register(&namespace, "web-a --tag tier=front --zone eu-1a --server https://203.0.113.7:6443");
        assert_ne!(first["token"], second["token"]);
        assert_eq!(second["server"], "https://203.0.113.7:6443");
        let after = api.get("web-a").await.expect("the instance");
        assert_eq!(after.uid(), before.uid());
        let tags = json!({"env": "prod", "web": "", "tier": "front"});
        let spec = json!({"tags": tags, "address": "10.0.0.1", "zone": "eu-1a", "assignments": [assignment]});
        assert_eq!(after.data["spec"], spec);
        let lease = leases.get("web-a").await.expect("the Lease").spec.expect("a spec");
        assert_eq!(lease.holder_identity.as_deref(), Some("web-a"), "the heartbeat is left alone");
        register(&namespace, "web-a");
        assert_eq!(
            api.get("web-a").await.expect("the instance").resource_version(),
            after.resource_version()
        );
    });
}

#[test]
fn deregistering_takes_everything_of_the_host_away_and_nothing_else() {
    with_namespace(|client, namespace| async move {
        let file = register(&namespace, "web-a");
        register(&namespace, "web-b");
        let of_a = agent(&file).await;
        let own = format!("GET /apis/sluice.dev/v1alpha1/namespaces/{namespace}/instances/web-a");
        eventually("the rights", || async { (code(&of_a, &own, &Value::Null).await == 200).then_some(()) })
            .await;
        let output = sluice(&namespace, "deregister web-a");
        assert!(output.status.success(), "{}", said(&output.stderr));
        assert_eq!(
            said(&output.stderr),
            "instance.sluice.dev/web-a deregistered: its agent has no rights any more\n"
        );
        let path = |rest: &str| format!("GET {}", rest.replace("NS", &namespace));
        for (host, expected) in [("web-a", 404), ("web-b", 200)] {
            for place in [
                format!("/apis/sluice.dev/v1alpha1/namespaces/NS/instances/{host}"),
                format!("{LEASES}/{host}"),
                format!("/api/v1/namespaces/NS/serviceaccounts/sluice-agent-{host}"),
                format!("/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles/sluice-agent-{host}"),
                format!("/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings/sluice-agent-{host}"),
            ] {
                assert_eq!(code(&client, &path(&place), &Value::Null).await, expected, "{place}");
            }
        }
        eventually("the token's end", || async {
            (code(&of_a, &own, &Value::Null).await == 401).then_some(())
        })
        .await;
        let again = sluice(&namespace, "deregister web-a");
        assert_eq!(again.status.code(), Some(1));
        assert!(
            said(&again.stderr).contains("instances.sluice.dev \"web-a\" not found"),
            "{}",
            said(&again.stderr)
        );
        assert!(sluice(&namespace, "deregister web-a --ignore-not-found").status.success());
    });
}

#[test]
fn an_instance_that_is_deleted_takes_its_agents_rights_with_it() {
    with_namespace(|client, namespace| async move {
        register(&namespace, "web-a");
        instances(&client, &namespace).delete("web-a", &Default::default()).await.expect("deleted");
        let account = format!("GET /api/v1/namespaces/{namespace}/serviceaccounts/sluice-agent-web-a");
        eventually("the account's end", || async {
            (code(&client, &account, &Value::Null).await == 404).then_some(())
        })
        .await;
    });
}

#[test]
fn a_name_under_which_somebody_elses_object_stands_is_refused() {
    with_namespace(|client, namespace| async move {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "sluice-controller"},
            "spec": {"holderIdentity": "the controller"},
        });
        let before = apply(&client, &namespace, &lease).await;
        let output = sluice(&namespace, "register sluice-controller");
        assert_eq!(output.status.code(), Some(2));
        assert!(
            said(&output.stderr).contains("it is not this host's; choose another name"),
            "{}",
            said(&output.stderr)
        );
        assert!(output.stdout.is_empty(), "no token");
        let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
        let after = leases.get("sluice-controller").await.expect("the Lease");
        assert_eq!(after.resource_version(), before.resource_version());
        let nobody = instances(&client, &namespace).get_opt("sluice-controller").await.expect("an answer");
        assert!(nobody.is_none(), "no Instance");
    });
}

/// A kubeconfig of cluster-admin's that acts as another user.
fn kubeconfig_of(user: &str, namespace: &str) -> PathBuf {
    let text = std::fs::read_to_string(kubeconfig()).expect("a kubeconfig");
    let mut config = documents(&text).remove(0);
    config["users"][0]["user"]["as"] = json!(user);
    let file = folder(&format!("tenancy-{namespace}")).join(user);
    std::fs::write(&file, config.to_string()).expect("written");
    file
}

#[test]
fn who_has_the_charts_role_may_register_and_who_edits_may_not() {
    with_namespace(|client, namespace| async move {
        chart::install(&client, &namespace).await;
        for (user, role) in
            [("registrar", "sluice-register.sluice-system"), ("editor", "sluice-edit.sluice-system")]
        {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": user},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            });
            apply(&client, &namespace, &binding).await;
            let api = instances(&client_as(user).await, &namespace);
            eventually(user, || async { api.list(&Default::default()).await.ok() }).await;
        }
        let registrar = kubeconfig_of("registrar", &namespace);
        let output = sluice_as(&registrar, &namespace, "register web-a --tag env=prod");
        assert!(output.status.success(), "{}", said(&output.stderr));
        let output = sluice_as(&registrar, &namespace, "deregister web-a");
        assert!(output.status.success(), "{}", said(&output.stderr));
        let output = sluice_as(&kubeconfig_of("editor", &namespace), &namespace, "register web-b");
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output.stderr).contains("Forbidden"), "{}", said(&output.stderr));
        let api = instances(&client_as("registrar").await, &namespace);
        let mut instance = DynamicObject::new("web-c", &ApiResource::erase::<Instance>(&()));
        instance.data = json!({"spec": {"assignments": [{
            "deploymentGroup": "g", "deploymentGroupId": "g", "deployment": "d", "deploymentUid": "d", "application": "a",
        }]}});
        let refused =
            api.create(&PostParams::default(), &instance).await.expect_err("no work from a registrar");
        assert!(refused.to_string().contains("needs the verb \"assign\""), "{refused}");
    });
}
