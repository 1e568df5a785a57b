//! SELinux labels: what the programs that keep a host's policy are told. They are stood in for, so that each word to them is seen on any host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::host::{Host, Said};

/// Writes down how it was called and what it was given; fails as the real one does if it is given what stands in `refused`, and says what stands
/// in `says`.
const STAND_IN: &str = r#"#!/bin/bash
here=$(dirname "$0")
given=$(tr '\0' ' ')
echo "$(basename "$0") $*: ${given//$'\n'/; }" >> "$here/told"
if [[ -e $here/refused && $given == *"$(cat "$here/refused")"* ]]; then
  cat "$here/says" >&2
  exit 1
fi
"#;

/// A host with the programs, if it is to have them.
fn host(has_programs: bool) -> Host {
    let host = Host::new();
    fs::create_dir(host.path("bin")).unwrap();
    for program in ["semanage", "restorecon"].iter().filter(|_| has_programs) {
        let path = host.path("bin").join(program);
        fs::write(&path, STAND_IN).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    host
}

/// A bundle whose page gets a label of that type; none with an empty one.
fn bundle(host: &Host, name: &str, type_: &str) {
    host.bundle(name).file("web/page (1)", name).install("web", &host.path("www")).done();
    let labelled = format!(
        "permissions:\n  - object: {}\n    type: [file]\n    context:\n      user: system_u\n      type: {type_}\n      range: s0\n",
        host.path("www").display()
    );
    let labelled = if type_.is_empty() { String::new() } else { labelled };
    let spec = host.read(&format!("{name}/appspec.yml")) + &labelled;
    fs::write(host.path(name).join("appspec.yml"), spec).unwrap();
}

fn deploy(host: &Host, bundle: &str) -> Said {
    let mut command = host.command(&format!("--bundle-location {bundle} -o json"));
    let path = format!("{}:/usr/bin:/bin", host.path("bin").display());
    Said::of(command.env("PATH", path).output().unwrap())
}

/// Has the programs refuse what contains `what`.
fn refuse(host: &Host, what: &str, says: &str) {
    fs::write(host.path("bin/refused"), what).unwrap();
    fs::write(host.path("bin/says"), says).unwrap();
}

/// What the programs were told since the last look. The page's name stands for its path.
fn told(host: &Host) -> Vec<String> {
    let page = host.path("www/page (1)").canonicalize().unwrap().display().to_string();
    let expression = page.replace('.', "\\.").replace('(', "\\(").replace(')', "\\)");
    let told = host.read("bin/told").replace(&expression, "EXPRESSION").replace(&page, "PAGE");
    let _ = fs::remove_file(host.path("bin/told"));
    told.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn labels(type_: &str) -> String {
    format!("semanage import: fcontext -a -s 'system_u' -t '{type_}' -r 's0' 'EXPRESSION'")
}

#[test]
fn a_host_without_the_programs_fails_the_installation_by_name_and_installs_nothing() {
    if Path::new("/usr/sbin/semanage").exists() || Path::new("/sbin/semanage").exists() {
        return;
    }
    let host = host(false);
    bundle(&host, "v1", "web_t");
    let said = deploy(&host, "v1");
    let (code, _, message) = said.error();
    assert_eq!((said.code, said.event("Install"), code.as_str()), (1, "Failed".into(), "UnknownError"));
    assert!(
        message.contains("SelinuxUnavailable") && message.contains("install policycoreutils"),
        "{message}"
    );
    assert!(!host.path("www").exists());
}

#[test]
fn labels_come_into_the_policy_and_onto_the_files_and_go_with_the_revision() {
    let host = host(true);
    for (name, type_) in [("v1", "web_t"), ("v2", "other_t"), ("v3", ""), ("v4", "")] {
        bundle(&host, name, type_);
    }
    deploy(&host, "v1").succeeded();
    assert_eq!(told(&host), [&labels("web_t"), "restorecon -0 -f -: PAGE"]);
    deploy(&host, "v2").succeeded();
    assert_eq!(told(&host), [&labels("other_t"), "restorecon -0 -f -: PAGE"]);
    deploy(&host, "v3").succeeded();
    assert_eq!(told(&host), ["semanage import: fcontext -d 'EXPRESSION'"]);
    deploy(&host, "v4").succeeded();
    assert_eq!(told(&host), Vec::<String>::new(), "what is out of the policy is not taken out again");
}

#[test]
fn a_label_that_the_policy_refuses_leaves_the_earlier_revision_whole_with_its_label() {
    let host = host(true);
    bundle(&host, "v1", "web_t");
    bundle(&host, "v2", "wrong_t");
    deploy(&host, "v1").succeeded();
    told(&host);
    refuse(&host, "wrong_t", "ValueError: Type wrong_t is invalid, must be a file or device type");
    let said = deploy(&host, "v2");
    let (code, _, message) = said.error();
    assert_eq!((said.event("Install"), code.as_str()), ("Failed".into(), "UnknownError"));
    assert!(message.contains("SelinuxFailed") && message.contains("Type wrong_t is invalid"), "{message}");
    assert_eq!(host.read("www/page (1)"), "v1");
    let back = ["semanage import: fcontext -d 'EXPRESSION'", "restorecon -0 -f -: PAGE"];
    let again = [&labels("web_t"), "restorecon -0 -f -: PAGE"];
    assert_eq!(told(&host), [&[&*labels("wrong_t")][..], &back, &again].concat());
    fs::remove_file(host.path("bin/refused")).unwrap();
    deploy(&host, "v2").succeeded();
    assert_eq!(host.read("www/page (1)"), "v2");
}

#[test]
fn a_label_that_would_not_leave_the_policy_is_taken_out_by_the_next_installation() {
    let host = host(true);
    for (name, type_) in [("v1", "web_t"), ("v2", ""), ("v3", ""), ("v4", "")] {
        bundle(&host, name, type_);
    }
    deploy(&host, "v1").succeeded();
    told(&host);
    let out = ["semanage import: fcontext -d 'EXPRESSION'"];
    refuse(&host, "fcontext -d", "ValueError: Could not start semanage transaction");
    deploy(&host, "v2").succeeded();
    assert_eq!(told(&host), out);
    let journal = host.read("root/sluice/journal");
    assert!(journal.contains("is still in the policy, and the next installation tries again"), "{journal}");
    fs::remove_file(host.path("bin/refused")).unwrap();
    deploy(&host, "v3").succeeded();
    assert_eq!(told(&host), out);
    deploy(&host, "v4").succeeded();
    assert_eq!(told(&host), Vec::<String>::new());
}

#[test]
fn a_label_that_somebody_else_took_out_of_the_policy_is_gone() {
    let host = host(true);
    for (name, type_) in [("v1", "web_t"), ("v2", ""), ("v3", "")] {
        bundle(&host, name, type_);
    }
    deploy(&host, "v1").succeeded();
    told(&host);
    refuse(&host, "fcontext -d", "ValueError: File context for /srv/page is not defined");
    deploy(&host, "v2").succeeded();
    let journal = host.read("root/sluice/journal");
    assert!(!journal.contains("in the policy"), "{journal}");
    told(&host);
    deploy(&host, "v3").succeeded();
    assert_eq!(told(&host), Vec::<String>::new());
}
