//! The API server cannot be reached for a while: the work goes on, and nothing of it is lost.

use super::agent::{assignment, with_host};
use super::bundles::Store;
use crate::server::eventually;

#[test]
fn a_course_goes_on_without_the_api_server_and_is_told_afterwards() {
    with_host(|host| async move {
        let store = Store::start().await;
        let folder = host.path("").display().to_string();
        let gate = format!("echo ran >> {folder}/notes; while [ ! -e {folder}/go ]; do sleep 0.1; done");
        let last = format!("echo last >> {folder}/notes");
        let revision = store.bundle(&[("BeforeInstall", gate), ("ValidateService", last)]);
        host.assign(&[assignment("one", &revision)]).await;
        eventually("the script runs", || async { (!host.read("notes").is_empty()).then_some(()) }).await;
        host.wire.cut();
        std::fs::write(host.path("go"), "").unwrap();
        eventually("the course is over", || async { host.read("notes").contains("last").then_some(()) })
            .await;
        eventually("it was tried to tell", || async {
            host.log().contains("the status was not written").then_some(())
        })
        .await;
        assert!(host.instance().await.status.unwrap_or_default().installed.is_empty());
        host.wire.mend();
        host.until_ended("one", "Succeeded").await;
        assert_eq!(host.read("notes"), "ran\nlast\n");
        host.assign(&[assignment("two", &store.bundle(&[]))]).await;
        host.until_ended("two", "Succeeded").await;
    });
}
