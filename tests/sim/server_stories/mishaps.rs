//! What befalls hosts and agents in the middle of a deployment.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [agents(), hosts()].into_iter().flatten().collect()
}

fn runs(host: &'static str, event: EventName) -> impl Fn(&super::super::store::Store) -> bool {
    event_on(host, event, EventStatus::InProgress)
}

fn agents() -> Vec<Story> {
    vec![
        Story::new("server/agent_is_killed_in_an_event", || {
            let mut w = plain(2, config(ALL));
            deploys(&mut w, "d1", "2");
            w.then("kills the agent of h01", runs("h01", EventName::Install), 500, |w| {
                w.kill_agent("h01", 5_000, Loss::Process);
            });
            w
        }),
        Story::new("server/agent_is_lost_before_it_begins", || {
            let mut w = plain(2, config(ONE));
            w.then("kills the agent of h01", at_once, 0, |w| {
                w.kill_agent("h01", 3_000_000, Loss::Process);
            });
            w.then("creates Deployment d1 of version 2", at_once, 1_000, |w| deploy(w, "d1", "2", json!({})));
            w
        }),
        Story::new("server/host_reports_when_it_is_back", || {
            let mut w = plain(2, config(ONE));
            deploys(&mut w, "d1", "2");
            w.then("h01 loses its network", runs("h01", EventName::DownloadBundle), 500, |w| w.unplug("h01"));
            w.then("h01 has its network back", at_once, 400_000, |w| w.plug("h01"));
            w
        }),
        Story::new("server/host_never_comes_back_from_an_event", || {
            let mut w = plain(2, config(ALL));
            deploys(&mut w, "d1", "2");
            w.then("h01 loses its network", runs("h01", EventName::DownloadBundle), 500, |w| w.unplug("h01"));
            w
        }),
        Story::new("server/script_hangs", || {
            let mut w =
                standing(1, Pace::calm(), &names(2), rolling_back(ALL), json!({"eventTimeout": "10m"}));
            fate(&mut w, "2", "h02", EventName::ApplicationStart, What::Hangs);
            fate(&mut w, "2", "h01", EventName::ValidateService, What::Fails);
            deploys(&mut w, "d1", "2");
            w.then("kills the agent of h02", phase_is("d1", Phase::Failed), 1_000, |w| {
                w.kill_agent("h02", 5_000, Loss::Process);
            });
            w
        }),
        Story::new("server/host_works_for_another_group", || {
            let mut w = plain(1, config(ALL));
            let other = sluice::api::DeploymentGroup::new(
                "mail-prod",
                super::super::setup::read(spec(config(ALL), json!({}))),
            );
            super::super::setup::create(&mut w, Object::Group(other.into()));
            fate(&mut w, "7", "*", EventName::Install, What::Takes(900_000));
            w.then("creates Deployment m1 of version 7 in mail-prod", at_once, 1_000, |w| {
                deploy_to(w, "mail-prod", "m1", "7", json!({}));
            });
            deploys(&mut w, "d1", "2");
            w
        }),
    ]
}

fn hosts() -> Vec<Story> {
    vec![
        Story::new("server/host_is_deleted_while_it_is_worked_on", || {
            let mut w = plain(3, config(ALL));
            deploys(&mut w, "d1", "2");
            w.then("deletes h02", runs("h02", EventName::Install), 500, |w| delete_host(w, "h02"));
            w
        }),
        Story::new("server/host_is_made_anew_while_it_is_worked_on", || {
            let mut w = plain(2, config(ALL));
            deploys(&mut w, "d1", "2");
            w.then("registers another h02", runs("h02", EventName::Install), 500, |w| {
                delete_host(w, "h02");
                host(w, "h02", 1, "");
            });
            w
        }),
        Story::new("server/host_is_deleted_before_its_turn", || {
            let mut w = plain(4, config(HALF));
            deploys(&mut w, "d1", "2");
            w.then("deletes h04", runs("h01", EventName::Install), 500, |w| delete_host(w, "h04"));
            w
        }),
        Story::new("server/healthy_hosts_are_not_heard_of_for_a_while", || {
            let mut w = plain(3, config("keep-2"));
            deploys(&mut w, "d1", "2");
            w.then("h01 and h02 lose their network", counts("d1", 'S', 2), 0, |w| {
                w.unplug("h01");
                w.unplug("h02");
            });
            w.then("they have it back", at_once, 300_000, |w| {
                w.plug("h01");
                w.plug("h02");
            });
            w
        }),
        Story::new("server/a_host_joins_meanwhile", || {
            let mut w = plain(2, config(ONE));
            deploys(&mut w, "d1", "2");
            w.then("registers h09", runs("h01", EventName::Install), 500, |w| host(w, "h09", 8, ""));
            w
        }),
        Story::new("server/controller_is_away_while_hosts_end", || {
            let mut w = behind(2, config(ONE));
            deploys(&mut w, "d1", "2");
            w.then("kills the controller", runs("h01", EventName::Install), 500, |w| w.crash(0, 120_000));
            w
        }),
    ]
}
