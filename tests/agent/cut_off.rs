//! The agent ends while an event runs: by a kill, or because it is told to.

use std::process::{Child, Command};

use super::host::{Host, Said, eventually, lives};

/// Starts a deployment whose AfterInstall notes that it runs, and then takes its time.
fn running(host: &Host, id: &str) -> Child {
    let body = format!(
        "echo $$ > {0}; echo ran >> {1}; sleep 600",
        host.path("pid").display(),
        host.path("ran").display()
    );
    host.bundle("slow").hook("AfterInstall", &body).done();
    let child = host.start("slow", &format!("--deployment-id {id}"));
    eventually("the script runs and is on record", || {
        let journal = host.read("root/sluice/journal");
        (!host.read("pid").is_empty() && journal.contains("\"kind\":\"started\"")).then_some(())
    });
    child
}

fn signal(child: &Child, signal: &str) {
    let done = Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
    assert!(done.success());
}

#[test]
fn after_a_kill_the_event_has_failed_and_is_not_run_again() {
    let host = Host::new();
    let mut child = running(&host, "d-1");
    signal(&child, "-9");
    child.wait().unwrap();
    let script = host.read("pid");
    assert!(lives(&script), "the script outlives a killed agent");
    let said = host.deploy("slow", "--deployment-id d-1");
    assert_eq!(said.code, 1);
    let (code, script_name, message) = said.error();
    assert_eq!((code.as_str(), script_name.as_str()), ("AgentRestarted", "ops/AfterInstall.sh"), "{message}");
    assert_eq!(
        said.events()[5..9],
        ["Install Succeeded", "AfterInstall Failed", "ApplicationStart Skipped", "ValidateService Skipped"]
    );
    assert_eq!(host.read("ran"), "ran\n");
    assert!(!lives(&script), "what was still running was ended");
}

#[test]
fn after_a_kill_another_deployment_of_the_group_goes_its_way() {
    let host = Host::new();
    let mut child = running(&host, "d-1");
    signal(&child, "-9");
    child.wait().unwrap();
    host.bundle("good").done();
    host.deploy("good", "--deployment-id d-2").succeeded();
    assert_eq!(host.read("ran"), "ran\n");
    // The one that was cut off is over: asked for once more, it begins anew.
    host.bundle("slow").hook("AfterInstall", "echo better").done();
    host.deploy("slow", "--deployment-id d-1").succeeded();
}

#[test]
fn told_to_end_it_ends_the_script_and_says_so() {
    for how in ["-TERM", "-INT"] {
        let host = Host::new();
        let child = running(&host, "d-1");
        signal(&child, how);
        let said = Said::of(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.error().0), (1, "AgentRestarted".into()), "{said:?}");
        assert_eq!(said.event("ValidateService"), "Skipped");
        assert!(!lives(&host.read("pid")));
    }
}

#[test]
fn a_root_folder_that_the_running_agent_has_is_refused_by_name() {
    use std::io::Write;
    let host = Host::new();
    host.bundle("b").done();
    host.deploy("b", "").succeeded();
    let lock = std::fs::File::options().write(true).open(host.root().join("sluice/lock")).unwrap();
    lock.lock().unwrap();
    lock.set_len(0).unwrap();
    (&lock).write_all(b"run, process 1\n").unwrap();
    let said = host.deploy("b", "");
    assert_eq!(said.code, 1);
    assert!(said.error().2.contains("in use by another sluice-agent (run, process 1)"), "{said:?}");
}
