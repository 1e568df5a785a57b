//! What a host does next for a Deployment, and whose script an event runs. Pure.

use super::journal::Record;
use super::layout::Mark;
use crate::api::{EventName, EventStatus};

/// What the controller says of a Deployment now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orders {
    /// The event up to which the course may run.
    pub run_through: Option<EventName>,
    /// True if nothing more is to start.
    pub stop: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This event runs.
    Run(EventName),
    /// The controller has to say how far the course may go on.
    Wait,
    /// Nothing more happens here.
    Finish(EventStatus),
}

/// Decides what comes next for a Deployment. While the end of an event is not on record nothing does.
pub fn next(record: &Record, orders: Orders) -> Next {
    if record.running().is_some() {
        return Next::Wait;
    }
    let course = &record.assignment.course;
    let has_failed = |name: EventName| {
        record.event(name).is_some_and(|e| e.status == EventStatus::Failed) && !is_passed_over(record, name)
    };
    if course.iter().any(|name| has_failed(*name)) {
        return Next::Finish(EventStatus::Failed);
    }
    let due = course.iter().position(|name| name.is_agents() && record.event(*name).is_none());
    let Some(due) = due else { return Next::Finish(EventStatus::Succeeded) };
    if orders.stop {
        return Next::Finish(EventStatus::Skipped);
    }
    let through = orders.run_through.and_then(|through| course.iter().position(|name| *name == through));
    if through.is_some_and(|through| due <= through) { Next::Run(course[due]) } else { Next::Wait }
}

/// True if the Deployment goes on when this event fails (`ignoreApplicationStopFailures`).
pub fn is_passed_over(record: &Record, event: EventName) -> bool {
    use EventName::{AfterBlockTraffic, ApplicationStop, BeforeBlockTraffic};
    record.assignment.ignore_application_stop_failures
        && matches!(event, ApplicationStop | BeforeBlockTraffic | AfterBlockTraffic)
}

/// Whose scripts an event runs: an earlier Deployment's, or with `None` the current one's. The earlier one's only while the current
/// one has no unpacked bundle yet, as in CodeDeploy.
pub fn earlier(event: EventName) -> Option<Mark> {
    use EventName::{AfterBlockTraffic, ApplicationStop, BeforeBlockTraffic};
    matches!(event, ApplicationStop | BeforeBlockTraffic | AfterBlockTraffic).then_some(Mark::LastSuccessful)
}

#[cfg(test)]
mod tests {
    use EventName::*;
    use EventStatus::{Failed, InProgress, Skipped, Succeeded};

    use super::*;
    use crate::api::{Assignment, HostEvent};

    const PLAIN: [EventName; 7] = [
        ApplicationStop,
        DownloadBundle,
        BeforeInstall,
        Install,
        AfterInstall,
        ApplicationStart,
        ValidateService,
    ];
    const BALANCED: [EventName; 13] = [
        BeforeBlockTraffic,
        BlockTraffic,
        AfterBlockTraffic,
        ApplicationStop,
        DownloadBundle,
        BeforeInstall,
        Install,
        AfterInstall,
        ApplicationStart,
        ValidateService,
        BeforeAllowTraffic,
        AllowTraffic,
        AfterAllowTraffic,
    ];

    fn record(course: &[EventName], ended: &[(EventName, EventStatus)]) -> Record {
        let assignment = Assignment { course: course.to_vec(), ..Assignment::default() };
        let mut record = Record::accepted(1, assignment, None);
        record.events = ended
            .iter()
            .map(|(name, status)| HostEvent {
                name: *name,
                status: *status,
                start_time: None,
                end_time: None,
                diagnostics: None,
            })
            .collect();
        record
    }

    fn through(event: EventName) -> Orders {
        Orders { run_through: Some(event), stop: false }
    }

    #[test]
    fn a_course_without_a_load_balancer_runs_from_one_order() {
        let mut ended = vec![];
        for event in PLAIN {
            assert_eq!(next(&record(&PLAIN, &ended), through(ValidateService)), Next::Run(event));
            ended.push((event, Succeeded));
        }
        assert_eq!(next(&record(&PLAIN, &ended), through(ValidateService)), Next::Finish(Succeeded));
    }

    #[test]
    fn behind_a_load_balancer_the_host_waits_where_traffic_is_the_controllers() {
        let mut ended = vec![];
        let mut story = vec![];
        for order in [BeforeBlockTraffic, BeforeAllowTraffic, AfterAllowTraffic] {
            while let Next::Run(event) = next(&record(&BALANCED, &ended), through(order)) {
                story.push(event);
                ended.push((event, Succeeded));
            }
            if order != AfterAllowTraffic {
                assert_eq!(next(&record(&BALANCED, &ended), through(order)), Next::Wait);
            }
        }
        let agents: Vec<_> = BALANCED.into_iter().filter(|e| e.is_agents()).collect();
        assert_eq!(story, agents);
        assert_eq!(next(&record(&BALANCED, &ended), through(AfterAllowTraffic)), Next::Finish(Succeeded));
    }

    #[test]
    fn without_an_order_or_with_one_from_another_course_nothing_runs() {
        let none = Orders { run_through: None, stop: false };
        assert_eq!(next(&record(&PLAIN, &[]), none), Next::Wait);
        assert_eq!(next(&record(&PLAIN, &[]), through(AfterAllowTraffic)), Next::Wait);
    }

    #[test]
    fn after_a_failure_nothing_runs() {
        let ended = [(ApplicationStop, Succeeded), (DownloadBundle, Failed)];
        assert_eq!(next(&record(&PLAIN, &ended), through(ValidateService)), Next::Finish(Failed));
    }

    #[test]
    fn an_event_without_an_end_is_not_passed_over() {
        let ended = [(ApplicationStop, Succeeded), (DownloadBundle, InProgress)];
        let stop = Orders { run_through: Some(ValidateService), stop: true };
        for orders in [through(ValidateService), stop] {
            assert_eq!(next(&record(&PLAIN, &ended), orders), Next::Wait);
        }
    }

    #[test]
    fn failures_of_the_earlier_revisions_scripts_are_passed_over_when_asked_to() {
        for event in [BeforeBlockTraffic, AfterBlockTraffic, ApplicationStop] {
            let mut record = record(&[event, DownloadBundle], &[(event, Failed)]);
            assert_eq!(next(&record, through(DownloadBundle)), Next::Finish(Failed), "{event}");
            record.assignment.ignore_application_stop_failures = true;
            assert_eq!(next(&record, through(DownloadBundle)), Next::Run(DownloadBundle), "{event}");
        }
        let mut record = record(&PLAIN, &[(ApplicationStop, Failed), (DownloadBundle, Failed)]);
        record.assignment.ignore_application_stop_failures = true;
        assert_eq!(next(&record, through(ValidateService)), Next::Finish(Failed));
    }

    #[test]
    fn a_stop_skips_what_has_not_begun_but_does_not_undo_what_is_done() {
        let stop = Orders { run_through: Some(ValidateService), stop: true };
        assert_eq!(next(&record(&PLAIN, &[(ApplicationStop, Succeeded)]), stop), Next::Finish(Skipped));
        let all: Vec<_> = PLAIN.iter().map(|event| (*event, Succeeded)).collect();
        assert_eq!(next(&record(&PLAIN, &all), stop), Next::Finish(Succeeded));
        assert_eq!(next(&record(&PLAIN, &[(ApplicationStop, Failed)]), stop), Next::Finish(Failed));
    }

    #[test]
    fn only_the_events_before_the_download_run_an_earlier_revisions_scripts() {
        let earlier: Vec<_> = BALANCED.into_iter().filter(|e| super::earlier(*e).is_some()).collect();
        assert_eq!(earlier, [BeforeBlockTraffic, AfterBlockTraffic, ApplicationStop]);
    }
}
