//! The chart's admission policies: who may stop, continue and answer, and who may let go of what the controller holds.

use kube::Client;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::chart::{self, CONTROLLER, create_deployment, deployment, deployments};
use crate::server::{apply, client_as, eventually, with_namespace};

/// Users and the ClusterRoles that they have in the test's namespace.
const USERS: [(&str, &[&str]); 4] = [
    ("viewer", &["sluice-view.sluice-system"]),
    ("editor", &["sluice-edit.sluice-system"]),
    ("approver", &["sluice-approve.sluice-system"]),
    ("lead", &["sluice-edit.sluice-system", "sluice-approve.sluice-system"]),
];

/// What a user may do with a deployment.
#[derive(Debug)]
enum Deed {
    Create(Value),
    Patch(Value),
    Delete,
}

impl Deed {
    /// Tries it on the deployment `plain`, without a trace.
    async fn attempt(&self, user: &str, namespace: &str) -> kube::Result<()> {
        let api = deployments(&client_as(user).await, namespace);
        let dry = PatchParams { dry_run: true, ..Default::default() };
        match self {
            Self::Create(more) => {
                let object = deployment("new", more.clone());
                api.create(&PostParams { dry_run: true, ..Default::default() }, &object).await.map(drop)
            }
            Self::Patch(patch) => api.patch("plain", &dry, &Patch::Merge(patch)).await.map(drop),
            Self::Delete => api.delete("plain", &DeleteParams::default().dry_run()).await.map(drop),
        }
    }
}

async fn bind(client: &Client, namespace: &str, role: Value, user: &str) {
    let name = format!("{user}-{}", role["name"].as_str().expect("a name"));
    let mut role = role;
    role["apiGroup"] = json!("rbac.authorization.k8s.io");
    let subject = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
        "roleRef": role, "subjects": [subject],
    });
    apply(client, namespace, &binding).await;
}

/// The chart, its users, one who has the verb `stop` alone, one who has it on `mine` alone, and the deployment `plain`.
async fn prepare(client: &Client, namespace: &str) {
    chart::install(client, namespace).await;
    for (user, roles) in USERS {
        for role in roles {
            bind(client, namespace, json!({"kind": "ClusterRole", "name": role}), user).await;
        }
    }
    let rule = |verbs: Value, names: Value| json!({"apiGroups": ["sluice.dev"], "resources": ["deployments"], "verbs": verbs, "resourceNames": names});
    for (user, rules) in [
        ("stopper", json!([rule(json!(["patch", "stop"]), json!([]))])),
        ("owner", json!([rule(json!(["patch"]), json!([])), rule(json!(["stop"]), json!(["mine"]))])),
    ] {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": user, "namespace": namespace},
            "rules": rules,
        });
        apply(client, namespace, &role).await;
        bind(client, namespace, json!({"kind": "Role", "name": user}), user).await;
    }
    create_deployment(client, namespace, "plain", json!({})).await;
    create_deployment(client, namespace, "mine", json!({})).await;
    know_the_users(namespace).await;
}

/// Waits until the API server has seen every binding: each user can do something by then.
async fn know_the_users(namespace: &str) {
    let label = json!({"metadata": {"labels": {"team": "shop"}}});
    for user in ["editor", "approver", "lead", "stopper", "owner"] {
        let deed = Deed::Patch(label.clone());
        eventually(user, || async { deed.attempt(user, namespace).await.ok() }).await;
    }
    let stop = Deed::Patch(json!({"spec": {"stop": {}}}));
    for user in ["lead", "stopper"] {
        eventually(user, || async { stop.attempt(user, namespace).await.ok() }).await;
    }
    let create = Deed::Create(json!({}));
    eventually("lead", || async { create.attempt("lead", namespace).await.ok() }).await;
    let trial = deployments(&client_as("editor").await, namespace);
    let dry = PatchParams { dry_run: true, ..Default::default() };
    let let_go = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    eventually("the policy of the finalizers", || async { trial.patch("trial", &dry, &let_go).await.err() })
        .await;
    let api = deployments(&client_as("viewer").await, namespace);
    eventually("viewer", || async { api.get("plain").await.ok() }).await;
}

#[test]
fn stop_continue_and_answer_need_their_own_verbs() {
    with_namespace(|client, namespace| async move {
        prepare(&client, &namespace).await;
        let stop = json!({"stop": {"autoRollback": true}});
        let proceed = json!({"continue": {"readyWait": true}});
        let answer = json!({"hookResults": [{"executionId": "one", "status": "Succeeded"}]});
        let create = |more: &Value| Deed::Create(more.clone());
        let patch = |spec: &Value| Deed::Patch(json!({"spec": spec}));
        let label = || Deed::Patch(json!({"metadata": {"labels": {"team": "shop"}}}));
        let none = json!({});
        let (by_stop, by_continue, by_answer) =
            ("needs the verb \"stop\"", "needs the verb \"continue\"", "needs the verb \"answer\"");
        for (user, deed, refusal) in [
            ("stranger", patch(&stop), Some("cannot patch")),
            ("viewer", create(&none), Some("cannot create")),
            ("viewer", patch(&stop), Some("cannot patch")),
            ("viewer", Deed::Delete, Some("cannot delete")),
            ("editor", create(&none), None),
            ("editor", create(&stop), Some(by_stop)),
            ("editor", create(&proceed), Some(by_continue)),
            ("editor", create(&answer), Some(by_answer)),
            ("editor", patch(&stop), Some(by_stop)),
            ("editor", patch(&proceed), Some(by_continue)),
            ("editor", patch(&answer), Some(by_answer)),
            ("editor", label(), None),
            ("editor", Deed::Delete, None),
            ("approver", create(&none), Some("cannot create")),
            ("approver", patch(&stop), None),
            ("approver", patch(&proceed), None),
            ("approver", patch(&answer), None),
            ("approver", Deed::Delete, Some("cannot delete")),
            ("lead", create(&stop), None),
            ("stopper", patch(&stop), None),
            ("stopper", patch(&proceed), Some(by_continue)),
            ("stopper", patch(&answer), Some(by_answer)),
            ("owner", patch(&stop), Some(by_stop)),
            (CONTROLLER, create(&none), None),
            (CONTROLLER, patch(&stop), Some(by_stop)),
            (CONTROLLER, patch(&proceed), Some(by_continue)),
            (CONTROLLER, patch(&answer), Some(by_answer)),
            (CONTROLLER, Deed::Delete, None),
        ] {
            expect(user, &deed, deed.attempt(user, &namespace).await, refusal);
        }
        let api = deployments(&client_as("owner").await, &namespace);
        let mine = api.patch("mine", &PatchParams::default(), &Patch::Merge(json!({"spec": stop}))).await;
        mine.expect("the owner may stop what is named");
    });
}

fn expect(user: &str, deed: &Deed, outcome: kube::Result<()>, refusal: Option<&str>) {
    match (outcome, refusal) {
        (Ok(()), None) => {}
        (Err(error), Some(says)) => {
            assert!(
                error.to_string().contains(says),
                "{user}, {deed:?}: refused for another reason: {error}"
            );
        }
        (Ok(()), Some(_)) => panic!("{user}, {deed:?}: allowed"),
        (Err(error), None) => panic!("{user}, {deed:?}: {error}"),
    }
}

async fn set_finalizers(user: &str, namespace: &str, finalizers: Value) -> kube::Result<DynamicObject> {
    let api = deployments(&client_as(user).await, namespace);
    api.patch(
        "plain",
        &PatchParams::default(),
        &Patch::Merge(json!({"metadata": {"finalizers": finalizers}})),
    )
    .await
}

#[test]
fn only_the_controller_and_an_admin_let_go_of_what_sluice_holds() {
    with_namespace(|client, namespace| async move {
        prepare(&client, &namespace).await;
        let (ours, others) = ("sluice.dev/traffic", "example.com/other");
        set_finalizers(CONTROLLER, &namespace, json!([ours, others])).await.expect("the controller holds it");
        for user in ["editor", "approver", "lead"] {
            let refused = set_finalizers(user, &namespace, json!([others])).await.expect_err(user);
            assert!(refused.to_string().contains("needs the verb \"finalize\""), "{user}: {refused}");
        }
        set_finalizers("editor", &namespace, json!([ours]))
            .await
            .expect("an editor takes off somebody else's");
        set_finalizers(CONTROLLER, &namespace, json!([])).await.expect("the controller lets go");
        set_finalizers(CONTROLLER, &namespace, json!([ours])).await.expect("the controller holds it again");
        let admin = deployments(&client, &namespace);
        let nothing = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        admin.patch("plain", &PatchParams::default(), &nothing).await.expect("an admin lets go");
    });
}
