//! An S3 store with a bucket that keeps versions, and another that does not.

use std::time::Duration;

use rusty_s3::actions::PutObject;
use rusty_s3::{Bucket, S3Action, UrlStyle};
use sluice::api::{ResolvedRevision, Revision, S3Revision};
use sluice::source::Credentials;
use tokio::process::Child;

use crate::program::{free_port, http, start, tool};

const KEY: &str = "AKIATEST";
const SECRET: &str = "s3cret/key+of=tests";

pub struct Store {
    pub port: u16,
    pub dir: tempfile::TempDir,
    _program: Child,
}

impl Store {
    pub async fn start() -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let folder = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let mut command = tool("versitygw");
        command.args(["--port", &format!("127.0.0.1:{port}"), "--quiet", "posix"]);
        command.arg("--versioning-dir").arg(folder("versions")).arg("--sidecar").arg(folder("meta"));
        command.arg(folder("root")).env("ROOT_ACCESS_KEY_ID", KEY).env("ROOT_SECRET_ACCESS_KEY", SECRET);
        let program = start(&mut command, port).await;
        let store = Self { port, dir, _program: program };
        for bucket in ["releases", "plain"] {
            store.put(bucket, "", None, "").await;
        }
        let versioning = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
        store.put("releases", "", Some("versioning"), versioning).await;
        store
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Who may do everything here.
    pub fn credentials(&self) -> Credentials {
        Credentials::S3 { access_key_id: KEY.into(), secret_access_key: SECRET.into(), session_token: None }
    }

    /// For the environment of a program.
    pub fn environment(&self) -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)]
    }

    /// Puts something by the tests' own hand.
    pub async fn put(&self, bucket: &str, key: &str, query: Option<&str>, body: &str) {
        let endpoint = self.endpoint().parse().unwrap();
        let bucket = Bucket::new(endpoint, UrlStyle::Path, bucket.to_owned(), "us-east-1").unwrap();
        let credentials = rusty_s3::Credentials::new(KEY, SECRET);
        let mut put = PutObject::new(&bucket, Some(&credentials), key);
        if let Some(query) = query {
            put.query_mut().insert(query, "");
        }
        let answer =
            http().put(put.sign(Duration::from_secs(60))).body(body.to_owned()).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
    }
}

/// An object of the bucket that keeps versions.
pub fn object(endpoint: String, key: &str) -> S3Revision {
    S3Revision {
        bucket: "releases".into(),
        key: key.into(),
        version: None,
        e_tag: None,
        bundle_type: None,
        endpoint: Some(endpoint),
        region: None,
        secret_ref: None,
    }
}

pub fn revision(s3: S3Revision) -> ResolvedRevision {
    ResolvedRevision::new(&Revision { s3: Some(s3.into()), ..Revision::default() }, "")
}
