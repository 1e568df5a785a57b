//! Writes: a status by compare-and-set, JSON patches with tests, creates that recognise their own work.

use std::time::Duration;

use http::Method;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ObjectMeta;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Value, json};

use super::Error;
use super::request::{self, Created, describe};
use crate::api::FIELD_MANAGER;

/// A write that takes longer is given up: a late landing is harmless, each tests what it was decided on; a dead connection must
/// not hold up its key.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody<'a, S> {
    api_version: String,
    kind: String,
    metadata: StatusMeta<'a>,
    status: &'a S,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusMeta<'a> {
    name: &'a str,
    namespace: &'a str,
    uid: &'a str,
    resource_version: &'a str,
}

/// Replaces the status of exactly the object that was looked at: same uid, same resourceVersion. Answers the new version.
///
/// The body leaves the spec out: the status subresource takes nothing else from it.
pub async fn replace_status<K, S>(client: &Client, seen: &K, status: &S) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
    S: Serialize,
{
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let (uid, version) = (seen.uid().unwrap_or_default(), seen.resource_version().unwrap_or_default());
    let metadata = StatusMeta { name: &name, namespace: &namespace, uid: &uid, resource_version: &version };
    let body =
        StatusBody { api_version: K::api_version(&()).into(), kind: K::kind(&()).into(), metadata, status };
    let path = format!("{}/{name}/status?fieldManager={FIELD_MANAGER}", K::url_path(&(), Some(&namespace)));
    let to = (Method::PUT, path.as_str(), "application/json");
    let answer = request::write(client, to, serde_json::to_vec(&body), TIMEOUT).await;
    answer.map_err(|e| e.of(describe::<K>(&namespace, &name)))
}

/// The operations by which a JSON Patch is valid only on that object, at that version.
pub fn untouched(uid: &str, version: &str) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}),
    ]
}

/// Applies a JSON Patch. Its own `test` operations say on what it is valid. Answers the new version.
pub async fn patch_json<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    operations: &[Value],
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    patch_part::<K>(client, namespace, name, "", operations).await
}

/// The same to the status.
pub async fn patch_json_status<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    operations: &[Value],
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    patch_part::<K>(client, namespace, name, "/status", operations).await
}

async fn patch_part<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    part: &str,
    operations: &[Value],
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    let path = format!("{}/{name}{part}?fieldManager={FIELD_MANAGER}", K::url_path(&(), Some(namespace)));
    let to = (Method::PATCH, path.as_str(), "application/json-patch+json");
    let answer = request::write(client, to, serde_json::to_vec(operations), TIMEOUT).await;
    answer.map_err(|e| e.of(describe::<K>(namespace, name)))
}

/// Sends a merge patch to `path`, for fields that nobody else writes. Answers the object's new version.
pub async fn merge(client: &Client, path: &str, patch: &Value, what: &str) -> Result<Option<String>, Error> {
    let to = (Method::PATCH, path, "application/merge-patch+json");
    request::write(client, to, serde_json::to_vec(patch), TIMEOUT).await.map_err(|e| e.of(what))
}

/// An object as it was looked at: what a guarded write is valid on.
#[derive(Clone, Debug)]
pub struct Seen {
    namespace: String,
    name: String,
    uid: String,
    version: String,
    finalizers: Vec<String>,
}

impl Seen {
    /// The object at the version that a cache holds, or at `version` if a write of ours has moved it on since.
    pub fn new<K: Resource>(object: &K, version: Option<String>) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            version: version.or_else(|| object.resource_version()).unwrap_or_default(),
            finalizers: object.finalizers().to_vec(),
        }
    }

    async fn patch<K>(&self, client: &Client, operations: Vec<Value>) -> Result<Option<String>, Error>
    where
        K: Resource<DynamicType = ()>,
    {
        let mut guarded = untouched(&self.uid, &self.version);
        guarded.extend(operations);
        patch_json::<K>(client, &self.namespace, &self.name, &guarded).await
    }
}

/// Puts `finalizer` on the object that was looked at; nothing to do if it is there.
pub async fn add_finalizer<K>(client: &Client, seen: &Seen, finalizer: &str) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    if seen.finalizers.iter().any(|f| f == finalizer) {
        return Ok(None);
    }
    let add = if seen.finalizers.is_empty() {
        json!({"op": "add", "path": "/metadata/finalizers", "value": [finalizer]})
    } else {
        json!({"op": "add", "path": "/metadata/finalizers/-", "value": finalizer})
    };
    seen.patch::<K>(client, vec![add]).await
}

/// Takes `finalizer` off the object that was looked at; nothing to do if it is not there.
pub async fn remove_finalizer<K>(
    client: &Client,
    seen: &Seen,
    finalizer: &str,
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    let Some(index) = seen.finalizers.iter().position(|f| f == finalizer) else { return Ok(None) };
    let path = format!("/metadata/finalizers/{index}");
    let operations =
        vec![json!({"op": "test", "path": path, "value": finalizer}), json!({"op": "remove", "path": path})];
    match seen.patch::<K>(client, operations).await {
        Err(Error::Gone { .. }) => Ok(None),
        other => other,
    }
}

/// Asks the API server whether the object is still at the version that was looked at; [`Error::Conflict`] if not.
pub async fn confirm<K>(client: &Client, seen: &K) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let found = request::metadata::<K>(client, &namespace, &name).await?;
    let is_same = found.is_some_and(|f| f.resource_version == seen.meta().resource_version);
    if is_same { Ok(()) } else { Err(Error::Conflict { what: describe::<K>(&namespace, &name) }) }
}

/// Creates an object of a recorded name. One that exists is success only if `is_ours` says so of it.
pub async fn create<K>(
    client: &Client,
    namespace: &str,
    object: &K,
    is_ours: impl Fn(&ObjectMeta) -> bool,
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
{
    create_as::<K>(client, namespace, &object.name_any(), object, is_ours).await
}

/// Creates an object of kind `K` from its content, which has that name; see [`create`].
pub async fn create_as<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    content: &impl Serialize,
    is_ours: impl Fn(&ObjectMeta) -> bool,
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let what = describe::<K>(namespace, name);
    let path = format!("{}?fieldManager={FIELD_MANAGER}", K::url_path(&(), Some(namespace)));
    if let Created::Now(version) = request::post(client, &path, content, &what).await? {
        return Ok(version);
    }
    match request::metadata::<K>(client, namespace, name).await? {
        Some(there) if is_ours(&there) => Ok(there.resource_version),
        Some(_) => Err(Error::NameTaken { what }),
        None => Err(Error::Gone { what }),
    }
}
