//! Real hosts for stories of the Server platform: each with a root file system, a network and an agent of its own; and the
//! server from which they fetch their bundles.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use futures::future::join_all;
use serde_json::Value;

use crate::cluster::{folder, root};
use crate::server_manifests::Bundle;
use crate::story::{Kind, Story};

/// A host.
pub const INSTANCE: Kind = ("sluice.dev/v1alpha1", "Instance");

/// Hosts have numbers, which are their places in the hosts' network; no two stories share one, as who has just spoken to a host that went
/// would for a while send to it what is for the next one of its address.
static NEXT: AtomicU16 = AtomicU16::new(20);
/// The next port for a bundles' server; the stores' are above.
static NEXT_PORT: AtomicU16 = AtomicU16::new(18_100);

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
    /// Their addresses.
    pub addresses: Vec<String>,
    bundles: PathBuf,
    /// What the server of the bundles says: a line a request.
    requests: PathBuf,
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
    /// The fleet that it belongs to.
    pub fleet: Option<&'static str>,
    /// How often its agent renews its Lease, if not as usual.
    pub heartbeat: Option<&'static str>,
    /// The size of its disk.
    pub disk: &'static str,
}

/// A host like most.
pub const PLAIN: Host = Host { tags: &["web="], zone: None, fleet: None, heartbeat: None, disk: "512m" };

impl Fleet {
    /// Registers the hosts and boots them, side by side, and waits until their agents report.
    pub async fn start(story: &Story, hosts: &[Host]) -> Self {
        let count = u16::try_from(hosts.len()).expect("a few hosts");
        let first = NEXT.fetch_add(count, Ordering::SeqCst);
        let bundles = folder().join(format!("{}.bundles-{first}", story.name));
        let requests = folder().join(format!("{}.requests-{first}", story.name));
        fs::remove_dir_all(&bundles).ok();
        fs::create_dir_all(&bundles).expect("a folder");
        let listen = format!("10.99.0.1:{}", NEXT_PORT.fetch_add(1, Ordering::SeqCst));
        let server = serve(&bundles, &listen, &requests);
        let numbers = first..first + count;
        let fleet = Self {
            // As their order by name is that of a deployment.
            names: numbers.clone().map(|number| format!("host-{number:04}")).collect(),
            addresses: numbers.clone().map(address).collect(),
            bundles,
            requests,
            url: format!("http://{listen}"),
            server,
        };
        fleet.down();
        join_all(numbers.zip(&fleet.names).zip(hosts).map(|((n, name), host)| boot(story, name, n, *host)))
            .await;
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

    /// Runs a command on every host; answers what each prints.
    pub fn run_all(&self, command: &[&str]) -> Vec<String> {
        (0..self.names.len()).map(|host| self.run(host, command)).collect()
    }

    /// Runs a command on every host that prints the same on each.
    pub fn all_say(&self, command: &[&str], expected: &str) {
        for (name, said) in self.names.iter().zip(self.run_all(command)) {
            assert_eq!(said, expected, "{command:?} on {name}");
        }
    }

    /// The numbers of all hosts but one.
    pub fn others(&self, than: usize) -> Vec<usize> {
        (0..self.names.len()).filter(|host| *host != than).collect()
    }

    /// The number of the host of that name.
    pub fn position(&self, name: &Value) -> usize {
        let position = self.names.iter().position(|known| *name == **known);
        position.unwrap_or_else(|| panic!("{name} is none of {:?}", self.names))
    }

    /// Leaves a file `/srv/marked` on that host alone, by which a script knows it.
    pub fn mark(&self, host: usize) {
        self.run_all(&["rm", "-f", "/srv/marked"]);
        self.run(host, &["touch", "/srv/marked"]);
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

    /// The same bundle with a fault of the server's that befalls one host.
    pub fn faulty_for(&self, host: usize, bundle: &Bundle, query: &str) -> Bundle {
        self.faulty(bundle, &format!("{query}&only={}", self.addresses[host]))
    }

    /// The ranges that a host asked for of that bundle, in order; an empty one is all of it.
    pub fn ranges(&self, host: usize, bundle: &Bundle) -> Vec<String> {
        let path = bundle.url.strip_prefix(&self.url).expect("a bundle of this server");
        let asked = format!(" {} asks for {path}, range ", self.addresses[host]);
        let said = fs::read_to_string(&self.requests).expect("what the server says");
        let ranges = said.lines().filter_map(|line| Some(line.split_once(&asked)?.1));
        ranges.map(|range| range.trim_matches('"').to_owned()).collect()
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

    fn down(&self) {
        let names: Vec<_> = self.names.iter().map(String::as_str).collect();
        hosts_sh(&[&["down"], names.as_slice()].concat());
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
            self.down();
        }
    }
}

/// Where the host of that number is: see `e2e/hosts.sh`.
fn address(number: u16) -> String {
    format!("10.99.{}.{}", 16 + number / 256, number % 256)
}

async fn boot(story: &Story, name: &str, number: u16, host: Host) {
    let config = folder().join(format!("{name}.yaml"));
    let config = config.to_str().expect("a path");
    let address = address(number);
    let mut arguments = vec!["register", name, "--address", &address, "--config-file", config];
    arguments.extend(host.tags.iter().flat_map(|tag| ["--tag", tag]));
    arguments.extend(host.zone.iter().flat_map(|zone| ["--zone", zone]));
    arguments.extend(host.fleet.iter().flat_map(|fleet| ["--fleet", fleet]));
    story.plugin(&arguments).await;
    if let Some(heartbeat) = host.heartbeat {
        let printed = fs::read_to_string(config).expect("the agent's file");
        fs::write(config, format!("{}\nheartbeatInterval: {heartbeat}\n", printed.trim_end()))
            .expect("a file");
    }
    let mut command = tokio::process::Command::new(root().join("e2e/hosts.sh"));
    command.args(["up", name, &number.to_string(), config]).env("DISK", host.disk);
    let output = command.output().await.expect("e2e/hosts.sh");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn hosts_sh(arguments: &[&str]) -> std::process::Output {
    Command::new(root().join("e2e/hosts.sh")).args(arguments).output().expect("e2e/hosts.sh")
}

fn serve(bundles: &Path, listen: &str, requests: &Path) -> Child {
    let tools =
        std::env::var_os("SLUICE_TOOLS").map_or_else(|| root().join("target/tools/bin"), PathBuf::from);
    let mut command = Command::new(tools.join("bundles"));
    command.args(["-listen", listen, "-dir"]).arg(bundles);
    let requests = fs::File::create(requests).expect("a file");
    command.stdout(Stdio::null()).stderr(requests).spawn().expect("bundles: run `make up` first")
}
