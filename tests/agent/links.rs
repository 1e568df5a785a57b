//! Bundles as people have them, on hosts that have links: a root whose `/lib` is one, scripts that make one of what was installed, releases behind one.

use std::fs;
use std::os::unix::fs::symlink;

use super::host::Host;

#[test]
fn a_bundle_laid_over_a_root_goes_through_its_links() {
    let host = Host::new();
    fs::create_dir_all(host.path("fs/usr/lib")).unwrap();
    fs::write(host.path("fs/usr/lib/ld.so"), "loader").unwrap();
    symlink("usr/lib", host.path("fs/lib")).unwrap();
    let unit = "lib/systemd/system/x.service";
    host.bundle("b").file(&format!("r/{unit}"), "unit").install("r", &host.path("fs")).done();
    for behavior in ["DISALLOW", "OVERWRITE", "RETAIN"] {
        host.deploy("b", &format!("--file-exists-behavior {behavior}")).succeeded();
        assert_eq!(fs::read_link(host.path("fs/lib")).unwrap().to_str(), Some("usr/lib"), "{behavior}");
        assert_eq!(host.read("fs/lib/ld.so"), "loader", "{behavior}");
        assert_eq!(host.read(&format!("fs/usr/{unit}")), "unit", "{behavior}");
    }
}

#[test]
fn a_link_that_others_can_turn_is_refused_with_the_word_that_allows_it() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new();
    fs::create_dir_all(host.path("data")).unwrap();
    fs::create_dir_all(host.path("www")).unwrap();
    fs::set_permissions(host.path("www"), fs::Permissions::from_mode(0o777)).unwrap();
    symlink("../data", host.path("www/uploads")).unwrap();
    host.bundle("b").file("web/uploads/page", "hello").install("web", &host.path("www")).done();
    let said = host.deploy("b", "--file-exists-behavior OVERWRITE");
    let (_, _, message) = said.error();
    assert!(said.event("Install") == "Failed" && message.contains("LinkUntrusted"), "{message}");
    assert!(message.contains("FollowDirectoryLinks"), "{message}");
    host.deploy("b", "--allow FollowDirectoryLinks").succeeded();
    assert_eq!(host.read("data/page"), "hello");
}

#[test]
fn what_afterinstall_makes_a_link_of_is_put_back_before_it_does_so_again() {
    let host = Host::new();
    fs::create_dir_all(host.path("data/storage")).unwrap();
    fs::write(host.path("data/config"), "mine").unwrap();
    let (www, data) = (host.path("www"), host.path("data"));
    let (www, data) = (www.display(), data.display());
    let relink = format!(
        "set -e\ntest ! -L {www}/config\ntest -d {www}/storage -a ! -L {www}/storage\nln -sf {data}/config {www}/config\n\
         rm -rf {www}/storage\nln -sfn {data}/storage {www}/storage"
    );
    let bundle = host.bundle("b").file("web/config", "sample").file("web/storage/.keep", "");
    bundle.install("web", &host.path("www")).hook("AfterInstall", &relink).done();
    for _ in 0..3 {
        host.deploy("b", "").succeeded();
        assert_eq!((host.read("www/config").as_str(), host.read("data/config").as_str()), ("mine", "mine"));
        assert_eq!(fs::read_dir(host.path("data/storage")).unwrap().count(), 0);
    }
}

#[test]
fn releases_behind_a_link_that_beforeinstall_turns_stay_whole() {
    let host = Host::new();
    let (rel, app) = (host.path("rel"), host.path("app"));
    let turn = format!(
        "set -e\nmkdir -p {rel}/$DEPLOYMENT_ID\nln -sfn {rel}/$DEPLOYMENT_ID {}",
        app.display(),
        rel = rel.display()
    );
    host.bundle("b").file("web/page", "hello").install("web", &app).hook("BeforeInstall", &turn).done();
    for id in ["d-1", "d-2", "d-3"] {
        host.deploy("b", &format!("--deployment-id {id}")).succeeded();
    }
    for id in ["d-1", "d-2", "d-3"] {
        assert_eq!(host.read(&format!("rel/{id}/page")), "hello", "{id}");
    }
}
