//! Several deployments one after the other: whose script runs, what is kept, what does not mix.

use std::fs;

use super::host::{Bundle, EVENTS, Host, eventually};

/// A bundle that notes each of its events as `NAME EVENT`.
fn noted(host: &Host, name: &str) -> Bundle {
    let events = EVENTS.into_iter().filter(|event| !["DownloadBundle", "Install"].contains(event));
    events.fold(host.bundle(name), |bundle, event| bundle.hook(event, &note(host, name)))
}

fn note(host: &Host, name: &str) -> String {
    format!("echo {name} $LIFECYCLE_EVENT >> {}", host.path("notes").display())
}

/// What was noted since the last look.
fn notes(host: &Host) -> Vec<String> {
    let notes = host.read("notes").lines().map(ToOwned::to_owned).collect();
    let _ = fs::remove_file(host.path("notes"));
    notes
}

#[test]
fn the_first_deployment_runs_its_own_scripts_and_the_second_stops_the_first() {
    let host = Host::new();
    noted(&host, "v1").done();
    noted(&host, "v2").done();
    let said = host.deploy("v1", "").succeeded();
    assert_eq!(said.events(), EVENTS.map(|event| format!("{event} Succeeded")));
    let own = EVENTS[4..].iter().filter(|event| **event != "Install");
    let own_of = |name: &str| own.clone().map(|event| format!("{name} {event}")).collect::<Vec<_>>();
    assert_eq!(notes(&host), own_of("v1"));
    host.deploy("v2", "").succeeded();
    let stops = EVENTS[..3].iter().map(|event| format!("v1 {event}"));
    assert_eq!(notes(&host), stops.chain(own_of("v2")).collect::<Vec<_>>());
}

#[test]
fn a_deployment_that_failed_anywhere_is_not_the_one_that_is_stopped() {
    let host = Host::new();
    noted(&host, "v1").done();
    noted(&host, "v2").hook("ValidateService", "exit 1").done();
    noted(&host, "v3").done();
    host.deploy("v1", "").succeeded();
    assert_eq!(host.deploy("v2", "").event("ValidateService"), "Failed");
    notes(&host);
    host.deploy("v3", "").succeeded();
    assert_eq!(notes(&host)[2], "v1 ApplicationStop");
}

#[test]
fn a_broken_stop_script_fails_the_next_deployment_and_can_be_passed_over() {
    let host = Host::new();
    noted(&host, "v1").hook("ApplicationStop", "exit 3").done();
    noted(&host, "v2").done();
    host.deploy("v1", "").succeeded();
    let said = host.deploy("v2", "");
    assert_eq!((said.code, said.event("ApplicationStop")), (1, "Failed".into()));
    assert!(said.events()[3..].iter().all(|event| event.ends_with("Skipped")), "{said:?}");
    let said = host.deploy("v2", "--ignore-application-stop-failures");
    assert_eq!((said.code, said.event("ApplicationStop")), (0, "Failed".into()));
    assert_eq!(said.event("ValidateService"), "Succeeded");
    host.deploy("v1", "").succeeded();
}

#[test]
fn an_earlier_revision_that_is_gone_from_the_disk_is_not_stopped_and_holds_up_nothing() {
    let host = Host::new();
    noted(&host, "v1").done();
    host.deploy("v1", "--deployment-id d-1").succeeded();
    fs::remove_dir_all(host.deployment("d-1").join("deployment-archive")).unwrap();
    notes(&host);
    let said = host.command("--bundle-location v1").output().unwrap();
    assert!(said.status.success());
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("ApplicationStop of the last successful revision was not run"), "{text}");
    assert_eq!(notes(&host)[0], "v1 BeforeInstall");
}

#[test]
fn two_groups_do_not_mix() {
    let host = Host::new();
    for name in ["a", "b"] {
        noted(&host, name).done();
        host.deploy(name, &format!("--deployment-group {name}")).succeeded();
    }
    notes(&host);
    host.deploy("a", "--deployment-group b --deployment-group-name other").succeeded();
    assert_eq!(notes(&host)[2], "b ApplicationStop");
    host.deploy("b", "--deployment-group a").succeeded();
    assert_eq!(notes(&host)[2], "a ApplicationStop");
}

#[test]
fn two_at_once_in_one_root_folder_take_turns() {
    let host = Host::new();
    let busy = format!("mkdir {0} || exit 1; sleep 0.5; rmdir {0}", host.path("busy").display());
    for name in ["a", "b"] {
        host.bundle(name).hook("AfterInstall", &busy).done();
    }
    let both: Vec<_> = ["a", "b"].map(|name| host.start(name, &format!("--deployment-group {name}"))).into();
    for child in both {
        let said = super::host::Said::of(child.wait_with_output().unwrap());
        said.succeeded();
    }
}

#[test]
fn one_that_has_not_yet_said_who_it_is_is_waited_for_as_well() {
    let host = Host::new();
    host.bundle("b").done();
    host.deploy("b", "").succeeded();
    let open = |name: &str| {
        fs::File::options().read(true).write(true).open(host.root().join("sluice").join(name)).unwrap()
    };
    let taken = [open("lock"), open("turn")];
    taken[0].lock_shared().unwrap();
    taken[0].set_len(0).unwrap();
    taken[1].lock().unwrap();
    let mut child = host.start("b", "");
    let waits = format!(" -> FLOCK  ADVISORY  WRITE {} ", child.id());
    eventually("it waits for its turn", || {
        fs::read_to_string("/proc/locks").unwrap().contains(&waits).then_some(())
    });
    assert!(child.try_wait().unwrap().is_none());
    drop(taken);
    super::host::Said::of(child.wait_with_output().unwrap()).succeeded();
}

#[test]
fn named_events_run_in_their_order_and_the_bundle_before_them() {
    let host = Host::new();
    noted(&host, "v1").done();
    let said = host
        .deploy("v1", "--deployment-id d-1 --events DownloadBundle,ValidateService,AfterInstall")
        .succeeded();
    assert_eq!(
        said.events(),
        ["DownloadBundle", "Install", "ValidateService", "AfterInstall"].map(|e| format!("{e} Succeeded"))
    );
    assert_eq!(notes(&host), ["v1 ValidateService", "v1 AfterInstall"]);
    for id in ["d-1", "d-2"] {
        host.deploy("v1", &format!("--deployment-id {id} --events ApplicationStart")).succeeded();
        assert_eq!(notes(&host), ["v1 ApplicationStart"]);
    }
}

#[test]
fn five_revisions_stay_and_the_last_successful_one_always() {
    let host = Host::new();
    host.bundle("good").done();
    host.bundle("bad").hook("ValidateService", "exit 1").done();
    host.deploy("good", "--deployment-id good").succeeded();
    for number in 0..7 {
        assert_eq!(host.deploy("bad", &format!("--deployment-id bad-{number}")).code, 1);
    }
    let mut left: Vec<_> =
        fs::read_dir(host.root().join("g1")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["bad-3", "bad-4", "bad-5", "bad-6", "good"]);
}

#[test]
fn the_marks_lead_to_the_folders_as_in_codedeploy() {
    let host = Host::new();
    host.bundle("good").done();
    host.bundle("bad").hook("ValidateService", "exit 1").done();
    host.deploy("good", "--deployment-id d-1").succeeded();
    host.deploy("bad", "--deployment-id d-2");
    let mark =
        |name: &str| fs::read_to_string(host.root().join("deployment-instructions").join(name)).unwrap();
    let dir = |id: &str| host.deployment(id).canonicalize().unwrap().display().to_string();
    assert_eq!(mark("g1_last_successful_install"), dir("d-1"));
    assert_eq!(mark("g1_most_recent_install"), dir("d-2"));
}
