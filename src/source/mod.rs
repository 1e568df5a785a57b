//! Where revisions come from: what is behind a reference right now.
//!
//! ```text
//! bundle    a bundle's bytes → a file       app_spec  a single AppSpec → text
//! transfer  revision → requests             explain   faults → reasons and sentences
//! s3  git_hub  oci                          what each source wants to be asked
//! push      a folder → an object in S3       pack      a folder → a bundle
//! cache     bundles on a host, by digest    credentials, sealing   from a Secret to one host
//! entries   names that clash, links that leave: what no host takes
//! ```

pub mod app_spec;
pub mod bundle;
pub mod cache;
mod credentials;
pub mod entries;
mod error;
mod explain;
mod git_hub;
mod oci;
mod pack;
pub mod push;
mod s3;
pub mod sealing;
mod transfer;

pub use credentials::Credentials;
pub use error::Error;

pub use crate::remote::Egress;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};

use crate::api::{ConfigMapRevision, Revision};
use crate::cluster;
use crate::engine::facts::RevisionFact;

/// Reads a revision's content.
///
/// Errors: the API server cannot be asked; what is merely missing is a fact.
pub async fn read(
    client: &Client,
    namespace: &str,
    revision: &Revision,
) -> Result<RevisionFact, cluster::Error> {
    if let Some(text) = &revision.app_spec_content {
        return Ok(RevisionFact::Content(text.content.clone()));
    }
    let Some(source) = &revision.config_map else { return Ok(RevisionFact::NotRead) };
    let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = api.get_opt(&source.name).await;
    let found =
        found.map_err(|e| cluster::Error::from_kube(format!("ConfigMap {namespace}/{}", source.name), e))?;
    Ok(content(source, found.as_ref()))
}

/// What the named key of a ConfigMap holds.
pub fn content(source: &ConfigMapRevision, found: Option<&ConfigMap>) -> RevisionFact {
    let (name, key) = (&source.name, &source.key);
    let missing = |message| RevisionFact::Missing { reason: "RevisionMissing", message };
    let Some(found) = found else {
        return missing(format!("there is no ConfigMap {name}; create it with key {key}"));
    };
    match found.data.as_ref().and_then(|d| d.get(key)) {
        Some(text) => RevisionFact::Content(text.clone()),
        None => missing(format!("ConfigMap {name} has no key {key} in its data; add it")),
    }
}
