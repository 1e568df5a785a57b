//! What a Deployment costs: requests by verb and resource, CPU, memory, and how late a step is, on a real API server.
//!
//! The controller runs as the program that is in the image, with its own account and the chart's rights; `gateway` plays the gateway's part
//! (route status, nothing else); `audit` reads who asked for what, and when, from the API server's own log; `report` holds the
//! budget. `make bench`, with `N=500 STEPS=10 INTERVAL=5s IDLE=60s` as its parameters; `BENCH_STRICT=1` also holds the budgets
//! that depend on a quiet machine (CPU, memory, lateness). Ends with 1 when a budget is broken.
//!
//! `BENCH=rbac` measures something else: what hosts that are registered cost the API server (`rbac`). `BENCH=install` does without one: what
//! an agent costs a host that it deploys a bundle to (`install`). `BENCH=service`: what service deployments cost, beside Argo Rollouts (`service`).
//! `BENCH=swarm`: what a fleet of agents costs, at rest and while it is deployed to (`swarm`).

#![allow(clippy::expect_used, clippy::unwrap_used)] // a bench that cannot go on fails
#![allow(clippy::disallowed_methods)] // it measures time by the clock
#![allow(missing_docs)]

mod audit;
mod gateway;
mod install;
mod light;
mod objects;
mod process;
mod rbac;
mod report;
mod server;
mod service;
mod settings;
mod swarm;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;

use settings::Settings;

fn main() -> ExitCode {
    if std::env::var("BENCH").is_ok_and(|bench| bench == "install") {
        return install::run();
    }
    rustls::crypto::ring::default_provider().install_default().expect("no provider was installed before");
    let settings = Settings::from_environment();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if settings.is_of_services {
        return end(service::run(&settings, &runtime));
    }
    let server = server::Server::start(&settings.folder);
    if settings.is_of_rbac {
        runtime.block_on(rbac::run(&settings, &server));
        return ExitCode::SUCCESS;
    }
    if settings.is_of_swarm {
        return end(runtime.block_on(swarm::run(&settings, &server)));
    }
    let measured = runtime.block_on(measure(&settings, &server));
    drop(server);
    let figures = report::Figures::of(&settings, &measured);
    println!("{}", figures.table());
    figures.write_into_docs(&settings);
    end(figures.broken(&settings))
}

/// Says which lines of the budget were broken.
fn end(broken: Vec<String>) -> ExitCode {
    broken.iter().for_each(|budget| eprintln!("budget broken: {budget}"));
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What one run left behind.
pub struct Measured {
    /// A write round trip of one client that waits for each answer, in order of length.
    pub light: Vec<Duration>,
    /// The controller's requests in the whole run, in the API server's own words.
    pub log: audit::Log,
    /// While nothing had to be done.
    pub idle: audit::Window,
    /// From the first Deployment to the last group's end.
    pub busy: audit::Window,
    /// CPU time while idle and while busy.
    pub cpu: (Duration, Duration),
    /// Memory before the first Deployment and at the end.
    pub memory: (process::Memory, process::Memory),
}

async fn measure(settings: &Settings, server: &server::Server) -> Measured {
    let client = server.client().await;
    server.install(&client).await;
    world::create(&client, settings).await;
    let playing = tokio::spawn(gateway::play(client.clone()));
    let light = light::round_trips(&client).await;
    say("starting the controller");
    let mut controller = process::Controller::start(settings, server, &client).await;
    let settle = async {
        world::groups_are_settled(&client, settings, false).await;
        world::warm_up(&client, settings).await;
    };
    controller.during(settle).await;
    say(&format!("idle for {:?}", settings.idle));
    let (idle_from, idle_cpu) = (Timestamp::now(), controller.cpu());
    tokio::time::sleep(settings.idle).await;
    let (busy_from, busy_cpu) = (Timestamp::now(), controller.cpu());
    let memory_before = controller.memory();
    say(&format!("{} deployments, their starts spread over {:?}", settings.deployments, settings.interval));
    let work = async {
        world::deploy(&client, settings).await;
        world::groups_are_settled(&client, settings, true).await;
    };
    controller.during(work).await;
    let cpu = (busy_cpu - idle_cpu, controller.cpu() - busy_cpu);
    let (until, memory) = (Timestamp::now(), (memory_before, controller.memory()));
    controller.stop().await;
    if let Some(Err(gone)) = playing.now_or_never() {
        panic!("the gateway's player ended: {gone}");
    }
    Measured {
        light,
        log: audit::Log::read(&settings.folder.join("audit.log"), server::CONTROLLER),
        idle: audit::Window { from: idle_from, until: busy_from },
        busy: audit::Window { from: busy_from, until },
        cpu,
        memory,
    }
}

fn say(what: &str) {
    eprintln!("bench: {what}");
}
