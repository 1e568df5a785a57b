//! Courses that end otherwise: failing scripts, stops, replacement and deletion, each with what stands where afterwards.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [failures(), zones(), stops(), interruptions(), groups()].into_iter().flatten().collect()
}

fn failing(
    name: &str,
    hosts: usize,
    group: impl Fn() -> Value + Send + Sync + 'static,
    bad: &'static [&'static str],
) -> Story {
    Story::new(format!("server/{name}"), move || {
        let mut w = plain(hosts, group());
        for host in bad {
            fate(&mut w, "2", host, EventName::ValidateService, What::Fails);
        }
        deploys(&mut w, "d1", "2");
        w
    })
}

fn failures() -> Vec<Story> {
    vec![
        failing("first_failure_ends_one_at_a_time", 3, || config(ONE), &["h01"]),
        failing("last_failure_is_allowed_one_at_a_time", 3, || config(ONE), &["h03"]),
        failing("two_failures_of_ten_end_it", 10, || config("keep-8"), &["h02", "h04"]),
        failing("half_may_fail", 4, || config(HALF), &["h02", "h03"]),
        failing("one_success_of_three_will_do", 3, || config(ALL), &["h01", "h03"]),
        failing("all_fail_at_once", 3, || config(ALL), &["*"]),
        failing("fleet_of_one_fails", 1, || config(ONE), &["h01"]),
        failing("failure_is_rolled_back", 3, || rolling_back(ONE), &["*"]),
        Story::new("server/nothing_to_roll_back_to", || {
            let mut w = empty(1, Pace::calm(), &names(2), rolling_back(ALL), json!({}));
            fate(&mut w, "2", "*", EventName::Install, What::Fails);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/rollback_fails", || {
            let mut w = plain(2, rolling_back(ALL));
            fate(&mut w, "2", "*", EventName::ValidateService, What::Fails);
            fate(&mut w, "1", "*", EventName::ApplicationStart, What::Fails);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/rollback_keeps_the_last_goods_way_with_files", || {
            let mut w = plain(1, rolling_back(ALL));
            deploys_with(&mut w, "d1", "2", json!({"fileExistsBehavior": "Overwrite"}));
            fate(&mut w, "3", "*", EventName::Install, What::Fails);
            w.then("creates Deployment d2 of version 3", all_ended(1), 1_000, |w| {
                deploy(w, "d2", "3", json!({}));
            });
            w
        }),
        Story::new("server/failing_stop_fails_the_host", || {
            let mut w = plain(2, config(ONE));
            fate(&mut w, "1", "*", EventName::ApplicationStop, What::Fails);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/object_in_s3_is_replaced_meanwhile", || {
            let mut w = plain(2, config(ALL));
            fate(&mut w, "2", "h02", EventName::DownloadBundle, What::Takes(9_000));
            let revision = json!({"s3": {"bucket": "releases", "key": "shop/2"}});
            deploys_with(&mut w, "d1", "2", json!({"revision": revision}));
            let is_learnt = |s: &super::super::store::Store| {
                let status = s.deployment("d1").and_then(|d| d.status.clone());
                status.and_then(|s| s.revision).is_some_and(|r| !r.digest.is_empty())
            };
            w.then("another object lies there", is_learnt, 0, |w| {
                w.s3_content = format!("sha256:{}", "6".repeat(64));
            });
            w
        }),
    ]
}

fn zones() -> Vec<Story> {
    vec![
        Story::new("server/first_zone_fails", || {
            let zones = [("h1", "eu-1a"), ("h2", "eu-1a"), ("h3", "eu-1b"), ("h4", "eu-1b")];
            let hosts: Vec<(String, &str)> = zones.map(|(name, zone)| (name.to_owned(), zone)).to_vec();
            let mut w = standing(1, Pace::calm(), &hosts, config("zones"), json!({}));
            fate(&mut w, "2", "*", EventName::AfterInstall, What::Fails);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/half_of_each_zone", || {
            // 2 of 3 stay healthy, then 3 of 5: one at a time, then two.
            let mut w = three_and_five();
            // The last of the first zone may fail, and so may two of the second as long as nobody waits.
            for host in ["h3", "h7", "h8"] {
                fate(&mut w, "2", host, EventName::AfterInstall, What::Fails);
            }
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/second_zone_fails", || {
            let mut w = three_and_five();
            for host in ["h4", "h5"] {
                fate(&mut w, "2", host, EventName::AfterInstall, What::Fails);
            }
            deploys(&mut w, "d1", "2");
            w
        }),
    ]
}

/// Three hosts in one zone, then five in another; half of each zone stays healthy, and each is watched for a minute.
fn three_and_five() -> World {
    let zone = |n| if n <= 3 { "eu-1a" } else { "eu-1b" };
    let hosts: Vec<(String, &str)> = (1..=8).map(|n| (format!("h{n}"), zone(n))).collect();
    let mut w = standing(1, Pace::calm(), &hosts, config("half-of-each-zone"), json!({}));
    let half = json!({"minimumHealthyHosts": {"type": "HostCount", "value": 0}, "zonalConfig": {
        "monitorDuration": "1m", "minimumHealthyHostsPerZone": {"type": "FleetPercent", "value": 50}}});
    configure(&mut w, "half-of-each-zone", half);
    w
}

fn stops() -> Vec<Story> {
    let stopped = |name: &str, rolls: Option<bool>| {
        Story::new(format!("server/{name}"), move || {
            let mut w = plain(4, rolling_back(HALF));
            fate(&mut w, "2", "*", EventName::BeforeInstall, What::Takes(20_000));
            deploys(&mut w, "d1", "2");
            let runs = event_on("h01", EventName::BeforeInstall, EventStatus::InProgress);
            w.then("stops d1", runs, 2_000, move |w| stop(w, "d1", rolls));
            w
        })
    };
    vec![
        stopped("stop_in_an_event", Some(false)),
        stopped("stop_in_an_event_with_rollback", None),
        Story::new("server/stop_before_its_turn", || {
            let mut w = plain(2, config(ONE));
            deploys(&mut w, "d1", "2");
            deploys(&mut w, "d2", "3");
            w.then("stops d2", phase_is("d2", Phase::Queued), 1_000, |w| stop(w, "d2", None));
            w
        }),
        Story::new("server/stop_before_an_agent_has_begun", || {
            let mut w = plain(2, rolling_back(ALL));
            w.pace.agent = (5_000, 5_000);
            deploys(&mut w, "d1", "2");
            w.then("stops d1", counts("d1", 'I', 2), 1_000, |w| stop(w, "d1", None));
            w
        }),
        Story::new("server/stop_while_traffic_drains", || {
            let mut w = behind(2, config(ONE));
            deploys(&mut w, "d1", "2");
            let out = event_on("h01", EventName::BeforeBlockTraffic, EventStatus::Succeeded);
            w.then("stops d1", out, 3_000, |w| stop(w, "d1", None));
            w
        }),
        Story::new("server/stop_while_a_host_is_not_heard_of", || {
            let mut w = plain(2, config(ONE));
            w.then("h01 loses its network", at_once, 0, |w| w.unplug("h01"));
            w.then("creates Deployment d1 of version 2", at_once, 1_000, |w| deploy(w, "d1", "2", json!({})));
            w.then("stops d1", counts("d1", 'I', 1), 150_000, |w| stop(w, "d1", None));
            w.then("h01 has its network back", phase_is("d1", Phase::Stopped), 60_000, |w| w.plug("h01"));
            w
        }),
    ]
}

fn interruptions() -> Vec<Story> {
    let runs = || event_on("h01", EventName::BeforeInstall, EventStatus::InProgress);
    vec![
        Story::new("server/replaced", move || {
            let mut group = config(ONE);
            group["concurrencyPolicy"] = "Replace".into();
            let mut w = plain(2, group);
            deploys(&mut w, "d1", "2");
            w.then("creates Deployment d2 of version 3", runs(), 500, |w| deploy(w, "d2", "3", json!({})));
            w
        }),
        Story::new("server/deleted", move || {
            let mut w = plain(2, rolling_back(ONE));
            deploys(&mut w, "d1", "2");
            w.then("deletes d1", runs(), 500, |w| delete(w, "d1"));
            w
        }),
        Story::new("server/leader_crashes", move || {
            let mut w = plain(3, config(ONE));
            deploys(&mut w, "d1", "2");
            w.then("kills the controller", runs(), 500, |w| w.crash(0, 60_000));
            w
        }),
    ]
}

fn groups() -> Vec<Story> {
    let runs = || event_on("h01", EventName::BeforeInstall, EventStatus::InProgress);
    vec![
        Story::new("server/group_deleted", move || {
            let mut w = plain(2, rolling_back(ONE));
            fate(&mut w, "2", "h02", EventName::ValidateService, What::Fails);
            fate(&mut w, "2", "h01", EventName::ValidateService, What::Fails);
            deploys(&mut w, "d1", "2");
            w.then("deletes the group", runs(), 500, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
        Story::new("server/group_of_a_load_balancer_deleted", move || {
            let mut w = behind(2, config(ONE));
            deploys(&mut w, "d1", "2");
            w.then("deletes the group", runs(), 500, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
        Story::new("server/group_of_a_load_balancer_deleted_with_its_endpoints", || {
            let mut group = config(ALL);
            group["deletionPolicy"] = "Delete".into();
            let mut w = behind(2, group);
            w.then("deletes the group", at_once, 5_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
        Story::new("server/group_of_a_load_balancer_made_anew", || {
            let mut w = behind(2, config(ALL));
            w.then("deletes the group", at_once, 5_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w.then(
                "creates it again",
                |s| s.get(Kind::Group, GROUP).is_none(),
                5_000,
                |w| {
                    let spec = super::super::setup::read(spec(config(ALL), balanced("10s")));
                    let group = sluice::api::DeploymentGroup::new(GROUP, spec);
                    super::super::setup::create(w, Object::Group(group.into()));
                },
            );
            w
        }),
    ]
}
