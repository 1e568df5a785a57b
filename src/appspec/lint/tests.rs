//! What lint says beyond the readers: who refuses, and with which weight.

use super::*;

const HEAD: &str = "version: 0.0\nos: linux\n";

fn found(text: &str) -> Vec<Finding> {
    lint(text.as_bytes()).findings
}

/// The one finding of a text.
#[track_caller]
fn only(text: &str) -> Finding {
    let found = found(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

/// The one finding, and who refuses the text for it: we, AWS.
#[track_caller]
fn refused(text: &str) -> (bool, bool) {
    let finding = only(text);
    assert_eq!(finding.severity == Severity::Error, finding.is_refused_on_aws == Some(true), "{finding:?}");
    (finding.is_refused_here, finding.is_refused_on_aws == Some(true))
}

const US: (bool, bool) = (true, false);
const AWS: (bool, bool) = (false, true);
const BOTH: (bool, bool) = (true, true);
const NOBODY: (bool, bool) = (false, false);

#[test]
fn a_good_appspec_has_no_findings() {
    let text = format!(
        "{HEAD}files: [{{source: /, destination: /srv}}]\nhooks: {{AfterInstall: [{{location: a}}]}}\n"
    );
    let lint = lint(text.as_bytes());
    assert!(lint.findings.is_empty() && lint.is_valid(), "{:?}", lint.findings);
    assert_eq!(lint.platform, Some(Platform::Server));
    assert_eq!(lint.server.unwrap().files.len(), 1);
}

#[test]
fn each_finding_says_who_refuses() {
    let permission = |fields: &str| format!("{HEAD}permissions: [{{object: /x, {fields}}}]\n");
    let script = |fields: &str| format!("{HEAD}hooks: {{AfterInstall: [{{location: a, {fields}}}]}}\n");
    for (text, who) in [
        ("version: '0.0'\nos: linux\n".to_owned(), AWS),
        ("version: 1.0\nos: linux\n".to_owned(), BOTH),
        ("version: 0.0\nos: ubuntu\n".to_owned(), BOTH),
        ("os: linux\n".to_owned(), BOTH),
        ("version: 0.0\nos: windows\n".to_owned(), US),
        (format!("\u{feff}{HEAD}"), AWS),
        (format!("{HEAD}files: [{{source: './*', destination: /x}}]\n"), BOTH),
        (format!("{HEAD}files: [{{source: ../x, destination: /x}}]\n"), US),
        (format!("{HEAD}files: [{{source: x, destination: x}}]\n"), US),
        (format!("{HEAD}files: [{{source: x, destination: /x, overwrite: true}}]\n"), NOBODY),
        (format!("{HEAD}defaults: {{}}\n"), NOBODY),
        (format!("{HEAD}file_exists_behavior: REPLACE\n"), BOTH),
        (permission("mode: 0644"), NOBODY),
        (permission("mode: 0755"), AWS),
        (permission("mode: u+x"), BOTH),
        (permission("mode: '4755'"), NOBODY),
        (permission("acls: {a: b}"), BOTH),
        (permission("owner: a, except: b"), BOTH),
        (permission("owner: a, except: [b]"), NOBODY),
        (permission("owner: a, type: [directory]"), NOBODY),
        (permission("context: {type: t, user: u}"), NOBODY),
        (permission("context: {type: t, range: {a: b}}"), BOTH),
        (script("timeout: 0"), BOTH),
        (script("timeout: 10s"), NOBODY),
        (script("timeout: 3601"), NOBODY),
        (format!("{HEAD}hooks: {{AfterInstall: [{{location: ../a}}]}}\n"), US),
        (format!("{HEAD}hooks: {{AfterInstall: [{{location: /a}}]}}\n"), NOBODY),
        (format!("{HEAD}hooks: {{AfterInstall: [{{location: a}}, {{location: b}}]}}\n"), NOBODY),
        (format!("{HEAD}hooks: {{After Install: [{{location: a}}]}}\n"), BOTH),
        (format!("{HEAD}hooks: {{Install: [{{location: a}}]}}\n"), NOBODY),
        (format!("{HEAD}Files: []\n"), NOBODY),
        (format!("{HEAD}files: [\n"), BOTH),
        ("".to_owned(), BOTH),
    ] {
        assert_eq!(refused(&text), who, "{text}\n{:?}", found(&text));
    }
}

#[test]
fn an_unquoted_mode_is_told_as_awss_agent_reads_it() {
    let mode = |mode: &str| found(&format!("{HEAD}permissions:\n  - object: /x\n    mode: {mode}\n"));
    let said = &mode("0644")[0];
    assert!(
        said.line == 5 && said.sentence.contains("makes 0420 of it") && said.sentence.contains("\"0644\"")
    );
    let said = &mode("0755")[0];
    assert!(said.sentence.contains("493") && said.severity == Severity::Error, "{said:?}");
    for fine in ["644", "'0644'", "\"0755\"", "0", "07"] {
        assert!(mode(fine).is_empty(), "{fine}: {:?}", mode(fine));
    }
}

#[test]
fn set_id_bits_are_told_where_hosts_refuse_them() {
    let mode = |fields: &str| found(&format!("{HEAD}permissions: [{{object: /x, {fields}}}]\n"));
    let tells = |fields: &str| mode(fields).iter().any(|finding| finding.sentence.contains("set-id bits"));
    assert!(tells("mode: '2775'") && tells("mode: '2775', type: [file]"));
    assert!(
        !tells("mode: '2775', type: [directory]"),
        "a directory's group is handed on, and no rights with it"
    );
    assert!(!tells("mode: '1777'"));
}

#[test]
fn a_value_in_another_case_is_ignored_here_and_refused_by_aws() {
    let found = found(&format!("{HEAD}file_exists_behavior: overwrite\n"));
    assert!(found.iter().all(|finding| !finding.is_refused_here && finding.line == 3));
    assert!(found.iter().any(|finding| finding.severity == Severity::Error), "{found:?}");
}

#[test]
fn what_we_refuse_alone_hides_nothing_that_aws_refuses() {
    let text = format!("{HEAD}permissions:\n  - object: relative\n    mode: rwx\n");
    let found = found(&text);
    assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4, 5]);
    assert!(!lint(text.as_bytes()).is_valid());
}

#[test]
fn every_entry_that_is_wrong_is_told_in_the_order_of_the_text() {
    let text =
        format!("{HEAD}hooks:\n  Deploy: [{{location: a}}]\nfiles:\n  - source: x\n  - destination: /y\n");
    let lines: Vec<usize> = found(&text).iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [4, 6, 7]);
}

#[test]
fn an_alias_is_told_with_its_line() {
    let finding =
        only(&format!("{HEAD}hooks:\n  ApplicationStop: &s [{{location: a}}]\n  AfterInstall: *s\n"));
    assert!(finding.line == 5 && finding.severity == Severity::Warning && finding.sentence.contains("alias"));
}

#[test]
fn function_and_service_are_judged_by_their_readers() {
    let good =
        "Resources: [{f: {Type: Sluice::Function, Properties: {Name: f, Alias: live, TargetVersion: 2}}}]";
    assert_eq!((lint(good.as_bytes()).platform, found(good).len()), (Some(Platform::Function), 0));
    let finding = only(&good.replace("Name: f", "Name: F_1"));
    assert!(finding.severity == Severity::Error && finding.is_refused_on_aws.is_none(), "{finding:?}");
    let service = "Resources: [{TargetService: {Type: AWS::ECS::Service, Properties: {TaskDefinition: web-42, \
                   PlatformVersion: 1.4.0, LoadBalancerInfo: {ContainerName: web, ContainerPort: 80}}}}]";
    assert!(only(service).sentence.contains("only means something on AWS"));
    assert!(
        found("version: 0.0\nResources: [{f: {}}]").iter().any(|finding| finding.sentence.contains("Type"))
    );
    let warned = only(&good.replace("Name: f,", "Name: f, Colour: blue,"));
    assert!(warned.severity == Severity::Warning && warned.sentence.contains("Colour"));
}

#[test]
fn a_text_with_many_faults_has_a_bounded_list() {
    let hooks: String = (0..1000).map(|n| format!("  Event{n}: [{{location: a, key{n}: b}}]\n")).collect();
    let found = found(&format!("{HEAD}hooks:\n{hooks}"));
    assert!((20..100).contains(&found.len()), "{}", found.len());
}
