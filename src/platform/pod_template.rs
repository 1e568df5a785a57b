//! PodTemplates: Kubernetes' own stored pod templates, which an AppSpec's TaskDefinition names.

use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::engine::facts::PodTemplateFact;

/// What is read of a PodTemplate.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::PodTemplate)]
pub struct PodTemplate {
    /// Standard metadata.
    #[serde(deserialize_with = "crate::cluster::slim::slim_meta")]
    pub metadata: ObjectMeta,
    /// The template as JSON text: a fraction of the memory that a tree of values takes.
    #[serde(default, deserialize_with = "as_text")]
    template: String,
}

fn as_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Value::deserialize(deserializer).map(|v| v.to_string())
}

impl PodTemplate {
    /// The PodTemplate as the engine sees it.
    pub fn fact(&self) -> PodTemplateFact {
        let template = serde_json::from_str(&self.template).unwrap_or_default();
        PodTemplateFact { name: self.name_any(), template }
    }
}
