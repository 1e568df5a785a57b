//! What a fleet of agents costs, at rest and while it is deployed to: `BENCH=swarm make bench`, with `HOSTS=1000`.
//!
//! Every agent is the product's own (`agent::run`), with an account, a token and a connection of its own; on its host each event
//! ends well at once (`Configured::idle`). The controller is the program in the image. The budget: see `broken`.

mod fleet;
mod table;
mod tally;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Client;

use crate::audit::Window;
use crate::process::{Controller, Memory};
use crate::rbac::ApiServer;
use crate::report;
use crate::server::Server;
use crate::settings::{Settings, number};
use fleet::Fleet;
use tally::Tally;

/// The marks in docs/benchmarks.md behind which the figures go: of at most [`ORDINARY`] hosts, and of more.
const BEGIN: [&str; 2] = [
    "<!-- swarm: begin (written by BENCH=swarm make bench) -->",
    "<!-- large swarm: begin (written by BENCH=swarm HOSTS=5000 make bench) -->",
];
/// Hosts that a bench has unless told otherwise.
const ORDINARY: usize = 1_000;
/// Writes that a host may cost in a deployment, whoever makes them.
const WRITES: usize = 3;
/// Writes that a deployment may cost beside, however many hosts it has: its own creation, beginning and end, its group's, Events.
const FIXED: usize = 12;
/// The configuration under which each write waits for the one before.
const TURNS: &str = "OneAtATime";
/// What trails behind an end is over then.
const TRAILING: Duration = Duration::from_secs(3);

/// How large a swarm is.
#[derive(Copy, Clone)]
pub struct Size {
    /// All hosts.
    pub hosts: usize,
    /// At most so many of them in one namespace.
    pub per_namespace: usize,
    /// Those that take turns one at a time.
    pub few: usize,
}

impl Size {
    fn from_environment() -> Self {
        let hosts = number("HOSTS", ORDINARY);
        Self { hosts, per_namespace: number("NAMESPACE", 1_000), few: number("FEW", 200).min(hosts) }
    }

    /// How many namespaces there are.
    pub fn namespaces(self) -> usize {
        self.hosts.div_ceil(self.per_namespace)
    }
}

/// A course of the run.
pub struct Phase {
    /// What it is called.
    pub name: &'static str,
    /// The hosts that it was about.
    pub hosts: usize,
    /// Its Deployments; none for courses that deploy nothing.
    pub deployments: usize,
    /// When it was.
    window: Window,
    /// From the first request of it to the end of the last host.
    pub wall: Duration,
    /// What it would have taken if nothing but its writes took time.
    pub ideal: Option<Duration>,
    /// CPU of the controller, of the API server, and of this process, which is all agents.
    pub cpu: [Duration; 3],
    /// What etcd counted.
    pub puts: u64,
    /// The controller's memory at its end.
    pub memory: Memory,
    /// What the API server's log has of it.
    pub tally: Tally,
}

/// What the API server's memory was, in KiB: what it has of the system, and what of it lives, which its collector knows.
#[derive(Copy, Clone)]
pub struct Footprint {
    /// RssAnon.
    pub own: u64,
    /// Half of the size at which Go collects next: what was alive when it did last.
    pub alive: u64,
}

/// How it grew.
#[derive(Copy, Clone)]
pub struct Grown {
    /// Before anything was there.
    pub empty: Footprint,
    /// With every host's objects.
    pub registered: Footprint,
    /// With every agent connected, after a rest.
    pub connected: Footprint,
}

/// All that was measured.
pub struct Measured {
    /// How large it was.
    pub size: Size,
    /// One after the other.
    pub phases: Vec<Phase>,
    /// The API server's memory.
    pub grown: Grown,
    /// A write that waits for the one before (p50).
    pub trip: Duration,
    /// Writes in a second, many under way at once.
    pub rate: f64,
}

/// Measures, prints, and says which budgets were broken.
pub async fn run(settings: &Settings, server: &Server) -> Vec<String> {
    let size = Size::from_environment();
    let mut measured = measure(settings, server, size).await;
    for phase in &mut measured.phases {
        phase.tally = Tally::of(&server.folder().join("audit.log"), phase.window);
    }
    let table = table::of(&measured);
    println!("{table}");
    if settings.writes_docs {
        report::write_into_docs(BEGIN[usize::from(size.hosts > ORDINARY)], &table);
    }
    broken(&measured)
}

async fn measure(settings: &Settings, server: &Server, size: Size) -> Measured {
    let client = server.client().await;
    server.install(&client).await;
    let api_server = ApiServer::of(server.folder());
    let controller = Controller::start(settings, server, &client).await;
    let empty = footprint(&client, &api_server).await;
    crate::say(&format!("registering {} hosts in {} namespaces", size.hosts, size.namespaces()));
    let mut fleet = Fleet::register(&client, server.folder(), size).await;
    let registered = footprint(&client, &api_server).await;
    let mut stage = Stage { server, client: &client, controller, api_server, phases: vec![], size };
    crate::say("the agents connect");
    stage.during("connect", size.hosts, 0, fleet.connect()).await;
    crate::say(&format!("at rest for {:?}", settings.idle));
    stage.during("at rest", size.hosts, 0, fleet.rest(settings.idle)).await;
    let connected = footprint(&client, &stage.api_server).await;
    fleet.make_groups().await;
    let trip = fleet.round_trip().await;
    let rate = fleet.writes_per_second().await;
    tokio::time::sleep(TRAILING).await;
    let both = Duration::from_secs_f64(2.0 * size.hosts as f64 / rate);
    let turns = trip * u32::try_from(3 * size.few).expect("a number");
    for (name, hosts, ideal) in
        [("AllAtOnce", size.hosts, both), ("HalfAtATime", size.hosts, both), (TURNS, size.few, turns)]
    {
        crate::say(&format!("{name} on {hosts} hosts"));
        let deployments = if name == TURNS { 1 } else { size.namespaces() };
        stage.during(name, hosts, deployments, fleet.deploy(name)).await;
        fleet.keeps_all_events(name, hosts).await;
        if let Some(phase) = stage.phases.last_mut() {
            phase.ideal = Some(ideal);
        }
    }
    fleet.is_whole();
    stage.controller.stop().await;
    let grown = Grown { empty, registered, connected };
    Measured { size, phases: stage.phases, grown, trip, rate }
}

/// The API server's memory now, by the kernel and by its own metrics.
async fn footprint(client: &Client, api_server: &ApiServer) -> Footprint {
    let request = http::Request::get("/metrics").body(Vec::new()).expect("a request");
    let metrics = client.request_text(request).await.expect("metrics");
    let line = metrics.lines().find_map(|l| l.strip_prefix("go_memstats_next_gc_bytes "));
    let next: f64 = line.and_then(|n| n.parse().ok()).expect("Go says when it collects next");
    Footprint { own: api_server.memory(), alive: (next / 2.0 / 1024.0) as u64 }
}

/// Where the courses run.
struct Stage<'a> {
    server: &'a Server,
    client: &'a Client,
    controller: Controller,
    api_server: ApiServer,
    phases: Vec<Phase>,
    size: Size,
}

impl Stage<'_> {
    /// Measures what happens while `work` is done, and a moment longer.
    async fn during(
        &mut self,
        name: &'static str,
        hosts: usize,
        deployments: usize,
        work: impl Future<Output = ()>,
    ) {
        let (from, puts, before) = (Timestamp::now(), self.server.etcd_puts().await, self.cpu());
        let begun = Instant::now();
        self.controller.during(work).await;
        let wall = begun.elapsed();
        if deployments > 0 {
            let settled = fleet::groups_are_settled(self.client, self.size);
            self.controller.during(settled).await;
        }
        tokio::time::sleep(TRAILING).await;
        let after = self.cpu();
        self.phases.push(Phase {
            name,
            hosts,
            deployments,
            wall,
            ideal: None,
            cpu: std::array::from_fn(|i| after[i].saturating_sub(before[i])),
            puts: self.server.etcd_puts().await - puts,
            window: Window { from, until: Timestamp::now() },
            memory: self.controller.memory(),
            tally: Tally::default(),
        });
        crate::say(&format!("{name}: {wall:?}"));
    }

    fn cpu(&self) -> [Duration; 3] {
        [self.controller.cpu(), self.api_server.cpu(), self.controller.cpu_of_bench()]
    }
}

/// What was counted and is more than it may be.
fn broken(measured: &Measured) -> Vec<String> {
    let mut broken = Vec::new();
    for phase in &measured.phases {
        let (name, tally) = (phase.name, &phase.tally);
        if tally.most_of_one_host > WRITES {
            broken
                .push(format!("{name}: {} writes of one Instance, {WRITES} at most", tally.most_of_one_host));
        }
        let (writes, allowed) = (tally.writes(), WRITES * phase.hosts + FIXED * phase.deployments);
        if phase.deployments > 0 && writes > allowed {
            broken.push(format!(
                "{name}: {writes} writes, {allowed} at most ({WRITES} a host, {FIXED} a Deployment)"
            ));
        }
        if phase.name != "connect" && tally.reads() > 0 {
            broken.push(format!("{name}: {} GETs and LISTs, none allowed", tally.reads()));
        }
        if phase.name == "at rest" && writes > 0 {
            broken.push(format!("{name}: {writes} writes beside heartbeats, none allowed"));
        }
    }
    broken
}
