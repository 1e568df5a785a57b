//! What the agent says of itself, its sign of life, its tokens, and the end of its registration.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use serde_json::Value;
use sluice::api::Instance;

use super::agent::{assignment, with_host};
use super::bundles::Store;
use crate::server::eventually;
use crate::tokens;

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
fn it_renews_its_lease_as_often_as_its_configuration_says() {
    with_host(|mut host| async move {
        let leases: Api<Lease> = Api::namespaced(host.client.clone(), &host.namespace);
        let spec = || async { leases.get("web-1").await.ok()?.spec.filter(|spec| spec.renew_time.is_some()) };
        eventually("a heartbeat", spec).await;
        host.kill();
        let mut config: Value = serde_json::from_str(&host.read("config.yaml")).unwrap();
        config["heartbeatInterval"] = "20s".into();
        fs::write(host.path("config.yaml"), config.to_string()).unwrap();
        host.start();
        let holds = |seconds| move |spec: &LeaseSpec| spec.lease_duration_seconds == Some(seconds);
        let first =
            eventually("one that holds for a minute", || async { spec().await.filter(holds(60)) }).await;
        let is_later = |spec: &LeaseSpec| spec.renew_time > first.renew_time;
        let second = eventually("the next one", || async { spec().await.filter(is_later) }).await;
        let between = second.renew_time.unwrap().0.duration_since(first.renew_time.unwrap().0).as_secs();
        assert!((16..40).contains(&between), "{between} s");
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

/// The API server takes a token for up to 70 seconds after its end: clocks may be off by one minute, and who came before is remembered for
/// ten seconds. By then the agent must have asked for another one, and read it.
#[test]
fn it_goes_on_past_the_end_of_its_first_token() {
    with_host(|mut host| async move {
        host.kill();
        let mut config: Value = serde_json::from_str(&host.read("config.yaml")).unwrap();
        let given = config["token"].as_str().unwrap().to_owned();
        let first = tokens::ending(&given, jiff::Timestamp::now().as_second() + 2);
        config["token"] = first.clone().into();
        fs::write(host.path("config.yaml"), config.to_string()).unwrap();
        let _ = fs::remove_file(host.path("root/sluice/token"));
        let with_first: Api<Instance> = Api::namespaced(tokens::client(&first).await, &host.namespace);
        with_first.get("web-1").await.expect("the first token is good");
        host.start();
        eventually("the first token is over", || async {
            let refused = with_first.get("web-1").await;
            matches!(refused, Err(kube::Error::Api(status)) if status.code == 401).then_some(())
        })
        .await;
        // Whatever held on to the first one begins anew.
        host.wire.cut();
        host.wire.mend();
        let store = Store::start().await;
        host.assign(&[assignment("one", &store.bundle(&[]))]).await;
        host.until_ended("one", "Succeeded").await;
        let (first, kept) = (tokens::claims(&first), tokens::claims(host.read("root/sluice/token").trim()));
        assert_eq!(first["sub"], kept["sub"]);
        assert!(kept["exp"].as_i64() > first["exp"].as_i64().map(|end| end + 600), "{kept}");
        assert!(!host.log().contains("Unauthorized"), "{}", host.log());
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
