//! A bundle's bytes, from whichever source to a file on this host.

use std::path::Path;

use http::header::ETAG;
use tokio::fs::{File, OpenOptions};

use super::transfer::{self, VERSION, transfer};
use super::{Credentials, Error};
use crate::api::{BundleType, ResolvedRevision};
use crate::remote::download::{Got, Limits, Sink};

/// Limits of a fetch: [`Limits::of_hosts`] and whatever is configured.
pub type FetchOptions = Limits;

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetched {
    /// `sha256:` and the hex digest of the bytes.
    pub digest: String,
    /// How many there are.
    pub bytes: u64,
    /// The object's ETag in S3, without quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// The object's version in S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it is packed: as the revision says, else as the content shows; `None` if neither tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<BundleType>,
}

/// Fetches the bundle of `revision` to the file `into`, which is created or replaced and for its owner only. On an error what is
/// there is no bundle.
///
/// Errors: each names the field of the revision and the cure; none holds a secret.
pub async fn fetch(
    revision: &ResolvedRevision,
    credentials: Option<&Credentials>,
    into: &Path,
    options: &FetchOptions,
) -> Result<Fetched, Error> {
    let declared = transfer::declared(&revision.source)?;
    if matches!(declared, Some(BundleType::Yaml | BundleType::Json)) {
        return Err(Error::InvalidRevision(
            "spec.revision names a single AppSpec in bundleType; hosts take a bundle: tar, tgz or zip".into(),
        ));
    }
    let sink = Sink::File(create(into).await?);
    let got = transfer(revision, credentials, sink, options).await?;
    Ok(fetched(revision, declared, &got))
}

async fn create(into: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(into).await;
    file.map_err(|e| Error::Disk(format!("{} cannot be written: {e}", into.display())))
}

fn fetched(revision: &ResolvedRevision, declared: Option<BundleType>, got: &Got) -> Fetched {
    let header = |name| {
        let value = got.headers.get(name)?.to_str().ok()?;
        revision.source.s3.is_some().then(|| value.trim_matches('"').to_owned())
    };
    Fetched {
        digest: format!("sha256:{}", got.sha256),
        bytes: got.bytes,
        e_tag: header(&ETAG),
        version: header(&VERSION),
        kind: declared.or_else(|| transfer::detected(&got.head)),
    }
}
