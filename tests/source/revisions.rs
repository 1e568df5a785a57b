//! What the tests fetch, and how.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sluice::api::{GitHubRevision, HttpRevision, OciRevision, ResolvedRevision, Revision, S3Revision};
use sluice::source::bundle::{FetchOptions, Fetched, fetch};
use sluice::source::{Credentials, Error};

/// Bytes that look like nothing and repeat nowhere.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file at `url` that should be `bytes`.
pub fn file(url: String, bytes: &[u8]) -> ResolvedRevision {
    let http = HttpRevision { url, sha256: sha256(bytes), bundle_type: None };
    ResolvedRevision::new(&Revision { http: Some(http.into()), ..Revision::default() }, "")
}

/// An object in the store at `endpoint`.
pub fn object(endpoint: String) -> S3Revision {
    S3Revision {
        bucket: "releases".into(),
        key: "web/1.tgz".into(),
        version: None,
        e_tag: None,
        bundle_type: None,
        endpoint: Some(endpoint),
        region: None,
        secret_ref: None,
    }
}

pub fn of_object(s3: S3Revision) -> ResolvedRevision {
    ResolvedRevision::new(&Revision { s3: Some(s3.into()), ..Revision::default() }, "")
}

/// A commit at the API at `api_url`.
pub fn commit(api_url: String) -> ResolvedRevision {
    let commit = GitHubRevision {
        repository: "acme/web".into(),
        commit_id: "ab".repeat(20),
        bundle_type: None,
        api_url: Some(api_url),
        secret_ref: None,
    };
    ResolvedRevision::new(&Revision { git_hub: Some(commit.into()), ..Revision::default() }, "")
}

/// An artifact in the registry on `port`.
pub fn artifact(port: u16, sha256: &str) -> ResolvedRevision {
    let oci = OciRevision { image: format!("127.0.0.1:{port}/acme/web@sha256:{sha256}"), secret_ref: None };
    ResolvedRevision::new(&Revision { oci: Some(oci.into()), ..Revision::default() }, "")
}

/// Limits that make no test wait.
pub fn options() -> FetchOptions {
    FetchOptions {
        stall: Duration::from_secs(20),
        total: Duration::from_secs(60),
        pauses: vec![Duration::from_millis(1); 3],
        ..FetchOptions::of_hosts()
    }
}

/// A folder for one fetch.
pub struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    pub async fn fetch(&self, revision: &ResolvedRevision, options: &FetchOptions) -> Result<Fetched, Error> {
        self.fetch_as(revision, None, options).await
    }

    pub async fn fetch_as(
        &self,
        revision: &ResolvedRevision,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
    ) -> Result<Fetched, Error> {
        // As the agent calls it: the future has to be one that any thread may carry on.
        let (revision, credentials, options, path) =
            (revision.clone(), credentials.cloned(), options.clone(), self.path());
        let fetch = async move { fetch(&revision, credentials.as_ref(), &path, &options).await };
        tokio::spawn(fetch).await.unwrap()
    }

    pub fn content(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }
}
