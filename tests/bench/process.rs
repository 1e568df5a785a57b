//! A controller as a process of its own, and what the kernel says of it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use kube::Client;
use tokio::process::{Child, Command};

use crate::server::{ACCOUNT, RELEASE_NAMESPACE, Server};
use crate::settings::Settings;

/// Resident memory in KiB.
#[derive(Copy, Clone, Debug)]
pub struct Memory {
    /// VmHWM: the most that ever was.
    pub peak: u64,
    /// RssAnon: what the program allocated.
    pub own: u64,
    /// RssFile: the program itself, shared with any other that runs it.
    pub program: u64,
}

/// A running controller.
pub struct Controller {
    child: Child,
    log: PathBuf,
    /// Ticks of the kernel's CPU clock in a second.
    ticks: u64,
}

impl Controller {
    /// Starts Sluice's with its own account; its log is `controller.log` in the server's folder.
    pub async fn start(settings: &Settings, server: &Server, client: &Client) -> Self {
        let kubeconfig = server.kubeconfig_of(client, RELEASE_NAMESPACE, ACCOUNT).await;
        let mut words = settings.wrapper.iter().cloned();
        let program = words.next().map_or_else(|| settings.controller.clone(), PathBuf::from);
        let mut command = Command::new(&program);
        if !settings.wrapper.is_empty() {
            command.args(words).arg(&settings.controller);
        }
        command.env("KUBECONFIG", kubeconfig).args(["--address", "127.0.0.1:0", "--log-format", "json"]);
        command.args(["--lease-namespace", RELEASE_NAMESPACE, "--identity", "bench"]);
        Self::run(command, server)
    }

    /// Starts a program as the controller.
    pub fn run(mut command: Command, server: &Server) -> Self {
        let log = server.folder().join("controller.log");
        let file = fs::File::create(&log).expect("a log");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log")).stderr(file).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let ticks = std::process::Command::new("getconf").arg("CLK_TCK").output().expect("getconf");
        let ticks = String::from_utf8_lossy(&ticks.stdout).trim().parse().expect("a number");
        Self { child, log, ticks }
    }

    fn read(&self, file: &str) -> String {
        let pid = self.child.id().expect("the controller runs");
        fs::read_to_string(format!("/proc/{pid}/{file}")).expect("the controller runs")
    }

    /// utime + stime of `/proc/PID/stat`.
    pub fn cpu(&self) -> Duration {
        self.spent(&self.read("stat"))
    }

    /// The same of this process.
    pub fn cpu_of_bench(&self) -> Duration {
        self.spent(&fs::read_to_string("/proc/self/stat").expect("this process runs"))
    }

    fn spent(&self, stat: &str) -> Duration {
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut numbers = fields.split(' ').skip(11).map(|n| n.parse::<u64>().unwrap_or(0));
        let spent = numbers.next().unwrap_or(0) + numbers.next().unwrap_or(0);
        Duration::from_micros(spent * 1_000_000 / self.ticks)
    }

    /// What is resident, in KiB.
    pub fn memory(&self) -> Memory {
        let status = self.read("status");
        let number = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().expect("a number")
        };
        Memory { peak: number("VmHWM"), own: number("RssAnon"), program: number("RssFile") }
    }

    /// Does `work`; panics if the controller ends before it.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            ended = self.child.wait() => panic!("the controller ended ({ended:?}); see {}", self.log.display()),
        }
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&mut self) {
        let pid = self.child.id().expect("the controller runs").to_string();
        let _ = Command::new("kill").arg(pid).status().await;
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        ended.expect("the controller ends when asked to").expect("an end");
    }
}
