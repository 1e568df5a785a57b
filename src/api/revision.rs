//! A revision: what is to be deployed. A field of groups and deployments, not a kind.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a revision comes from: exactly one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.appSpecContent) != has(self.configMap)").message("exactly one source must be given: appSpecContent or configMap"))]
pub struct Revision {
    /// The AppSpec itself, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_spec_content: Option<AppSpecContent>,
    /// A key of a ConfigMap that holds the AppSpec; the content's digest is the revision's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapRevision>,
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
    /// The AppSpec itself, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_spec_content: Option<AppSpecContent>,
    /// The ConfigMap that held the AppSpec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapRevision>,
    /// `sha256:` and the hex digest of the AppSpec's bytes.
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
        Self {
            app_spec_content: source.app_spec_content.clone(),
            config_map: source.config_map.clone(),
            digest: digest.into(),
            summary: None,
        }
    }
}

impl fmt::Display for ResolvedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.digest.get(..19).unwrap_or(&self.digest);
        match &self.summary {
            Some(summary) => write!(f, "{summary} ({short})"),
            None => f.write_str(short),
        }
    }
}
