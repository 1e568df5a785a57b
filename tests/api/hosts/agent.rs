//! A host: its Instance, its account with the rights that `register` gives, and the agent's program.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use sluice::api::Instance;

use super::wire::Wire;
use crate::server::{self, apply, eventually, guard, stdout_of, with_namespace};

/// The events of a deployment without a load balancer.
pub const COURSE: [&str; 7] = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
];

/// A registered host.
pub struct Host {
    pub client: Client,
    pub namespace: String,
    pub wire: Wire,
    folder: PathBuf,
    agent: Option<(Child, Child)>,
}

/// Runs a test with a host whose agent runs.
pub fn with_host<F: Future<Output = ()>>(test: impl FnOnce(Host) -> F) {
    with_namespace(|client, namespace| async move {
        let mut host = Host::register(client, namespace).await;
        host.start();
        test(host).await;
    });
}

impl Host {
    /// What `register` makes, and the agent's file.
    async fn register(client: Client, namespace: String) -> Self {
        let folder = server::folder(&format!("{namespace}-host"));
        let (server, authority) = server::address();
        let wire = Wire::to(&server).await;
        for manifest in identity() {
            apply(&client, &namespace, &manifest).await;
        }
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(600), ..Default::default() },
            ..Default::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
        let token =
            accounts.create_token_request("sluice-agent-web-1", &PostParams::default(), &request).await;
        let token = token.expect("a token").status.expect("its status").token;
        let config = json!({
            "server": wire.url, "certificateAuthorityData": authority, "namespace": namespace, "name": "web-1",
            "token": token, "rootDir": folder.join("root"), "stopTimeout": "20s",
        });
        let path = folder.join("config.yaml");
        fs::write(&path, config.to_string()).expect("the agent's file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        Self { client, namespace, wire, folder, agent: None }
    }

    /// Starts the agent.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.path("agent.log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-agent"));
        command.args(["run", "--log-level", "info,sluice=debug", "--config"]).arg(self.path("config.yaml"));
        command.stdout(log.try_clone().expect("a handle")).stderr(log);
        let child = command.spawn().expect("the agent starts");
        let guard = guard(child.id());
        self.agent = Some((child, guard));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let Some((mut child, mut guard)) = self.agent.take() else { return };
        let _ = (guard.kill(), guard.wait());
        let _ = (child.kill(), child.wait());
    }

    /// SIGTERM, without waiting for the end.
    pub fn tell_to_end(&self) {
        let (child, _) = self.agent.as_ref().expect("it runs");
        stdout_of(Command::new("kill").args(["-TERM", &child.id().to_string()]));
    }

    /// Waits for the agent's end.
    pub async fn ended(&mut self) -> ExitStatus {
        let (child, mut guard) = self.agent.take().expect("it runs");
        let child = std::sync::Mutex::new(child);
        let status = eventually("the agent's end", || async {
            child.lock().expect("not poisoned").try_wait().expect("its status")
        })
        .await;
        let _ = (guard.kill(), guard.wait());
        status
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What stands in a file of the host; nothing if it is not there.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn api(&self) -> Api<Instance> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn instance(&self) -> Instance {
        self.api().get("web-1").await.expect("the Instance")
    }

    /// Deletes the Instance.
    pub async fn deregister(&self) {
        self.api().delete("web-1", &DeleteParams::default()).await.expect("deleted");
    }

    /// A merge patch of the Instance's spec, as the controller's.
    pub async fn assign(&self, assignments: &[Value]) {
        let patch = json!({"spec": {"assignments": assignments}});
        self.api().patch("web-1", &PatchParams::default(), &Patch::Merge(patch)).await.expect("assigned");
    }

    /// Waits until the status of group web is as `is_meant` says; answers it.
    pub async fn until(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let seen = eventually_or(
            what,
            || self.log(),
            || async {
                let instance = self.instance().await;
                let assignments = json!(instance.status.unwrap_or_default().assignments);
                let web = assignments
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|a| a["deploymentGroup"] == "web")
                    .cloned();
                web.filter(&is_meant)
            },
        );
        seen.await
    }

    /// Waits until that Deployment has ended so on this host; answers its events, each with its status.
    pub async fn until_ended(&self, deployment: &str, status: &str) -> Vec<String> {
        let ends = ["Succeeded", "Failed", "Skipped"];
        let is_over = |a: &Value| a["deployment"] == deployment && ends.iter().any(|end| a["status"] == *end);
        let ended = self.until(&format!("the end of {deployment}"), is_over).await;
        assert_eq!(ended["status"], status, "{ended:#}\n{}", self.log());
        events(&ended)
    }

    pub fn log(&self) -> String {
        self.read("agent.log")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As [`eventually`], and tells what the agent logged if it does not come about.
async fn eventually_or<T, F: Future<Output = Option<T>>>(
    what: &str,
    log: impl Fn() -> String,
    look: impl FnMut() -> F,
) -> T {
    let mut look = look;
    let seen = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
        loop {
            ticks.tick().await;
            if let Some(seen) = look().await {
                break seen;
            }
        }
    };
    let seen = tokio::time::timeout(server::DEADLINE, seen).await;
    seen.unwrap_or_else(|_| panic!("{what}: not within {:?}\n{}", server::DEADLINE, log()))
}

/// `NAME STATUS`, one an event.
pub fn events(assignment: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = assignment["events"].as_array().into_iter().flatten();
    events.map(|e| format!("{} {}", text(&e["name"]), text(&e["status"]))).collect()
}

/// What group web wants done: that revision, as Deployment `deployment`, through the whole course.
pub fn assignment(deployment: &str, revision: &Value) -> Value {
    json!({
        "deploymentGroup": "web", "deploymentGroupId": "web-id", "deployment": deployment,
        "deploymentUid": format!("{deployment}-uid"), "application": "shop", "creator": "User",
        "revision": revision, "course": COURSE, "runThrough": "ValidateService", "eventTimeout": "1h",
    })
}

/// The same with more fields, or others.
pub fn with(mut assignment: Value, fields: Value) -> Value {
    let (Some(all), Value::Object(fields)) = (assignment.as_object_mut(), fields) else { panic!("two maps") };
    all.extend(fields);
    assignment
}

/// The Instance, its account and its rights: each rule names the one object that it is about.
fn identity() -> Vec<Value> {
    let metadata = |name: &str| json!({"name": name, "labels": {"sluice.dev/instance": "web-1"}});
    let account = "sluice-agent-web-1";
    let rule = |group: &str, resource: &str, name: &str, verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": verbs});
    let rules = json!([
        rule("sluice.dev", "instances", "web-1", &["get", "list", "watch"]),
        rule("sluice.dev", "instances/status", "web-1", &["patch", "update"]),
        rule("coordination.k8s.io", "leases", "web-1", &["get", "patch", "update"]),
        rule("", "serviceaccounts/token", account, &["create"]),
    ]);
    vec![
        json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Instance", "metadata": metadata("web-1"), "spec": {}}),
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata("web-1")}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(account)}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata(account), "rules": rules,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata(account),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account}],
        }),
    ]
}

/// The uid of the Instance, for what is bound to it.
pub async fn uid_of(host: &Host) -> String {
    host.instance().await.uid().unwrap_or_default()
}
