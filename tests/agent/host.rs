//! A host: a root folder for the agent, bundles made on the spot, and what the agent said of a deployment.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a condition may take to come about.
const DEADLINE: Duration = Duration::from_secs(30);

/// The events of a deployment.
pub const EVENTS: [&str; 11] = [
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
];

/// What one run of the agent said, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it said as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `ApplicationStop Succeeded`, one an event.
    pub fn events(&self) -> Vec<String> {
        let json = self.json();
        let events = json["events"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        events.iter().map(|e| format!("{} {}", text(&e["name"]), text(&e["status"]))).collect()
    }

    /// How that event ended.
    pub fn event(&self, name: &str) -> String {
        let events = self.events();
        let found = events.iter().find_map(|event| event.strip_prefix(&format!("{name} ")));
        found.unwrap_or_else(|| panic!("no {name}: {events:?}")).to_owned()
    }

    /// The error's code, script and message.
    pub fn error(&self) -> (String, String, String) {
        let json = self.json();
        let text = |key: &str| json["error"][key].as_str().unwrap_or_default().to_owned();
        (text("errorCode"), text("scriptName"), text("message"))
    }

    /// Fails the test unless everything went well.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        assert!(self.json()["error"].is_null(), "{self:?}");
        self
    }
}

/// A host with nothing on it.
pub struct Host {
    folder: TempDir,
}

impl Host {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Scripts of other users look in here.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What stands in a file of the host; nothing if it is not there.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// A folder of a deployment of the usual group.
    pub fn deployment(&self, id: &str) -> PathBuf {
        self.root().join("g1").join(id)
    }

    /// The log of a deployment's scripts.
    pub fn log(&self, id: &str) -> String {
        fs::read_to_string(self.deployment(id).join("logs/scripts.log")).unwrap_or_default()
    }

    /// An empty bundle in a folder of that name.
    pub fn bundle(&self, name: &str) -> Bundle {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        Bundle { folder, files: String::new(), hooks: String::new() }
    }

    /// `deploy-local` with these words, in group g1 unless they say otherwise.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-agent"));
        command.args(["deploy-local", "--root-dir"]).arg(self.root());
        if !words.contains("--deployment-group ") {
            command.args(["--deployment-group", "g1"]);
        }
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Deploys a bundle and reads what is said as JSON.
    pub fn deploy(&self, bundle: &str, words: &str) -> Said {
        Said::of(self.command(&format!("--bundle-location {bundle} -o json {words}")).output().unwrap())
    }

    /// The same, without waiting for the end.
    pub fn start(&self, bundle: &str, words: &str) -> Child {
        let mut command = self.command(&format!("--bundle-location {bundle} -o json {words}"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Deploys with the environment that systemd gives a service without `User=`, on a host where root has mounted something: `mounts` is a
    /// line of a shell. Nothing of it is seen outside.
    pub fn deploy_on(&self, mounts: &str, bundle: &str, words: &str) -> Said {
        let deploy = self.command(&format!("--bundle-location {bundle} -o json {words}"));
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", &format!("{mounts}\nexec \"$@\""), "sh"]);
        command.arg(deploy.get_program()).args(deploy.get_args()).current_dir(self.folder.path());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        Said::of(command.output().unwrap())
    }
}

/// A bundle in the making.
pub struct Bundle {
    folder: PathBuf,
    files: String,
    hooks: String,
}

impl Bundle {
    /// Puts a file into it.
    pub fn file(self, name: &str, content: &str) -> Self {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// An entry of `files`.
    pub fn install(mut self, source: &str, destination: &Path) -> Self {
        writeln!(self.files, "  - source: {source}\n    destination: {}", destination.display()).unwrap();
        self
    }

    /// A hook with one script: a bash script of that text, executable.
    pub fn hook(self, event: &str, body: &str) -> Self {
        self.hook_with(event, body, "")
    }

    /// The same, with more fields, such as `timeout: 3`.
    pub fn hook_with(mut self, event: &str, body: &str, fields: &str) -> Self {
        let location = format!("ops/{event}.sh");
        self = self.file(&location, &format!("#!/bin/bash\n{body}\n"));
        fs::set_permissions(self.folder.join(&location), fs::Permissions::from_mode(0o755)).unwrap();
        self.location(event, &location, fields)
    }

    /// A hook whose script is a file that is there, or is not.
    pub fn location(mut self, event: &str, location: &str, fields: &str) -> Self {
        writeln!(self.hooks, "  {event}:\n    - location: {location}").unwrap();
        for field in fields.split(", ").filter(|field| !field.is_empty()) {
            writeln!(self.hooks, "      {field}").unwrap();
        }
        self
    }

    /// Writes the AppSpec.
    pub fn done(self) {
        self.done_as("appspec.yml");
    }

    /// Writes it under another name.
    pub fn done_as(self, name: &str) {
        let part =
            |key: &str, text: &str| if text.is_empty() { String::new() } else { format!("{key}:\n{text}") };
        let text =
            format!("version: 0.0\nos: linux\n{}{}", part("files", &self.files), part("hooks", &self.hooks));
        fs::write(self.folder.join(name), text).unwrap();
    }
}

/// Waits until `look` gives something; panics past the deadline, naming what did not come about.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let seen = runtime.block_on(async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        tokio::time::timeout(DEADLINE, async {
            loop {
                ticks.tick().await;
                if let Some(seen) = look() {
                    break seen;
                }
            }
        })
        .await
    });
    seen.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// True while a process of that number lives and is no zombie.
pub fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Ends a process that a test has left.
pub fn kill(pid: &str) {
    let _ = Command::new("kill").args(["-9", pid.trim()]).status();
}

/// True where the tests may become other users. Where they may not, what needs it says so aloud and is left out; or fails, where
/// `REQUIRE_ROOT_TESTS` is set, as it is by `make test`.
pub fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output().unwrap();
    may(said.stdout == b"0\n", "only root may become another user")
}

/// The same for tests that mount something where nobody else sees it.
pub fn may_mount() -> bool {
    let mounts =
        Command::new("unshare").args(["--mount", "mount", "--bind", "/dev/null", "/etc/hostname"]).output();
    may(
        mounts.is_ok_and(|said| said.status.success()),
        "only root may mount something, and not in every container",
    )
}

fn may(is_allowed: bool, why: &str) -> bool {
    if !is_allowed {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
        assert!(std::env::var_os("REQUIRE_ROOT_TESTS").is_none(), "REQUIRE_ROOT_TESTS is set, and {why}");
    }
    is_allowed
}
