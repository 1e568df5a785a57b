//! Lists: one row an object. The columns are those of `kubectl get` (the kinds' printer columns), with more for `-o wide`.

use jiff::Timestamp;

use super::age::age;
use super::table::table;
use crate::api::deployment_config::{HealthyHostsType, MinimumHealthyHosts};
use crate::api::{
    Application, Deployment, DeploymentConfig, DeploymentGroup, RoutingType, condition, predefined,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;

/// Which columns are wanted besides the usual ones.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// NAMESPACE first (`-A`).
    pub namespace: bool,
    /// Those of `-o wide`, last.
    pub wide: bool,
}

type Row = Vec<String>;

/// Deployments in the order given.
pub fn deployments(objects: &[&Deployment], columns: Columns, now: Timestamp) -> String {
    let usual = ["GROUP", "PHASE", "CREATOR", "TRAFFIC", "MESSAGE"];
    let rows = objects.iter().map(|d| {
        let status = d.status.as_ref();
        let text =
            |f: fn(&crate::api::DeploymentStatus) -> Option<String>| status.and_then(f).unwrap_or_default();
        let cells = vec![
            d.spec.deployment_group_ref.name.clone(),
            d.phase().to_string(),
            text(|s| s.creator.map(|c| c.to_string())),
            text(|s| s.traffic.as_ref().map(|t| t.summary.clone())),
            text(|s| Some(s.message.clone())),
        ];
        let own = d.spec.deployment_config_name.clone();
        let wide = vec![
            text(|s| s.revision.as_ref().map(ToString::to_string)),
            own.unwrap_or_else(|| text(|s| s.resolved.as_ref().map(|r| r.deployment_config_name.clone()))),
            text(|s| s.rollback_info.as_ref().and_then(|r| r.rollback_deployment.clone())),
        ];
        row(*d, cells, wide, columns, now)
    });
    print(&usual, &["REVISION", "CONFIG", "ROLLBACK"], rows.collect(), columns)
}

/// DeploymentGroups in the order given.
pub fn deployment_groups(objects: &[&DeploymentGroup], columns: Columns, now: Timestamp) -> String {
    let usual = ["APPLICATION", "PHASE", "ACTIVE", "MESSAGE"];
    let rows = objects.iter().map(|g| {
        let status = g.status.as_ref();
        let cells = vec![
            g.spec.application_ref.name.clone(),
            status.and_then(|s| s.phase).map(|p| p.to_string()).unwrap_or_default(),
            status.and_then(|s| s.active_deployment.as_ref()).map(|a| a.name.clone()).unwrap_or_default(),
            status.map(|s| s.message.clone()).unwrap_or_default(),
        ];
        let last = status.and_then(|s| s.last_successful_deployment.as_ref());
        let wide = vec![
            g.spec.deployment_config_name.clone().unwrap_or_default(),
            status.map_or(0, |s| s.queued_deployments.len()).to_string(),
            last.map(|l| l.name.clone()).unwrap_or_default(),
            last.map(|l| l.revision.to_string()).unwrap_or_default(),
        ];
        row(*g, cells, wide, columns, now)
    });
    print(&usual, &["CONFIG", "QUEUED", "LAST-SUCCESSFUL", "REVISION"], rows.collect(), columns)
}

/// Applications in the order given.
pub fn applications(objects: &[&Application], columns: Columns, now: Timestamp) -> String {
    let rows = objects.iter().map(|a| {
        let status = a.status.as_ref();
        let cells = vec![
            a.spec.compute_platform.to_string(),
            status.map(|s| s.deployment_groups.to_string()).unwrap_or_default(),
            ready(status.map(|s| s.conditions.as_slice())),
        ];
        row(*a, cells, vec![a.spec.description.clone().unwrap_or_default()], columns, now)
    });
    print(&["PLATFORM", "GROUPS", "READY"], &["DESCRIPTION"], rows.collect(), columns)
}

/// DeploymentConfigs in the order given; predefined ones have neither namespace, age nor conditions.
pub fn deployment_configs(objects: &[&DeploymentConfig], columns: Columns, now: Timestamp) -> String {
    let rows = objects.iter().map(|c| {
        let is_predefined = c.metadata.creation_timestamp.is_none();
        let cells = vec![
            c.spec.compute_platform.to_string(),
            pace(c),
            if is_predefined {
                "True".into()
            } else {
                ready(c.status.as_ref().map(|s| s.conditions.as_slice()))
            },
        ];
        let mut row = row(*c, cells, Vec::new(), columns, now);
        if is_predefined {
            row.pop();
            row.push("<predefined>".into());
        }
        row
    });
    print(&["PLATFORM", "PACE", "READY"], &[], rows.collect(), columns)
}

fn row<K: Resource>(object: &K, cells: Row, wide: Row, columns: Columns, now: Timestamp) -> Row {
    let meta = object.meta();
    let namespace = columns.namespace.then(|| meta.namespace.clone().unwrap_or_default());
    let name = meta.name.clone().unwrap_or_default();
    let age = age(meta.creation_timestamp.as_ref(), now);
    let more = if columns.wide { wide } else { Vec::new() };
    namespace.into_iter().chain([name]).chain(cells).chain([age]).chain(more).collect()
}

fn print(usual: &[&str], wide: &[&str], rows: Vec<Row>, columns: Columns) -> String {
    let mut headers: Vec<&str> = if columns.namespace { vec!["NAMESPACE", "NAME"] } else { vec!["NAME"] };
    headers.extend(usual);
    headers.push("AGE");
    if columns.wide {
        headers.extend(wide);
    }
    table(&headers, &rows)
}

fn ready(conditions: Option<&[Condition]>) -> String {
    conditions
        .and_then(|c| condition::find(c, "Ready"))
        .map(|c| if c.status == "True" { c.status.clone() } else { format!("{} ({})", c.status, c.reason) })
        .unwrap_or_default()
}

/// `canary 10 %, all after 5m`, `at least 50 % healthy`, …
fn pace(config: &DeploymentConfig) -> String {
    // Its 99 % is what AWS shows for it; in a large fleet that would be more than one.
    if config.metadata.name.as_deref().is_some_and(predefined::is_one_at_a_time) {
        return "all healthy but one".into();
    }
    let config = &config.spec;
    if let Some(MinimumHealthyHosts { type_, value }) = &config.minimum_healthy_hosts {
        return match type_ {
            HealthyHostsType::HostCount => format!("at least {value} hosts healthy"),
            HealthyHostsType::FleetPercent => format!("at least {value} % healthy"),
        };
    }
    let Some(routing) = &config.traffic_routing else { return String::new() };
    match (routing.type_, &routing.canary, &routing.linear) {
        (RoutingType::TimeBasedCanary, Some(c), _) => {
            format!("canary {} %, all after {}", c.percentage, c.interval)
        }
        (RoutingType::TimeBasedLinear, _, Some(l)) => {
            format!("linear {} % every {}", l.percentage, l.interval)
        }
        _ => "all at once".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::predefined_configs;
    use super::*;

    #[test]
    fn deployments_are_listed_with_kubectls_columns() {
        let (shifting, failed) = (fixture::shifting(), fixture::failed());
        let table = deployments(&[&shifting, &failed], Columns::default(), fixture::now());
        insta::assert_snapshot!(table, @r"
        NAME               GROUP        PHASE        CREATOR           TRAFFIC                       MESSAGE                                                            AGE
        hello-prod-7f3k2   hello-prod   InProgress   User              hello-1 70 % | hello-2 30 %   traffic 30 % on hello-2; next step in 42s                          5m
        hello-prod-7f3k2   hello-prod   Failed       DesiredRevision   hello-2 100 %                 AfterAllowTraffic failed: web-probe said 3 of 5 pages are broken   5m
        ");
        let columns = Columns { namespace: true, wide: true };
        insta::assert_snapshot!(deployments(&[&failed], columns, fixture::now()), @r"
        NAMESPACE   NAME               GROUP        PHASE    CREATOR           TRAFFIC         MESSAGE                                                            AGE   REVISION                                CONFIG   ROLLBACK
        prod        hello-prod-7f3k2   hello-prod   Failed   DesiredRevision   hello-2 100 %   AfterAllowTraffic failed: web-probe said 3 of 5 pages are broken   5m    hello version 2 (sha256:0123456789ab)   <none>   hello-prod-7f3k2-rollback
        ");
    }

    #[test]
    fn groups_are_listed_with_kubectls_columns() {
        let group = fixture::group();
        insta::assert_snapshot!(deployment_groups(&[&group], Columns::default(), fixture::now()), @r"
        NAME         APPLICATION   PHASE        ACTIVE          MESSAGE                                                   AGE
        hello-prod   hello         RolledBack   hello-prod-9x   hello version 2 was rolled back; hello version 1 serves   2d
        ");
        let wide = Columns { namespace: false, wide: true };
        insta::assert_snapshot!(deployment_groups(&[&group], wide, fixture::now()), @r"
        NAME         APPLICATION   PHASE        ACTIVE          MESSAGE                                                   AGE   CONFIG                                                QUEUED   LAST-SUCCESSFUL             REVISION
        hello-prod   hello         RolledBack   hello-prod-9x   hello version 2 was rolled back; hello version 1 serves   2d    CodeDeployDefault.LambdaLinear10PercentEvery1Minute   2        hello-prod-7f3k2-rollback   hello version 1 (sha256:fedcba987654)
        ");
    }

    #[test]
    fn applications_say_why_they_are_not_ready() {
        let application = fixture::application();
        insta::assert_snapshot!(applications(&[&application], Columns::default(), fixture::now()), @r"
        NAME    PLATFORM   GROUPS   READY                          AGE
        hello   Function   2        False (PlatformNotSupported)   2d
        ");
    }

    #[test]
    fn every_configuration_says_its_pace() {
        let predefined = predefined_configs();
        let all: Vec<&DeploymentConfig> = predefined.iter().collect();
        insta::assert_snapshot!(deployment_configs(&all, Columns::default(), fixture::now()), @r"
        NAME                                                    PLATFORM   PACE                         READY   AGE
        CodeDeployDefault.AllAtOnce                             Server     at least 0 hosts healthy     True    <predefined>
        CodeDeployDefault.HalfAtATime                           Server     at least 50 % healthy        True    <predefined>
        CodeDeployDefault.OneAtATime                            Server     all healthy but one          True    <predefined>
        CodeDeployDefault.LambdaCanary10Percent5Minutes         Function   canary 10 %, all after 5m    True    <predefined>
        CodeDeployDefault.LambdaCanary10Percent10Minutes        Function   canary 10 %, all after 10m   True    <predefined>
        CodeDeployDefault.LambdaCanary10Percent15Minutes        Function   canary 10 %, all after 15m   True    <predefined>
        CodeDeployDefault.LambdaCanary10Percent30Minutes        Function   canary 10 %, all after 30m   True    <predefined>
        CodeDeployDefault.LambdaLinear10PercentEvery1Minute     Function   linear 10 % every 1m         True    <predefined>
        CodeDeployDefault.LambdaLinear10PercentEvery2Minutes    Function   linear 10 % every 2m         True    <predefined>
        CodeDeployDefault.LambdaLinear10PercentEvery3Minutes    Function   linear 10 % every 3m         True    <predefined>
        CodeDeployDefault.LambdaLinear10PercentEvery10Minutes   Function   linear 10 % every 10m        True    <predefined>
        CodeDeployDefault.LambdaAllAtOnce                       Function   all at once                  True    <predefined>
        CodeDeployDefault.ECSCanary10Percent5Minutes            Service    canary 10 %, all after 5m    True    <predefined>
        CodeDeployDefault.ECSCanary10Percent15Minutes           Service    canary 10 %, all after 15m   True    <predefined>
        CodeDeployDefault.ECSLinear10PercentEvery1Minutes       Service    linear 10 % every 1m         True    <predefined>
        CodeDeployDefault.ECSLinear10PercentEvery3Minutes       Service    linear 10 % every 3m         True    <predefined>
        CodeDeployDefault.ECSAllAtOnce                          Service    all at once                  True    <predefined>
        ");
    }
}
