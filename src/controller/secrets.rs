//! Secrets that objects name. The chart grants none: each is read with a right that its namespace gave for that one name.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::context::Context;
use crate::cluster::Error;

/// The field of a revision that names its Secret.
pub const OF_REVISION: &str = "spec.revision's secretRef";

/// The commands that let us read one Secret.
pub fn grant(context: &Context, namespace: &str, name: &str) -> String {
    format!(
        "kubectl create role sluice-{name} -n {namespace} --verb=get --resource=secrets --resource-name={name} && kubectl create rolebinding sluice-{name} -n {namespace} --role=sluice-{name} --serviceaccount={}",
        context.service_account
    )
}

/// What a read of a Secret came to.
pub enum Found {
    /// Its data.
    Data(BTreeMap<String, ByteString>),
    /// Reason and sentence: it may not be read, or it is not there.
    Withheld(&'static str, String),
}

/// Reads the Secret `name`, which `field` names.
///
/// Errors: the API server cannot be asked.
pub async fn read(context: &Context, namespace: &str, field: &str, name: &str) -> Result<Found, Error> {
    let found = Api::<Secret>::namespaced(context.client.clone(), namespace).get(name).await;
    match found {
        Ok(secret) => Ok(Found::Data(secret.data.unwrap_or_default())),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(Found::Withheld(
            "SecretNotGranted",
            format!(
                "{field} names Secret {name}, which may not be read; grant it: {}",
                grant(context, namespace, name)
            ),
        )),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Found::Withheld(
            "SecretMissing",
            format!("{field} names Secret {name}, and there is none; create it, or name another one"),
        )),
        Err(error) => Err(Error::from_kube(format!("Secret {namespace}/{name}"), error)),
    }
}

/// Why a Secret cannot be read, reason and sentence; `None` if it can, or if that cannot be told now.
pub async fn withheld(
    context: &Context,
    namespace: &str,
    field: &str,
    name: &str,
) -> Option<(&'static str, String)> {
    match read(context, namespace, field, name).await {
        Ok(Found::Withheld(reason, cure)) => Some((reason, cure)),
        Ok(Found::Data(_)) | Err(_) => None,
    }
}
