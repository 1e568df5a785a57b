//! What a service deployment costs, and what the same costs with Argo Rollouts: each on an API server of its own, one after the other.
//!
//! The same work for all: so many services with pods of their own, each of which is given a new version. Nodes and pods are KWOK's, ReplicaSets and
//! EndpointSlices the controller manager's, the gateway is played by the bench. `BENCH=service make bench`, with
//! `N=100 REPLICAS=2 STEPS=5 INTERVAL=5s IDLE=30s` as its parameters; `ONLY=Sluice` runs those with that in their name.

mod argo;
mod contender;
mod pods;
mod report;
mod sluice;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::audit::{Log, Window};
use crate::objects::{post, resource};
use crate::process::Memory;
use crate::report::{machine, write_into_docs};
use crate::say;
use crate::server::Server;
use crate::settings::Settings;
use contender::Contender;

/// How long the old version's pods stand after the last of the traffic has moved, with everybody.
pub const SCALE_DOWN_DELAY: &str = "10s";
/// How long a whole phase may take: longer than the slowest contender needs for 500 on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// In so long etcd sees next to no write once nothing is left to do.
const LULL: Duration = Duration::from_secs(6);
/// What it may still see: Leases.
const LEASES: u64 = 15;
/// Nodes that the pods are spread over.
const NODES: usize = 5;
const BEGIN: &str = "<!-- services: begin (written by BENCH=service make bench) -->";

/// What one contender's run left behind.
pub struct Outcome {
    /// Who it was.
    pub contender: Contender,
    /// Its requests.
    pub log: Log,
    /// While nothing had to be done.
    pub idle: Window,
    /// From the first new version to the last one's end.
    pub busy: Window,
    /// CPU time while idle and while busy.
    pub cpu: (Duration, Duration),
    /// Memory at the end.
    pub memory: Memory,
    /// Writes that etcd saw while idle and while busy, whoever asked for them.
    pub puts: (u64, u64),
    /// From asking for the new version to its end, in order of length.
    pub lengths: Vec<Duration>,
}

/// When something was asked for, or was done, by namespace and name of the group.
pub type Times = BTreeMap<(String, String), Instant>;

/// Measures everybody. Answers the lines of Sluice's budget that were broken.
pub fn run(settings: &Settings, runtime: &Runtime) -> Vec<String> {
    let is_asked = |c: &Contender| settings.only.as_ref().is_none_or(|part| c.name().contains(part));
    let outcomes: Vec<Outcome> = contender::ALL
        .into_iter()
        .filter(is_asked)
        .map(|contender| {
            say(&format!("{}, {} services", contender.name(), settings.deployments));
            let server = Server::start_with_pods(&settings.folder.join("service"));
            let outcome = runtime.block_on(measure(settings, &server, contender));
            println!("{}\n", report::detail(settings, &outcome));
            outcome
        })
        .collect();
    let table = report::table(settings, &outcomes);
    println!("{table}");
    if settings.writes_docs && settings.only.is_none() {
        let (command, own, others) = (report::command(settings), env!("CARGO_PKG_VERSION"), argo::version());
        let figures = format!("`{command}`, Sluice {own}, Argo Rollouts {others}, {}\n\n{table}", machine());
        write_into_docs(BEGIN, &figures);
    }
    outcomes.iter().flat_map(|o| report::broken(settings, o)).collect()
}

async fn measure(settings: &Settings, server: &Server, contender: Contender) -> Outcome {
    let client = server.client().await;
    nodes(&client).await;
    contender.install(server, &client).await;
    contender.create(&client, settings).await;
    let gateway = tokio::spawn(crate::gateway::play_if_there(client.clone()));
    let mut controller = contender.start(settings, server, &client).await;
    controller
        .during(async {
            contender.settle_first(&client, settings).await;
            calm(server).await;
        })
        .await;
    say(&format!("idle for {:?}", settings.idle));
    let (idle_from, idle_cpu, idle_puts) = (Timestamp::now(), controller.cpu(), server.etcd_puts().await);
    tokio::time::sleep(settings.idle).await;
    let (busy_from, busy_cpu, busy_puts) = (Timestamp::now(), controller.cpu(), server.etcd_puts().await);
    say(&format!("{} new versions, spread over {:?}", settings.deployments, settings.interval));
    let work = async {
        let update = async {
            let asked = contender.update(&client, settings).await;
            (asked, contender.settle_second(&client, settings).await)
        };
        let ((asked, said), gone) = tokio::join!(update, pods::old_are_gone(&client, settings));
        calm(server).await;
        lengths(&asked, &[said, gone])
    };
    let lengths = controller.during(work).await;
    let puts = (busy_puts - idle_puts, server.etcd_puts().await - busy_puts);
    let cpu = (busy_cpu - idle_cpu, controller.cpu() - busy_cpu);
    let (until, memory) = (Timestamp::now(), controller.memory());
    controller.stop().await;
    gateway.abort();
    Outcome {
        contender,
        log: Log::read(&server.folder().join("audit.log"), contender.user()),
        idle: Window { from: idle_from, until: busy_from },
        busy: Window { from: busy_from, until },
        cpu,
        memory,
        puts,
        lengths,
    }
}

/// Waits until nothing is written any more: Events trail behind, as clients send few of them at once.
async fn calm(server: &Server) {
    let mut before = server.etcd_puts().await;
    loop {
        tokio::time::sleep(LULL).await;
        let now = server.etcd_puts().await;
        if now - before <= LEASES {
            return;
        }
        before = now;
    }
}

/// From what was asked for to the last of what makes it over.
fn lengths(asked: &Times, over: &[Times]) -> Vec<Duration> {
    let last = |key| over.iter().map(|times| times[key]).max().expect("something makes it over");
    let mut lengths: Vec<Duration> = asked.iter().map(|(key, at)| last(key).duration_since(*at)).collect();
    lengths.sort();
    lengths
}

/// Nodes that KWOK takes for its own.
async fn nodes(client: &Client) {
    for index in 0..NODES {
        post(client, None, &resource("v1", "Node", "nodes"), &node(index), json!({})).await;
    }
}

/// The node of a group's pods: bound by the template, as placing pods is not what is measured.
pub fn node(index: usize) -> String {
    format!("kwok-{}", index % NODES)
}

/// A version's image.
pub fn image(version: usize) -> String {
    format!("web:{version}")
}

/// A pod template of a version.
pub fn template(index: usize, name: &str, version: usize) -> serde_json::Value {
    let container = json!({
        "name": "web",
        "image": image(version),
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    });
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"nodeName": node(index), "containers": [container]},
    })
}
