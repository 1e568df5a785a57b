//! Reads objects: each as the API server gave it, for `-o json`, and as its kind, for tables. Writes nothing.

use std::fmt::Debug;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::connect::Session;
use super::error::Error;

/// Objects asked for with one request; kubectl's figure.
const PAGE: u32 = 500;

/// One of our kinds, or one of Kubernetes' own.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug
{
}
impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug
{
}

/// An object, raw and read.
#[derive(Clone, Debug)]
pub struct Found<K> {
    /// Every field that the API server gave but `managedFields`, as kubectl prints it.
    pub raw: DynamicObject,
    /// The fields that this program knows.
    pub read: K,
}

impl<K: Kind> Found<K> {
    /// Reads `raw` as a `K`.
    ///
    /// # Errors
    /// A field that holds what this version does not know.
    pub fn new(mut raw: DynamicObject) -> Result<Self, Error> {
        raw.metadata.managed_fields = None;
        let unreadable = |source| Error::Unreadable { name: raw.name_any(), source };
        let read = serde_json::to_value(&raw).and_then(serde_json::from_value).map_err(unreadable)?;
        Ok(Self { raw, read })
    }
}

/// The object of that name.
///
/// # Errors
/// Those of the API server, NotFound among them.
pub async fn get<K: Kind>(session: &Session, name: &str) -> Result<Found<K>, Error> {
    Found::new(raw_api::<K>(session, false).get(name).await?)
}

/// All objects of the session's namespace, or of all namespaces, in the API server's order.
///
/// # Errors
/// Those of the API server.
pub async fn list<K: Kind>(session: &Session, all_namespaces: bool) -> Result<Vec<Found<K>>, Error> {
    let api = raw_api::<K>(session, all_namespaces);
    let mut params = ListParams::default().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&params).await?;
        for raw in page.items {
            found.push(Found::new(raw)?);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

/// Objects of `K`, unread.
pub fn raw_api<K: Kind>(session: &Session, all_namespaces: bool) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<K>(&());
    if all_namespaces {
        Api::all_with(session.client.clone(), &kind)
    } else {
        Api::namespaced_with(session.client.clone(), &session.namespace, &kind)
    }
}
