//! `/healthz`, `/readyz` and `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::clock;
use super::context::Context;

/// Serves until the process ends. `is_synced` tells when the caches are filled.
pub async fn serve(listener: TcpListener, context: Arc<Context>, is_synced: watch::Receiver<bool>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            clock::sleep(SignedDuration::from_millis(100)).await;
            continue;
        };
        let (context, is_synced) = (Arc::clone(&context), is_synced.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&context), is_synced.clone()));
            let mut connection = hyper::server::conn::http1::Builder::new();
            connection.keep_alive(false);
            // A client that goes away in the middle is its own affair.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Binds the address.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn answer(
    request: Request<Incoming>,
    context: Arc<Context>,
    is_synced: watch::Receiver<bool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match request.uri().path() {
        "/healthz" => (StatusCode::OK, "ok".to_owned()),
        "/readyz" if *is_synced.borrow() => (StatusCode::OK, "ok".to_owned()),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "filling the caches".to_owned()),
        "/metrics" => (StatusCode::OK, context.metrics.text()),
        _ => (StatusCode::NOT_FOUND, "not found".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    Ok(response)
}
