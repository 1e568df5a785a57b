//! Single requests: what is sent is an object or a patch, what is read of the answer is metadata.

use std::time::Duration;

use http::{Method, Request};
use k8s_openapi::NamespaceResourceScope;
use kube::api::ObjectMeta;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use super::slim::slim_meta;

/// What to answer with: metadata alone, a fraction of the object. A refusal is a Status as it is: without the second choice it
/// would be one all the same, but its words would be missing in the API server's audit log.
const ACCEPT: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// A creation that takes longer is given up.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of a creation.
pub enum Created {
    /// It is there, at this version.
    Now(Option<String>),
    /// One of that name was there before.
    Exists,
}

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

#[derive(Deserialize)]
struct Found {
    #[serde(deserialize_with = "slim_meta")]
    metadata: ObjectMeta,
}

/// The object's kind, namespace and name, for errors.
pub fn describe<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", K::kind(&()))
}

async fn ask<T: DeserializeOwned>(
    client: &Client,
    (method, path, content_type): (Method, &str, &str),
    body: Vec<u8>,
) -> Result<T, kube::Error> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("accept", ACCEPT).header("content-type", content_type).body(body);
    client.request(request.map_err(kube::Error::HttpError)?).await
}

/// Sends `body` by method, path and content type, waiting at most `limit`. Answers the object's new version.
pub async fn write(
    client: &Client,
    to: (Method, &str, &str),
    body: serde_json::Result<Vec<u8>>,
    limit: Duration,
) -> Result<Option<String>, WriteError> {
    let answer = ask::<Written>(client, to, body.map_err(kube::Error::SerdeError)?);
    let written = tokio::time::timeout(limit, answer).await.map_err(|_| WriteError::Slow)??;
    Ok(written.metadata.resource_version)
}

/// Why there is no answer to a write.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Not in time.
    #[error("no answer in time")]
    Slow,
    /// The API server's or the client's words.
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

impl WriteError {
    /// Sorts it; `what` is the object.
    pub fn of(self, what: impl Into<String>) -> Error {
        match self {
            Self::Slow => Error::Slow { what: what.into() },
            Self::Kube(error) => Error::from_kube(what, error),
        }
    }
}

/// Posts an object to the collection at `path`.
pub async fn post(
    client: &Client,
    path: &str,
    object: &impl Serialize,
    what: &str,
) -> Result<Created, Error> {
    let body = serde_json::to_vec(object);
    // One that takes longer might land when its reason is gone: it is given up, and asked for anew.
    match write(client, (Method::POST, path, "application/json"), body, CREATE_TIMEOUT).await {
        Ok(version) => Ok(Created::Now(version)),
        Err(WriteError::Kube(kube::Error::Api(status))) if status.reason == "AlreadyExists" => {
            Ok(Created::Exists)
        }
        Err(error) => Err(error.of(what)),
    }
}

/// The metadata that the API server itself has of an object; `None` if it is not there.
pub async fn metadata<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<ObjectMeta>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let path = format!("{}/{name}", K::url_path(&(), Some(namespace)));
    match ask::<Found>(client, (Method::GET, &path, "application/json"), vec![]).await {
        Ok(found) => Ok(Some(found.metadata)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(Error::from_kube(describe::<K>(namespace, name), error)),
    }
}
