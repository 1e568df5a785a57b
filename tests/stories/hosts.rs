//! Real hosts for stories of the Server platform: each with a root file system, a network and an agent of its own; and the
//! server from which they fetch their bundles.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

use crate::cluster::{folder, root};
use crate::server_manifests::Bundle;
use crate::story::{Kind, Story};

/// A host.
pub const INSTANCE: Kind = ("sluice.dev/v1alpha1", "Instance");

/// Hosts have numbers, which are the ends of their addresses; no two stories share one.
static NEXT: AtomicU8 = AtomicU8::new(20);

/// The scripts of a bundle that only notes what runs.
pub const EVENTS: [&str; 5] =
    ["ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"];

/// The same and the hooks of a host that leaves the load balancer and comes back.
pub const ALL_EVENTS: [&str; 9] = [
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
];

/// The hosts of one story.
pub struct Fleet {
    /// Their names.
    pub names: Vec<String>,
    bundles: PathBuf,
    url: String,
    server: Child,
}

/// What is special about a host.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Tags as `register` takes them.
    pub tags: &'static [&'static str],
    /// The zone.
    pub zone: Option<&'static str>,
    /// The size of its disk.
    pub disk: &'static str,
}

/// A host like most.
pub const PLAIN: Host = Host { tags: &["web="], zone: None, disk: "512m" };

impl Fleet {
    /// Registers the hosts, boots them, and waits until their agents report.
    pub async fn start(story: &Story, hosts: &[Host]) -> Self {
        let first = NEXT.fetch_add(u8::try_from(hosts.len()).expect("a few hosts"), Ordering::SeqCst);
        let bundles = folder().join(format!("{}.bundles-{first}", story.name));
        fs::remove_dir_all(&bundles).ok();
        fs::create_dir_all(&bundles).expect("a folder");
        let listen = format!("10.99.0.1:{}", 18_100 + u16::from(first));
        let server = serve(&bundles, &listen);
        let mut fleet = Self { names: vec![], bundles, url: format!("http://{listen}"), server };
        for (number, host) in (first..).zip(hosts) {
            let name = format!("host-{number}");
            boot(story, &name, number, *host).await;
            fleet.names.push(name);
        }
        for name in &fleet.names {
            let reports = |i: &Value| crate::checks::conditions(i).contains(&("Ready", "True"));
            story.until(INSTANCE, name, "its agent reports", reports).await;
        }
        fleet
    }

    /// Runs a command on a host; answers what it prints.
    pub fn run(&self, host: usize, command: &[&str]) -> String {
        let output = hosts_sh(&[&["run", &self.names[host]], command].concat());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{command:?} on {}: {said}", self.names[host]);
        said
    }

    /// The words that scripts of [`Self::notes`] left on a host.
    pub fn trail(&self, host: usize) -> Vec<String> {
        let said = self.run(host, &["sh", "-c", "cat /srv/trail 2>/dev/null || true"]);
        said.lines().map(ToOwned::to_owned).collect()
    }

    /// Something that happens to a host: `kill-agent`, `reboot`, `unplug`, `plug`, `stop-agent`, `start-agent`.
    pub fn happens(&self, what: &str, host: usize) {
        let output = hosts_sh(&[what, &self.names[host]]);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A bundle of the sample server as an application with start, stop and validation.
    pub fn shop(&self, version: u32, settings: &[&str]) -> Bundle {
        let name = format!("shop-{version}.tgz");
        let output = Command::new(root().join("e2e/bundle.sh"))
            .arg(version.to_string())
            .arg(self.bundles.join(&name))
            .args(settings)
            .output()
            .expect("e2e/bundle.sh");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let sha256 = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Bundle { url: format!("{}/{name}", self.url), sha256 }
    }

    /// A bundle whose scripts note `EVENT VERSION` in `/srv/trail`, with other scripts in place of some of them, and a file
    /// `/srv/app/version`. An event whose script is `-` has none in the bundle, though the AppSpec names it.
    pub fn notes(&self, version: &str, scripts: &[(&str, &str)]) -> Bundle {
        self.pack(&self.notes_on(&EVENTS, version, scripts), &format!("notes-{version}.tgz"))
    }

    /// The same with scripts for the hooks around traffic, too.
    pub fn all_notes(&self, version: &str, scripts: &[(&str, &str)]) -> Bundle {
        self.pack(&self.notes_on(&ALL_EVENTS, version, scripts), &format!("notes-{version}.tgz"))
    }

    /// The folder of such a bundle, before it is packed.
    pub fn notes_on(&self, events: &[&str], version: &str, scripts: &[(&str, &str)]) -> PathBuf {
        let app = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{version}", self.names[0]));
        fs::remove_dir_all(&app).ok();
        fs::create_dir_all(app.join("scripts")).expect("a folder");
        fs::create_dir_all(app.join("app")).expect("a folder");
        fs::write(app.join("app/version"), version).expect("a file");
        fs::write(app.join(format!("app/only-{version}")), version).expect("a file");
        let mut appspec = String::from(
            "version: 0.0\nos: linux\nfiles:\n  - source: app\n    destination: /srv/app\nhooks:\n",
        );
        for event in events {
            let special = scripts.iter().find(|(e, _)| e == event).map(|(_, script)| *script);
            appspec += &format!("  {event}:\n    - location: scripts/{event}.sh\n      timeout: 5\n");
            if special == Some("-") {
                continue;
            }
            let file = app.join(format!("scripts/{event}.sh"));
            let note = format!("echo {event} {version} >>/srv/trail\n");
            let script = format!("#!/bin/sh\nmkdir -p /srv\n{note}{}\n", special.unwrap_or("exit 0"));
            fs::write(&file, script).expect("a script");
            // Who packed it forgot one: the agent makes it executable, as CodeDeploy's does.
            let mode = if *event == "BeforeInstall" { 0o644 } else { 0o755 };
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        fs::write(app.join("appspec.yml"), appspec).expect("a file");
        app
    }

    /// A bundle's file.
    pub fn file(&self, bundle: &Bundle) -> PathBuf {
        self.bundles.join(bundle.url.rsplit('/').next().expect("a name"))
    }

    /// The same bundle with a fault of the server's in its address.
    pub fn faulty(&self, bundle: &Bundle, query: &str) -> Bundle {
        Bundle { url: format!("{}?{query}", bundle.url), ..bundle.clone() }
    }

    /// A bundle with so many MiB of noise in it.
    pub fn large(&self, version: &str, mebibytes: u64) -> Bundle {
        let app = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{version}", self.names[0]));
        fs::remove_dir_all(&app).ok();
        fs::create_dir_all(app.join("app")).expect("a folder");
        let script = format!("head -c {mebibytes}M /dev/urandom >{}/app/noise", app.display());
        assert!(Command::new("sh").args(["-c", &script]).status().expect("sh").success());
        let appspec = "version: 0.0\nos: linux\nfiles:\n  - source: app\n    destination: /srv/app\n";
        fs::write(app.join("appspec.yml"), appspec).expect("a file");
        self.pack(&app, &format!("large-{version}.tgz"))
    }

    /// A folder as a bundle of that name.
    pub fn pack(&self, app: &Path, name: &str) -> Bundle {
        let file = self.bundles.join(name);
        let packed = Command::new("tar").arg("-C").arg(app).arg("-czf").arg(&file).arg(".").status();
        assert!(packed.expect("tar").success());
        let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum").stdout;
        let sha256 = String::from_utf8_lossy(&sum).split_whitespace().next().expect("a sum").to_owned();
        Bundle { url: format!("{}/{name}", self.url), sha256 }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in &self.names {
                let log = hosts_sh(&["run", name, "tail", "-n", "40", "/var/log/sluice-agent.log"]);
                println!("--- {name}: agent\n{}", String::from_utf8_lossy(&log.stdout));
            }
        }
        self.server.kill().ok();
        self.server.wait().ok();
        if std::env::var_os("KEEP").is_none() {
            let names: Vec<_> = self.names.iter().map(String::as_str).collect();
            hosts_sh(&[&["down"], names.as_slice()].concat());
        }
    }
}

async fn boot(story: &Story, name: &str, number: u8, host: Host) {
    let config = folder().join(format!("{name}.yaml"));
    let config = config.to_str().expect("a path");
    let address = format!("10.99.1.{number}");
    let mut arguments = vec!["register", name, "--address", &address, "--config-file", config];
    arguments.extend(host.tags.iter().flat_map(|tag| ["--tag", tag]));
    arguments.extend(host.zone.iter().flat_map(|zone| ["--zone", zone]));
    story.plugin(&arguments).await;
    hosts_sh(&["down", name]);
    let output = Command::new(root().join("e2e/hosts.sh"))
        .args(["up", name, &number.to_string(), config])
        .env("DISK", host.disk)
        .output()
        .expect("e2e/hosts.sh");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn hosts_sh(arguments: &[&str]) -> std::process::Output {
    Command::new(root().join("e2e/hosts.sh")).args(arguments).output().expect("e2e/hosts.sh")
}

fn serve(bundles: &Path, listen: &str) -> Child {
    let tools =
        std::env::var_os("SLUICE_TOOLS").map_or_else(|| root().join("target/tools/bin"), PathBuf::from);
    let mut command = Command::new(tools.join("bundles"));
    command.args(["-listen", listen, "-dir"]).arg(bundles);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bundles: run `make up` first")
}
