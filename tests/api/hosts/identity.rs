//! What the agent says of itself, its sign of life, its tokens, and the end of its registration.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use super::agent::with_host;
use crate::server::eventually;

#[test]
fn it_speaks_of_itself_and_renews_its_lease() {
    with_host(|host| async move {
        let agent =
            eventually("what it says of itself", || async { host.instance().await.status?.agent }).await;
        assert_eq!(agent.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(
            (agent.boot_id.len(), agent.os.is_empty(), agent.sealing_key.is_empty()),
            (36, false, false)
        );
        let leases: Api<Lease> = Api::namespaced(host.client.clone(), &host.namespace);
        let spec = eventually("a heartbeat", || async { leases.get("web-1").await.ok()?.spec }).await;
        assert!(spec.renew_time.is_some());
        assert_eq!((spec.holder_identity, spec.lease_duration_seconds), (Some(agent.boot_id), Some(120)));
    });
}

#[test]
fn a_first_token_is_renewed_at_once_and_kept_for_the_agent_alone() {
    with_host(|mut host| async move {
        let first = host.read("config.yaml");
        let renewed = eventually("another token", || async {
            let token = host.read("root/sluice/token");
            (!token.is_empty() && !first.contains(&token)).then_some(token)
        })
        .await;
        let mode = |name: &str| fs::metadata(host.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("root/sluice/token"), mode("root/sluice/sealing-key"), mode("root/sluice")),
            (0o600, 0o600, 0o700)
        );
        assert!(!host.log().contains(&renewed));
        // The one that was kept is newer than the configuration's.
        let key = host.read("root/sluice/sealing-key");
        host.kill();
        host.start();
        eventually("it runs again", || async { (host.log().matches("begins").count() >= 2).then_some(()) })
            .await;
        assert_eq!(host.read("root/sluice/sealing-key"), key);
    });
}

#[test]
fn when_its_instance_is_removed_it_ends_and_says_why() {
    with_host(|mut host| async move {
        eventually("it is there", || async { host.instance().await.status?.agent }).await;
        host.deregister().await;
        assert_eq!(host.ended().await.code(), Some(3));
        assert!(host.log().contains("this host is not registered, or no longer"), "{}", host.log());
    });
}
