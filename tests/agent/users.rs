//! Scripts of other users: what they find there, and what keeps the agent from becoming one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
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

/// The agent of a user who is not root and has the host's folder for his own; `path` comes before the system's.
fn deploy_as_nobody(host: &Host, path: &Path) -> Said {
    let program = host.path("sluice-agent");
    fs::copy(env!("CARGO_BIN_EXE_sluice-agent"), &program).unwrap();
    Command::new("chown").arg("-R").arg("nobody").arg(host.path("")).status().unwrap();
    let mut command = Command::new("runuser");
    command.args(["-u", "nobody", "--", "env"]).arg(format!("PATH={}:/usr/bin:/bin", path.display()));
    command.arg(&program).args(["deploy-local", "-o", "json", "--bundle-location"]).arg(host.path("b"));
    command.args(["--deployment-id", "d-1", "-g", "g1", "--root-dir"]).arg(host.root());
    Said::of(command.current_dir("/").output().unwrap())
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
    deploy_as_nobody(&host, &host.path("none")).succeeded();
    assert_eq!(host.log("d-1").matches("[stdout]nobody\n").count(), 2);
}

/// A program of that name in a folder of the host; gives the folder.
fn stand_in(host: &Host, name: &str, text: &str) -> PathBuf {
    let folder = host.path("bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Writes down how it was called, and runs the rest as whoever asks.
const SUDO: &str = "#!/bin/sh\necho \"$*\" >> \"$(dirname \"$0\")/told\"\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";

#[test]
fn root_needs_no_sudo_and_becomes_the_user_of_runas_all_the_same() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let folder = stand_in(&host, "sudo", SUDO);
    host.bundle("b")
        .hook_with("AfterInstall", "id -un", "sudo: true, runas: nobody")
        .hook_with("ApplicationStart", "id -un", "sudo: true")
        .done();
    let mut command = host.command("--bundle-location b -o json --deployment-id d-1");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", folder.display());
    Said::of(command.env("PATH", path).output().unwrap()).succeeded();
    let log = host.log("d-1");
    let users: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once("[stdout]")?.1)).collect();
    assert_eq!((users, host.read("bin/told").as_str()), (vec!["nobody", "root"], ""));
}

#[test]
fn an_agent_that_is_not_root_asks_sudo_for_root_or_for_the_user_of_runas() {
    if !is_root() {
        return;
    }
    for (fields, words) in [("sudo: true", "-n --"), ("sudo: true, runas: daemon", "-n -u daemon --")] {
        let host = Host::new();
        let folder = stand_in(&host, "sudo", SUDO);
        host.bundle("b").hook_with("AfterInstall", "echo ran", fields).done();
        deploy_as_nobody(&host, &folder).succeeded();
        let told = host.read("bin/told");
        assert!(told.starts_with(&format!("{words} /")), "{fields}: {told}");
        assert!(told.ends_with("/ops/AfterInstall.sh\n") && told.lines().count() == 1, "{fields}: {told}");
        assert_eq!(host.log("d-1").matches("[stdout]ran\n").count(), 1);
    }
}

#[test]
fn without_sudo_an_agent_that_is_not_root_says_what_it_needs() {
    if !is_root()
        || ["/usr/sbin/sudo", "/sbin/sudo", "/usr/bin/sudo", "/bin/sudo"]
            .iter()
            .any(|s| Path::new(s).exists())
    {
        return;
    }
    let host = Host::new();
    let touch = format!("touch {}", host.path("ran").display());
    host.bundle("b").hook_with("AfterInstall", &touch, "sudo: true, runas: daemon").done();
    let (code, script, message) = deploy_as_nobody(&host, &host.path("none")).error();
    assert_eq!((&*code, &*script), ("UnknownError", "ops/AfterInstall.sh"));
    assert!(message.contains("no sudo") && message.contains("install it"), "{message}");
    assert!(!host.path("ran").exists());
}

/// A `su` as busybox has it, which knows no long option; writes down that it was called for a user.
const OTHER_SU: &str = r#"#!/bin/sh
for word; do
  case $word in --*) echo "su: unrecognized option '$word'" >&2; exit 1 ;; esac
done
[ "$1 $2 $4" = "-s /bin/sh -c" ] || exit 2
echo "$3" >> TOLD
export USER="$3" LOGNAME="$3" SHELL="$2" HOME="$(getent passwd "$3" | cut -d: -f6)"
exec setpriv --reuid="$(id -u "$3")" --regid="$(id -g "$3")" --init-groups "$2" -c "$5"
"#;

/// Puts a program in the place of the host's `su`.
fn with_su(host: &Host, text: &str) -> String {
    let su = stand_in(host, "su", &text.replace("TOLD", &host.path("told").display().to_string()));
    format!("mount --bind {}/su \"$(readlink -f \"$(command -v su)\")\"", su.display())
}

#[test]
fn a_su_that_is_not_util_linuxs_comes_after_runuser_and_becomes_the_user_all_the_same() {
    if !may_mount() {
        return;
    }
    for (more, told) in [("", ""), (NO_RUNUSER, "nobody\n")] {
        let host = Host::new();
        let mounts = format!("{}\n{more}", with_su(&host, OTHER_SU));
        host.bundle("b").hook_with("AfterInstall", "id -un; env", "runas: nobody").done();
        host.deploy_on(&mounts, "b", "--deployment-id d-1").succeeded();
        assert_eq!(host.read("told"), told, "{more}");
        let log = host.log("d-1");
        let home = format!("HOME={}", account("nobody", 5));
        for line in ["nobody", "USER=nobody", &home, "DEPLOYMENT_ID=d-1", "LIFECYCLE_EVENT=AfterInstall"] {
            assert!(log.contains(&format!("[stdout]{line}\n")), "{more}: no {line}: {log}");
        }
    }
}

#[test]
fn at_its_timeout_the_children_of_a_script_end_under_another_su_as_well() {
    if !may_mount() {
        return;
    }
    let host = Host::new();
    let mounts = format!("{}\n{NO_RUNUSER}", with_su(&host, OTHER_SU));
    fs::write(host.path("child"), "").unwrap();
    Command::new("chown").arg("nobody").arg(host.path("child")).status().unwrap();
    let body = format!("sleep 600 & echo $! > {}; sleep 600", host.path("child").display());
    host.bundle("b").hook_with("AfterInstall", &body, "timeout: 1, runas: nobody").done();
    assert_eq!(host.deploy_on(&mounts, "b", "").error().0, "ScriptTimedOut");
    assert!(!lives(&host.read("child")));
}

#[test]
fn a_su_that_becomes_nobody_fails_the_script_before_it_runs_and_its_words_are_in_the_log() {
    if !may_mount() {
        return;
    }
    let host = Host::new();
    let refuses = "#!/bin/sh\necho 'su: must be suid to work properly' >&2\nexit 1\n";
    let mounts = format!("{}\n{NO_RUNUSER}", with_su(&host, refuses));
    let touch = format!("touch {}", host.path("ran").display());
    host.bundle("b").hook_with("AfterInstall", &touch, "runas: nobody").done();
    let said = host.deploy_on(&mounts, "b", "--deployment-id d-1");
    let (code, script, _) = said.error();
    assert_eq!((said.code, &*code, &*script), (1, "ScriptFailed", "ops/AfterInstall.sh"));
    assert!(host.log("d-1").contains("[stderr]su: must be suid to work properly"), "{}", host.log("d-1"));
    assert!(!host.path("ran").exists());
}
