//! The way to the API server: HTTP/2, so that all requests and watches of a client share one connection.
//!
//! kube's own stack speaks HTTP/1.1 only: there each watch and each write under way has a connection, a handshake and buffers of
//! its own. What the configuration says of authentication, certificates and retries is kept as it is.

use std::time::Duration;

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tower::BoxError;
use tower::retry::RetryLayer;
use tower::util::{MapErrLayer, option_layer};

use crate::lookup::Names;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that nothing comes from is asked for a sign of life this often.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// The same of a client that has a heartbeat of its own, at most.
const QUIET_PING_INTERVAL: Duration = Duration::from_secs(60);
/// Without one for this long it is closed; its watches begin again on a new one.
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// What may be on its way to us unread, in bytes: of one answer, of all of them.
const WINDOWS: (u32, u32) = (64 * 1024, 256 * 1024);

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The configuration does not hold.
    #[error(transparent)]
    Config(#[from] kube::Error),
    /// The name that the certificate is to have is no name.
    #[error("{0:?} is no server name")]
    ServerName(String),
}

/// Clients with a connection each, opened when first needed. Proxies, and credentials that a program hands out and that expire,
/// are left to kube's own stack.
pub fn clients(config: &Config, count: usize) -> Result<Vec<Client>, ConnectError> {
    if config.proxy_url.is_some() || config.auth_info.exec.is_some() {
        return (0..count).map(|_| Ok(Client::try_from(config.clone())?)).collect();
    }
    let tls = config.rustls_client_config()?;
    (0..count).map(|_| client(config, tls.clone(), PING_INTERVAL)).collect()
}

/// A client for one of many: it asks for a sign of life only when nothing has come for longer than its own heartbeat takes, so that a
/// fleet at rest costs its server no pings. With a rare heartbeat it does ask: its watches must not hang unseen for longer.
pub fn quiet_client(config: &Config, heartbeat: Duration) -> Result<Client, ConnectError> {
    if config.proxy_url.is_some() || config.auth_info.exec.is_some() {
        return Ok(Client::try_from(config.clone())?);
    }
    client(config, config.rustls_client_config()?, QUIET_PING_INTERVAL.min(heartbeat * 3 / 2))
}

fn client(config: &Config, tls: rustls::ClientConfig, ping: Duration) -> Result<Client, ConnectError> {
    let mut connector = HttpConnector::new_with_resolver(Names);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout.or(Some(CONNECT_TIMEOUT)));
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into().map_err(|_| ConnectError::ServerName(name.clone()))?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let connector = builder.enable_all_versions().wrap_connector(connector);
    let http: Http<_, Body> = Http::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(WINDOWS.0)
        .http2_initial_connection_window_size(WINDOWS.1)
        .http2_keep_alive_interval(ping)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector);
    let retries = config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry()));
    let client = ClientBuilder::new(http, config.default_namespace.clone())
        .with_layer(&MapErrLayer::new(BoxError::from))
        .with_layer(&config.extra_headers_layer()?)
        .with_layer(&option_layer(config.auth_layer()?))
        .with_layer(&option_layer(retries))
        .with_layer(&config.base_uri_layer());
    Ok(client.build())
}
