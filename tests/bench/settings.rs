//! How large a run is, from the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// One run's size.
pub struct Settings {
    /// Deployments, and as many groups and routes; twice as many Services.
    pub deployments: usize,
    /// Steps of the linear shift.
    pub steps: usize,
    /// Time between two steps; the starts are spread over it.
    pub interval: Duration,
    /// How long the settled controller is watched doing nothing.
    pub idle: Duration,
    /// True if CPU, memory and lateness are held to the budget, too.
    pub is_strict: bool,
    /// Where the API server, its audit log and the controller's log are.
    pub folder: PathBuf,
    /// The controller: the very program that is in the image.
    pub controller: PathBuf,
    /// True if the figures go to docs/benchmarks.md.
    pub writes_docs: bool,
    /// `BENCH=service`: pods of each side.
    pub replicas: usize,
    /// `BENCH=service`: only those whose name has this in it are run.
    pub only: Option<String>,
    /// True for `BENCH=service`: what service deployments cost, beside Argo Rollouts.
    pub is_of_services: bool,
    /// True for `BENCH=rbac`: what registered hosts cost, instead of what a Deployment costs.
    pub is_of_rbac: bool,
    /// True for `BENCH=swarm`: what a fleet of agents costs.
    pub is_of_swarm: bool,
    /// What runs the controller, such as a profiler; empty for nothing.
    pub wrapper: Vec<String>,
}

impl Settings {
    /// Panics on what it cannot read: a bench of another size than asked for is worth nothing.
    pub fn from_environment() -> Self {
        let target = root().join("target");
        let shipped = target.join("image/context/sluice-controller");
        let is_of_services = variable("BENCH").is_some_and(|what| what == "service");
        let (deployments, steps, idle) = if is_of_services { (100, 5, "30s") } else { (500, 10, "60s") };
        Self {
            deployments: number("N", deployments),
            replicas: number("REPLICAS", 2),
            only: variable("ONLY"),
            is_of_services,
            steps: number("STEPS", steps),
            interval: length("INTERVAL", "5s"),
            idle: length("IDLE", idle),
            is_strict: variable("BENCH_STRICT").is_some(),
            folder: variable("BENCH_DIR").map_or_else(|| target.join("bench"), PathBuf::from),
            controller: variable("BENCH_CONTROLLER").map_or(shipped, PathBuf::from),
            writes_docs: variable("BENCH_DOCS").is_some_and(|v| v == "1"),
            is_of_rbac: variable("BENCH").is_some_and(|what| what == "rbac"),
            is_of_swarm: variable("BENCH").is_some_and(|what| what == "swarm"),
            wrapper: variable("BENCH_WRAPPER")
                .map(|w| w.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        }
    }

    /// The percentage of one step.
    pub fn percentage(&self) -> usize {
        100_usize.div_ceil(self.steps)
    }

    /// Namespaces that the objects are spread over.
    pub fn namespaces(&self) -> impl Iterator<Item = String> {
        (0..NAMESPACES).map(|n| format!("bench-{n}"))
    }
}

/// How many namespaces the objects are spread over.
pub const NAMESPACES: usize = 5;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A number from the environment.
pub fn number(name: &str, default: usize) -> usize {
    variable(name).map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("{name}={v} is no number")))
}

fn length(name: &str, default: &str) -> Duration {
    let text = variable(name).unwrap_or_else(|| default.into());
    let length: jiff::SignedDuration =
        text.parse().unwrap_or_else(|_| panic!("{name}={text} is no duration"));
    length.try_into().unwrap_or_else(|_| panic!("{name}={text} is no duration"))
}
