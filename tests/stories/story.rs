//! One story's stage: its namespace, what is applied there, waiting on what comes of it, and the end that every story has.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ApiResource;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value;

use crate::cluster::{self, Cluster};
use crate::load::{LAG, Load, Summary};
use crate::record::Record;
use crate::{checks, manifests, service_manifests};

/// How long anything may take that is waited for.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// How long that may take which waits for minutes by design.
const LONG: Duration = Duration::from_secs(600);

/// A kind: its API version and name. All plurals here are regular.
pub type Kind = (&'static str, &'static str);
/// Sluice's Deployment.
pub const DEPLOYMENT: Kind = ("sluice.dev/v1alpha1", "Deployment");
/// DeploymentGroup.
pub const GROUP: Kind = ("sluice.dev/v1alpha1", "DeploymentGroup");
/// HTTPRoute.
pub const ROUTE: Kind = ("gateway.networking.k8s.io/v1", "HTTPRoute");
/// Kubernetes' own Deployment.
pub const WORKLOAD: Kind = ("apps/v1", "Deployment");
/// Job.
pub const JOB: Kind = ("batch/v1", "Job");
/// Event.
pub const EVENT: Kind = ("events.k8s.io/v1", "Event");
/// Lease.
pub const LEASE: Kind = ("coordination.k8s.io/v1", "Lease");

/// A client's view of one kind in one namespace.
pub fn api(client: &Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let (group, version) = kind.0.rsplit_once('/').unwrap_or(("", kind.0));
    let plural = format!("{}s", kind.1.to_lowercase());
    let resource = ApiResource {
        group: group.into(),
        version: version.into(),
        api_version: kind.0.into(),
        kind: kind.1.into(),
        plural,
    };
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// What stands when a story begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Two versions of a function, the first of which serves.
    Function,
    /// A service with PodTemplate `web-1` on target group `hello-a`.
    Service,
    /// Nothing: no load either.
    Bare,
}

/// One story's stage.
pub struct Story {
    /// Its name.
    pub name: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// A client with all rights.
    pub client: Client,
    /// The host name of its route.
    pub host: String,
    /// The gateway's listener.
    pub production: String,
    /// Its test listener.
    pub test: String,
    /// What the watches saw.
    pub record: Record,
    route: Value,
    load: Option<Load>,
}

impl Story {
    /// A namespace with version 1 serving all of the route `hello`, the application, the group's configurations, and the load.
    pub async fn begin(cluster: &Cluster, name: &'static str, namespace: &str, stage: Stage) -> Self {
        let client = cluster::client().await;
        cluster.make(&client, namespace).await;
        let record = Record::start(&client, namespace);
        let mut story = Self {
            name,
            namespace: namespace.into(),
            client,
            host: format!("{namespace}.example"),
            production: cluster.production.clone(),
            test: cluster.test.clone(),
            record,
            route: Value::Null,
            load: None,
        };
        match stage {
            Stage::Function => story.set_function_up().await,
            Stage::Service => story.set_service_up().await,
            Stage::Bare => return story,
        }
        story.begin_load().await;
        story
    }

    async fn set_function_up(&mut self) {
        self.apply(&manifests::versions(&[1, 2])).await;
        self.apply(&manifests::route(&self.host)).await;
        self.apply(&manifests::settings()).await;
        self.await_version(1).await;
        self.await_version(2).await;
    }

    /// The first deployment ever: `web-1` on the first target group.
    async fn set_service_up(&mut self) {
        self.apply(&(service_manifests::pod_template(1) + &service_manifests::pod_template(2))).await;
        self.apply(&service_manifests::routes(&self.host)).await;
        self.apply(&service_manifests::settings()).await;
        self.apply(&service_manifests::group("CodeDeployDefault.ECSAllAtOnce", service_manifests::SOON, ""))
            .await;
        self.apply(&manifests::deployment("first", &service_manifests::app_spec(1, &[]), "")).await;
        self.phase("first", "Succeeded").await;
    }

    /// Sends load once the route is served, and takes the route as it must look in the end.
    pub async fn begin_load(&mut self) {
        let load = Load::start(&self.production, &self.host, self.name).await;
        self.load = Some(load);
        self.route = self.get(ROUTE, "hello").await;
    }

    /// Sends load to an address of the cluster's network itself, past the gateway, once somebody answers there.
    pub async fn begin_load_inside(&mut self, url: &str) {
        self.load = Some(Load::start(url, &self.host, self.name).await);
    }

    /// Ends the load for a while in which no request could be answered.
    pub async fn pause_load(&mut self) {
        self.load.take().expect("the load runs").stop().await.is_lossless();
    }

    /// Sends load again once the route is served.
    pub async fn resume_load(&mut self) {
        self.load = Some(Load::start(&self.production, &self.host, self.name).await);
    }

    /// Takes the route as it is now for what it must look like in the end.
    pub async fn remember_route(&mut self) {
        self.route = self.get(ROUTE, "hello").await;
    }

    /// Waits until a version's pods are ready.
    pub async fn await_version(&self, version: u32) {
        let is_ready = |w: &Value| w.pointer("/status/readyReplicas").is_some_and(|n| *n == 1);
        self.until(WORKLOAD, &format!("hello-{version}"), "the version's pod is ready", is_ready).await;
    }

    /// A client's view of one kind in this namespace.
    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        api(&self.client, &self.namespace, kind)
    }

    /// Applies manifests by server-side apply.
    pub async fn apply(&self, yaml: &str) {
        self.try_apply(yaml).await.unwrap_or_else(|e| panic!("{e}\n{yaml}"));
    }

    /// Applies manifests; the API server may refuse.
    pub async fn try_apply(&self, yaml: &str) -> kube::Result<()> {
        let yaml = &yaml.replace("NAMESPACE", &self.namespace);
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        for document in documents.into_iter().filter(|d| !d.is_null()) {
            let object: DynamicObject = serde_json::from_value(document.clone()).expect("a manifest");
            let types = object.types.clone().expect("apiVersion and kind");
            let (version, kind) = (types.api_version.leak(), types.kind.leak());
            let params = PatchParams::apply("story").force();
            self.api((version, kind)).patch(&object.name_any(), &params, &Patch::Apply(&document)).await?;
        }
        Ok(())
    }

    /// Runs the plugin as `kubectl sluice ...` in this namespace; answers what it prints.
    pub async fn plugin(&self, arguments: &[&str]) -> String {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"));
        let output =
            command.args(["-n", &self.namespace]).args(arguments).output().await.expect("the plugin");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "kubectl sluice {arguments:?}: {said}");
        said
    }

    /// Patches an object by a merge patch, as `kubectl patch --type=merge` does.
    pub async fn patch(&self, kind: Kind, name: &str, patch: &Value) -> Value {
        self.try_patch(kind, name, patch).await.unwrap_or_else(|e| panic!("{} {name}: {e}", kind.1))
    }

    /// Patches an object; the API server may refuse.
    pub async fn try_patch(&self, kind: Kind, name: &str, patch: &Value) -> kube::Result<Value> {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(|p| value(&p))
    }

    /// Patches an object by a JSON patch, as `kubectl patch --type=json` does.
    pub async fn edit(&self, kind: Kind, name: &str, operations: Value) -> Value {
        let patch: json_patch::Patch = serde_json::from_value(operations).expect("a JSON patch");
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await;
        value(&patched.unwrap_or_else(|e| panic!("{} {name}: {e}", kind.1)))
    }

    /// Deletes an object, without waiting for it to go.
    pub async fn delete(&self, kind: Kind, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// An object as it is.
    pub async fn get(&self, kind: Kind, name: &str) -> Value {
        value(&self.api(kind).get(name).await.unwrap_or_else(|e| panic!("{} {name}: {e}", kind.1)))
    }

    /// All objects of a kind.
    pub async fn list(&self, kind: Kind) -> Vec<Value> {
        let found = self.api(kind).list(&ListParams::default()).await;
        found.unwrap_or_else(|e| panic!("{}: {e}", kind.1)).items.iter().map(value).collect()
    }

    /// The Events of an object, in no order.
    pub async fn events(&self, kind: Kind, name: &str) -> Vec<Value> {
        let uid = self.get(kind, name).await["metadata"]["uid"].clone();
        self.list(EVENT).await.into_iter().filter(|e| e["regarding"]["uid"] == uid).collect()
    }

    /// Waits until an object is so; answers it.
    pub async fn until(&self, kind: Kind, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(&self.api(kind), kind, name, what, |found| found.is_some_and(&is_so)).await.unwrap_or_default()
    }

    /// [`Self::until`] for what takes minutes by design.
    pub async fn until_long(
        &self,
        kind: Kind,
        name: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let is_so = |found: Option<&Value>| found.is_some_and(&is_so);
        until_within(LONG, &self.api(kind), kind, name, what, is_so).await.unwrap_or_default()
    }

    /// Waits until a Deployment has that phase.
    pub async fn phase(&self, name: &str, phase: &str) -> Value {
        self.until(DEPLOYMENT, name, phase, |d| d["status"]["phase"] == *phase).await
    }

    /// Waits until the recorded step of a Deployment has that weight.
    pub async fn step(&self, name: &str, weight: i64) -> Value {
        let has_step = |d: &Value| checks::steps(d).iter().any(|s| s.weight == weight);
        self.until(DEPLOYMENT, name, &format!("a step to {weight} %"), has_step).await
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, kind: Kind, name: &str) {
        until(&self.api(kind), kind, name, "it is gone", |found| found.is_none()).await;
    }

    /// Waits until the controller holds on to no ended Deployment any more.
    pub async fn released(&self, name: &str) -> Value {
        let is_free = |d: &Value| checks::has_ended(d) && d["metadata"].get("finalizers").is_none();
        self.until(DEPLOYMENT, name, "it ended and its finalizer is gone", is_free).await
    }

    /// Lets the load run on for whole seconds of a state that is to be measured.
    pub async fn measure(&self, seconds: u64) -> (Timestamp, Timestamp) {
        let from = Timestamp::now();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        (from, Timestamp::now())
    }

    /// Ends the load and checks what holds in every story; answers what the load saw.
    ///
    /// `serving`: the version that must serve all, with the route otherwise as it was; `None` where the story leaves a split.
    pub async fn end(&mut self, serving: Option<u32>) -> Summary {
        let service = serving.map(|version| format!("hello-{version}"));
        self.end_on(service.as_deref(), serving).await
    }

    /// Ends the load and checks what holds in every story: that Service has all the weight, that version answers.
    pub async fn end_on(&mut self, service: Option<&str>, serving: Option<u32>) -> Summary {
        self.end_judged(service, serving, Summary::is_lossless).await
    }

    /// The same where requests may be lost: `judge` says which.
    pub async fn end_judged(
        &mut self,
        service: Option<&str>,
        serving: Option<u32>,
        judge: impl FnOnce(&Summary),
    ) -> Summary {
        let (begun, ended) = self.measure(5).await;
        let load = self.load.take().expect("the load runs").stop().await;
        judge(&load);
        let mut lateness = vec![];
        for deployment in self.list(DEPLOYMENT).await {
            let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
            let deployment = self.released(name).await;
            checks::steps_are_in_time(&deployment);
            checks::is_rounded_off(&deployment);
            lateness.extend(checks::latest(&deployment));
            let events = self.events(DEPLOYMENT, name).await;
            let reasons: Vec<_> = events.iter().map(|e| &e["reason"]).collect();
            assert!(events.len() <= 6, "{name} has more than 6 Events: {reasons:?}");
        }
        let route = self.get(ROUTE, "hello").await;
        checks::route_is_as_before(&self.route, &route, service);
        if let Some(late) = lateness.iter().max() {
            println!(
                "       {}: {} of {} requests lost; latest step {} ms after it was due",
                self.name,
                load.lost(),
                load.total,
                late.as_millis()
            );
        }
        if let Some(version) = serving {
            load.all_on(version, (begun + 2 * LAG, ended));
        }
        load
    }

    /// Ends a load that no route leads: none of it was lost, and that version answers all of it.
    pub async fn end_unrouted(&mut self, serving: u32) -> Summary {
        let (begun, ended) = self.measure(5).await;
        let load = self.load.take().expect("the load runs").stop().await;
        load.is_lossless();
        load.all_on(serving, (begun + 2 * LAG, ended));
        println!("       {}: none of {} requests lost", self.name, load.total);
        load
    }

    /// Checks that the weights of a Deployment's pair moved only forward, in every rule alike.
    pub fn moved_forward(&self, replacement: u32) {
        self.record.moved_forward(replacement);
    }
}

/// An object as JSON.
pub fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).expect("an object")
}

/// Waits, by a watch, until an object (or its absence) is so; panics past the deadline with what was last seen.
pub async fn until(
    api: &Api<DynamicObject>,
    kind: Kind,
    name: &str,
    what: &str,
    is_so: impl Fn(Option<&Value>) -> bool,
) -> Option<Value> {
    until_within(DEADLINE, api, kind, name, what, is_so).await
}

async fn until_within(
    deadline: Duration,
    api: &Api<DynamicObject>,
    kind: Kind,
    name: &str,
    what: &str,
    is_so: impl Fn(Option<&Value>) -> bool,
) -> Option<Value> {
    let mut last = None;
    let seen = async {
        let mut changes = watcher::watch_object(api.clone(), name).default_backoff().boxed();
        while let Some(change) = changes.next().await {
            let Ok(object) = change else { continue };
            last = object.as_ref().map(value);
            if is_so(last.as_ref()) {
                return last.clone();
            }
        }
        panic!("the watch of {} {name} ended", kind.1)
    };
    let seen = tokio::time::timeout(deadline, seen).await;
    seen.unwrap_or_else(|_| {
        let last = last.map(|l| serde_json::to_string_pretty(&l["status"]).unwrap_or_default());
        panic!(
            "{} {name}: {what}: not within {deadline:?}; its status: {}",
            kind.1,
            last.unwrap_or("it is not there".into())
        )
    })
}
