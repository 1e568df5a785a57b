//! Writes: a status by compare-and-set, JSON patches with tests, creates that recognise their own work.

use http::{Method, Request};
use kube::api::{ObjectMeta, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Error;
use crate::api::FIELD_MANAGER;

/// Any other write that takes longer is given up.
const WRITE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// A creation that takes longer is given up.
const CREATE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// What is read of a write's answer.
#[derive(Debug, Deserialize)]
struct Written {
    metadata: WrittenMeta,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMeta {
    resource_version: Option<String>,
}

/// The object's kind, namespace and name, for errors.
pub fn describe<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", K::kind(&()))
}

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
    let what = describe::<K>(&namespace, &name);
    let (uid, version) = (seen.uid().unwrap_or_default(), seen.resource_version().unwrap_or_default());
    let metadata = StatusMeta { name: &name, namespace: &namespace, uid: &uid, resource_version: &version };
    let body =
        StatusBody { api_version: K::api_version(&()).into(), kind: K::kind(&()).into(), metadata, status };
    let path = format!("{}/{name}/status?fieldManager={FIELD_MANAGER}", K::url_path(&(), Some(&namespace)));
    send(client, Method::PUT, &path, "application/json", &body, what).await
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
    let path = format!("{}/{name}?fieldManager={FIELD_MANAGER}", K::url_path(&(), Some(namespace)));
    send(
        client,
        Method::PATCH,
        &path,
        "application/json-patch+json",
        &operations,
        describe::<K>(namespace, name),
    )
    .await
}

async fn send<B: Serialize>(
    client: &Client,
    method: Method,
    path: &str,
    content_type: &str,
    body: &B,
    what: String,
) -> Result<Option<String>, Error> {
    let fail = |e: kube::Error| Error::from_kube(what.clone(), e);
    let body = serde_json::to_vec(body).map_err(|e| fail(kube::Error::SerdeError(e)))?;
    let request = Request::builder().method(method).uri(path).header("content-type", content_type).body(body);
    let request = request.map_err(|e| fail(kube::Error::HttpError(e)))?;
    // A late landing is harmless, each write tests what it was decided on; a dead connection must not hold up its key.
    let Ok(answer) = tokio::time::timeout(WRITE_TIMEOUT, client.request::<Written>(request)).await else {
        return Err(Error::Slow { what });
    };
    let written = answer.map_err(fail)?;
    Ok(written.metadata.resource_version)
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
        let mut guarded = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": self.uid}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": self.version}),
        ];
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
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let (name, namespace) = (seen.name_any(), seen.namespace().unwrap_or_default());
    let what = describe::<K>(&namespace, &name);
    let api = kube::Api::<K>::namespaced(client.clone(), &namespace);
    let found = api.get_metadata_opt(&name).await.map_err(|e| Error::from_kube(what.clone(), e))?;
    let is_same = found.is_some_and(|f| f.metadata.resource_version == seen.meta().resource_version);
    if is_same { Ok(()) } else { Err(Error::Conflict { what }) }
}

/// Creates an object of a recorded name. One that exists is success only if `is_ours` says so of it.
pub async fn create<K>(
    client: &Client,
    namespace: &str,
    object: &K,
    is_ours: impl Fn(&ObjectMeta) -> bool,
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api = kube::Api::<K>::namespaced(client.clone(), namespace);
    let what = describe::<K>(namespace, &object.name_any());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    // One that takes longer might land when its reason is gone: it is given up, and asked for anew.
    let Ok(answer) = tokio::time::timeout(CREATE_TIMEOUT, api.create(&params, object)).await else {
        return Err(Error::Slow { what });
    };
    match answer {
        Ok(created) => Ok(created.resource_version()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
            let there = api.get(&object.name_any()).await.map_err(|e| Error::from_kube(what.clone(), e))?;
            if is_ours(there.meta()) { Ok(there.resource_version()) } else { Err(Error::NameTaken { what }) }
        }
        Err(error) => Err(Error::from_kube(what, error)),
    }
}
