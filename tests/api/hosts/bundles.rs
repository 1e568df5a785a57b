//! Bundles that hosts fetch: packed on the spot, served on loopback as a file of that digest or as GitHub serves a commit.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The commit that the store has of every repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A server with bundles; how often each was asked for is kept.
pub struct Store {
    url: String,
    files: Files,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Store {
    /// Listens on loopback. Below `/repos/` it asks for the token `t0k3n`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (files, asked) = (Files::default(), Arc::<Mutex<Vec<String>>>::default());
        let task = tokio::spawn(serve(listener, Arc::clone(&files), Arc::clone(&asked)));
        Self { url, files, asked, task }
    }

    /// Packs a bundle whose hooks are bash scripts of that text; the revision that names it.
    pub fn bundle(&self, hooks: &[(&str, String)]) -> Value {
        let bytes = packed(hooks);
        let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/{sha256}.tar");
        self.files.lock().expect("not poisoned").insert(path.clone(), bytes);
        let http = json!({"url": format!("{}{path}", self.url), "sha256": sha256});
        json!({"http": http, "digest": format!("sha256:{sha256}")})
    }

    /// The same as a commit of a repository that needs a token.
    pub fn commit(&self, hooks: &[(&str, String)]) -> Value {
        let path = format!("/repos/acme/web/zipball/{COMMIT}");
        self.files.lock().expect("not poisoned").insert(path, zipped(hooks));
        let git_hub = json!({
            "repository": "acme/web", "commitId": COMMIT, "bundleType": "zip", "apiUrl": self.url,
            "secretRef": {"name": "hub"},
        });
        json!({"gitHub": git_hub, "digest": format!("git:{COMMIT}")})
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> usize {
        self.asked.lock().expect("not poisoned").len()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, files: Files, asked: Arc<Mutex<Vec<String>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (files, asked) = (Arc::clone(&files), Arc::clone(&asked));
        tokio::spawn(async move {
            let reply = service_fn(move |request| {
                let answer = answer(&request, &files, &asked);
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), reply)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, files: &Files, asked: &Mutex<Vec<String>>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    asked.lock().expect("not poisoned").push(path.to_owned());
    let token = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let found = files.lock().expect("not poisoned").get(path).cloned();
    let (status, body) = match found {
        Some(_) if path.starts_with("/repos/") && token != Some("Bearer t0k3n") => (404, vec![]),
        Some(bytes) => (200, bytes),
        None => (404, vec![]),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().expect("a status");
    response
}

fn contents(hooks: &[(&str, String)]) -> Vec<(String, String)> {
    let mut appspec = "version: 0.0\nos: linux\n".to_owned();
    if !hooks.is_empty() {
        appspec += "hooks:\n";
    }
    let mut files = vec![];
    for (event, body) in hooks {
        appspec += &format!("  {event}:\n    - location: ops/{event}.sh\n");
        files.push((format!("ops/{event}.sh"), format!("#!/bin/bash\n{body}\n")));
    }
    files.push(("appspec.yml".into(), appspec));
    files
}

fn packed(hooks: &[(&str, String)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(vec![]);
    for (name, content) in contents(hooks) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, content.as_bytes()).expect("packed");
    }
    tar.into_inner().expect("packed")
}

/// As GitHub packs: everything below one folder.
fn zipped(hooks: &[(&str, String)]) -> Vec<u8> {
    use std::io::{Cursor, Write};
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, content) in contents(hooks) {
        let name = format!("acme-web-0123456/{name}");
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("packed");
        zip.write_all(content.as_bytes()).expect("packed");
    }
    zip.finish().expect("packed").into_inner()
}
