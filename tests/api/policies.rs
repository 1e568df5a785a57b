//! The chart's admission policies: who may stop, continue and answer, and who may let go of what the controller holds.

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::discovery::ApiResource;
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

/// What somebody writes of an instance, through its status or not.
struct Writing {
    user: &'static str,
    is_status: bool,
    patch: Value,
    refusal: Option<&'static str>,
}

impl Writing {
    async fn attempt(&self, namespace: &str) -> kube::Result<()> {
        let kind = ApiResource::erase::<sluice::api::Instance>(&());
        let account = format!("system:serviceaccount:{namespace}:{}", self.user);
        let user = if self.user.starts_with("sluice-agent-") { account.as_str() } else { self.user };
        let api: Api<DynamicObject> = Api::namespaced_with(client_as(user).await, namespace, &kind);
        let (params, patch) =
            (PatchParams { dry_run: true, ..Default::default() }, Patch::Merge(&self.patch));
        if self.is_status {
            api.patch_status("web-a", &params, &patch).await.map(drop)
        } else {
            api.patch("web-a", &params, &patch).await.map(drop)
        }
    }
}

/// Every user has every ordinary verb on instances here, agents too: what is refused, the policies refuse.
#[test]
fn assignments_are_the_controllers_and_a_status_its_own_agents() {
    with_namespace(|client, namespace| async move {
        chart::install(&client, &namespace).await;
        let account = |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        let user =
            |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name});
        let verbs = json!(["get", "list", "create", "update", "patch", "delete"]);
        let resources =
            json!(["instances", "instances/status", "deploymentgroups", "deploymentgroups/status"]);
        let (api_version, metadata) = ("rbac.authorization.k8s.io/v1", json!({"name": "wide"}));
        let role = json!({
            "apiVersion": api_version, "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": ["sluice.dev"], "resources": resources, "verbs": verbs}],
        });
        let binding = json!({
            "apiVersion": api_version, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "wide"},
            "subjects": [account("sluice-agent-web-a"), account("sluice-agent-web-b"), user("editor")],
        });
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "Heard", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z",
        });
        let instance = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance", "metadata": {"name": "web-a"}, "spec": {},
        });
        let target = json!({"tagSets": [[{"key": "env", "type": "KeyOnly"}]]});
        let group = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "DeploymentGroup", "metadata": {"name": "web"},
            "spec": {"applicationRef": {"name": "shop"}, "server": target},
        });
        for manifest in [role, binding, instance, group] {
            apply(&client, &namespace, &manifest).await;
        }
        for writing in writings(&condition) {
            let what = format!("{} writes {}", writing.user, writing.patch);
            let settled = || async {
                let outcome = writing.attempt(&namespace).await;
                (outcome.is_ok() == writing.refusal.is_none()).then_some(outcome)
            };
            let outcome = eventually(&what, settled).await;
            if let (Err(error), Some(says)) = (outcome, writing.refusal) {
                assert!(error.to_string().contains(says), "{what}: refused for another reason: {error}");
            }
        }
        let agent = client_as(&format!("system:serviceaccount:{namespace}:sluice-agent-web-a")).await;
        let groups: Api<sluice::api::DeploymentGroup> = Api::namespaced(agent, &namespace);
        let patch = Patch::Merge(json!({"status": {"message": "what is to be installed elsewhere"}}));
        let refused =
            groups.patch_status("web", &PatchParams::default(), &patch).await.expect_err("an agent");
        assert!(refused.to_string().contains("an agent of Sluice changes nothing"), "{refused}");
    });
}

fn writings(condition: &Value) -> Vec<Writing> {
    let assignment = json!({
        "deploymentGroup": "g", "deploymentGroupId": "g", "deployment": "d", "deploymentUid": "d", "application": "a",
    });
    let work = json!({"spec": {"assignments": [assignment]}});
    let zone = json!({"spec": {"zone": "eu-1a"}});
    let word = json!({"status": {"agent": {"version": "1.0.0"}, "installed": []}});
    let verdict = json!({"status": {"conditions": [condition]}});
    let seen = json!({"status": {"observedGeneration": 1}});
    let by_assign = Some("needs the verb \"assign\"");
    let by_agent = Some("an agent of Sluice changes nothing of Sluice's objects but the status");
    let by_any = Some("denied request");
    let by_fields = Some("conditions and observedGeneration are the controller's");
    let by_others = Some("is written by that host's own agent and by the controller");
    let rows = [
        ("editor", false, &zone, None),
        ("editor", false, &work, by_assign),
        ("editor", true, &word, by_others),
        ("editor", true, &verdict, by_others),
        ("sluice-agent-web-a", false, &zone, by_agent),
        ("sluice-agent-web-a", false, &work, by_any),
        ("sluice-agent-web-a", true, &word, None),
        ("sluice-agent-web-a", true, &verdict, by_fields),
        ("sluice-agent-web-a", true, &seen, by_fields),
        ("sluice-agent-web-b", false, &zone, by_agent),
        ("sluice-agent-web-b", true, &word, by_others),
        (CONTROLLER, false, &work, None),
        (CONTROLLER, true, &verdict, None),
        (CONTROLLER, true, &seen, None),
    ];
    let writing = |(user, is_status, patch, refusal): (_, _, &Value, _)| Writing {
        user,
        is_status,
        patch: patch.clone(),
        refusal,
    };
    rows.map(writing).into_iter().collect()
}
