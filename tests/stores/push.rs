//! `kubectl sluice push`, the program, to a real store.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::store::Store;

async fn push(store: &Store, dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"));
    command.args(["push", "--endpoint", &store.endpoint(), "--source"]).arg(dir).args(arguments);
    command.env_clear().env("HOME", store.dir.path()).output().await.unwrap()
}

fn bundle(dir: &Path) {
    std::fs::write(
        dir.join("appspec.yml"),
        "version: 0.0\nos: linux\nhooks:\n  ApplicationStart:\n  - location: scripts/start.sh\n",
    )
    .unwrap();
    std::fs::create_dir(dir.join("scripts")).unwrap();
    std::fs::write(dir.join("scripts/start.sh"), "#!/bin/sh\n").unwrap();
}

#[tokio::test]
async fn a_folder_becomes_a_revision_that_tells_all_that_a_deployment_needs() {
    let store = Store::start().await;
    let dir = tempfile::tempdir().unwrap();
    bundle(dir.path());
    let [(id, id_value), (key, key_value)] = store.environment();
    let profile =
        format!("[default]\n{} = {id_value}\n{} = {key_value}\n", id.to_lowercase(), key.to_lowercase());
    std::fs::create_dir(store.dir.path().join(".aws")).unwrap();
    std::fs::write(store.dir.path().join(".aws/credentials"), profile).unwrap();
    let mut digests = Vec::new();
    for _ in 0..2 {
        let done =
            push(&store, dir.path(), &["--s3-location", "s3://releases/web/1.zip", "-o", "json"]).await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let told: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(
            (&told["bucket"], &told["key"], &told["bundleType"]),
            (&"releases".into(), &"web/1.zip".into(), &"zip".into())
        );
        assert!(told["version"].is_string() && told["eTag"].is_string(), "{told}");
        digests.push(told["sha256"].clone());
    }
    assert_eq!(digests[0], digests[1]);
    let done = push(&store, dir.path(), &["--s3-location", "s3://releases/web/1.zip"]).await;
    let (yaml, words) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(yaml.starts_with("revision:\n  s3:\n"), "{yaml}");
    assert!(words.contains("--s3-location bucket=releases,key=web/1.zip,bundleType=zip,version="), "{words}");
}

#[tokio::test]
async fn what_cannot_be_pushed_is_said_in_one_line() {
    let store = Store::start().await;
    let dir = tempfile::tempdir().unwrap();
    let location = ["--s3-location", "s3://releases/a.tgz"];
    let fails = async |part: &str, code: i32| {
        let done = push(&store, dir.path(), &location).await;
        let words = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{words}");
        let last = words.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && words.contains(part), "{words}");
    };
    fails("there is no appspec.yml", 1).await;
    bundle(dir.path());
    fails("AWS_ACCESS_KEY_ID", 2).await;
    std::fs::create_dir(store.dir.path().join(".aws")).unwrap();
    let wrong = "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = wrong-s3cret\n";
    std::fs::write(store.dir.path().join(".aws/credentials"), wrong).unwrap();
    fails("SignatureDoesNotMatch", 1).await;
}
