//! One test's world: a namespace, a release of the chart in it, its controllers, a gateway, and ways to look and to wait.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, watch_object, watcher};
use serde_json::{Value, json};

use super::controller::Controller;
use super::gateway::Gateway;
use super::parts::{self, resource};
use crate::server::{self, DEADLINE, with_namespace};
use crate::{chart, server::apply};

/// The long and the short of shifts: a tenth for an hour, and a quarter a second.
pub const SLOW: &str = "slow";
pub const QUICK: &str = "quick";

pub struct World {
    pub client: Client,
    pub namespace: String,
    pub gateway: Gateway,
    home: String,
    folder: PathBuf,
    controllers: Mutex<BTreeMap<String, Controller>>,
}

/// Runs a test in a world with one controller that leads. Its rights must have been enough, Secrets aside.
pub fn in_world<F: Future<Output = ()>>(test: impl FnOnce(Arc<World>) -> F) {
    with_namespace(|client, namespace| async move {
        let world = Arc::new(World::new(client, namespace.clone(), namespace, None).await);
        world.start("one");
        world.until_led_by("one").await;
        test(Arc::clone(&world)).await;
        world.expect_enough_rights();
    });
}

impl World {
    /// A world without a controller; the release lives in `home`, with rights over `watched` alone if that is given.
    pub async fn new(client: Client, namespace: String, home: String, watched: Option<&str>) -> Self {
        chart::install_at(&client, &home, watched).await;
        let folder = server::folder(&namespace);
        write_kubeconfig(&client, &home, &folder).await;
        let gateway = Gateway::start(&client, &namespace);
        let world = Self { client, namespace, home, gateway, folder, controllers: Mutex::default() };
        world.apply(&parts::linear(SLOW, 10, "1h")).await;
        world.apply(&parts::linear(QUICK, 25, "1s")).await;
        world
    }

    // Controllers.

    /// Starts a controller.
    pub fn start(&self, identity: &str) {
        let started = Controller::start(&self.folder, &self.home, &self.namespace, identity);
        self.controllers.lock().expect("not poisoned").insert(identity.into(), started);
    }

    /// Takes a controller out of the world's hands.
    pub fn take(&self, identity: &str) -> Controller {
        let found = self.controllers.lock().expect("not poisoned").remove(identity);
        found.unwrap_or_else(|| panic!("no controller {identity}"))
    }

    /// Kills the controller with SIGKILL and starts it again under the same name.
    pub fn kill_and_restart(&self, identity: &str) {
        self.take(identity).kill();
        self.start(identity);
    }

    /// All that a controller has logged.
    pub fn said(&self, identity: &str) -> String {
        self.controllers.lock().expect("not poisoned")[identity].words()
    }

    /// Waits until that one holds the Lease.
    pub async fn until_led_by(&self, identity: &str) {
        let holds = |lease: &Value| lease["spec"]["holderIdentity"] == identity;
        let api = Api::namespaced_with(self.client.clone(), &self.home, &resource("Lease"));
        let what = format!("{identity} leads");
        self.watch_until(api, &self.lease(), &what, |lease| lease.is_some_and(holds)).await;
    }

    /// The name of the release's Lease.
    pub fn lease(&self) -> String {
        format!("{}-controller", self.home)
    }

    /// Whether the controllers may create that of the namespace.
    pub async fn may_create(&self, group: &str, resource: &str) -> bool {
        let spec = json!({
            "user": self.user(),
            "resourceAttributes": {"namespace": self.namespace, "verb": "create", "group": group, "resource": resource},
        });
        let review: SubjectAccessReview = serde_json::from_value(json!({"spec": spec})).expect("a review");
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await;
        answer.expect("an answer").status.expect("a status").allowed
    }

    /// Whom the API server takes the controllers for.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{0}:{0}", self.home)
    }

    /// Requests of the controllers so far that were answered with `code`, as `verb resource name`; but for what a namespace
    /// refuses to everyone because it goes.
    pub fn answered(&self, code: i64) -> Vec<String> {
        let goes = |e: &Value| {
            e["responseStatus"]["message"]
                .as_str()
                .is_some_and(|m| m.contains("because it is being terminated"))
        };
        let entries = server::audit(&self.user()).into_iter();
        let asked = entries.filter(|e| e["responseStatus"]["code"] == code && !goes(e));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let what = |e: Value| {
            let subresource = match text(&e["objectRef"]["subresource"]) {
                none if none.is_empty() => none,
                some => format!("/{some}"),
            };
            let (verb, resource, name) =
                (text(&e["verb"]), text(&e["objectRef"]["resource"]), text(&e["objectRef"]["name"]));
            format!("{verb} {resource}{subresource} {name}")
        };
        asked.map(what).collect()
    }

    /// Fails if a right was missing that is not one to a Secret.
    pub fn expect_enough_rights(&self) {
        let refused: Vec<_> =
            self.answered(403).into_iter().filter(|what| !what.starts_with("get secrets ")).collect();
        assert!(refused.is_empty(), "the chart's rights are not enough: {refused:?}");
        assert!(!self.answered(200).is_empty(), "the audit log knows the controller");
    }

    /// The controllers' logs, their ends.
    fn last_words(&self) -> String {
        let controllers = self.controllers.lock().expect("not poisoned");
        controllers.iter().map(|(name, c)| format!("--- {name}\n{}\n", c.last_words())).collect()
    }

    // Objects.

    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = resource(kind);
        match kind {
            "Namespace" | "ValidatingAdmissionPolicyBinding" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
        }
    }

    pub async fn apply(&self, manifest: &Value) -> Value {
        json!(apply(&self.client, &self.namespace, manifest).await)
    }

    /// Creates an object as it is said, generateName too.
    pub async fn create(&self, manifest: Value) -> Value {
        let kind = manifest["kind"].as_str().expect("a kind").to_owned();
        let object: DynamicObject = serde_json::from_value(manifest).expect("an object");
        json!(self.api(&kind).create(&PostParams::default(), &object).await.expect("created"))
    }

    pub async fn find(&self, kind: &str, name: &str) -> Option<Value> {
        self.api(kind).get_opt(name).await.expect("an answer").map(|object| json!(object))
    }

    pub async fn get(&self, kind: &str, name: &str) -> Value {
        self.find(kind, name).await.unwrap_or_else(|| panic!("{kind} {name} is gone"))
    }

    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let listed = self.api(kind).list(&Default::default()).await.expect("a list");
        listed.items.into_iter().map(|object| json!(object)).collect()
    }

    pub async fn merge(&self, kind: &str, name: &str, patch: Value) -> Value {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        json!(patched.unwrap_or_else(|error| panic!("{kind} {name}: {error}")))
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        self.delete_with(kind, name, &DeleteParams::background()).await;
    }

    pub async fn delete_with(&self, kind: &str, name: &str, params: &DeleteParams) {
        let deleted = self.api(kind).delete(name, params).await;
        deleted.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }

    // Fixtures.

    /// A function that can be deployed: application, group, route, and two versions that are ready, of which the first serves.
    pub async fn prepare(&self, function: &str, group: Value) {
        self.prepare_versions(function, 2).await;
        self.apply(&parts::application(function, "Function")).await;
        self.apply(&parts::group(function, group)).await;
    }

    /// The route, and that many versions that are ready.
    pub async fn prepare_versions(&self, function: &str, versions: i32) {
        for version in 1..=versions {
            self.apply(&parts::service(&format!("{function}-{version}"), 80)).await;
            self.apply(&parts::endpoints(&format!("{function}-{version}"))).await;
        }
        self.create(parts::route(function)).await;
    }

    /// Creates a deployment of a group and function of that name; `more` goes into its spec.
    pub async fn deploy(&self, name: &str, function: &str, target: &str, more: Value) -> Value {
        self.create(parts::deployment(name, function, parts::revision(function, target, &[]), more)).await
    }

    /// Starts one that stays at a tenth, and waits until the route has it.
    pub async fn start_slow(&self, name: &str, function: &str) -> Value {
        let started = self.deploy(name, function, "2", json!({"deploymentConfigName": SLOW})).await;
        self.until("HTTPRoute", function, "the first step", |r| weights(r) == split(function, 90, 10)).await;
        started
    }

    // Waiting.

    /// Waits until the object is there and fits; answers it. Past the deadline it panics with the object and the logs' ends.
    pub async fn until(&self, kind: &str, name: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = self.watch_until(self.api(kind), name, what, |object| object.is_some_and(&fits)).await;
        found.unwrap_or_default()
    }

    /// Waits until there is no such object.
    pub async fn until_gone(&self, kind: &str, name: &str) {
        self.watch_until(self.api(kind), name, "it is gone", |object| object.is_none()).await;
    }

    async fn watch_until(
        &self,
        api: Api<DynamicObject>,
        name: &str,
        what: &str,
        fits: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let mut last: Option<Value> = None;
        let seen = async {
            let mut states = std::pin::pin!(watch_object(api, name));
            while let Some(state) = states.next().await {
                let Ok(state) = state else { continue };
                last = state.map(|object| json!(object));
                if fits(last.as_ref()) {
                    return;
                }
            }
        };
        if tokio::time::timeout(DEADLINE, seen).await.is_err() {
            last.as_mut().map(|object| object["metadata"]["managedFields"].take());
            let object = serde_json::to_string_pretty(&last).unwrap_or_default();
            panic!("{name}: not within {DEADLINE:?}: {what}\n{object}\n{}", self.last_words());
        }
        last
    }

    /// Waits until a deployment has that phase; one that ended in another is a failure at once.
    pub async fn until_phase(&self, name: &str, phase: &str) -> Value {
        let has_ended =
            |d: &Value| ["Succeeded", "Failed", "Stopped"].iter().any(|p| d["status"]["phase"] == *p);
        let fits = |d: &Value| d["status"]["phase"] == phase || has_ended(d);
        let found = self.until("Deployment", name, &format!("phase {phase}"), fits).await;
        let is_it = found["status"]["phase"] == phase;
        assert!(is_it, "{name} is not {phase}: {:#}\n{}", found["status"], self.last_words());
        found
    }

    /// Waits until a deployment has ended so, and nothing of ours holds it any more.
    pub async fn until_settled(&self, name: &str, phase: &str) -> Value {
        self.until_phase(name, phase).await;
        self.until("Deployment", name, "it is let go of", |d| finalizers(d).is_empty()).await
    }

    /// Notes every state of that kind from now on.
    pub async fn record(&self, kind: &str) -> Record {
        let states: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (noted, api) = (Arc::clone(&states), self.api(kind));
        let (listed, is_listed) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut listed = Some(listed);
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                        noted.lock().expect("not poisoned").push(json!(object));
                    }
                    Ok(watcher::Event::InitDone) => drop(listed.take().map(|l| l.send(()))),
                    _ => {}
                }
            }
        });
        is_listed.await.expect("the watch began");
        Record { states, task }
    }
}

/// The states that objects of one kind went through.
pub struct Record {
    states: Arc<Mutex<Vec<Value>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Record {
    /// Those of one object, in order.
    pub fn of(&self, name: &str) -> Vec<Value> {
        let states = self.states.lock().expect("not poisoned");
        states.iter().filter(|s| s["metadata"]["name"] == name).cloned().collect()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write_kubeconfig(client: &Client, namespace: &str, folder: &std::path::Path) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(3600), ..Default::default() };
    let request = TokenRequest { spec, ..Default::default() };
    let token = accounts.create_token_request(namespace, &PostParams::default(), &request).await;
    let token = token.expect("a token").status.expect("an answer").token;
    let (server, authority) = server::address();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).expect("written");
}

/// A condition of that type: its status and reason; empty if there is none.
pub fn condition<'a>(object: &'a Value, type_: &str) -> (&'a str, &'a str) {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|c| c["type"] == type_);
    let text = |field: &str| found.and_then(|c| c[field].as_str()).unwrap_or_default();
    (text("status"), text("reason"))
}

pub fn finalizers(object: &Value) -> Vec<String> {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.into_iter().flatten().filter_map(|f| f.as_str().map(str::to_owned)).collect()
}

pub fn message(object: &Value) -> &str {
    object["status"]["message"].as_str().unwrap_or_default()
}

/// A route's backends and their weights.
pub fn weights(route: &Value) -> Vec<(String, i64)> {
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array();
    let read =
        |b: &Value| (b["name"].as_str().unwrap_or_default().to_owned(), b["weight"].as_i64().unwrap_or(1));
    let mut weights: Vec<_> = backends.into_iter().flatten().map(read).collect();
    weights.sort();
    weights
}

/// Those weights for the first two versions; one without share is not there.
pub fn split(function: &str, first: i64, second: i64) -> Vec<(String, i64)> {
    let both = [(format!("{function}-1"), first), (format!("{function}-2"), second)];
    both.into_iter().filter(|(_, weight)| *weight > 0).collect()
}

/// What a route's weights are before anybody has touched them.
pub fn untouched(function: &str) -> Vec<(String, i64)> {
    vec![(format!("{function}-1"), 1)]
}
