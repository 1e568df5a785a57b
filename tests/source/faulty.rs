//! A server that does wrong on purpose: it reads a request's head and then does, step by step, what the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One thing that the server does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one, with pauses between them.
    Trickle(Vec<u8>, Duration),
    /// Says nothing more and keeps the connection.
    Hang,
}

/// A request's head.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path and query.
    pub target: String,
    /// The whole head, headers in lower case.
    pub head: String,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().find(line).and_then(|l| l.split_once(':')).map(|(_, value)| value.trim())
    }

    /// Where a `Range: bytes=N-` begins.
    pub fn start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// The server; it ends with the test.
pub struct Faulty {
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Faulty {
    /// A server that answers the n-th request (from 0) as `answer` says, one connection a request.
    pub async fn start(answer: impl Fn(&Request, usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                // A client that goes away is no fault of the test's.
                tokio::spawn(async move { serve(stream, &log, &*answer).await.ok() });
            }
        });
        Self { port, seen }
    }

    /// Its URL.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &(impl Fn(&Request, usize) -> Vec<Step> + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let request = Request { target, head };
    let steps = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        answer(&request, log.len() - 1)
    };
    for step in steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Trickle(bytes, pause) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::timeout(pause, std::future::pending::<()>()).await.ok();
                }
            }
            Step::Hang => std::future::pending().await,
        }
    }
    stream.shutdown().await
}

/// An answer's head: status and headers, with the connection closed after it.
pub fn head(status: &str, headers: &[(&str, &str)]) -> Step {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Step::Send(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").into_bytes())
}

/// A whole, right answer.
pub fn whole(body: &[u8]) -> Vec<Step> {
    let length = body.len().to_string();
    vec![head("200 OK", &[("Content-Length", &length), ("ETag", "\"one\"")]), Step::Send(body.to_vec())]
}

/// A right answer to a request for a range, or to one for the whole.
pub fn ranged(request: &Request, body: &[u8], e_tag: &str) -> Vec<Step> {
    let Some(start) = request.start().filter(|_| request.header("if-range") == Some(e_tag)) else {
        let length = body.len().to_string();
        return vec![
            head("200 OK", &[("Content-Length", &length), ("ETag", e_tag)]),
            Step::Send(body.to_vec()),
        ];
    };
    let length = (body.len() - start).to_string();
    let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
    let headers = [("Content-Length", &*length), ("Content-Range", &range), ("ETag", e_tag)];
    vec![head("206 Partial Content", &headers), Step::Send(body[start..].to_vec())]
}

/// The same answer, with only the first `bytes` bytes of its body.
pub fn cut(steps: Vec<Step>, bytes: usize) -> Vec<Step> {
    let cut = |step| match step {
        Step::Send(body) => Step::Send(body[..bytes.min(body.len())].to_vec()),
        other => other,
    };
    let mut steps = steps.into_iter();
    steps.next().into_iter().chain(steps.map(cut)).collect()
}

/// An answer without a body.
pub fn status(status: &str) -> Vec<Step> {
    vec![head(status, &[("Content-Length", "0")])]
}
