//! What cannot be deployed, or not yet: each by its own name.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [kinds(), minimums()].into_iter().flatten().collect()
}

fn minimums() -> Vec<Story> {
    vec![
        Story::new("server/no_such_minimum_could_be_reached", || {
            let mut w = empty(1, Pace::calm(), &names(3), config("keep-8"), json!({}));
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/hosts_that_are_left_alone_count_as_healthy", || {
            let mut w = plain(8, config("keep-8"));
            host(&mut w, "h09", 8, "");
            deploys_with(&mut w, "d1", "1", json!({"updateOutdatedInstancesOnly": true}));
            w
        }),
        Story::new("server/host_without_an_address", || {
            let mut w = behind(2, config(ALL));
            let _ = w.store.change(&Actor::User, &(Kind::Instance, "h02".into()), |o| {
                if let Object::Instance(instance) = o {
                    std::sync::Arc::make_mut(instance).spec.address = None;
                }
            });
            deploys(&mut w, "d1", "2");
            w.then("registers h02 with its address", at_once, 60_000, |w| {
                let _ = w.store.change(&Actor::User, &(Kind::Instance, "h02".into()), |o| {
                    if let Object::Instance(instance) = o {
                        std::sync::Arc::make_mut(instance).spec.address = Some("10.0.0.2".into());
                    }
                });
            });
            w
        }),
    ]
}

fn kinds() -> Vec<Story> {
    let refused = |name: &str, group: Value, more: Value| {
        Story::new(format!("server/{name}"), move || {
            let mut w = plain(10, group.clone());
            deploys_with(&mut w, "d1", "2", more.clone());
            w
        })
    };
    let inline = json!({"appSpecContent": {"content": "version: 0.0\nos: linux\n"}});
    vec![
        refused("no_host_could_be_spared", config("keep-all"), json!({})),
        refused("configuration_of_another_platform", config("CodeDeployDefault.LambdaAllAtOnce"), json!({})),
        refused("no_bundle", config(ALL), json!({"revision": inline})),
        Story::new("server/no_host_of_a_zone_could_be_spared", || {
            let mut w = standing(1, Pace::calm(), &in_zones(5), config("zones"), json!({}));
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/restart_before_any_success", || {
            let mut w = empty(1, Pace::calm(), &names(1), config(ALL), json!({}));
            deploys_with(&mut w, "d1", "2", json!({"revision": null, "deploymentMode": "Restart"}));
            w
        }),
        Story::new("server/no_instances", || {
            let mut w = empty(1, Pace::calm(), &[], config(ALL), json!({}));
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/instances_appear", || {
            let mut w = empty(1, Pace::calm(), &[], config(ALL), json!({}));
            deploys(&mut w, "d1", "2");
            w.then("registers h01", at_once, 90_000, |w| host(w, "h01", 0, ""));
            w
        }),
        Story::new("server/service_is_missing", || {
            let mut w = standing(1, Pace::calm(), &names(1), config(ALL), balanced("10s"));
            deploys(&mut w, "d1", "2");
            w.then("creates Service shop", at_once, 90_000, service);
            w
        }),
        Story::new("server/service_has_a_selector", || {
            let mut w = standing(1, Pace::calm(), &names(1), config(ALL), balanced("10s"));
            let selector = super::super::service_setup::labels(&[("app", "shop")]);
            super::super::service_setup::target_group(&mut w, SERVICE, &selector);
            deploys(&mut w, "d1", "2");
            w
        }),
        Story::new("server/two_groups_share_a_service", || {
            let mut w = behind(1, config(ALL));
            w.then("creates group late", at_once, 1_000, |w| {
                let spec = super::super::setup::read(spec(config(ALL), balanced("10s")));
                let late = sluice::api::DeploymentGroup::new("late", spec);
                super::super::setup::create(w, Object::Group(late.into()));
            });
            w.then("creates Deployment d1 of version 2 in it", at_once, 1_000, |w| {
                deploy_to(w, "late", "d1", "2", json!({}));
            });
            w
        }),
    ]
}
