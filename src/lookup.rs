//! The addresses of a name, as this machine resolves names.
//!
//! A dynamic program asks its C library. The C library of a static one knows files and DNS, and for whatever else `nsswitch.conf` names
//! (`resolve`, `myhostname`, `mdns`) loads modules that belong to the machine's own C library: of another version they are another
//! layout, and the program crashes. So a static program asks `getent`, which is the machine's, and the C library only where there is none.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::process::{Output, Stdio};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::process::Command;
use tower_service::Service;

/// True if this program is linked statically.
const IS_STATIC: bool = cfg!(target_feature = "crt-static");
/// What `getent` ends with when it has asked, and nobody knows the name.
const NO_SUCH_NAME: i32 = 2;

/// The addresses of `name`, the preferred one first; port 0.
///
/// Errors: it has none, or nobody can be asked; or it is no name of a host.
pub async fn addresses(name: &str) -> io::Result<Vec<SocketAddr>> {
    // `getent` would take it for an option. Not every `getent` knows a `--` that ends them, so none is given.
    if name.starts_with('-') {
        let why = format!("{name:?} is no name of a host, as it begins with a hyphen; correct the address");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if IS_STATIC && let Some(answer) = ask(name).await {
        return answer;
    }
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

/// Asks the machine's own resolver; nothing where it has no `getent` that could be asked.
async fn ask(name: &str) -> Option<io::Result<Vec<SocketAddr>>> {
    let mut command = Command::new("getent");
    command.args(["ahosts", name]).stdin(Stdio::null()).kill_on_drop(true);
    answer(name, &command.output().await.ok()?)
}

fn answer(name: &str, said: &Output) -> Option<io::Result<Vec<SocketAddr>>> {
    match said.status.code() {
        Some(0) => Some(Ok(read(&String::from_utf8_lossy(&said.stdout)))),
        // It says the same where a name server that could know did not answer.
        Some(NO_SUCH_NAME) => {
            let why = format!("{name} has no address, or its name servers do not answer");
            Some(Err(io::Error::new(io::ErrorKind::NotFound, why)))
        }
        _ => None,
    }
}

/// One line an address and a kind of socket: `10.0.0.7  STREAM  shop.example`. A link-local address may name its interface.
fn read(text: &str) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = vec![];
    for word in text.lines().filter_map(|line| line.split_whitespace().next()) {
        let Ok(ip) = word.split('%').next().unwrap_or_default().parse::<IpAddr>() else { continue };
        let address = SocketAddr::new(ip, 0);
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The same for a connector.
#[derive(Clone, Copy, Debug)]
pub struct Names;

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move { Ok(addresses(name.as_str()).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machines_resolver_knows_what_the_c_library_knows() {
        let asked = ask("localhost").await.expect("this machine has getent").unwrap();
        let known = addresses("localhost").await.unwrap();
        assert!(!asked.is_empty() && asked.iter().all(|a| a.ip().is_loopback()), "{asked:?}");
        assert!(asked.contains(&known[0]), "{asked:?} {known:?}");
        let error = ask("no-such-name.invalid").await.expect("an answer").unwrap_err();
        let said = "no-such-name.invalid has no address, or its name servers do not answer";
        assert_eq!(error.to_string(), said);
    }

    #[tokio::test]
    async fn what_would_be_an_option_is_no_name() {
        let error = addresses("-sfiles").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("\"-sfiles\" is no name of a host"), "{error}");
    }

    #[test]
    fn an_address_is_told_once_and_in_its_place() {
        let text = "10.0.0.7        STREAM shop\n10.0.0.7        DGRAM\nfe80::1%eth0    STREAM\n\nnonsense\n";
        let found: Vec<_> = read(text).iter().map(|a| a.ip().to_string()).collect();
        assert_eq!(found, ["10.0.0.7", "fe80::1"]);
    }
}
