//! The one way out: an HTTP client whose connector asks the egress policy of every address, at the moment of connecting.

use std::future::{Future, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{self, Builder};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use super::egress::{Egress, Refused};
use crate::lookup;

/// A connection has to come about within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is kept this long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// A client whose requests have bodies of type `B`.
pub type Client<B> = legacy::Client<HttpsConnector<Guarded>, B>;

/// Which versions of HTTP a client speaks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1 only: a connection carries one answer, so a slow disk holds up nothing but its own download.
    Http1,
    /// Whatever the server prefers.
    All,
}

/// A new client. It follows no redirects: what was validated is what is called.
///
/// Errors: the system's certificates cannot be used.
pub fn client<B>(egress: Egress, versions: Versions) -> Result<Client<B>, rustls::Error>
where
    B: Body + Send,
    B::Data: Send,
{
    let egress = Arc::new(egress);
    let mut connector = HttpConnector::new_with_resolver(Resolver(Arc::clone(&egress)));
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let guarded = Guarded { connector, egress };
    let builder = HttpsConnectorBuilder::new().try_with_platform_verifier()?.https_or_http();
    let connector = match versions {
        Versions::Http1 => builder.enable_http1().wrap_connector(guarded),
        Versions::All => builder.enable_all_versions().wrap_connector(guarded),
    };
    let mut builder: Builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_max_idle_per_host(1).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(builder.build(connector))
}

/// Connects where the policy allows it. Addresses that the URL itself names are asked about here, names in the [`Resolver`].
#[derive(Clone)]
pub struct Guarded {
    connector: HttpConnector<Resolver>,
    egress: Arc<Egress>,
}

impl Service<Uri> for Guarded {
    type Response = <HttpConnector<Resolver> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Answer<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if let Some(refused) = host.parse::<IpAddr>().ok().and_then(|ip| self.egress.check(ip).err()) {
            return Box::pin(ready(Err(refused.into())));
        }
        let connecting = self.connector.call(uri);
        Box::pin(async move { Ok(connecting.await?) })
    }
}

/// Resolves names to addresses that the policy allows. The connector connects to these and asks no second time, so that
/// what was checked is what is called.
#[derive(Clone)]
pub struct Resolver(Arc<Egress>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Answer<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let egress = Arc::clone(&self.0);
        Box::pin(async move {
            let found = lookup::addresses(name.as_str()).await?;
            Ok(allowed(&egress, found.into_iter())?.into_iter())
        })
    }
}

/// The addresses that are allowed.
///
/// Errors: the first refusal, if none is; or that there are no addresses at all.
fn allowed(egress: &Egress, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> {
    let (mut allowed, mut refused) = (Vec::new(), None::<Refused>);
    for address in found {
        match egress.check(address.ip()) {
            Ok(()) => allowed.push(address),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match refused {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(refused) => Err(refused.into()),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_names_addresses_only_the_allowed_ones_are_called() {
        let addresses = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let egress = Egress::of_hosts();
        let both = addresses(&["169.254.169.254:0", "10.0.0.1:0"]);
        assert_eq!(allowed(&egress, both.into_iter()).unwrap(), addresses(&["10.0.0.1:0"]));
        let error = allowed(&egress, addresses(&["169.254.169.254:0"]).into_iter()).unwrap_err();
        assert!(error.is::<Refused>(), "{error}");
        assert!(!allowed(&egress, std::iter::empty()).unwrap_err().is::<Refused>());
    }
}
