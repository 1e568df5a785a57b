//! What registered hosts cost the API server: RBAC looks at every RoleBinding of a namespace for a request in it, so a request grows
//! with the hosts that are registered there. `BENCH=rbac make bench`, with `HOSTS=5000 REQUESTS=1000`.
//!
//! Each size has a namespace of its own on one server: the objects that `kubectl sluice register` makes, then one host's GETs of its
//! own Instance, one after the other, by a token of that host; and the same GETs by cluster-admin, whom RBAC does not look at.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::server::Server;
use crate::settings::{Settings, number};

/// Creates under way at once.
const AT_ONCE: usize = 32;
/// Hosts that ask, spread over the order in which they were registered.
const ASKING: usize = 10;

/// The mark in docs/benchmarks.md behind which the figures go.
const BEGIN: &str = "<!-- rbac: begin (written by BENCH=rbac make bench) -->";

/// One namespace's figures.
struct Row {
    hosts: usize,
    by_host: Sample,
    by_admin: Sample,
    /// Growth of the API server's memory per host, KiB; nothing where there are too few to tell.
    memory: Option<f64>,
}

/// What some requests took.
#[derive(Clone, Copy)]
struct Sample {
    p50: Duration,
    p99: Duration,
    /// CPU of the API server, a request.
    cpu: Duration,
}

/// Measures, prints the table, and writes it into docs/benchmarks.md if that is asked for.
pub async fn run(settings: &Settings, server: &Server) {
    let (hosts, requests) = (number("HOSTS", 5_000), number("REQUESTS", 1_000));
    let client = server.client().await;
    server.install(&client).await;
    let api_server = ApiServer::of(&settings.folder);
    let mut rows = Vec::new();
    for count in [ASKING, hosts / 10, hosts / 2, hosts] {
        crate::say(&format!("{count} hosts in one namespace"));
        rows.push(measure(settings, &client, &api_server, count, requests).await);
    }
    let table = table(&rows, requests);
    println!("{table}");
    if settings.writes_docs {
        crate::report::write_into_docs(BEGIN, &table);
    }
}

async fn measure(
    settings: &Settings,
    client: &Client,
    api_server: &ApiServer,
    hosts: usize,
    requests: usize,
) -> Row {
    let namespace = format!("hosts-{hosts}");
    let before = api_server.memory();
    create(client, "/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).await;
    let all = stream::iter(0..hosts).map(|index| register(client, &namespace, index, json!({"env": "prod"})));
    all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let grown = api_server.memory().saturating_sub(before);
    let asking: Vec<usize> = (0..ASKING).map(|i| i * hosts / ASKING).collect();
    let mut clients = Vec::new();
    for index in &asking {
        clients.push((*index, client_of(settings, client, &namespace, *index).await));
    }
    let admins: Vec<_> = asking.iter().map(|index| (*index, client.clone())).collect();
    Row {
        hosts,
        by_host: ask(&clients, &namespace, api_server, requests).await,
        by_admin: ask(&admins, &namespace, api_server, requests).await,
        memory: (hosts >= 500).then(|| grown as f64 / hosts as f64),
    }
}

/// The six objects of a host, as the plugin makes them but for their owner.
pub async fn register(client: &Client, namespace: &str, index: usize, tags: Value) {
    let (name, account) = (host(index), account(index));
    let labels = json!({"sluice.dev/instance": name});
    let metadata = |name: &str| json!({"name": name, "namespace": namespace, "labels": labels});
    let rule = |group: &str, resource: &str, name: &str, verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": verbs});
    let rules = [
        rule("sluice.dev", "instances", &name, &["get", "list", "watch"]),
        rule("sluice.dev", "instances/status", &name, &["patch", "update"]),
        rule("coordination.k8s.io", "leases", &name, &["get", "patch", "update"]),
        rule("", "serviceaccounts/token", &account, &["create"]),
    ];
    let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account});
    let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": namespace});
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    let instance = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance", "metadata": metadata(&name),
        "spec": {"tags": tags, "address": "10.0.0.7", "zone": "eu-1a"},
    });
    create(client, &format!("/apis/sluice.dev/v1alpha1/namespaces/{namespace}/instances"), &instance).await;
    for (path, object) in [
        (
            format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
            json!({"metadata": metadata(&name)}),
        ),
        (format!("/api/v1/namespaces/{namespace}/serviceaccounts"), json!({"metadata": metadata(&account)})),
        (format!("{rbac}/roles"), json!({"metadata": metadata(&account), "rules": rules})),
        (
            format!("{rbac}/rolebindings"),
            json!({"metadata": metadata(&account), "roleRef": role_ref, "subjects": [subject]}),
        ),
    ] {
        create(client, &path, &object).await;
    }
}

/// A host's name.
pub fn host(index: usize) -> String {
    format!("host-{index:05}")
}

/// Its agent's account.
fn account(index: usize) -> String {
    format!("sluice-agent-{}", host(index))
}

async fn create(client: &Client, path: &str, object: &Value) {
    let body = object.to_string().into_bytes();
    let request = http::Request::post(path).header("content-type", "application/json").body(body);
    client.request_text(request.expect("a request")).await.unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// A token of that host's account.
pub async fn token_of(admin: &Client, namespace: &str, index: usize) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
    let wanted = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
    let answer = accounts.create_token_request(&account(index), &PostParams::default(), &wanted).await;
    answer.expect("a token").status.expect("a token").token
}

/// A client that acts as that host's agent.
async fn client_of(settings: &Settings, admin: &Client, namespace: &str, index: usize) -> Client {
    let token = token_of(admin, namespace, index).await;
    let mut kubeconfig = Kubeconfig::read_from(settings.folder.join("kubeconfig")).expect("a kubeconfig");
    for user in &mut kubeconfig.auth_infos {
        user.auth_info = serde_json::from_value(json!({"token": token})).expect("a user");
    }
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

/// Each client asks for its own Instance, in turns, one request at a time.
async fn ask(
    clients: &[(usize, Client)],
    namespace: &str,
    api_server: &ApiServer,
    requests: usize,
) -> Sample {
    let path =
        |index: usize| format!("/apis/sluice.dev/v1alpha1/namespaces/{namespace}/instances/{}", host(index));
    let get = |index: usize| http::Request::get(path(index)).body(Vec::new()).expect("a request");
    for (index, client) in clients {
        while client.request_text(get(*index)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let before = api_server.cpu();
    let mut took = Vec::with_capacity(requests);
    for (index, client) in clients.iter().cycle().take(requests) {
        let begun = Instant::now();
        client.request_text(get(*index)).await.expect("the host's own Instance");
        took.push(begun.elapsed());
    }
    let cpu = (api_server.cpu() - before) / u32::try_from(requests).expect("a number");
    took.sort_unstable();
    Sample { p50: took[requests / 2], p99: took[requests * 99 / 100], cpu }
}

/// The API server's process, by what the kernel says of it.
pub struct ApiServer {
    pid: String,
    ticks: u64,
}

impl ApiServer {
    /// The one whose files are in that folder.
    pub fn of(folder: &Path) -> Self {
        let record = fs::read_to_string(folder.join("pids/kube-apiserver")).expect("the API server's pid");
        let pid = record.split_whitespace().next().expect("a pid").to_owned();
        let ticks = std::process::Command::new("getconf").arg("CLK_TCK").output().expect("getconf").stdout;
        Self { pid, ticks: String::from_utf8_lossy(&ticks).trim().parse().expect("a number") }
    }

    /// The CPU time that it has taken.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("the API server runs");
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let numbers = fields.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().unwrap_or(0));
        Duration::from_micros(numbers.sum::<u64>() * 1_000_000 / self.ticks)
    }

    /// RssAnon in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("the API server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }
}

fn table(rows: &[Row], requests: usize) -> String {
    let micros = |length: Duration| length.as_micros();
    let mut text = format!(
        "`BENCH=rbac make bench`, {requests} GETs of an Instance by {ASKING} hosts in turns, Sluice {}, {}\n\n",
        env!("CARGO_PKG_VERSION"),
        crate::report::machine()
    );
    text += "| hosts registered in the namespace | CPU of the API server a GET, by a host | by cluster-admin | round trip by a host (p50, p99) | by cluster-admin (p50, p99) | memory of the API server a host |\n";
    text += "|---:|---:|---:|---:|---:|---:|\n";
    for row in rows {
        let memory = row.memory.map_or_else(|| "–".into(), |kib| format!("{kib:.0} KiB"));
        text += &format!(
            "| {} | {} µs | {} µs | {} µs, {} µs | {} µs, {} µs | {memory} |\n",
            row.hosts,
            micros(row.by_host.cpu),
            micros(row.by_admin.cpu),
            micros(row.by_host.p50),
            micros(row.by_host.p99),
            micros(row.by_admin.p50),
            micros(row.by_admin.p99),
        );
    }
    text
}
