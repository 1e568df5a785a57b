//! The cluster as `make up` leaves it: where it is, the namespaces that stories used, and what is shown when one fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};

/// How long namespaces may take to go.
const GOING: Duration = Duration::from_secs(120);

/// The cluster under the stories.
pub struct Cluster {
    /// The gateway's production listener.
    pub production: String,
    /// Its test listener.
    pub test: String,
    /// Marks this run's namespaces.
    mark: String,
    keeps: bool,
    used: Mutex<Vec<String>>,
}

impl Cluster {
    /// The cluster that `target/cluster/env` speaks of, if that was sourced.
    pub fn from_env() -> Option<Self> {
        std::env::var_os("KUBECONFIG")?;
        let production = std::env::var("PRODUCTION_URL").ok()?;
        let test = std::env::var("TEST_URL").ok()?;
        rustls::crypto::ring::default_provider().install_default().ok()?;
        let mark = format!("{:x}", std::process::id());
        let keeps = std::env::var_os("KEEP").is_some();
        std::fs::create_dir_all(folder()).expect("a folder for what stories leave");
        Some(Self { production, test, mark, keeps, used: Mutex::default() })
    }

    /// The namespace of a story in this run.
    pub fn namespace(&self, story: &str) -> String {
        format!("{story}-{}", self.mark)
    }

    /// Creates a namespace.
    pub async fn make(&self, client: &Client, namespace: &str) {
        let mut object = Namespace::default();
        object.metadata.name = Some(namespace.to_owned());
        Api::all(client.clone()).create(&PostParams::default(), &object).await.expect("a namespace");
        self.used.lock().unwrap().push(namespace.to_owned());
    }

    /// Has a namespace deleted; [`Self::clean_up`] sees to it that it goes.
    pub async fn leave(&self, namespace: &str) {
        if self.keeps {
            return;
        }
        let client = client().await;
        let deleted = Api::<Namespace>::all(client).delete(namespace, &DeleteParams::default()).await;
        match deleted {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => println!("namespace {namespace}: {error}"),
            Ok(_) => {}
        }
    }

    /// Waits until the namespaces are gone: nothing that the controller left may hold one.
    pub async fn clean_up(&self) -> Result<(), String> {
        if self.keeps {
            return Ok(());
        }
        let used = self.used.lock().unwrap().clone();
        let client = client().await;
        let gone = async {
            for namespace in &used {
                let api = Api::<Namespace>::all(client.clone());
                let is_gone = |found: Option<&Namespace>| found.is_none();
                kube::runtime::wait::await_condition(api, namespace, is_gone)
                    .await
                    .map_err(|e| e.to_string())?;
            }
            Ok(())
        };
        tokio::time::timeout(GOING, gone).await.unwrap_or_else(|_| {
            let left = kubectl(&["get", "namespaces", "-o", "yaml"]);
            Err(format!("namespaces are held: {left}"))
        })
    }

    /// Writes all there is to see of a failed story into its folder, and shows the most of it.
    pub fn dump(&self, story: &str, namespace: &str) {
        let looks: [(&str, &[&str]); 5] = [
            ("sluice.yaml", &["get", "sluice,httproutes,jobs,configmaps,replicasets,services", "-o", "yaml"]),
            ("events.txt", &["get", "events", "--sort-by=.metadata.creationTimestamp"]),
            ("pods.txt", &["get", "pods,replicasets,services,endpointslices,jobs", "-o", "wide"]),
            ("sluice.txt", &["get", "sluice"]),
            (
                "status.txt",
                &[
                    "get",
                    "deployments.sluice.dev,deploymentgroups",
                    "-o",
                    "custom-columns=KIND:.kind,NAME:.metadata.name,STATUS:.status",
                ],
            ),
        ];
        let folder = folder().join(story);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (file, arguments) in looks {
            let said = kubectl(&[&["-n", namespace], arguments].concat());
            if file.ends_with(".txt") {
                println!("--- {story}: {file}\n{said}");
            }
            std::fs::write(folder.join(file), said).expect("a file");
        }
        let pods =
            ["-n", "sluice-system", "logs", "-l", "app.kubernetes.io/name=sluice", "--prefix", "--tail=-1"];
        let logs = kubectl(&pods) + &kubectl(&[&pods[..], &["--previous"]].concat());
        let own: Vec<_> = logs.lines().filter(|l| l.contains(namespace)).collect();
        println!("--- {story}: controller\n{}", own.join("\n"));
        std::fs::write(folder.join("controller.log"), logs).expect("a file");
        println!("--- {story}: all of it in {}", folder.display());
    }
}

/// Where stories leave what they measured.
pub fn folder() -> PathBuf {
    root().join("target/stories")
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A client with the kubeconfig's rights.
pub async fn client() -> Client {
    Client::try_default().await.expect("a client")
}

/// What kubectl says, errors included.
pub fn kubectl(arguments: &[&str]) -> String {
    let output = Command::new("kubectl").args(arguments).output().expect("kubectl");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
