//! Stores that give bundles only to whom they know: an S3 gateway over a folder (versitygw) and a registry (distribution), in the
//! cluster's network like the bundles' own server.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rusty_s3::actions::PutObject;
use rusty_s3::{Bucket, S3Action, UrlStyle};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cluster::{folder, root};

/// The next port; the bundles' own servers are below.
static NEXT: AtomicU16 = AtomicU16::new(18_400);
/// How long a program may take to listen.
const START: Duration = Duration::from_secs(30);

const KEY: &str = "AKIASTORIES";
/// What must be read nowhere but in its Secret.
pub const S3_SECRET: &str = "s3cret/key+of=stories";
const USER: &str = "robot";
/// The registry's, likewise.
pub const PASSWORD: &str = "pass-word";
/// The same, by bcrypt.
const HTPASSWD: &str = "robot:$2b$04$abcdefghijklmnopqrstuuudBIGi88QUaH8UOst3i3n1jdKYDf0WW\n";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A store's program, which ends with the story.
struct Program {
    address: String,
    folder: PathBuf,
    child: Child,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl Program {
    fn start(name: &str, prepare: impl FnOnce(&mut Command, &Path, &str)) -> Self {
        let address = format!("10.99.0.1:{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let folder = folder().join(format!("{name}-{}", address.replace(':', "-")));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).expect("a folder");
        let tools =
            std::env::var_os("SLUICE_TOOLS").map_or_else(|| root().join("target/tools/bin"), PathBuf::from);
        let mut command = Command::new(tools.join(name));
        prepare(&mut command, &folder, &address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}: run e2e/tools.sh {name}"));
        let program = Self { address, folder, child };
        let begun = Instant::now();
        while TcpStream::connect(&program.address).is_err() {
            assert!(begun.elapsed() < START, "{name} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        program
    }
}

/// By which a bucket keeps versions.
const VERSIONED: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";

/// An object that was pushed, and what the store said of it.
pub struct Pushed {
    /// `--s3-location` of the object, whichever version of it is there.
    pub location: String,
    /// Its version.
    pub version: String,
    /// Its ETag.
    pub e_tag: String,
}

/// An S3 store with the bucket `releases`, which keeps versions.
pub struct S3 {
    program: Program,
}

impl S3 {
    /// Starts it.
    pub async fn start() -> Self {
        let program = Program::start("versitygw", |command, folder, address| {
            let sub = |name: &str| {
                fs::create_dir_all(folder.join(name)).expect("a folder");
                folder.join(name)
            };
            command.args(["--port", address, "--quiet", "posix"]);
            command.arg("--versioning-dir").arg(sub("versions")).arg("--sidecar").arg(sub("meta"));
            command.arg(sub("root")).env("ROOT_ACCESS_KEY_ID", KEY).env("ROOT_SECRET_ACCESS_KEY", S3_SECRET);
        });
        let store = Self { program };
        store.put("", b"").await;
        store.put_with(Some("versioning"), "", VERSIONED.as_bytes()).await;
        store
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.program.address)
    }

    /// Puts an object into the bucket; without a key, makes the bucket.
    pub async fn put(&self, key: &str, body: &[u8]) {
        self.put_with(None, key, body).await;
    }

    async fn put_with(&self, query: Option<&'static str>, key: &str, body: &[u8]) {
        let endpoint = self.endpoint().parse().expect("a URL");
        let bucket =
            Bucket::new(endpoint, UrlStyle::Path, "releases".to_owned(), "us-east-1").expect("a bucket");
        let credentials = rusty_s3::Credentials::new(KEY, S3_SECRET);
        let mut put = PutObject::new(&bucket, Some(&credentials), key);
        if let Some(query) = query {
            put.query_mut().insert(query, "");
        }
        let url = put.sign(Duration::from_secs(60));
        let answer = reqwest::Client::new().put(url).body(body.to_vec()).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    /// `kubectl sluice push` of a folder.
    pub async fn push(&self, source: &Path, key: &str) -> Pushed {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"));
        command.args(["push", "-o", "json", "--endpoint", &self.endpoint(), "--source"]).arg(source);
        command.args(["--s3-location", &format!("s3://releases/{key}")]);
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", S3_SECRET);
        let output = command.output().await.expect("the plugin");
        assert!(output.status.success(), "push: {}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let word =
            |field: &str| told[field].as_str().unwrap_or_else(|| panic!("no {field}: {told}")).to_owned();
        let location = format!("bucket=releases,key={key},bundleType=tgz,endpoint={}", self.endpoint());
        Pushed { location, version: word("version"), e_tag: word("eTag") }
    }

    /// An object of the bucket as a revision that holds to its ETag where one is given.
    pub fn object(&self, key: &str, e_tag: &Value, secret: &str) -> Value {
        let mut s3 = json!({"bucket": "releases", "key": key, "endpoint": self.endpoint(), "secretRef": {"name": secret}});
        if !e_tag.is_null() {
            s3["eTag"] = e_tag.clone();
        }
        json!({"s3": s3})
    }

    /// The Secret by which it knows who comes.
    pub fn secret(name: &str) -> String {
        let data = json!({"accessKeyId": KEY, "secretAccessKey": S3_SECRET});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
            .to_string()
    }
}

/// A registry.
pub struct Registry {
    program: Program,
}

impl Registry {
    /// Starts it.
    pub fn start() -> Self {
        let program = Program::start("registry", |command, folder, address| {
            let (data, users, file) =
                (folder.join("root"), folder.join("htpasswd"), folder.join("config.yml"));
            let config = json!({
                "version": "0.1", "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": data}},
                "http": {"addr": address, "secret": "x"},
                "auth": {"htpasswd": {"realm": "stories", "path": users}},
            });
            fs::write(&users, HTPASSWD).expect("a file");
            fs::write(&file, config.to_string()).expect("a file");
            command.arg("serve").arg(file);
        });
        Self { program }
    }

    /// Stores bytes as the layer of an artifact; answers its revision, with Secret `secret`.
    pub async fn push(&self, layer: Vec<u8>, secret: &str) -> Value {
        let size = layer.len();
        let (layer, config) = (self.blob(layer).await, self.blob(b"{}".to_vec()).await);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": size}],
        });
        let manifest = manifest.to_string();
        let digest = digest(manifest.as_bytes());
        let put = self.as_user(reqwest::Client::new().put(self.url(&format!("manifests/{digest}"))));
        let answer = put.header("content-type", MANIFEST).body(manifest).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        let image = format!("http://{}/acme/web@{digest}", self.program.address);
        json!({"oci": {"image": image, "secretRef": {"name": secret}}})
    }

    /// Its digest.
    async fn blob(&self, bytes: Vec<u8>) -> String {
        let digest = digest(&bytes);
        let client = reqwest::Client::new();
        let begun = self.as_user(client.post(self.url("blobs/uploads/"))).send().await.expect("an answer");
        let mut url: url::Url = begun.headers()["location"].to_str().expect("a URL").parse().expect("a URL");
        url.query_pairs_mut().append_pair("digest", &digest);
        let answer = self.as_user(client.put(url)).body(bytes).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        digest
    }

    fn as_user(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(USER, Some(PASSWORD))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/acme/web/{path}", self.program.address)
    }

    /// The Secret by which it knows who comes.
    pub fn secret(name: &str) -> String {
        let data = json!({"username": USER, "password": PASSWORD});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
            .to_string()
    }
}
