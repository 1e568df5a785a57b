//! The agent ends in the middle of its work, and what becomes of that.

use super::agent::{Host, assignment, with_host};
use super::bundles::Store;
use crate::server::eventually;

/// A script that notes that it ran and goes on when the file `go` is there.
fn gate(host: &Host) -> String {
    format!(
        "echo $LIFECYCLE_EVENT >> {0}/notes; while [ ! -e {0}/go ]; do sleep 0.1; done; echo done >> {0}/notes",
        host.path("").display()
    )
}

fn note(host: &Host) -> String {
    format!("echo $LIFECYCLE_EVENT >> {}", host.path("notes").display())
}

async fn until_it_runs(host: &Host) {
    eventually("the script runs", || async { host.read("notes").contains("AfterInstall").then_some(()) })
        .await;
}

#[test]
fn killed_in_an_event_it_tells_so_and_never_runs_it_again() {
    with_host(|mut host| async move {
        let store = Store::start().await;
        let revision = store.bundle(&[("AfterInstall", gate(&host)), ("ApplicationStart", note(&host))]);
        host.assign(&[assignment("one", &revision)]).await;
        until_it_runs(&host).await;
        host.kill();
        host.start();
        let events = host.until_ended("one", "Failed").await;
        assert_eq!(
            events[3..],
            [
                "Install Succeeded",
                "AfterInstall Failed",
                "ApplicationStart Skipped",
                "ValidateService Skipped"
            ]
        );
        let status = serde_json::json!(host.instance().await.status);
        let said = &status["assignments"][0]["events"][4]["diagnostics"];
        assert_eq!(said["errorCode"], "AgentRestarted", "{said:#}");
        assert!(said["message"].as_str().unwrap().contains("is not run again"), "{said:#}");
        std::fs::write(host.path("go"), "").unwrap();
        host.assign(&[assignment("two", &store.bundle(&[("ValidateService", note(&host))]))]).await;
        host.until_ended("two", "Succeeded").await;
        assert_eq!(host.read("notes"), "AfterInstall\nValidateService\n");
    });
}

#[test]
fn killed_between_events_it_goes_on_where_it_was() {
    with_host(|mut host| async move {
        let store = Store::start().await;
        let revision = store.bundle(&[("BeforeInstall", note(&host)), ("AfterInstall", note(&host))]);
        let one = assignment("one", &revision);
        let half = super::agent::with(one.clone(), serde_json::json!({"runThrough": "Install"}));
        host.assign(&[half]).await;
        host.until("it waits", |a| a["events"][3]["status"] == "Succeeded").await;
        host.kill();
        host.assign(&[one]).await;
        host.start();
        host.until_ended("one", "Succeeded").await;
        assert_eq!(host.read("notes"), "BeforeInstall\nAfterInstall\n");
    });
}

#[test]
fn killed_after_the_end_it_still_tells_it_once_and_runs_nothing() {
    with_host(|mut host| async move {
        let store = Store::start().await;
        host.assign(&[assignment("one", &store.bundle(&[("AfterInstall", gate(&host))]))]).await;
        until_it_runs(&host).await;
        host.wire.cut();
        std::fs::write(host.path("go"), "").unwrap();
        eventually("the course is over", || async {
            host.read("root/sluice/journal").contains("\"finished\"").then_some(())
        })
        .await;
        host.kill();
        host.wire.mend();
        host.start();
        host.until_ended("one", "Succeeded").await;
        assert_eq!(host.read("notes"), "AfterInstall\ndone\n");
    });
}

#[test]
fn told_to_end_it_lets_the_event_end_begins_none_and_goes_on_at_the_next_start() {
    with_host(|mut host| async move {
        let store = Store::start().await;
        let revision = store.bundle(&[("AfterInstall", gate(&host)), ("ApplicationStart", note(&host))]);
        host.assign(&[assignment("one", &revision)]).await;
        until_it_runs(&host).await;
        host.tell_to_end();
        eventually("it has heard", || async {
            host.log().contains("no event begins any more").then_some(())
        })
        .await;
        std::fs::write(host.path("go"), "").unwrap();
        assert!(host.ended().await.success());
        assert_eq!(host.read("notes"), "AfterInstall\ndone\n");
        host.until("it is told", |a| a["events"][4]["status"] == "Succeeded").await;
        host.start();
        host.until_ended("one", "Succeeded").await;
        assert_eq!(host.read("notes"), "AfterInstall\ndone\nApplicationStart\n");
    });
}

#[test]
fn a_lost_root_folder_does_not_make_it_run_anything_again() {
    with_host(|mut host| async move {
        let store = Store::start().await;
        let one = assignment("one", &store.bundle(&[("BeforeInstall", note(&host))]));
        let half = super::agent::with(one.clone(), serde_json::json!({"runThrough": "BeforeInstall"}));
        host.assign(&[half]).await;
        host.until("it waits", |a| a["events"][2]["status"] == "Succeeded").await;
        host.kill();
        let token = host.read("root/sluice/token");
        std::fs::remove_dir_all(host.path("root")).unwrap();
        std::fs::create_dir_all(host.path("root/sluice")).unwrap();
        std::fs::write(host.path("root/sluice/token"), token).unwrap();
        host.assign(&[one]).await;
        host.start();
        let events = host.until_ended("one", "Failed").await;
        assert_eq!(events[2..4], ["BeforeInstall Succeeded", "Install Failed"]);
        assert_eq!(host.read("notes"), "BeforeInstall\n");
    });
}
