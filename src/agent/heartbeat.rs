//! The sign of life: the Lease of this host's name, renewed for as long as the agent lives.

use std::time::Duration;

use k8s_openapi::Resource;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use serde_json::json;

use super::clock;
use crate::cluster::{Error, write};

/// How often; up to a fifth more or less.
const EVERY: Duration = Duration::from_secs(40);
/// The pause after a try that failed: two more fit before the host counts as silent.
const AGAIN: Duration = Duration::from_secs(10);
/// After how long a silence the host is unreachable, in seconds.
const SILENCE: i32 = 120;

/// Renews the Lease for ever.
pub async fn beat(client: &Client, namespace: &str, name: &str, boot_id: &str) {
    let mut failures = 0_u32;
    loop {
        let pause = match renew(client, namespace, name, boot_id).await {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(failures, "the heartbeat reaches the API server again");
                }
                failures = 0;
                EVERY
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(%error, "the heartbeat does not reach the API server");
                }
                AGAIN
            }
        };
        clock::sleep(clock::jittered(pause)).await;
    }
}

/// A merge patch of what changes: the Lease itself is made where the host is registered, and no right to create can name it.
async fn renew(client: &Client, namespace: &str, name: &str, boot_id: &str) -> Result<(), Error> {
    let spec = json!({
        "holderIdentity": boot_id, "leaseDurationSeconds": SILENCE, "renewTime": MicroTime(clock::now()),
    });
    let path = format!("/apis/{}/namespaces/{namespace}/leases/{name}", Lease::API_VERSION);
    write::merge(client, &path, &json!({"spec": spec}), &format!("Lease {namespace}/{name}")).await.map(drop)
}
