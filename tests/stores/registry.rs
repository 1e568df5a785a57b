//! A registry that asks for a name and a password.

use reqwest::Method;
use sha2::{Digest, Sha256};
use tokio::process::Child;

use crate::program::{free_port, http, start, tool};

pub const USER: &str = "robot";
pub const PASSWORD: &str = "pass-word";
/// `PASSWORD`, by bcrypt.
const HTPASSWD: &str = "robot:$2b$04$abcdefghijklmnopqrstuuudBIGi88QUaH8UOst3i3n1jdKYDf0WW\n";

pub struct Registry {
    pub port: u16,
    pub dir: tempfile::TempDir,
    _program: Child,
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Registry {
    pub async fn start() -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let (root, users) = (dir.path().join("root"), dir.path().join("htpasswd"));
        std::fs::write(&users, HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}', secret: x}}\nauth: {{htpasswd: {{realm: tests, path: {}}}}}\n",
            root.display(),
            users.display()
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let program = start(tool("registry").arg("serve").arg(file), port).await;
        Self { port, dir, _program: program }
    }

    /// Stores `layer` as the first layer of an artifact, and gives the digest of its manifest.
    pub async fn push(&self, layer: &[u8]) -> String {
        let config = self.blob(b"{}").await;
        let layer_digest = self.blob(layer).await;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:{layer_digest}","size":{}}}]}}"#,
            layer.len()
        );
        let digest = sha256(manifest.as_bytes());
        let url = self.url(&format!("manifests/sha256:{digest}"));
        let put = http().put(url).header("content-type", "application/vnd.oci.image.manifest.v1+json");
        let answer = put.basic_auth(USER, Some(PASSWORD)).body(manifest).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        digest
    }

    async fn blob(&self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let begun = http().request(Method::POST, self.url("blobs/uploads/")).basic_auth(USER, Some(PASSWORD));
        let begun = begun.send().await.unwrap();
        let mut url: url::Url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
        url.query_pairs_mut().append_pair("digest", &format!("sha256:{digest}"));
        let put = http().put(url).basic_auth(USER, Some(PASSWORD)).body(bytes.to_vec()).send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.text().await.unwrap());
        digest
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/v2/acme/web/{path}", self.port)
    }
}
