//! One leads, by Lease; the others keep their caches warm. Losing the Lease ends the process: a fresh one knows nothing stale.

use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use super::clock;
use crate::cluster::lease::{Claim, DURATION, RENEWAL, RETRY};

/// Claims the Lease until it is held, then renews it; `leads` tells the rest. Returns when it is lost.
pub async fn lead(claim: Claim, client: Client, leads: watch::Sender<bool>) {
    let mut observed = None;
    loop {
        match claim.acquire(&client, &mut observed, clock::now()).await {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "failed to ask for the lease; trying again"),
        }
        clock::sleep(RETRY).await;
    }
    tracing::info!(identity = claim.identity, "leading");
    leads.send_replace(true);
    keep(&claim, &client, clock::now()).await;
    tracing::error!("the lease was lost; ending");
    leads.send_replace(false);
}

/// Renews until that has failed for as long as another one would wait.
async fn keep(claim: &Claim, client: &Client, mut renewed: Timestamp) {
    loop {
        clock::sleep(RENEWAL).await;
        let asked = clock::now();
        if asked.duration_since(renewed) >= DURATION {
            return;
        }
        let mut nobody = None;
        let answer = tokio::select! {
            answer = claim.acquire(client, &mut nobody, asked) => answer,
            () = clock::sleep(RENEWAL) => {
                tracing::warn!("the lease was not renewed in time; trying again");
                continue;
            }
        };
        match answer {
            Ok(true) => renewed = asked,
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "failed to renew the lease; trying again"),
        }
    }
}
