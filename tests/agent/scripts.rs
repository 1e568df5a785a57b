//! One script: what it finds, what it may take, how it fails, what becomes of what it leaves.

use std::fs;

use super::host::{Host, Said, eventually, kill, lives};

/// Deploys one bundle whose AfterInstall does that.
fn after_install(host: &Host, body: &str, fields: &str) -> Said {
    host.bundle("b").hook_with("AfterInstall", body, fields).done();
    host.deploy("b", "--deployment-id d-1")
}

fn error_of(body: &str, fields: &str) -> (String, String, String) {
    let said = after_install(&Host::new(), body, fields);
    assert_eq!((said.code, said.event("AfterInstall")), (1, "Failed".into()), "{said:?}");
    assert_eq!(said.event("ValidateService"), "Skipped");
    said.error()
}

#[test]
fn a_script_finds_what_codedeploy_promises_and_little_else() {
    let host = Host::new();
    host.bundle("b").hook("AfterInstall", "env | sort > $1/env; env | sort").done();
    let words =
        "--bundle-location b -o json --deployment-id d-1 --application-name shop --deployment-group-name web";
    let mut command = host.command(words);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("SECRET", "x")
        .env("TZ", "UTC")
        .env("https_proxy", "p");
    Said::of(command.output().unwrap()).succeeded();
    let log = host.log("d-1");
    let said: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("[stdout]")).map(|(_, text)| text).collect();
    let shells = ["PWD=", "SHLVL=", "_="];
    let said: Vec<&str> =
        said.into_iter().filter(|line| !shells.iter().any(|s| line.starts_with(s))).collect();
    assert_eq!(
        said,
        [
            "APPLICATION_NAME=shop",
            "DEPLOYMENT_GROUP_ID=g1",
            "DEPLOYMENT_GROUP_NAME=web",
            "DEPLOYMENT_ID=d-1",
            "LIFECYCLE_EVENT=AfterInstall",
            "PATH=/usr/bin:/bin",
            "TZ=UTC",
            "https_proxy=p",
        ]
    );
}

#[test]
fn with_inherit_env_it_finds_everything() {
    let host = Host::new();
    host.bundle("b").hook("AfterInstall", "echo secret is $SECRET").done();
    let mut command = host.command("--bundle-location b -o json --deployment-id d-1 --inherit-env");
    Said::of(command.env("SECRET", "x").output().unwrap()).succeeded();
    assert!(host.log("d-1").contains("secret is x"));
}

#[test]
fn it_runs_at_the_root_with_its_input_closed_and_files_that_others_may_read() {
    let host = Host::new();
    after_install(&host, "pwd; umask; read line || echo no input; ps -o pid=,pgid= -p $$", "").succeeded();
    let log = host.log("d-1");
    assert!(
        log.contains("[stdout]/\n") && log.contains("[stdout]0022\n") && log.contains("no input"),
        "{log}"
    );
    let ids = log.lines().last().unwrap().split_once("[stdout]").unwrap().1;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    assert_eq!(ids[0], ids[1], "it leads a process group: {log}");
}

#[test]
fn it_runs_where_it_is_told_to() {
    let host = Host::new();
    host.bundle("b").hook("AfterInstall", "pwd").done();
    host.deploy("b", "--deployment-id d-1 --working-dir revision").succeeded();
    let archive = host.deployment("d-1").join("deployment-archive").canonicalize().unwrap();
    assert!(host.log("d-1").contains(&format!("[stdout]{}\n", archive.display())), "{}", host.log("d-1"));
    host.deploy("b", "--deployment-id d-2 --working-dir /usr").succeeded();
    assert!(host.log("d-2").contains("[stdout]/usr\n"));
    let (code, _, message) = host.deploy("b", "--working-dir /nowhere").error();
    assert!(code == "UnknownError" && message.contains("working directory /nowhere"), "{code}: {message}");
}

#[test]
fn a_script_that_is_not_there_is_missing() {
    let host = Host::new();
    host.bundle("b").location("BeforeInstall", "ops/none.sh", "").done();
    let said = host.deploy("b", "");
    assert_eq!(said.code, 1);
    let (code, script, message) = said.error();
    assert_eq!((code.as_str(), script.as_str()), ("ScriptMissing", "ops/none.sh"));
    assert!(message.contains("has no file ops/none.sh"), "{message}");
    assert_eq!(said.events()[3..6], ["DownloadBundle Succeeded", "BeforeInstall Failed", "Install Skipped"]);
}

#[test]
fn a_script_that_is_not_executable_is_made_so() {
    let host = Host::new();
    host.bundle("b")
        .file("ops/a.sh", "#!/bin/bash\necho made\n")
        .location("AfterInstall", "ops/a.sh", "")
        .done();
    host.deploy("b", "--deployment-id d-1").succeeded();
    assert!(host.log("d-1").contains("[stdout]made\n"));
}

#[test]
fn a_script_that_cannot_be_made_executable_is_named() {
    let host = Host::new();
    // Nobody may change the modes of the kernel's files.
    let replace = format!(
        "ln -sf /proc/version {}/ops/b.sh",
        host.deployment("d-1").join("deployment-archive").display()
    );
    host.bundle("b")
        .file("ops/b.sh", "")
        .hook("BeforeInstall", &replace)
        .location("AfterInstall", "ops/b.sh", "")
        .done();
    let said = host.deploy("b", "--deployment-id d-1");
    let (code, script, _) = said.error();
    assert_eq!((said.code, code.as_str(), script.as_str()), (1, "ScriptNotExecutable", "ops/b.sh"));
}

#[test]
fn a_script_without_a_first_line_runs_in_a_shell_and_a_wrong_one_is_explained() {
    let host = Host::new();
    host.bundle("b")
        .file("ops/a", "echo plain $LIFECYCLE_EVENT\n")
        .location("AfterInstall", "ops/a", "")
        .done();
    host.deploy("b", "--deployment-id d-1").succeeded();
    assert!(host.log("d-1").contains("plain AfterInstall"));
    host.bundle("c").file("ops/a", "#!/bin/bash\r\necho\r\n").location("AfterInstall", "ops/a", "").done();
    let (code, _, message) = host.deploy("c", "").error();
    assert!(code == "UnknownError" && message.contains("Unix line ends"), "{code}: {message}");
}

#[test]
fn an_exit_code_fails_the_event_and_the_next_script_is_not_run() {
    let host = Host::new();
    host.bundle("b").hook("AfterInstall", "echo first; exit 7").file("ops/second.sh", "echo second\n").done();
    let spec = fs::read_to_string(host.path("b/appspec.yml")).unwrap() + "    - location: ops/second.sh\n";
    fs::write(host.path("b/appspec.yml"), spec).unwrap();
    let said = host.deploy("b", "--deployment-id d-1");
    let expected =
        ("ScriptFailed", "ops/AfterInstall.sh", "script ops/AfterInstall.sh failed with exit code 7");
    let (code, script, message) = said.error();
    assert_eq!((code.as_str(), script.as_str(), message.as_str()), expected);
    let log = host.log("d-1");
    assert!(log.contains("first") && !log.contains("second"), "{log}");
}

#[test]
fn a_signal_that_ends_it_is_told() {
    let (code, _, message) = error_of("kill -9 $$", "");
    assert!(code == "ScriptFailed" && message.contains("signal 9"), "{code}: {message}");
}

#[test]
fn at_its_timeout_it_and_its_children_end() {
    let host = Host::new();
    let body = format!("sleep 600 & echo $! > {}; sleep 600", host.path("child").display());
    let said = after_install(&host, &body, "timeout: 1");
    let (code, _, message) = said.error();
    assert!(code == "ScriptTimedOut" && message.contains("timeout of 1 s"), "{code}: {message}");
    assert!(!lives(&host.read("child")));
}

#[test]
fn at_its_timeout_even_what_does_not_listen_ends() {
    let host = Host::new();
    let body = format!(
        "trap 'echo asked' TERM; (trap '' TERM; echo $BASHPID > {}; while :; do sleep 1; done) & while :; do sleep 1; done",
        host.path("child").display()
    );
    let said = after_install(&host, &body, "timeout: 1");
    assert_eq!(said.error().0, "ScriptTimedOut");
    assert!(host.log("d-1").contains("[stdout]asked"), "it is asked first: {}", host.log("d-1"));
    assert!(!lives(&host.read("child")));
}

#[test]
fn a_child_that_holds_its_output_neither_holds_up_the_event_nor_dies() {
    let host = Host::new();
    let body = format!(
        "(sleep 0.2; while :; do echo still here; date +%s%N > {}; sleep 0.2; done) & echo $! > {}",
        host.path("beat").display(),
        host.path("child").display()
    );
    after_install(&host, &body, "timeout: 600").succeeded();
    let child = host.read("child");
    let before = host.read("beat");
    eventually("the child lives on and can still write", || (host.read("beat") > before).then_some(()));
    assert!(lives(&child));
    kill(&child);
    assert!(host.log("d-1").contains("left a process that holds its output"));
}

#[test]
fn both_logs_have_its_words_in_codedeploys_form() {
    let host = Host::new();
    after_install(&host, r"printf '\033[31mred\033[0m\n'; sleep 0.2; echo oops >&2", "").succeeded();
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.get(20..).unwrap_or(line).into()).collect()
    };
    let own = host.log("d-1");
    assert_eq!(
        lines(&own),
        ["LifecycleEvent - AfterInstall", "Script - ops/AfterInstall.sh", "[stdout]red", "[stderr]oops"]
    );
    let stamp = &own[..19];
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00 00:00:00");
    let all =
        fs::read_to_string(host.root().join("deployment-logs/codedeploy-agent-deployments.log")).unwrap();
    assert!(
        all.contains("] [d-1][stdout]red\n") && all.contains("] [d-1]LifecycleEvent - AfterInstall\n"),
        "{all}"
    );
}

#[test]
fn a_failure_tells_its_last_whole_lines() {
    let host = Host::new();
    host.bundle("b").hook("AfterInstall", "for i in $(seq 1 2000); do echo line $i; done; exit 1").done();
    let said = Said::of(host.command("--bundle-location b").output().unwrap());
    let told: Vec<&str> = said.out.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(told.last(), Some(&"script ops/AfterInstall.sh failed with exit code 1"));
    assert_eq!(told[told.len() - 2], "[stdout]line 2000");
    let size: usize = told.iter().map(|line| line.len() + 1).sum();
    assert!((1_900..=2_048).contains(&size), "{size}");
    assert!(told[0].starts_with("[stdout]line "));
}

#[test]
fn much_output_is_logged_whole_and_in_order() {
    let host = Host::new();
    after_install(&host, "seq 1 20000", "").succeeded();
    let log = host.log("d-1");
    let numbers = log.lines().filter_map(|line| line.split_once("[stdout]")?.1.parse::<u32>().ok());
    assert!(numbers.eq(1..=20_000));
}
