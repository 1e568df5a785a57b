//! Courses in which traffic could be lost: ways back, services that change hands, a load balancer that is edited under way.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [ways_back(), hands(), times()].into_iter().flatten().collect()
}

fn ways_back() -> Vec<Story> {
    vec![
        Story::new("server/rollback_spares_those_that_serve", || {
            let mut w = behind(4, rolling_back(HALF));
            deploys(&mut w, "d1", "2");
            w.then("stops d1", counts("d1", 'S', 2), 3_000, |w| stop(w, "d1", None));
            w
        }),
        Story::new("server/rollback_of_the_last_but_one", || {
            let mut w = behind(3, rolling_back(ONE));
            fate(&mut w, "2", "h02", EventName::ValidateService, What::Fails);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/failed_behind_its_traffic_is_drained_by_the_next", || {
            let mut w = empty(1, Pace::calm(), &names(1), config(ALL), balanced("10s"));
            service(&mut w);
            fate(&mut w, "1", "*", EventName::AfterAllowTraffic, What::Fails);
            deploys(&mut w, "d1", "1");
            w.then("creates Deployment d2 of version 2", all_ended(1), 1_000, |w| {
                deploy(w, "d2", "2", json!({}));
            });
            w
        }),
    ]
}

fn hands() -> Vec<Story> {
    vec![
        Story::new("server/another_group_takes_over_the_service", || {
            let mut w = behind(2, config(ONE));
            w.then("deletes the group", at_once, 5_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            let is_gone = |s: &super::super::store::Store| s.get(Kind::Group, GROUP).is_none();
            w.then("creates group shop-next with the same Service", is_gone, 5_000, |w| {
                let spec = super::super::setup::read(spec(config(ONE), balanced("10s")));
                let group = sluice::api::DeploymentGroup::new("shop-next", spec);
                super::super::setup::create(w, Object::Group(group.into()));
            });
            w.then("creates Deployment d1 of version 2 there", at_once, 10_000, |w| {
                deploy_to(w, "shop-next", "d1", "2", json!({}));
            });
            w
        }),
        Story::new("server/load_balancer_is_edited_under_way", || {
            let mut w = behind(2, config(ONE));
            deploys(&mut w, "d1", "2");
            let other = super::super::objects::Service {
                name: "other".into(),
                ports: vec![80],
                ..super::super::objects::Service::default()
            };
            super::super::setup::create(&mut w, Object::Service(std::sync::Arc::new(other)));
            let works = event_on("h01", EventName::BeforeInstall, EventStatus::InProgress);
            w.then("names Service other in the group", works, 500, |w| {
                edit_named_group(w, GROUP, |g| {
                    let balancer = g.spec.server.as_mut().and_then(|s| s.load_balancer.as_mut());
                    balancer.unwrap().service.name = "other".into();
                });
            });
            w
        }),
    ]
}

fn times() -> Vec<Story> {
    vec![Story::new("server/drain_is_longer_than_what_scripts_may_take", || {
        let mut server = balanced("60s");
        server["eventTimeout"] = "30s".into();
        let mut w = standing(1, Pace::calm(), &names(1), config(ALL), server);
        service(&mut w);
        deploys(&mut w, "d1", "2");
        w
    })]
}
