//! Bundles, and AppSpecs, in stores that ask who comes: nothing is fetched before the namespace has granted the Secret, and what stands in it
//! is told nowhere.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::servers::{ALL, counts, end, installed, standing};
use crate::checks;
use crate::cluster::kubectl;
use crate::hosts::{EVENTS, Fleet, INSTANCE};
use crate::server_manifests::deployment_of;
use crate::stores::{PASSWORD, Registry, S3, S3_SECRET};
use crate::story::{DEPLOYMENT, Story};
use crate::{manifests, service_manifests};

/// Where hosts keep what they know, and what their agents say.
const KEPT: [&str; 3] = ["/opt/codedeploy-agent", "/var/log/sluice-agent.log", "/srv"];

/// Applies a Deployment of a revision whose Secret is not granted.
async fn applied(story: &Story, name: &str, manifest: &str) -> Value {
    story.apply(manifest).await;
    granted(story, name).await
}

/// A Deployment whose Secret is not granted waits by that name with nothing begun, and the command that it names lets it go on.
async fn granted(story: &Story, name: &str) -> Value {
    let says = |d: &Value| checks::reason(d) == "SecretNotGranted";
    let waiting = story.until(DEPLOYMENT, name, "it asks for the right", says).await;
    for host in story.list(INSTANCE).await {
        let all = host["spec"]["assignments"].as_array().cloned().unwrap_or_default();
        assert!(all.iter().all(|a| a["deployment"] != *name), "{name} has begun without its Secret");
    }
    let message = waiting["status"]["message"].as_str().unwrap_or_default();
    let command = message.find("kubectl create role").map(|at| &message[at..]).expect("the command");
    let done = Command::new("bash").args(["-c", command]).output().expect("bash");
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    story.phase(name, "Succeeded").await
}

/// Neither plain nor in base64: in no object but the Secret, no Event, no log, no file of any host.
fn are_told_nowhere(story: &Story, fleet: &Fleet, secrets: [&str; 2]) {
    let objects =
        kubectl(&["-n", &story.namespace, "get", "sluice,events,leases,endpointslices", "-o", "yaml"]);
    assert!(objects.contains("kind: Instance"), "the objects are not seen: {objects}");
    let logs = kubectl(&["-n", "sluice-system", "logs", "-l", "app.kubernetes.io/name=sluice", "--tail=-1"]);
    assert!(logs.contains(&story.namespace), "the controller's log is not seen");
    let words = secrets.map(|secret| [secret.to_owned(), STANDARD.encode(secret)]).concat();
    for (what, text) in [("objects", &objects), ("the controller's log", &logs)] {
        assert!(!words.iter().any(|word| text.contains(word)), "a secret is in {what}");
    }
    let patterns: String = words.iter().map(|word| format!(" -e '{word}'")).collect();
    fleet.run_all(&["sh", "-c", &format!("! grep -rF{patterns} -- {}", KEPT.join(" "))]);
    fleet.run_all(&["grep", "-q", "assigned", KEPT[1]]);
}

/// Six hosts fetch a bundle from an S3 store and one from a registry, each by its digest and with a Secret.
pub async fn bundles(story: Story) {
    let (fleet, _) = installed(&story, ALL, "").await;
    let (store, registry) = (S3::start().await, Registry::start());
    story.apply(&format!("{}\n---\n{}", S3::secret("store"), Registry::secret("registry"))).await;

    let folder =
        fleet.notes_on(&EVENTS, "2", &[("AfterInstall", "env | grep ^BUNDLE_ | sort >/srv/bundle-env")]);
    let pushed = store.push(&folder, "web/2.tgz").await;
    let create = ["create-deployment", "web", "--name", "from-s3", "--secret", "store", "--s3-location"];
    story.plugin(&[&create[..], &[&pushed.location]].concat()).await;
    let deployed = granted(&story, "from-s3").await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    fleet.all_say(&["cat", "/srv/app/version"], "2");
    // The Deployment names neither: scripts are told which bytes the store gave.
    let (e_tag, version) = (pushed.e_tag, pushed.version);
    fleet.all_say(
        &["cat", "/srv/bundle-env"],
        &format!(
            "BUNDLE_BUCKET=releases\nBUNDLE_ETAG={e_tag}\nBUNDLE_KEY=web/2.tgz\nBUNDLE_VERSION={version}\n"
        ),
    );
    for host in &fleet.names {
        let found = standing(&story, host, "web").await;
        assert!(found["bundleDigest"].as_str().is_some_and(|d| d.starts_with("sha256:")), "{found}");
    }

    let third = fleet.notes("3", &[]);
    let revision = registry.push(fs::read(fleet.file(&third)).expect("the bundle"), "registry").await;
    let deployed = applied(&story, "from-registry", &deployment_of("from-registry", "web", &revision)).await;
    assert_eq!(counts(&deployed), [6, 0, 0, 0]);
    fleet.all_say(&["cat", "/srv/app/version"], "3");
    for host in &fleet.names {
        let found = standing(&story, host, "web").await;
        assert_eq!(found["bundleDigest"], format!("sha256:{}", third.sha256), "{found}");
    }
    are_told_nowhere(&story, &fleet, [S3_SECRET, PASSWORD]);
    end(&story).await;
}

/// A function's AppSpec in an S3 store: the controller fetches it with the Secret that it is granted.
pub async fn of_function(mut story: Story) {
    let store = S3::start().await;
    story.apply(&S3::secret("store")).await;
    story.apply(&manifests::group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    store.put("hello/2.yaml", manifests::app_spec(Some(1), 2, &[]).as_bytes()).await;
    let revision = store.object("hello/2.yaml", &Value::Null, "store");
    let deployed = applied(&story, "to-2", &deployment_of("to-2", "hello", &revision)).await;
    checks::course_is(&deployed, ["Succeeded"; 3]);
    let digest = deployed["status"]["revision"]["digest"].as_str().unwrap_or_default();
    assert!(digest.starts_with("sha256:"), "{}", deployed["status"]["revision"]);
    let objects = kubectl(&["-n", &story.namespace, "get", "sluice,events", "-o", "yaml"]);
    assert!(objects.contains("hello/2.yaml") && !objects.contains(S3_SECRET), "a secret is in {objects}");

    let changed = manifests::app_spec(Some(2), 1, &[]);
    store.put("hello/1.yaml", changed.as_bytes()).await;
    let wrong = store.object("hello/1.yaml", &json!("0123456789abcdef0123456789abcdef"), "store");
    story.apply(&deployment_of("wrong", "hello", &wrong)).await;
    let failed = story.phase("wrong", "Failed").await;
    assert_eq!(
        failed["status"]["errorInformation"]["code"], "DigestMismatch",
        "{}",
        failed["status"]["message"]
    );
    story.end(Some(2)).await;
}

/// A service's AppSpec, in JSON, as an artifact in a registry.
pub async fn of_service(mut story: Story) {
    let registry = Registry::start();
    story.apply(&Registry::secret("registry")).await;
    let yaml = service_manifests::app_spec(2, &[]);
    let json: Value = serde_saphyr::from_str(&yaml).expect("an AppSpec");
    let revision = registry.push(json.to_string().into_bytes(), "registry").await;
    let deployed = applied(&story, "to-2", &deployment_of("to-2", "hello", &revision)).await;
    checks::service_course_is(&deployed, "Succeeded", &[]);
    let objects = kubectl(&["-n", &story.namespace, "get", "sluice,events", "-o", "yaml"]);
    assert!(objects.contains("acme/web@sha256:") && !objects.contains(PASSWORD), "a secret is in {objects}");
    story.end_on(Some("hello-b"), Some(2)).await;
}
