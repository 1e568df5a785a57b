//! What a host says of its groups, and when it stops saying it.

use EventName::{Install, ValidateService};
use EventStatus::{Failed, Succeeded};

use super::*;
use crate::agent::journal::Entry;
use crate::api::{EventName, InstanceSpec, InstanceStatus};

fn assignment(group: &str, deployment: &str) -> Assignment {
    Assignment {
        deployment_group: "web".into(),
        deployment_group_id: group.into(),
        deployment: deployment.into(),
        deployment_uid: deployment.into(),
        course: vec![Install, ValidateService],
        ..Assignment::default()
    }
}

/// A Deployment comes, and its files are put in place.
fn install(records: &mut Records, group: &str, deployment: &str) {
    let (group, time) = (group.to_owned(), clock::now());
    records.apply(records.accepting(&assignment(&group, deployment)));
    records.apply(Entry::Begun { group: group.clone(), event: Install, time });
    records.apply(Entry::Ended { group, event: Install, status: Succeeded, time, diagnostics: None });
}

fn finish(records: &mut Records, group: &str, status: EventStatus) {
    records.apply(Entry::Finished { group: group.into(), status, time: clock::now() });
}

/// What is installed, and what stands that is not.
fn places(records: &Records) -> (Vec<String>, Vec<String>) {
    let instance = Instance::new("host", InstanceSpec::default());
    let report = Report::of(records, &AgentInfo::default(), &instance);
    let installed = report.installed.into_iter().map(|one| one.deployment).collect();
    (installed, report.standing.into_iter().map(|one| one.deployment).collect())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_stands_half_way_is_told_when_its_deployment_has_ended() {
    let mut records = Records::default();
    install(&mut records, "g", "web-1");
    assert_eq!(places(&records), (names(&[]), names(&[])), "it is under way, and may be well");
    finish(&mut records, "g", Failed);
    assert_eq!(places(&records), (names(&[]), names(&["web-1"])));
    records.apply(records.accepting(&assignment("g", "web-2")));
    assert_eq!(places(&records), (names(&[]), names(&["web-1"])), "the next one has touched nothing yet");
    install(&mut records, "g", "web-2");
    finish(&mut records, "g", Succeeded);
    assert_eq!(places(&records), (names(&["web-2"]), names(&[])));
}

#[test]
fn of_a_group_made_anew_under_its_name_the_newer_ones_files_are_told_alone() {
    let mut records = Records::default();
    install(&mut records, "g1", "web-1");
    finish(&mut records, "g1", Failed);
    records.apply(records.accepting(&assignment("g2", "web-2")));
    assert_eq!(places(&records), (names(&[]), names(&["web-1"])), "the newer one has put nothing in place");
    install(&mut records, "g2", "web-2");
    finish(&mut records, "g2", Succeeded);
    assert_eq!(places(&records), (names(&["web-2"]), names(&[])));
}

/// The Instance as an API server has it that knows no `standing`.
fn pruned(report: &Report, version: u64) -> Instance {
    let mut instance = Instance::new("host", InstanceSpec::default());
    instance.metadata.resource_version = Some(version.to_string());
    instance.status = Some(InstanceStatus {
        agent: report.agent.clone(),
        installed: report.installed.clone(),
        ..InstanceStatus::default()
    });
    instance
}

fn with_standing() -> Report {
    let mut records = Records::default();
    install(&mut records, "g", "web-1");
    finish(&mut records, "g", Failed);
    let instance = Instance::new("host", InstanceSpec::default());
    let report = Report::of(&records, &AgentInfo::default(), &instance);
    Report { assignments: vec![], ..report }
}

#[test]
fn what_the_api_server_does_not_keep_is_written_no_more_than_twice() {
    let report = with_standing();
    let (mut known, mut version, mut writes) = (Known::default(), 7, vec![]);
    known.look(&pruned(&Report::default(), version));
    for _ in 0..5 {
        if known.report != report {
            // What it takes of the first write is the agent; the second changes nothing, and so not the version.
            version = 8;
            writes.push(report.patch(&known.report));
            known.written(report.clone(), Some(version));
        }
        known.look(&pruned(&report, version));
    }
    assert_eq!(writes.len(), 2, "{writes:?}");
    // A newer version may be a newer definition's.
    known.look(&pruned(&report, 9));
    assert!(known.report != report);
}

#[test]
fn what_somebody_else_wrote_before_our_write_is_seen_at_our_writes_version() {
    let report = with_standing();
    let mut known = Known::default();
    known.look(&pruned(&Report::default(), 7));
    known.written(report.clone(), Some(9));
    known.look(&pruned(&Report::default(), 8));
    assert!(known.report == report, "older than our write");
    known.look(&pruned(&Report::default(), 9));
    assert!(known.report != report);
}
