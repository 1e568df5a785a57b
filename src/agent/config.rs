//! The agent's configuration file: how the API server is reached, as `kubectl sluice register` prints it, and how this host treats
//! bundles and scripts.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Config as ClientConfig;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::args::{self, ROOT_DIR, Run};
use super::environment::Inheritance;
use super::host::{Settings, WorkingDirectory};
use super::trust::Trust;
use crate::api::GoDuration;
use crate::source::Egress;
use crate::source::bundle::FetchOptions;

/// Where the file is, if no flag says otherwise.
const PATH: &str = "/etc/sluice-agent/config.yaml";

/// What may be asked for: with a shorter one a connection that died would be noticed only after three of them, and with a longer one a host is missed too late.
const HEARTBEATS: RangeInclusive<Duration> = Duration::from_secs(20)..=Duration::from_secs(600);

/// The file as it is written.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// URL of the API server.
    pub server: String,
    /// The certificates that it is known by: PEM in base64.
    #[serde(default)]
    certificate_authority_data: Option<String>,
    /// A file with them, in PEM. Without either the system's count.
    #[serde(default)]
    certificate_authority: Option<PathBuf>,
    /// The namespace of this host's Instance.
    pub namespace: String,
    /// The Instance.
    pub name: String,
    /// The first token of this host's account; later ones are kept in the token file.
    #[serde(default)]
    pub token: Option<String>,
    /// Where the account's tokens are kept; a file below the root folder where it is not given.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// How long the tokens are good that the agent asks for.
    #[serde(default = "a_week")]
    pub token_duration: GoDuration,
    /// The folder that deployments live in.
    #[serde(default)]
    root_dir: Option<PathBuf>,
    /// How many of a group's revisions stay on this host, 1 or more.
    #[serde(default = "five")]
    max_revisions: usize,
    /// Where scripts run: a folder, or `revision` for the root of the revision that they belong to.
    #[serde(default)]
    working_directory: Option<String>,
    /// True hands the agent's whole environment on to scripts.
    #[serde(default)]
    inherit_environment: bool,
    /// Names that are handed on beside PATH, HOME, the locale, TZ and the proxies; one may end in `*`.
    #[serde(default)]
    pass_environment: Vec<String>,
    /// What is let through that is refused otherwise.
    #[serde(default)]
    allow: Vec<Trust>,
    /// Nothing larger is downloaded, in bytes.
    #[serde(default)]
    max_bundle_bytes: Option<u64>,
    /// No bundle unpacks to more, in bytes.
    #[serde(default)]
    max_unpacked_bytes: Option<u64>,
    /// Which addresses may be called for bundles.
    #[serde(default)]
    egress: EgressRules,
    /// How long a running event is let go on when the agent is told to end.
    #[serde(default = "five_minutes")]
    pub stop_timeout: GoDuration,
    /// How often the host's Lease is renewed, up to a fifth more or less; after three times that the host counts as silent.
    #[serde(default = "forty_seconds")]
    heartbeat_interval: GoDuration,
}

/// Networks, as `10.0.0.0/8`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EgressRules {
    /// Allowed whatever they are.
    allow: Vec<String>,
    /// Refused whatever they are.
    refuse: Vec<String>,
}

fn a_week() -> GoDuration {
    GoDuration::from_secs(7 * 24 * 3_600)
}

fn five() -> usize {
    5
}

fn forty_seconds() -> GoDuration {
    GoDuration::from_secs(40)
}

fn five_minutes() -> GoDuration {
    GoDuration::from_secs(300)
}

/// A configuration that was read, and where.
pub struct Configured {
    /// What it says.
    pub config: Config,
    /// The folder that deployments live in.
    pub root_dir: PathBuf,
    /// How this host treats bundles and scripts.
    pub settings: Settings,
    path: PathBuf,
}

impl Configured {
    /// Reads the file that the flags name.
    pub fn read(flags: &Run) -> Result<Self, Error> {
        let path = flags.config.clone().unwrap_or_else(|| PATH.into());
        let text = fs::read_to_string(&path).map_err(|error| Error::Config {
            path: path.clone(),
            problem: format!("cannot be read: {error}; `kubectl sluice register NAME` prints one"),
        })?;
        Self::of(&text, &path, flags)
    }

    /// The same agent on a host where nothing is done: every event is on record, ends well at once, and is told as any other. What
    /// a fleet of agents costs its cluster is measured with it; neither the file nor a flag can ask for it.
    pub fn idle(mut self) -> Self {
        self.settings.is_idle = true;
        self
    }

    fn of(text: &str, path: &Path, flags: &Run) -> Result<Self, Error> {
        let problem = |problem: String| Error::Config { path: path.to_owned(), problem };
        let config = parse(text).map_err(problem)?;
        if config.max_revisions == 0 {
            return Err(problem("maxRevisions must be 1 or more".into()));
        }
        if !HEARTBEATS.contains(&config.heartbeat_interval()) {
            let said = config.heartbeat_interval;
            return Err(problem(format!(
                "heartbeatInterval is {said}: it must be 20s to 10m; without it, it is 40s"
            )));
        }
        let root_dir = flags.root_dir.clone().or_else(|| config.root_dir.clone());
        let settings = config.settings().map_err(problem)?;
        Ok(Self {
            root_dir: root_dir.unwrap_or_else(|| ROOT_DIR.into()),
            settings,
            config,
            path: path.to_owned(),
        })
    }

    /// How the API server is reached with the token in that file.
    pub async fn client(&self, token_file: &Path) -> Result<ClientConfig, Error> {
        let problem = |problem: String| Error::Config { path: self.path.clone(), problem };
        let c = &self.config;
        let kubeconfig = json!({
            "clusters": [{"name": "c", "cluster": {
                "server": c.server, "certificate-authority": c.certificate_authority,
                "certificate-authority-data": c.certificate_authority_data,
            }}],
            "users": [{"name": "u", "user": {"tokenFile": token_file}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": c.namespace}}],
            "current-context": "x",
        });
        let kubeconfig: Kubeconfig =
            serde_json::from_value(kubeconfig).map_err(|e| problem(e.to_string()))?;
        let config = ClientConfig::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.map_err(|error| problem(error.to_string()))
    }
}

/// Reads the text. No sentence about a mistake shows a token: the reader's pictures of the text are off, and the token is put
/// aside before anything is said about fields.
fn parse(text: &str) -> Result<Config, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed = serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|e| e.to_string())?;
    let Value::Object(mut fields) = parsed else { return Err("is no map of fields".into()) };
    let token = match fields.remove("token") {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) => Some(token),
        Some(_) => return Err("token must be text".into()),
    };
    for field in ["tokenDuration", "stopTimeout", "heartbeatInterval"] {
        let text = fields.get(field).and_then(Value::as_str).unwrap_or("0s");
        text.parse::<GoDuration>().map_err(|e| format!("{field}: {e}"))?;
    }
    let config: Config = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
    Ok(Config { token, ..config })
}

impl Config {
    fn settings(&self) -> Result<Settings, String> {
        let working_directory = match &self.working_directory {
            Some(text) => args::working_directory(text).map_err(|e| format!("workingDirectory: {e}"))?,
            None => WorkingDirectory::Path("/".into()),
        };
        let mut settings = Settings {
            working_directory,
            inheritance: Inheritance { all: self.inherit_environment, also: self.pass_environment.clone() },
            max_revisions: self.max_revisions,
            ..Settings::default()
        };
        Trust::give(&self.allow, &mut settings);
        if let Some(bytes) = self.max_unpacked_bytes {
            settings.unpacking.limits.bytes = bytes;
        }
        settings.fetching = self.fetching()?;
        Ok(settings)
    }

    fn fetching(&self) -> Result<FetchOptions, String> {
        let networks = |field: &str, texts: &[String]| {
            let parse = |text: &String| {
                text.parse().map_err(|_| format!("egress.{field}: {text:?} is no network such as 10.0.0.0/8"))
            };
            texts.iter().map(parse).collect::<Result<Vec<_>, String>>()
        };
        let egress = Egress {
            allowed: networks("allow", &self.egress.allow)?,
            refused: networks("refuse", &self.egress.refuse)?,
            ..Egress::of_hosts()
        };
        let usual = FetchOptions::of_hosts();
        Ok(FetchOptions { egress, max_bytes: self.max_bundle_bytes.unwrap_or(usual.max_bytes), ..usual })
    }

    /// How long a running event is let go on when the agent is told to end.
    pub fn stop_timeout(&self) -> Duration {
        self.stop_timeout.length().try_into().unwrap_or_default()
    }

    /// How often the host's Lease is renewed.
    pub fn heartbeat_interval(&self) -> Duration {
        self.heartbeat_interval.length().try_into().unwrap_or_default()
    }

    /// Namespace and name of this host's Instance.
    pub fn instance(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERED: &str = "server: https://10.0.0.1:6443\nnamespace: shop\nname: web-1\ntoken: s3cret\n";

    fn read(text: &str) -> Result<Configured, String> {
        Configured::of(text, Path::new("config.yaml"), &Run::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_register_prints_is_enough() {
        let read = read(REGISTERED).unwrap();
        assert_eq!(read.root_dir, PathBuf::from(ROOT_DIR));
        assert_eq!(read.settings.max_revisions, 5);
        assert_eq!(read.settings.working_directory, WorkingDirectory::Path("/".into()));
        assert_eq!(read.config.instance(), "shop/web-1");
        assert_eq!(read.config.heartbeat_interval(), Duration::from_secs(40));
    }

    #[test]
    fn what_it_says_of_bundles_and_scripts_reaches_them() {
        let more = "rootDir: /srv/d\nmaxRevisions: 2\nworkingDirectory: revision\npassEnvironment: [SHOP_*]\n\
                    allow: [SetId, OutsideLinks]\nmaxUnpackedBytes: 7\nmaxBundleBytes: 6\negress: {refuse: [10.0.0.0/8]}\n";
        let read = read(&format!("{REGISTERED}{more}")).unwrap();
        assert_eq!(read.root_dir, PathBuf::from("/srv/d"));
        let settings = read.settings;
        assert_eq!((settings.max_revisions, settings.working_directory), (2, WorkingDirectory::Revision));
        assert!(settings.installing.allow_set_id && settings.unpacking.allowed.outside_links);
        assert!(!settings.unpacking.allowed.special_files);
        assert_eq!((settings.unpacking.limits.bytes, settings.fetching.max_bytes), (7, 6));
        assert_eq!(settings.fetching.egress.refused.len(), 1);
    }

    #[test]
    fn a_mistake_is_named_and_the_token_is_not() {
        for (more, problem) in [
            ("maxRevisions: 0\n", "maxRevisions must be 1 or more"),
            ("maxRevision: 3\n", "maxRevision"),
            ("allow: [Everything]\n", "Everything"),
            ("egress: {allow: [localhost]}\n", "egress.allow: \"localhost\" is no network"),
            ("workingDirectory: ''\n", "workingDirectory"),
            ("heartbeatInterval: 19s\n", "heartbeatInterval is 19s: it must be 20s to 10m"),
            ("heartbeatInterval: 10m1s\n", "heartbeatInterval is 10m1s: it must be 20s to 10m"),
            ("heartbeatInterval: soon\n", "heartbeatInterval: \"soon\" is no duration"),
            ("stopTimeout: 5 minutes\n", "stopTimeout: \"5 minutes\" is no duration"),
            ("server: [s3cret\n", "config.yaml"),
        ] {
            let error = read(&format!("{REGISTERED}{more}")).err().unwrap();
            assert!(error.contains(problem), "{more}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_heartbeat_may_be_asked_for_within_its_bounds() {
        for (text, seconds) in [("20s", 20), ("1m30s", 90), ("10m", 600)] {
            let read = read(&format!("{REGISTERED}heartbeatInterval: {text}\n")).unwrap();
            assert_eq!(read.config.heartbeat_interval(), Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let flags = Run { config: None, root_dir: Some("/flag".into()) };
        let read = Configured::of(&format!("{REGISTERED}rootDir: /file\n"), Path::new("c"), &flags);
        assert_eq!(read.ok().unwrap().root_dir, PathBuf::from("/flag"));
    }
}
