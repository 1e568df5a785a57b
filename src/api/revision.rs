//! A revision: what is to be deployed. A field of groups and deployments, not a kind.
//!
//! Server takes bundles (s3, gitHub, http, oci); Function and Service take an AppSpec from any source.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::LocalRef;

/// Where a revision comes from: exactly one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.s3), has(self.gitHub), has(self.http), has(self.oci), has(self.appSpecContent), has(self.configMap)].filter(x, x).size() == 1").message("exactly one source must be given: s3, gitHub, http, oci, appSpecContent or configMap"))]
pub struct Revision {
    /// An object in S3-compatible storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<Box<S3Revision>>,
    /// A commit of a GitHub repository, as an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_hub: Option<Box<GitHubRevision>>,
    /// A file over HTTP(S), by its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpRevision>>,
    /// An OCI artifact, by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<Box<OciRevision>>,
    /// The AppSpec itself, as text (Function, Service).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_spec_content: Option<AppSpecContent>,
    /// A key of a ConfigMap that holds the AppSpec (Function, Service); the content's digest is the revision's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapRevision>,
}

impl Revision {
    /// The AppSpec itself as the revision.
    pub fn inline(content: impl Into<String>) -> Self {
        let content = AppSpecContent { content: content.into(), sha256: None };
        Self { app_spec_content: Some(content), ..Self::default() }
    }

    /// The Secret that the source's credentials come from, if it names one.
    pub fn secret(&self) -> Option<&str> {
        let s3 = self.s3.as_ref().and_then(|s| s.secret_ref.as_ref());
        let git_hub = self.git_hub.as_ref().and_then(|g| g.secret_ref.as_ref());
        let oci = self.oci.as_ref().and_then(|o| o.secret_ref.as_ref());
        s3.or(git_hub).or(oci).map(|reference| reference.name.as_str())
    }

    /// Where it lies, without who may read it: that does not change what it is.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        let mut place = self.clone();
        place.s3.iter_mut().for_each(|s| s.secret_ref = None);
        place.git_hub.iter_mut().for_each(|g| g.secret_ref = None);
        place.oci.iter_mut().for_each(|o| o.secret_ref = None);
        place
    }

    /// True for a source that can hold a bundle of files.
    pub fn is_bundle(&self) -> bool {
        self.s3.is_some() || self.git_hub.is_some() || self.http.is_some() || self.oci.is_some()
    }
}

/// How a bundle is packed, or in which form an AppSpec is written (CodeDeploy's `bundleType`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BundleType {
    /// A tar archive.
    #[serde(rename = "tar")]
    Tar,
    /// A tar archive, compressed with gzip.
    #[serde(rename = "tgz")]
    Tgz,
    /// A zip archive.
    #[serde(rename = "zip")]
    Zip,
    /// An AppSpec in YAML.
    #[serde(rename = "YAML")]
    Yaml,
    /// An AppSpec in JSON.
    #[serde(rename = "JSON")]
    Json,
}

/// An object in S3-compatible storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Revision {
    /// Name of the bucket.
    #[schemars(length(min = 1, max = 255))]
    pub bucket: String,
    /// The object's key.
    #[schemars(length(min = 1, max = 1024))]
    pub key: String,
    /// The object's version; without one, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub version: Option<String>,
    /// The object's ETag; when given it must be right.
    #[serde(default, rename = "eTag", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub e_tag: Option<String>,
    /// How it is packed; told by the content when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_type: Option<BundleType>,
    /// URL of the storage; without one, AWS' of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.startsWith('https://') || self.startsWith('http://')").message("endpoint must begin with https:// or http://"))]
    pub endpoint: Option<String>,
    /// The region; us-east-1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// A Secret with accessKeyId, secretAccessKey and perhaps sessionToken; without one, the object must be public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// A commit of a GitHub repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitHubRevision {
    /// The repository, as `owner/name`.
    #[schemars(length(max = 256), regex(pattern = r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"))]
    pub repository: String,
    /// The commit's full SHA-1.
    #[schemars(length(min = 40, max = 64), regex(pattern = r"^[0-9a-fA-F]{40}([0-9a-fA-F]{24})?$"))]
    pub commit_id: String,
    /// How the archive is packed: tar (as in CodeDeploy, the default; GitHub packs it with gzip) or zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_type: Option<BundleType>,
    /// URL of the API; `https://api.github.com` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.startsWith('https://') || self.startsWith('http://')").message("apiUrl must begin with https:// or http://"))]
    pub api_url: Option<String>,
    /// A Secret with token; without one, the repository must be public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// A file over HTTP(S).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRevision {
    /// Where it is.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.startsWith('https://') || self.startsWith('http://')").message("url must begin with https:// or http://"))]
    pub url: String,
    /// Its SHA-256 in hex.
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub sha256: String,
    /// How it is packed; told by the content when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_type: Option<BundleType>,
}

/// An OCI artifact: its first layer is the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciRevision {
    /// The artifact, as `host/repository@sha256:digest`.
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ ]+/[^@ ]+@sha256:[0-9a-f]{64}$')").message("image must be host/repository@sha256:digest: a tag moves, a digest does not"))]
    pub image: String,
    /// A Secret with username and password; without one, the artifact must be public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// An AppSpec as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppSpecContent {
    /// The AppSpec, YAML or JSON.
    #[schemars(length(min = 1, max = 65536))]
    pub content: String,
    /// The content's SHA-256 in hex; when given it must be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapRevision {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its data whose value is the AppSpec.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A revision as resolved: its source and the digest of what was found there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedRevision {
    /// Where it comes from.
    #[serde(flatten)]
    pub source: Revision,
    /// `sha256:` and the hex digest of the AppSpec's or the bundle's bytes; `git:` and the commit of a GitHub archive; empty while
    /// an object in S3 has not been read yet.
    #[serde(default)]
    #[schemars(length(max = 80))]
    pub digest: String,
    /// What the revision deploys, in a few words (`hello version 2`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
}

impl ResolvedRevision {
    /// `source` with the digest of what was found there.
    pub fn new(source: &Revision, digest: impl Into<String>) -> Self {
        Self { source: source.clone(), digest: digest.into(), summary: None }
    }
}

impl fmt::Display for ResolvedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.digest.get(..19).unwrap_or(&self.digest);
        match &self.summary {
            Some(summary) if short.is_empty() => f.write_str(summary),
            Some(summary) => write!(f, "{summary} ({short})"),
            None => f.write_str(short),
        }
    }
}
