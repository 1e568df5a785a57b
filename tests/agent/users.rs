//! Scripts of other users: what they find there, and what keeps the agent from becoming one.

use std::fs;
use std::process::Command;

use super::host::{Host, Said, is_root, lives, may_mount};

/// Hides a program of the host.
const NO_SU: &str = "mount --bind /dev/null \"$(readlink -f \"$(command -v su)\")\"";
const NO_RUNUSER: &str = "mount --bind /dev/null \"$(readlink -f \"$(command -v runuser)\")\"";

/// What a script of that user finds, on a host where that was mounted.
fn environment_of(user: &str, mounts: &str) -> Vec<String> {
    let host = Host::new();
    host.bundle("b").hook_with("AfterInstall", "env", &format!("runas: {user}")).done();
    host.deploy_on(mounts, "b", "--deployment-id d-1").succeeded();
    let log = host.log("d-1");
    log.lines().filter_map(|line| Some(line.split_once("[stdout]")?.1.to_owned())).collect()
}

/// A field of the user's account, as `HOME` and `SHELL` have it.
fn account(user: &str, field: usize) -> String {
    let said = Command::new("getent").args(["passwd", user]).output().unwrap().stdout;
    String::from_utf8(said).unwrap().trim().split(':').nth(field).unwrap().to_owned()
}

fn has(environment: &[String], variable: &str) {
    assert!(environment.iter().any(|found| found == variable), "no {variable}: {environment:?}");
}

#[test]
fn it_runs_as_another_user_who_is_at_home() {
    if !may_mount() {
        return;
    }
    let found = environment_of("nobody", ":");
    for variable in ["USER=nobody", "LOGNAME=nobody", "DEPLOYMENT_ID=d-1", "SHELL=/bin/sh"] {
        has(&found, variable);
    }
    has(&found, &format!("HOME={}", account("nobody", 5)));
}

#[test]
fn root_is_at_home_too_where_systemd_has_given_the_agent_none() {
    if !may_mount() {
        return;
    }
    let found = environment_of("root", ":");
    has(&found, &format!("HOME={}", account("root", 5)));
    has(&found, &format!("SHELL={}", account("root", 6)));
    has(&found, "LIFECYCLE_EVENT=AfterInstall");
}

#[test]
fn it_finds_what_the_host_gives_all_its_users() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("environment");
    fs::write(&file, "JAVA_HOME=/opt/java\n").unwrap();
    let mounts = format!("mount --bind {} /etc/environment", file.display());
    for user in ["root", "nobody"] {
        let found = environment_of(user, &mounts);
        has(&found, "JAVA_HOME=/opt/java");
        has(&found, "DEPLOYMENT_ID=d-1");
    }
}

#[test]
fn without_su_runuser_does_and_without_either_root_is_still_at_home() {
    if !may_mount() {
        return;
    }
    has(&environment_of("nobody", NO_SU), &format!("HOME={}", account("nobody", 5)));
    let neither = format!("{NO_SU}\n{NO_RUNUSER}");
    let found = environment_of("root", &neither);
    has(&found, &format!("HOME={}", account("root", 5)));
    has(&found, &format!("SHELL={}", account("root", 6)));
    let host = Host::new();
    host.bundle("b").hook_with("AfterInstall", "id", "runas: nobody").done();
    let (code, script, message) = host.deploy_on(&neither, "b", "").error();
    assert_eq!((&*code, &*script), ("UnknownError", "ops/AfterInstall.sh"));
    assert!(message.contains("neither su nor runuser") && message.contains("install"), "{message}");
}

#[test]
fn at_its_timeout_the_children_of_another_users_script_end_as_well() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    fs::write(host.path("child"), "").unwrap();
    Command::new("chown").arg("nobody").arg(host.path("child")).status().unwrap();
    let body = format!("sleep 600 & echo $! > {}; sleep 600", host.path("child").display());
    host.bundle("b").hook_with("AfterInstall", &body, "timeout: 1, runas: nobody").done();
    assert_eq!(host.deploy("b", "").error().0, "ScriptTimedOut");
    assert!(!lives(&host.read("child")));
}

#[test]
fn what_keeps_it_from_running_is_named_whoever_runs_it() {
    if !may_mount() {
        return;
    }
    for runas in ["", "runas: root", "runas: nobody"] {
        let host = Host::new();
        host.bundle("b")
            .file("ops/a", "#!/bin/bash\r\necho\r\n")
            .location("AfterInstall", "ops/a", runas)
            .done();
        let (code, _, message) = host.deploy_on(":", "b", "").error();
        assert!(code == "UnknownError" && message.contains("Unix line ends"), "{runas}: {code}: {message}");
        host.bundle("c").hook_with("AfterInstall", "echo", runas).done();
        let noexec = format!("mount -t tmpfs -o noexec none {}", host.root().display());
        let (code, script, message) = host.deploy_on(&noexec, "c", "").error();
        assert_eq!((&*code, &*script), ("ScriptNotExecutable", "ops/AfterInstall.sh"), "{runas}: {message}");
        assert!(message.contains("mounted noexec"), "{runas}: {message}");
    }
}

#[test]
fn a_user_that_is_not_there_fails_the_script_and_is_named() {
    let host = Host::new();
    host.bundle("b").hook_with("AfterInstall", "id", "runas: nobody-of-that-name").done();
    let said = host.deploy("b", "--deployment-id d-1");
    let (code, _, message) = said.error();
    if is_root() {
        assert_eq!(code, "ScriptFailed", "{message}");
        assert!(host.log("d-1").contains("nobody-of-that-name"), "{}", host.log("d-1"));
    } else {
        assert!(code == "UnknownError" && message.contains("nobody-of-that-name"), "{code}: {message}");
    }
}

#[test]
fn any_user_may_deploy_into_a_folder_of_theirs() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.bundle("b")
        .hook("AfterInstall", "id -un")
        .hook_with("ApplicationStart", "id -un", "runas: nobody")
        .done();
    Command::new("chown").arg("-R").arg("nobody").arg(host.path("")).status().unwrap();
    let program = host.path("sluice-agent");
    fs::copy(env!("CARGO_BIN_EXE_sluice-agent"), &program).unwrap();
    let mut command = Command::new("runuser");
    command.args(["-u", "nobody", "--"]).arg(&program).args([
        "deploy-local",
        "-o",
        "json",
        "--bundle-location",
    ]);
    command.arg(host.path("b")).args(["--deployment-id", "d-1", "-g", "g1", "--root-dir"]).arg(host.root());
    Said::of(command.current_dir("/").output().unwrap()).succeeded();
    assert_eq!(host.log("d-1").matches("[stdout]nobody\n").count(), 2);
}
