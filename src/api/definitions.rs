//! The definitions of our kinds as they are installed; gives what `crdgen` prints.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::{Application, Deployment, DeploymentConfig, DeploymentGroup, LifecycleHook};

/// Every kind's definition, in the order in which a reader meets them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![
        Application::crd(),
        DeploymentConfig::crd(),
        LifecycleHook::crd(),
        DeploymentGroup::crd(),
        Deployment::crd(),
    ];
    let versions = definitions.iter_mut().flat_map(|definition| &mut definition.spec.versions);
    let schemas = versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    schemas.for_each(drop_nullable);
    definitions
}

/// The derive makes every `Option` nullable. Without that mark the API server drops an explicit null (and refuses one in a
/// server-side apply), so that it is the same as an absent field: a stored null is another value to the rules on immutable fields.
fn drop_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(drop_nullable);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        drop_nullable(items);
    }
}
