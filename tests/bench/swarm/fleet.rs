//! The hosts: registered as `kubectl sluice register` does it, each with the product's own agent in this process; and what is deployed to them.
//!
//! What an agent keeps on its host's disk lies in memory (`/dev/shm`): a thousand disks are not this machine's one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use sluice::agent::{self, Configured, Run};
use tokio::task::JoinSet;

use super::{Size, TURNS};
use crate::objects::{AT_ONCE, all, group_is_settled, own, post, resource};
use crate::rbac;
use crate::report::at;

/// Agents that begin together; the next ones when these are heard of. Each opens a few connections at first.
const WAVE: usize = 250;
/// How long a course may take.
const DEADLINE: Duration = Duration::from_secs(1_800);
/// Writes one after the other, and writes with [`AT_ONCE`] under way.
const TRIPS: usize = 200;
/// The group of all hosts of a namespace.
const ALL: &str = "all";
/// The group of those that take turns.
const FEW: &str = "few";

/// All hosts and their agents.
pub struct Fleet {
    client: Client,
    size: Size,
    /// What `kubectl sluice register` prints of the API server.
    cluster: Value,
    disks: Disks,
    agents: JoinSet<()>,
}

/// The hosts' disks; they go with this value.
struct Disks(PathBuf);

impl Drop for Disks {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Fleet {
    /// Makes every host's objects.
    pub async fn register(client: &Client, folder: &Path, size: Size) -> Self {
        for number in 0..size.namespaces() {
            let kind = resource("v1", "Namespace", "namespaces");
            post(client, None, &kind, &namespace(number), json!({})).await;
        }
        let register = |index: usize| {
            let turn = if index < size.few { "few" } else { "no" };
            let tags = json!({"env": "prod", "turn": turn});
            async move { rbac::register(client, &namespace(index / size.per_namespace), index, tags).await }
        };
        stream::iter(0..size.hosts).for_each_concurrent(AT_ONCE, register).await;
        let kubeconfig = fs::read_to_string(folder.join("kubeconfig")).expect("a kubeconfig");
        let kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).expect("a kubeconfig");
        let disks = Disks(PathBuf::from(format!("/dev/shm/sluice-swarm-{}", std::process::id())));
        let cluster = kubeconfig["clusters"][0]["cluster"].clone();
        Self { client: client.clone(), size, cluster, disks, agents: JoinSet::new() }
    }

    /// Starts every agent, and waits until all are heard of and have said who they are.
    pub async fn connect(&mut self) {
        for first in (0..self.size.hosts).step_by(WAVE) {
            let last = (first + WAVE).min(self.size.hosts);
            for index in first..last {
                let configured = self.configured(index).await;
                self.agents.spawn(async move {
                    let ended = agent::run(&configured, std::future::pending()).await;
                    eprintln!("bench: an agent ended: {:?}", ended.err().map(|e| e.to_string()));
                });
            }
            all(&self.client, &own("Instance", "instances"), last, DEADLINE, is_up).await;
        }
    }

    /// What `kubectl sluice register` would have printed for that host, read by the agent; on the host nothing is done.
    async fn configured(&self, index: usize) -> Configured {
        let namespace = namespace(index / self.size.per_namespace);
        let root = self.disks.0.join(rbac::host(index));
        fs::create_dir_all(&root).expect("a folder");
        let config = json!({
            "server": self.cluster["server"],
            "certificateAuthorityData": self.cluster["certificate-authority-data"],
            "certificateAuthority": self.cluster["certificate-authority"],
            "namespace": namespace, "name": rbac::host(index),
            "token": rbac::token_of(&self.client, &namespace, index).await,
        });
        let path = root.join("config.yaml");
        fs::write(&path, config.to_string()).expect("a file");
        let flags = Run { config: Some(path), root_dir: Some(root) };
        Configured::read(&flags).unwrap_or_else(|error| panic!("{error}")).idle()
    }

    /// Does nothing for a while.
    pub async fn rest(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }

    /// Panics when an agent has ended: nobody told it to.
    pub fn is_whole(&mut self) {
        assert!(self.agents.try_join_next().is_none(), "an agent ended in the run");
    }

    /// A group of all hosts in each namespace, and one of those that take turns.
    pub async fn make_groups(&self) {
        for number in 0..self.size.namespaces() {
            let namespace = namespace(number);
            let application = json!({"spec": {"computePlatform": "Server"}});
            post(&self.client, Some(&namespace), &own("Application", "applications"), "shop", application)
                .await;
            self.make_group(&namespace, ALL, "env", "prod").await;
            if number == 0 {
                self.make_group(&namespace, FEW, "turn", "few").await;
            }
        }
        let are_ready = |group: &DynamicObject| group_is_settled(group, false);
        let count = self.size.namespaces() + 1;
        all(&self.client, &own("DeploymentGroup", "deploymentgroups"), count, DEADLINE, are_ready).await;
    }

    async fn make_group(&self, namespace: &str, name: &str, key: &str, value: &str) {
        let tag = json!({"key": key, "value": value, "type": "KeyAndValue"});
        let spec = json!({"applicationRef": {"name": "shop"}, "server": {"tagSets": [[tag]]}});
        let kind = own("DeploymentGroup", "deploymentgroups");
        post(&self.client, Some(namespace), &kind, name, json!({"spec": spec})).await;
    }

    /// Deploys by that configuration, and waits until all hosts have succeeded.
    pub async fn deploy(&self, config: &'static str) {
        let kind = own("Deployment", "deployments");
        let (group, count) = match config {
            TURNS => (FEW, 1),
            _ => (ALL, self.size.namespaces()),
        };
        for number in 0..count {
            let http = json!({"url": "https://bundles.example/shop.tgz", "sha256": "5".repeat(64)});
            let spec = json!({
                "deploymentGroupRef": {"name": group},
                "deploymentConfigName": format!("CodeDeployDefault.{config}"),
                "revision": {"http": http},
            });
            let name = config.to_lowercase();
            post(&self.client, Some(&namespace(number)), &kind, &name, json!({"spec": spec})).await;
        }
        let name = config.to_lowercase();
        let has_succeeded = move |d: &DynamicObject| {
            let phase = &d.data["status"]["phase"];
            let is_ours = d.metadata.name.as_deref() == Some(&name);
            assert!(
                !is_ours || (phase != "Failed" && phase != "Stopped"),
                "{config}: {:#}",
                d.data["status"]
            );
            is_ours && phase == "Succeeded"
        };
        all(&self.client, &kind, count, DEADLINE, has_succeeded).await;
    }

    /// Panics unless every host has told of every event that it succeeded.
    pub async fn keeps_all_events(&self, config: &str, hosts: usize) {
        let (api, name) = (self.instances(None), config.to_lowercase());
        let found = api.list(&ListParams::default()).await.expect("Instances").items;
        let is_whole = |instance: &&DynamicObject| {
            let said = instance.data["status"]["assignments"].as_array().cloned().unwrap_or_default();
            let said = said.into_iter().find(|a| a["deployment"] == *name).unwrap_or_default();
            let events = said["events"].as_array().cloned().unwrap_or_default();
            events.len() == 7 && events.iter().all(|e| e["status"] == "Succeeded" && e["endTime"].is_string())
        };
        let whole = found.iter().filter(is_whole).count();
        assert_eq!(whole, hosts, "{config}: hosts that have told of all seven events");
    }

    fn instances(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        let kind = own("Instance", "instances");
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &kind),
            None => Api::all_with(self.client.clone(), &kind),
        }
    }

    /// A write of an Instance that says nothing to anybody, but is told to all who watch it.
    async fn write(&self, index: usize, text: &str) {
        let api = self.instances(Some(&namespace(index / self.size.per_namespace)));
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"bench": text}}}));
        api.patch(&rbac::host(index), &PatchParams::default(), &patch).await.expect("a write");
    }

    /// What one takes that waits for the one before (p50).
    pub async fn round_trip(&self) -> Duration {
        crate::say("measuring one write round trip");
        let mut trips = Vec::new();
        for round in 0..TRIPS {
            let begun = Instant::now();
            self.write(round % self.size.hosts, &format!("trip {round}")).await;
            trips.push(begun.elapsed());
        }
        trips.sort();
        at(&trips, 0.5)
    }

    /// How many are done in a second with [`AT_ONCE`] under way: one to each host.
    pub async fn writes_per_second(&self) -> f64 {
        crate::say("measuring writes in a second");
        let begun = Instant::now();
        stream::iter(0..self.size.hosts)
            .for_each_concurrent(AT_ONCE, |index| self.write(index, "rate"))
            .await;
        self.size.hosts as f64 / begun.elapsed().as_secs_f64()
    }
}

/// Waits until no group holds a grant.
pub async fn groups_are_settled(client: &Client, size: Size) {
    let are_settled = |group: &DynamicObject| group_is_settled(group, false);
    let count = size.namespaces() + 1;
    all(client, &own("DeploymentGroup", "deploymentgroups"), count, DEADLINE, are_settled).await;
}

/// True for a host that is heard of and whose agent has said who it is.
fn is_up(instance: &DynamicObject) -> bool {
    let status = &instance.data["status"];
    let conditions = status["conditions"].as_array();
    let is_heard =
        conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"));
    is_heard && status["agent"]["sealingKey"].is_string()
}

fn namespace(number: usize) -> String {
    format!("swarm-{number}")
}
