//! One API server (with garbage collection and namespace deletion) for the whole binary; a namespace and a client for each test.
//! A test that changes what is the whole cluster's, as definitions are, has a server of its own.
//!
//! The server ends with this process however it ends: a shell in a process group of its own waits for the end of a pipe that only
//! this process holds, then stops it and deletes its folder.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{ApiResource, Scope};
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Client, Config, ResourceExt};
use serde_json::Value;

/// What these tests write is written under this name.
const FIELD_MANAGER: &str = "sluice-tests";
/// How long a condition may take to come about.
pub const DEADLINE: Duration = Duration::from_secs(90);

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

thread_local! {
    /// The server of a test that has one of its own: a test's runtime stays on its thread.
    static OWN: Cell<Option<&'static Server>> = const { Cell::new(None) };
}

struct Server {
    dir: PathBuf,
}

/// The server of the test that asks.
fn current() -> &'static Server {
    OWN.get().unwrap_or_else(|| &SERVER)
}

/// Runs a test with a client and a namespace on a server of its own, which knows no kind beside Kubernetes' but for `definitions`.
pub fn with_own_server<F: Future<Output = ()>>(
    name: &str,
    definitions: &[Value],
    test: impl FnOnce(Client, String) -> F,
) {
    let server: &'static Server = Box::leak(Box::new(Server::start_in(name)));
    OWN.set(Some(server));
    with_namespace(|client, namespace| async move {
        define(&client, definitions).await;
        test(client, namespace).await;
    });
    OWN.set(None);
    stdout_of(Command::new(script()).arg("stop").arg(&server.dir));
}

/// Runs a test with a client (cluster-admin) and a fresh namespace, on a runtime of its own.
pub fn with_namespace<F: Future<Output = ()>>(test: impl FnOnce(Client, String) -> F) {
    let server = current();
    block_on(async {
        let client = server.client().await;
        let namespace = create_namespace(&client).await;
        test(client, namespace).await;
    });
}

/// A client that the API server takes for that user; a name without colon is a user's in no group but `system:authenticated`.
pub async fn client_as(user: &str) -> Client {
    let mut config = current().config().await;
    let name = HeaderValue::from_str(user).expect("a header's value");
    config.headers.push((HeaderName::from_static("impersonate-user"), name));
    Client::try_from(config).expect("a client")
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One of the programs that `e2e/tools.sh` builds; `SLUICE_TOOLS` names their folder, the default is `target/tools/bin`.
pub fn tool(name: &str) -> Command {
    let folder =
        std::env::var_os("SLUICE_TOOLS").map_or_else(|| root().join("target/tools/bin"), PathBuf::from);
    Command::new(folder.join(name))
}

/// Where the server is, as a kubeconfig says it: its URL and its authority's certificate (base64).
pub fn address() -> (String, String) {
    let kubeconfig = Kubeconfig::read_from(current().dir.join("kubeconfig")).expect("a kubeconfig");
    let cluster = kubeconfig.clusters[0].cluster.clone().expect("a cluster");
    let authority = cluster.certificate_authority_data.expect("the authority's certificate");
    (cluster.server.expect("a URL"), authority)
}

/// The file that says how cluster-admin reaches the server.
pub fn kubeconfig() -> PathBuf {
    current().dir.join("kubeconfig")
}

/// The key by which it signs tokens.
pub fn signing_key() -> PathBuf {
    SERVER.dir.join("pki/service-account.key")
}

/// A folder of that name beside the server's files; it goes with them.
pub fn folder(name: &str) -> PathBuf {
    let folder = current().dir.join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// What a user has asked of the server so far, as its audit log has it.
pub fn audit(user: &str) -> Vec<Value> {
    let files =
        fs::read_dir(&current().dir).expect("the server's folder").map(|file| file.expect("a file").path());
    let is_log = |path: &PathBuf| {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("audit") && name.ends_with(".log")
    };
    let mut entries = vec![];
    for file in files.filter(is_log) {
        let text = fs::read_to_string(file).expect("the audit log");
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains(user));
        let parsed = lines.map(|line| serde_json::from_str::<Value>(line).expect("a line of the audit log"));
        entries.extend(parsed.filter(|entry| entry["user"]["username"] == user));
    }
    entries
}

/// Ends that process if this one ends without doing so itself; to be killed before the process is awaited.
pub fn guard(pid: u32) -> Child {
    let mut command = Command::new("bash");
    command.args(["-c", r#"cat >/dev/null; kill -9 "$0""#]).arg(pid.to_string()).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell")
}

/// kubectl against the server; what it caches is in the server's folder.
pub fn kubectl(namespace: &str, arguments: &[&str]) -> String {
    let dir = &current().dir;
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(dir.join("kubeconfig")).arg("--cache-dir").arg(dir.join("kubectl"));
    command.args(["--namespace", namespace]).args(arguments);
    stdout_of(&mut command)
}

/// What a program prints that must succeed.
pub fn stdout_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", said(&output));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// Writes a manifest by server-side apply; `namespace` counts for namespaced kinds only.
pub async fn apply(client: &Client, namespace: &str, manifest: &Value) -> DynamicObject {
    let object: DynamicObject = serde_json::from_value(manifest.clone()).expect("a manifest");
    let types = object.types.clone().expect("apiVersion and kind");
    let gvk = types.try_into().expect("a group, a version and a kind");
    let (resource, capabilities) = kube::discovery::pinned_kind(client, &gvk).await.expect("a served kind");
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&object.name_any(), &params, &Patch::Apply(manifest)).await.expect("applied")
}

/// Waits until `look` gives something; panics past the deadline, naming what did not come about.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let seen = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            if let Some(seen) = look().await {
                break seen;
            }
        }
    };
    let seen = tokio::time::timeout(DEADLINE, seen).await;
    seen.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// The documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

impl Server {
    fn start() -> Self {
        let server = Self::start_in("");
        let mut definitions = crate::definitions::read_all();
        definitions.push(http_route_definition());
        block_on(async { define(&server.client().await, &definitions).await });
        server
    }

    fn start_in(name: &str) -> Self {
        // Another server of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("api-{}{name}", std::process::id()));
        end_with_this_process(&dir);
        stdout_of(Command::new(script()).arg("start").arg(&dir).env("GC", "1").env("AUDIT", "1"));
        Self { dir }
    }

    async fn client(&self) -> Client {
        Client::try_from(self.config().await).expect("a client")
    }

    async fn config(&self) -> Config {
        let kubeconfig = Kubeconfig::read_from(self.dir.join("kubeconfig")).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.expect("a configuration")
    }
}

/// Installs definitions, and waits until their kinds are served.
pub async fn define(client: &Client, definitions: &[Value]) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions {
        let name = definition["metadata"]["name"].as_str().expect("a name");
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(name, &params, &Patch::Apply(definition)).await.expect("a definition is accepted");
    }
    for definition in definitions {
        serve(client, definition).await;
    }
}

/// Waits until a kind is established and both its resource and its discovery are served.
async fn serve(client: &Client, definition: &Value) {
    let definition: CustomResourceDefinition =
        serde_json::from_value(definition.clone()).expect("a definition");
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = definition.name_any();
    let established = await_condition(api, &name, is_crd_established());
    tokio::time::timeout(DEADLINE, established).await.expect("established in time").expect("established");
    let (spec, version) = (&definition.spec, &definition.spec.versions[0].name);
    let resource = ApiResource {
        group: spec.group.clone(),
        version: version.clone(),
        api_version: format!("{}/{version}", spec.group),
        kind: spec.names.kind.clone(),
        plural: spec.names.plural.clone(),
    };
    let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    eventually(&name, || async {
        objects.list(&Default::default()).await.ok()?;
        let listed = client.list_api_group_resources(&resource.api_version).await.ok()?;
        listed.resources.iter().any(|r| r.name == resource.plural).then_some(())
    })
    .await;
}

/// A fresh namespace.
pub async fn create_namespace(client: &Client) -> String {
    let namespace = Namespace {
        metadata: ObjectMeta { generate_name: Some("test-".into()), ..Default::default() },
        ..Default::default()
    };
    let created = Api::all(client.clone()).create(&PostParams::default(), &namespace).await;
    created.expect("a namespace").name_any()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn script() -> PathBuf {
    root().join("e2e/apiserver.sh")
}

/// Whatever ends this process closes the pipe's other end, a SIGKILL too; nobody else holds it (pipes are close-on-exec).
fn end_with_this_process(dir: &Path) {
    let watch = r#"cat >/dev/null; "$0" stop "$1"; rm -rf "$1" "$1.lock""#;
    let mut command = Command::new("bash");
    command.arg("-c").arg(watch).arg(script()).arg(dir).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let watcher = command.spawn().expect("a shell");
    std::mem::forget(watcher);
}

/// Gateway API's HTTPRoute, from the module that `e2e/gateway-api/go.mod` pins.
pub fn http_route_definition() -> Value {
    let mut command = Command::new("go");
    command.args(["mod", "download", "-json", "sigs.k8s.io/gateway-api"]);
    command.current_dir(root().join("e2e/gateway-api")).env("GOWORK", "off");
    let module: Value = serde_json::from_str(&stdout_of(&mut command)).expect("JSON");
    let folder = Path::new(module["Dir"].as_str().expect("a folder")).join("config/crd/standard");
    let file = folder.join("gateway.networking.k8s.io_httproutes.yaml");
    documents(&fs::read_to_string(&file).expect("the definition")).remove(0)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
