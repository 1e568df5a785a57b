//! The controller's program, started and ended by a test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::server::{eventually, guard, stdout_of};

/// One running program; ends with its test, however that ends.
pub struct Controller {
    child: Child,
    guard: Child,
    log: PathBuf,
}

impl Controller {
    /// Starts the program for the namespace `watched`; it lives in `home` and has its Lease there under the chart's name.
    pub fn start(folder: &Path, home: &str, watched: &str, identity: &str) -> Self {
        let log = folder.join(format!("{identity}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-controller"));
        command.env("KUBECONFIG", folder.join("kubeconfig"));
        command.args(["--address", "127.0.0.1:0", "--log-level", "info,sluice=debug"]);
        command.args(["--watch-namespaces", watched, "--lease-namespace", home]);
        command.args(["--lease-name", &format!("{home}-controller"), "--service-account", home]);
        command.args(["--identity", identity, "--egress-allow", "127.0.0.1/32"]);
        command.stdout(file.try_clone().expect("a handle")).stderr(file);
        let child = command.spawn().expect("the controller starts");
        let guard = guard(child.id());
        Self { child, guard, log }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM; answers how long the program took to end. It must end well.
    pub async fn terminate(mut self) -> Duration {
        let asked = Instant::now();
        stdout_of(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        let child = std::sync::Mutex::new(&mut self.child);
        let status = eventually("the end of the controller", || async {
            child.lock().expect("not poisoned").try_wait().expect("its status")
        })
        .await;
        assert!(status.success(), "asked to end, it ended with {status}");
        asked.elapsed()
    }

    /// What it logged.
    pub fn words(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it logged, the last lines.
    pub fn last_words(&self) -> String {
        let log = self.words();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn end(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.end();
    }
}
