//! What HTTP hooks call: answers as it is told, and keeps what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One call: its headers' names and values, and its body.
pub type Call = (Vec<(String, String)>, Value);

pub struct Callee {
    pub url: String,
    answer: Arc<Mutex<(u16, String)>>,
    calls: Arc<Mutex<Vec<Call>>>,
    task: JoinHandle<()>,
}

impl Callee {
    /// Listens on loopback; answers with that status and body.
    pub async fn start(status: u16, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/verify", listener.local_addr().expect("an address"));
        let answer = Arc::new(Mutex::new((status, body.to_owned())));
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let task = tokio::spawn(serve(listener, Arc::clone(&answer), Arc::clone(&calls)));
        Self { url, answer, calls, task }
    }

    /// Answers so from now on.
    pub fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().expect("not poisoned") = (status, body.to_owned());
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("not poisoned").clone()
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, answer: Arc<Mutex<(u16, String)>>, calls: Arc<Mutex<Vec<Call>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (answer, calls) = (Arc::clone(&answer), Arc::clone(&calls));
        tokio::spawn(async move {
            let reply = service_fn(move |request| reply(request, Arc::clone(&answer), Arc::clone(&calls)));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), reply).await;
        });
    }
}

async fn reply(
    request: Request<Incoming>,
    answer: Arc<Mutex<(u16, String)>>,
    calls: Arc<Mutex<Vec<Call>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    calls.lock().expect("not poisoned").push((headers, serde_json::from_slice(&body).unwrap_or_default()));
    let (status, body) = answer.lock().expect("not poisoned").clone();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().expect("a status");
    Ok(response)
}
