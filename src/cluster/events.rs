//! Events (`events.k8s.io/v1`) under names made from what they say: a repeat after a crash finds its own.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::{Client, Resource};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Error, request};

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    api_version: &'a str,
    kind: &'a str,
    metadata: EventMeta<'a>,
    action: &'a str,
    reason: &'a str,
    note: &'a str,
    #[serde(rename = "type")]
    type_: &'a str,
    event_time: MicroTime,
    regarding: &'a ObjectReference,
    reporting_controller: &'a str,
    reporting_instance: &'a str,
}

#[derive(Serialize)]
struct EventMeta<'a> {
    name: &'a str,
    namespace: &'a str,
}

/// The object that Events speak of.
pub fn regarding<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    let meta = object.meta();
    ObjectReference {
        api_version: Some(K::api_version(&()).into()),
        kind: Some(K::kind(&()).into()),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    }
}

/// Publishes `news` of an object.
pub async fn publish(
    client: &Client,
    regarding: &ObjectReference,
    news: &News<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let (namespace, stem) = (word(&regarding.namespace), word(&regarding.name));
    let digest = Sha256::digest(format!("{}/{}/{}", word(&regarding.uid), news.reason, news.message));
    let suffix: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let name = format!("{}.{suffix}", stem.get(..200).unwrap_or(&stem));
    let event = Event {
        api_version: "events.k8s.io/v1",
        kind: "Event",
        metadata: EventMeta { name: &name, namespace: &namespace },
        action: news.reason,
        reason: news.reason,
        note: news.message,
        type_: if news.is_warning { "Warning" } else { "Normal" },
        event_time: MicroTime(now),
        regarding,
        reporting_controller: "sluice.dev/controller",
        reporting_instance: news.instance.get(..128).unwrap_or(news.instance),
    };
    let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
    // One that exists is our own: its name is made from what it says.
    request::post(client, &path, &event, &format!("Event {namespace}/{stem}")).await.map(|_| ())
}
