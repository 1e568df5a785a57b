//! A single AppSpec from the sources of bundles, for Function and Service: small, text, and in memory.

use std::time::Duration;

use super::transfer::{self, transfer};
use super::{Credentials, Egress, Error};
use crate::api::{BundleType, ResolvedRevision, Revision};
use crate::remote::download::{Limits, Sink};

/// No AppSpec is larger.
const MAX_BYTES: u64 = 256 * 1024;

/// Limits of the controller: 256 KiB, half a minute.
pub fn limits(egress: Egress) -> Limits {
    Limits {
        egress,
        max_bytes: MAX_BYTES,
        stall: Duration::from_secs(10),
        total: Duration::from_secs(30),
        pauses: [1, 3].map(Duration::from_secs).into(),
    }
}

/// Fetches the AppSpec that `revision` names.
///
/// Errors: as of a bundle; [`Error::InvalidRevision`] for what is no single AppSpec.
pub async fn fetch(
    revision: &Revision,
    credentials: Option<&Credentials>,
    limits: &Limits,
) -> Result<String, Error> {
    if revision.git_hub.is_some() {
        return Err(Error::InvalidRevision(
            "spec.revision.gitHub is an archive of a whole repository, and this platform takes an AppSpec; use s3, http, oci, configMap or appSpecContent".into(),
        ));
    }
    let is_archive = |kind| matches!(kind, Some(BundleType::Tar | BundleType::Tgz | BundleType::Zip));
    let archive = || {
        Error::InvalidRevision(
            "spec.revision is a bundle of files, and this platform takes an AppSpec; name a file in YAML or JSON".into(),
        )
    };
    if is_archive(transfer::declared(revision)?) {
        return Err(archive());
    }
    let resolved = ResolvedRevision::new(revision, "");
    let got = transfer(&resolved, credentials, Sink::Memory(Vec::new()), limits).await?;
    if is_archive(transfer::detected(&got.head)) {
        return Err(archive());
    }
    String::from_utf8(got.sink.into_memory()).map_err(|_| {
        Error::InvalidRevision("spec.revision is not a text in UTF-8; name a file in YAML or JSON".into())
    })
}
