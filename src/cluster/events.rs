//! Events (`events.k8s.io/v1`) under names made from what they say: a repeat after a crash finds its own.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use sha2::{Digest, Sha256};

use super::Error;

/// One thing to tell of an object.
pub struct News<'a> {
    /// True for what somebody should look at.
    pub is_warning: bool,
    /// CamelCase.
    pub reason: &'a str,
    /// The sentence.
    pub message: &'a str,
    /// Who reports it: the pod.
    pub instance: &'a str,
}

/// Publishes `news` of `object`.
pub async fn publish<K: Resource<DynamicType = ()>>(
    client: &Client,
    object: &K,
    news: &News<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let namespace = object.namespace().unwrap_or_default();
    let uid = object.uid().unwrap_or_default();
    let digest = Sha256::digest(format!("{uid}/{}/{}", news.reason, news.message));
    let suffix: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let stem = object.name_any();
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{suffix}", stem.get(..200).unwrap_or(&stem))),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some(news.reason.into()),
        reason: Some(news.reason.into()),
        note: Some(news.message.into()),
        type_: Some(if news.is_warning { "Warning" } else { "Normal" }.into()),
        event_time: Some(MicroTime(now)),
        regarding: Some(ObjectReference {
            api_version: Some(K::api_version(&()).into()),
            kind: Some(K::kind(&()).into()),
            name: Some(object.name_any()),
            namespace: Some(namespace.clone()),
            uid: object.uid(),
            resource_version: object.resource_version(),
            field_path: None,
        }),
        reporting_controller: Some("sluice.dev/controller".into()),
        reporting_instance: Some(news.instance.get(..128).unwrap_or(news.instance).into()),
        ..Event::default()
    };
    match Api::<Event>::namespaced(client.clone(), &namespace).create(&PostParams::default(), &event).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        Err(error) => Err(Error::from_kube(format!("Event {namespace}/{stem}"), error)),
    }
}
