//! One etcd and one API server with an audit log; the chart's definitions, rights and policies; an account for the controller.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use crate::settings::root;

/// Where the controller's account and Lease are.
pub const RELEASE_NAMESPACE: &str = "sluice-system";
/// The controller's account.
pub const ACCOUNT: &str = "sluice";
/// The user that the audit log shows for the controller.
pub const CONTROLLER: &str = "system:serviceaccount:sluice-system:sluice";
/// How long a condition may take to come about.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The API server; it ends with this value.
pub struct Server {
    folder: PathBuf,
}

impl Server {
    /// Starts it anew: a log of an earlier run would be counted again.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same with ReplicaSets, EndpointSlices and KWOK, which plays nodes and pods.
    pub fn start_with_pods(folder: &Path) -> Self {
        Self::start_with(folder, &[("PODS", "1")])
    }

    fn start_with(folder: &Path, extras: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let server = Self { folder: folder.into() };
        server.script("stop", &[]);
        server.script("start", extras);
        server
    }

    fn script(&self, verb: &str, extras: &[(&str, &str)]) {
        let mut command = Command::new(root().join("e2e/apiserver.sh"));
        run(command.arg(verb).arg(&self.folder).env("AUDIT", "1").envs(extras.iter().copied()));
    }

    /// Where its audit log and the logs of the programs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many writes etcd has seen, whoever asked for them.
    pub async fn etcd_puts(&self) -> u64 {
        let url = std::fs::read_to_string(self.folder.join("etcd.url")).expect("etcd's address");
        let answer = reqwest::get(format!("{}/metrics", url.trim())).await.expect("etcd answers");
        let metrics = answer.text().await.expect("metrics");
        let line = metrics.lines().find_map(|l| l.strip_prefix("etcd_mvcc_put_total "));
        let number: f64 = line.and_then(|n| n.parse().ok()).expect("etcd counts its writes");
        number as u64
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A client with all rights.
    pub async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Client::try_from(config.expect("a configuration")).expect("a client")
    }

    /// Applies what helm makes of the chart, and Gateway API's HTTPRoute.
    pub async fn install(&self, client: &Client) {
        let chart = run(Command::new(tool("helm"))
            .args(["template", "sluice"])
            .arg(root().join("charts/sluice"))
            .args(["--namespace", RELEASE_NAMESPACE]));
        let manifest = self.folder.join("chart.yaml");
        std::fs::write(&manifest, chart).expect("a manifest");
        let apply = ["apply", "--server-side", "--force-conflicts", "-f"];
        self.kubectl(&["create", "namespace", RELEASE_NAMESPACE]);
        self.kubectl(&[apply.as_slice(), &[&manifest.to_string_lossy()]].concat());
        self.kubectl(&[apply.as_slice(), &[&http_route_definition().to_string_lossy()]].concat());
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
        crate::objects::kinds_are_served(client).await;
    }

    /// Runs kubectl with all rights.
    pub fn kubectl(&self, arguments: &[&str]) {
        run(Command::new("kubectl").arg("--kubeconfig").arg(self.kubeconfig()).args(arguments));
    }

    /// A kubeconfig with a token of a ServiceAccount.
    pub async fn kubeconfig_of(&self, client: &Client, namespace: &str, account: &str) -> PathBuf {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let wanted = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
        let answer = accounts.create_token_request(account, &PostParams::default(), &wanted).await;
        let token = answer.expect("a token").status.expect("a token").token;
        let text = std::fs::read_to_string(self.kubeconfig()).expect("a kubeconfig");
        let mut kubeconfig: serde_json::Value = serde_saphyr::from_str(&text).expect("a kubeconfig");
        for user in kubeconfig["users"].as_array_mut().expect("users") {
            user["user"] = json!({"token": token});
        }
        let path = self.folder.join(format!("{account}.kubeconfig"));
        std::fs::write(&path, kubeconfig.to_string()).expect("a kubeconfig");
        path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.script("stop", &[]);
    }
}

/// A program that e2e/tools.sh has built.
pub fn tool(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("SLUICE_TOOLS").map_or_else(|| root().join("target/tools/bin"), PathBuf::from);
    folder.join(name)
}

/// Gateway API's HTTPRoute.
fn http_route_definition() -> PathBuf {
    let folder = module("gateway-api", "sigs.k8s.io/gateway-api").join("config/crd/standard");
    folder.join("gateway.networking.k8s.io_httproutes.yaml")
}

/// The folder of a Go module, downloaded when it is not there, of the version that `e2e/PROGRAM/go.mod` pins.
pub fn module(program: &str, path: &str) -> PathBuf {
    let mut command = Command::new("go");
    command.args(["mod", "download", "-json", path]);
    command.current_dir(root().join("e2e").join(program)).env("GOWORK", "off");
    let module: serde_json::Value = serde_json::from_str(&run(&mut command)).expect("JSON");
    module["Dir"].as_str().expect("a folder").into()
}

/// What a program prints that must succeed; what it says on the way is shown.
fn run(command: &mut Command) -> String {
    let output =
        command.stderr(Stdio::inherit()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}
