//! One leads, by Lease; the others keep their caches warm. Losing the Lease ends the process: a fresh one knows nothing stale.

use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use super::clock;
use crate::cluster::lease::{Claim, DURATION, Held, RENEWAL, RETRY};

/// Claims the Lease until it is held, then renews it; `leads` tells the rest. Returns when it is lost.
pub async fn lead(claim: Claim, client: Client, leads: watch::Sender<bool>) {
    let mut observed = None;
    let (held, asked) = loop {
        let asked = clock::now();
        match claim.acquire(&client, &mut observed, asked).await {
            Ok(Some(held)) => break (held, asked),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "failed to ask for the lease; trying again"),
        }
        clock::sleep(RETRY).await;
    };
    tracing::info!(identity = claim.identity, "leading");
    leads.send_replace(true);
    keep(&claim, &client, held, asked).await;
    tracing::error!("the lease was lost; ending");
    leads.send_replace(false);
}

/// Renews until that has failed for as long as another one would wait. An API server that is slow is waited for: who asks it again
/// waits behind more.
async fn keep(claim: &Claim, client: &Client, mut held: Held, mut renewed: Timestamp) {
    let mut pause = RENEWAL;
    loop {
        clock::sleep(pause).await;
        let asked = clock::now();
        let left = DURATION - asked.duration_since(renewed);
        if !left.is_positive() {
            return;
        }
        let answer = tokio::select! {
            answer = claim.renew(client, &held, asked) => answer,
            () = clock::sleep(left) => {
                tracing::warn!("the lease was not renewed in time");
                return;
            }
        };
        pause = RENEWAL;
        match answer {
            Ok(Some(now)) => (held, renewed) = (now, asked),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "failed to renew the lease; trying again");
                pause = RETRY;
            }
        }
    }
}
