//! The example's bundle, deployed by hand as docs/server.md has it in step 2: its AppSpec and its scripts as they are. What it starts stands in for
//! the sample server, which is built with the cluster's programs; on hosts of a cluster the demo runs that one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::host::{EVENTS, Host, Said, kill, lives, may_mount};

/// It serves nobody: it lives, and says whether it does and is any good.
const WEB: &str = "#!/bin/sh
[ \"${1:-}\" = get ] || exec sleep 300
. /srv/shop/settings.env
[ -z \"${FAIL:-}\" ] && kill -0 \"$(cat /run/shop.pid)\" && echo \"version $VERSION\"
";

/// Packs it as `e2e/bundle.sh` does.
fn pack(host: &Host, version: u32, settings: &str) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/server/bundle");
    let folder = host.path(&format!("shop-{version}"));
    let copied = Command::new("cp").arg("-R").args([&example, &folder]).status().unwrap();
    assert!(copied.success());
    fs::create_dir(folder.join("bin")).unwrap();
    fs::write(folder.join("bin/web"), WEB).unwrap();
    fs::set_permissions(folder.join("bin/web"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.join("settings.env"), format!("VERSION={version}\n{settings}")).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(host.path(&format!("shop-{version}.tgz"))).arg("-C").arg(folder).arg(".");
    assert!(tar.status().unwrap().success());
}

/// On a host whose `/srv`, `/run` and `/var/log` are folders of ours.
fn deploy(host: &Host, version: u32) -> Said {
    let mut mounts = String::new();
    for folder in ["srv", "run", "var/log"] {
        let ours = host.path(folder);
        fs::create_dir_all(&ours).unwrap();
        mounts += &format!("mount --bind {} /{folder}\n", ours.display());
    }
    host.deploy_on(&mounts, &format!("shop-{version}.tgz"), "--type tgz")
}

#[test]
fn the_examples_bundle_runs_by_hand_and_each_version_ends_the_one_before() {
    if !may_mount() {
        return;
    }
    let host = Host::new();
    let pid = || host.read("run/shop.pid");
    pack(&host, 1, "");
    let said = deploy(&host, 1).succeeded();
    assert_eq!(said.events(), EVENTS.map(|event| format!("{event} Succeeded")), "{said:?}");
    let web = fs::metadata(host.path("srv/shop/bin/web")).unwrap();
    assert_eq!(web.permissions().mode() & 0o777, 0o755);
    let first = pid();
    assert!(lives(&first), "it was started: {first:?}");

    pack(&host, 2, "");
    deploy(&host, 2).succeeded();
    let second = pid();
    assert!(!lives(&first) && lives(&second), "{first} was stopped, {second} was started");
    assert_eq!(host.read("srv/shop/settings.env"), "VERSION=2\n");

    pack(&host, 3, "FAIL=1\n");
    let said = deploy(&host, 3);
    let third = pid();
    kill(&third);
    assert_eq!((said.code, said.event("ValidateService").as_str()), (1, "Failed"), "{said:?}");
    let (code, script, _) = said.error();
    assert_eq!((&*code, &*script), ("ScriptFailed", "scripts/validate.sh"), "{said:?}");
    assert!(!lives(&second) && third != second, "{second} was stopped");
}
