//! Courses that go well: each configuration, zones, a load balancer, restart, what is outdated only.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [configurations(), balanced_ones(), modes()].into_iter().flatten().collect()
}

fn configurations() -> Vec<Story> {
    let of = |name: &str, hosts: usize, configuration: &'static str| {
        Story::new(format!("server/{name}"), move || {
            let mut w = plain(hosts, config(configuration));
            deploys(&mut w, "d1", "2");
            w
        })
    };
    vec![
        of("all_at_once", 3, ALL),
        of("half_at_a_time", 5, HALF),
        of("one_at_a_time", 3, ONE),
        of("fleet_of_one", 1, ONE),
        of("eight_of_ten_stay_healthy", 10, "keep-8"),
        Story::new("server/first_deployment_ever", || {
            let mut w = empty(1, Pace::calm(), &names(4), config(HALF), json!({}));
            deploys(&mut w, "d1", "1");
            w
        }),
        Story::new("server/unhealthy_hosts_go_first", || {
            let mut w = plain(3, config("keep-2"));
            host(&mut w, "h09", 8, "");
            w.then("h03 loses its network", at_once, 1_000, |w| w.unplug("h03"));
            w.then("creates Deployment d1 of version 2", at_once, 130_000, |w| {
                deploy(w, "d1", "2", json!({}));
            });
            w.then("h03 has its network back", at_once, 60_000, |w| w.plug("h03"));
            w
        }),
        Story::new("server/zone_by_zone", || {
            let mut w = standing(1, Pace::calm(), &in_zones(6), config("zones"), json!({}));
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/a_large_fleet_is_written_down_once_a_second", || {
            let mut w = plain(60, config(ALL));
            for n in 1..=60 {
                fate(&mut w, "2", &format!("h{n:02}"), EventName::Install, What::Takes(2_000 + 37 * n));
            }
            deploys(&mut w, "d1", "2");
            w
        }),
    ]
}

fn balanced_ones() -> Vec<Story> {
    vec![
        Story::new("server/load_balancer", || {
            let mut w = behind(4, config(HALF));
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/load_balancer_first_deployment", || {
            let mut w = empty(1, Pace::calm(), &names(2), config(ALL), balanced("10s"));
            service(&mut w);
            deploys(&mut w, "d1", "1");
            w
        }),
        Story::new("server/load_balancer_without_traffic_control", || {
            let server =
                json!({"loadBalancer": {"service": {"name": SERVICE, "port": 8080}, "drain": "10s"}});
            let mut w = standing(1, Pace::calm(), &names(2), config(ALL), server);
            service(&mut w);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/load_balancer_keeps_a_failed_host_out_until_it_is_rolled_back", || {
            let mut w = behind(2, rolling_back(ONE));
            fate(&mut w, "2", "*", EventName::ValidateService, What::Fails);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/members_of_a_load_balancer_come_and_go", || {
            let mut w = behind(2, config(ALL));
            w.then("h01 loses its network", at_once, 1_000, |w| w.unplug("h01"));
            w.then("deletes h02", at_once, 200_000, |w| delete_host(w, "h02"));
            w.then("h01 has its network back", at_once, 10_000, |w| w.plug("h01"));
            w
        }),
    ]
}

fn modes() -> Vec<Story> {
    vec![
        Story::new("server/restart", || {
            let mut w = plain(2, config(ALL));
            deploys_with(&mut w, "d1", "2", json!({"revision": null, "deploymentMode": "Restart"}));
            w
        }),
        Story::new("server/outdated_only", || {
            let mut w = plain(3, config(ALL));
            host(&mut w, "h09", 8, "");
            install(&mut w, "h02", "2");
            deploys_with(&mut w, "d1", "2", json!({"updateOutdatedInstancesOnly": true}));
            w
        }),
        Story::new("server/nothing_is_outdated", || {
            let mut w = plain(2, config(ALL));
            deploys_with(&mut w, "d1", "1", json!({"updateOutdatedInstancesOnly": true}));
            w
        }),
        Story::new("server/failing_stop_is_passed_over", || {
            let mut w = plain(2, config(ONE));
            fate(&mut w, "1", "*", EventName::ApplicationStop, What::Fails);
            deploys_with(&mut w, "d1", "2", json!({"ignoreApplicationStopFailures": true}));
            w
        }),
        Story::new("server/desired_revision", || {
            let mut w = plain(2, config(ALL));
            for (version, after) in [("2", 1_000), ("3", 60_000), ("2", 60_000)] {
                w.then(format!("wants version {version}"), at_once, after, move |w| {
                    let wanted = super::super::setup::read(revision(version));
                    edit_named_group(w, GROUP, |g| g.spec.revision = Some(wanted));
                });
            }
            w
        }),
        Story::new("server/queue_of_two", || {
            let mut w = plain(2, config(ONE));
            deploys(&mut w, "d1", "2");
            deploys(&mut w, "d2", "3");
            w
        }),
        Story::new("server/object_in_s3_without_a_version", || {
            let mut w = plain(2, config(ONE));
            let revision = json!({"s3": {"bucket": "releases", "key": "shop/2"}});
            deploys_with(&mut w, "d1", "2", json!({"revision": revision}));
            w
        }),
    ]
}
