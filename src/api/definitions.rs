//! The definitions of our kinds as they are installed; gives what `crdgen` prints.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::{CustomResourceExt, Resource};

use super::{Application, Deployment, DeploymentConfig, DeploymentGroup, Instance, LifecycleHook};

/// Every kind's definition, in the order in which a reader meets them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![
        Application::crd(),
        DeploymentConfig::crd(),
        LifecycleHook::crd(),
        DeploymentGroup::crd(),
        Deployment::crd(),
        Instance::crd(),
    ];
    for definition in &mut definitions {
        // Two write there: the host's agent and the controller.
        let has_one_writer = definition.spec.names.kind != Instance::kind(&());
        let versions = definition.spec.versions.iter_mut();
        for schema in versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
            drop_nullable(schema);
            if has_one_writer {
                own_status_as_a_whole(schema);
            }
        }
    }
    definitions
}

/// A status of one writer has one owner as a whole. Without that mark managed fields name each of its fields: as much again as
/// the status itself, in every event of a watch and in every answer to a write.
fn own_status_as_a_whole(schema: &mut JSONSchemaProps) {
    if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
        status.x_kubernetes_map_type = Some("atomic".into());
    }
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
