//! Tokens of service accounts that end when a test wants it: the API server itself gives none for less than ten minutes.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::server;

/// The claims of a token.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("claims")
}

/// A token like `token` that was given ten minutes before `end` (in seconds since 1970), by the API server's own key.
pub fn ending(token: &str, end: i64) -> String {
    let mut claims = claims(token);
    for (claim, time) in [("iat", end - 600), ("nbf", end - 600), ("exp", end)] {
        claims[claim] = time.into();
    }
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = raw(&sign(signed.as_bytes()));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn sign(bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-sign"]).arg(server::signing_key());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl");
    child.stdin.take().expect("its input").write_all(bytes).expect("written");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success());
    output.stdout
}

/// The two numbers of a signature in DER (`SEQUENCE` of two `INTEGER`) as tokens have them: 32 bytes each.
fn raw(der: &[u8]) -> Vec<u8> {
    let (mut rest, mut numbers) = (&der[2..], vec![]);
    while let [2, length, after @ ..] = rest {
        let (number, further) = after.split_at(usize::from(*length));
        let number = number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
        numbers.extend(std::iter::repeat_n(0, 32 - number.len()).chain(number));
        rest = further;
    }
    assert_eq!(numbers.len(), 64);
    numbers
}

/// A client that has nothing but that token.
pub async fn client(token: &str) -> Client {
    let (server, authority) = server::address();
    let kubeconfig = json!({
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    });
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}
