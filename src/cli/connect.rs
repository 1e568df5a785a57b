//! From kubeconfig and flags to a client and a namespace. Knows none of our kinds.

use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};

use super::args::Target;
use super::error::Error;

/// A cluster and the namespace that a verb speaks of.
#[derive(Clone)]
pub struct Session {
    /// The connection.
    pub client: Client,
    /// The namespace of `-n`, else the context's.
    pub namespace: String,
    config: Config,
}

impl Session {
    /// The API server's URL, and the certificates (DER) that it is known by; none if it is known by the system's.
    pub fn server(&self) -> (String, &[Vec<u8>]) {
        let url = self.config.cluster_url.to_string();
        (url.trim_end_matches('/').to_owned(), self.config.root_cert.as_deref().unwrap_or_default())
    }

    /// The objects of one kind, in the session's namespace, for a watch: it is tried again by whoever watches, so the
    /// client's own retries, which pause longer and longer while an API server starts, are off.
    ///
    /// # Errors
    /// Those of [`connect`].
    pub fn watched<K>(&self) -> Result<Api<K>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let mut config = self.config.clone();
        config.default_retry = false;
        Ok(Api::namespaced(Client::try_from(config)?, &self.namespace))
    }
}

/// Opens a session; nothing is asked of the cluster yet.
///
/// # Errors
/// A kubeconfig that is missing, cannot be read, or lacks the context.
pub async fn connect(target: &Target) -> Result<Session, Error> {
    let config = config(target).await.map_err(Error::Kubeconfig)?;
    let namespace = target.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config.clone())?;
    Ok(Session { client, namespace, config })
}

async fn config(target: &Target) -> Result<Config, KubeconfigError> {
    let options = KubeConfigOptions { context: target.context.clone(), ..KubeConfigOptions::default() };
    let file = match &target.kubeconfig {
        Some(path) => Kubeconfig::read_from(path)?,
        None => match Kubeconfig::read() {
            Ok(file) => file,
            // In a pod there is no file but a service account.
            Err(error) if target.context.is_none() && is_absent(&error) => {
                return Config::incluster().map_err(|_| error);
            }
            Err(error) => return Err(error),
        },
    };
    Config::from_custom_kubeconfig(file, &options).await
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
