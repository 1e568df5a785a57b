//! The sign of life: the Lease of this host's name, renewed for as long as the agent lives.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::Resource;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use serde_json::{Value, json};

use super::clock;
use crate::cluster::write;

/// After so many intervals of silence the host is unreachable.
const MISSED: u32 = 3;
/// Into so many parts a try that failed divides the interval until the next one: several fit before the host counts as silent.
const SOONER: u32 = 4;

/// Renews the Lease for ever, `every` so often, up to a fifth more or less.
pub async fn beat(client: &Client, namespace: &str, name: &str, boot_id: &str, every: Duration) {
    let path = format!("/apis/{}/namespaces/{namespace}/leases/{name}", Lease::API_VERSION);
    let what = format!("Lease {namespace}/{name}");
    let mut failures = 0_u32;
    loop {
        // A merge patch of what changes: the Lease itself is made where the host is registered, and no right to create can name it.
        let patch = json!({"spec": renewal(boot_id, every, clock::now())});
        let pause = match write::merge(client, &path, &patch, &what).await {
            Ok(_) => {
                if failures > 0 {
                    tracing::info!(failures, "the heartbeat reaches the API server again");
                }
                failures = 0;
                every
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(%error, "the heartbeat does not reach the API server");
                }
                every / SOONER
            }
        };
        clock::sleep(clock::jittered(pause)).await;
    }
}

/// What a renewal says: who lives, since when it is so, and how long that may be taken for true.
fn renewal(boot_id: &str, every: Duration, now: Timestamp) -> Value {
    let silence = (every * MISSED).as_millis().div_ceil(1_000);
    json!({"holderIdentity": boot_id, "leaseDurationSeconds": silence, "renewTime": MicroTime(now)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_says_for_how_long_it_may_be_believed() {
        let now: Timestamp = "2026-01-02T03:04:05.000006Z".parse().unwrap();
        for (every, silence) in [(40_000, 120), (20_000, 60), (600_000, 1_800), (20_001, 61)] {
            assert_eq!(
                renewal("boot", Duration::from_millis(every), now),
                json!({"holderIdentity": "boot", "leaseDurationSeconds": silence, "renewTime": "2026-01-02T03:04:05.000006Z"})
            );
        }
    }
}
