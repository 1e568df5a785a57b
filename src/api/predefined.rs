//! CodeDeploy's 17 predefined configurations, understood wherever a configuration is named.
//!
//! Source of the names: `CodeDeployDefault.*` as AWS documents them (the ECS linear ones say "Minutes", the Lambda
//! one-minute one says "Minute").

use super::deployment_config::{HealthyHostsType, Increment, MinimumHealthyHosts};
use super::{ComputePlatform, DeploymentConfigSpec, GoDuration, RoutingType, TrafficRouting};

/// The reserved prefix.
pub const PREFIX: &str = "CodeDeployDefault.";

const ONE_AT_A_TIME: &str = "CodeDeployDefault.OneAtATime";

/// Every predefined name, in the order in which AWS lists them.
pub const NAMES: [&str; 17] = [
    "CodeDeployDefault.AllAtOnce",
    "CodeDeployDefault.HalfAtATime",
    ONE_AT_A_TIME,
    "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    "CodeDeployDefault.LambdaCanary10Percent10Minutes",
    "CodeDeployDefault.LambdaCanary10Percent15Minutes",
    "CodeDeployDefault.LambdaCanary10Percent30Minutes",
    "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
    "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes",
    "CodeDeployDefault.LambdaLinear10PercentEvery3Minutes",
    "CodeDeployDefault.LambdaLinear10PercentEvery10Minutes",
    "CodeDeployDefault.LambdaAllAtOnce",
    "CodeDeployDefault.ECSCanary10Percent5Minutes",
    "CodeDeployDefault.ECSCanary10Percent15Minutes",
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes",
    "CodeDeployDefault.ECSAllAtOnce",
];

/// The name of the platform's default configuration.
pub fn default_name(platform: ComputePlatform) -> &'static str {
    match platform {
        ComputePlatform::Server => ONE_AT_A_TIME,
        ComputePlatform::Function => "CodeDeployDefault.LambdaAllAtOnce",
        ComputePlatform::Service => "CodeDeployDefault.ECSAllAtOnce",
    }
}

/// The name of the platform's configuration that does everything at once.
pub fn all_at_once(platform: ComputePlatform) -> &'static str {
    match platform {
        ComputePlatform::Server => "CodeDeployDefault.AllAtOnce",
        ComputePlatform::Function | ComputePlatform::Service => default_name(platform),
    }
}

/// True for the configuration of which all hosts but one stay healthy, whatever a percentage would come to.
pub fn is_one_at_a_time(name: &str) -> bool {
    name.eq_ignore_ascii_case(ONE_AT_A_TIME)
}

/// True for a name under the reserved prefix, in any case.
pub fn is_reserved(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|p| p.eq_ignore_ascii_case(PREFIX))
}

/// What a predefined name stands for; `None` for a name that is not one of the 17.
pub fn find(name: &str) -> Option<DeploymentConfigSpec> {
    let known = NAMES.iter().find(|n| n.eq_ignore_ascii_case(name))?;
    let rest = &known[PREFIX.len()..];
    match rest {
        "AllAtOnce" => Some(server(HealthyHostsType::HostCount, 0)),
        "HalfAtATime" => Some(server(HealthyHostsType::FleetPercent, 50)),
        "OneAtATime" => Some(server(HealthyHostsType::FleetPercent, 99)),
        _ => traffic(rest),
    }
}

fn server(type_: HealthyHostsType, value: i32) -> DeploymentConfigSpec {
    DeploymentConfigSpec {
        compute_platform: ComputePlatform::Server,
        traffic_routing: None,
        minimum_healthy_hosts: Some(MinimumHealthyHosts { type_, value }),
        zonal_config: None,
    }
}

fn traffic(rest: &str) -> Option<DeploymentConfigSpec> {
    let (compute_platform, shape) = match rest.strip_prefix("Lambda") {
        Some(shape) => (ComputePlatform::Function, shape),
        None => (ComputePlatform::Service, rest.strip_prefix("ECS")?),
    };
    let increment = |text: &str, between: &str| {
        let (percentage, minutes) = text.split_once(between)?;
        let minutes: u64 = minutes.trim_end_matches(['s', 'e', 't', 'u', 'n', 'i', 'M']).parse().ok()?;
        Some(Increment {
            percentage: percentage.parse().ok()?,
            interval: GoDuration::from_secs(minutes * 60),
        })
    };
    let traffic_routing = if shape == "AllAtOnce" {
        TrafficRouting { type_: RoutingType::AllAtOnce, canary: None, linear: None }
    } else if let Some(text) = shape.strip_prefix("Canary") {
        let canary = Some(increment(text, "Percent")?);
        TrafficRouting { type_: RoutingType::TimeBasedCanary, canary, linear: None }
    } else {
        let linear = Some(increment(shape.strip_prefix("Linear")?, "PercentEvery")?);
        TrafficRouting { type_: RoutingType::TimeBasedLinear, canary: None, linear }
    };
    Some(DeploymentConfigSpec {
        compute_platform,
        traffic_routing: Some(traffic_routing),
        minimum_healthy_hosts: None,
        zonal_config: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_predefined_name_is_understood_in_any_case() {
        for name in NAMES {
            assert!(find(name).is_some(), "{name}");
            assert_eq!(find(&name.to_lowercase()), find(name));
        }
        assert!(find("CodeDeployDefault.LambdaCanary20Percent5Minutes").is_none());
        assert!(is_reserved("codedeploydefault.mine") && !is_reserved("mine"));
    }

    #[test]
    fn the_numbers_of_a_predefined_configuration_are_those_in_its_name() {
        let config = find("CodeDeployDefault.LambdaLinear10PercentEvery3Minutes").unwrap();
        let linear = config.traffic_routing.unwrap().linear.unwrap();
        assert_eq!((linear.percentage, linear.interval), (10, GoDuration::from_secs(180)));
        let config = find("CodeDeployDefault.ECSCanary10Percent15Minutes").unwrap();
        assert_eq!(config.compute_platform, ComputePlatform::Service);
        let canary = config.traffic_routing.unwrap().canary.unwrap();
        assert_eq!((canary.percentage, canary.interval), (10, GoDuration::from_secs(900)));
    }
}
