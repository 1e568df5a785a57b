//! From a group and its hosts to what a Server deployment runs by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host::{HostFact, Said};
use super::{advance, healthy, progress, targets, words};
use crate::api::deployment_config::{HealthyHostsType, MinimumHealthyHosts};
use crate::api::deployment_snapshot::{ResolvedServer, ResolvedZone};
use crate::api::deployment_status::DeploymentStatus;
use crate::api::server_target::TrafficControl;
use crate::api::{
    Creator, Deployment, DeploymentConfigSpec, DeploymentGroup, DeploymentMode, ResolvedRevision, Revision,
    ServerTarget, predefined,
};
use crate::engine::facts::{Facts, ServiceFact};
use crate::engine::resolve::Obstacle;

/// A deployment has no more targets than this.
pub const MAX_TARGETS: usize = 5_000;
/// Hosts that a message names.
const NAMED: usize = 3;

/// The revision with its identity, as far as its name says it: nothing is fetched here.
pub fn revision(source: &Revision) -> Result<ResolvedRevision, Obstacle> {
    let (digest, summary) = match source {
        Revision { http: Some(http), .. } => {
            (format!("sha256:{}", http.sha256.to_lowercase()), last(&http.url).to_owned())
        }
        Revision { oci: Some(oci), .. } => {
            let (name, digest) = oci.image.split_once('@').unwrap_or((&oci.image, ""));
            (digest.to_owned(), last(name).to_owned())
        }
        Revision { git_hub: Some(git), .. } => {
            (format!("git:{}", git.commit_id.to_lowercase()), git.repository.clone())
        }
        Revision { s3: Some(s3), .. } => (String::new(), last(&s3.key).to_owned()),
        _ => {
            return Err(Obstacle::Invalid(
                "InvalidRevision",
                "a Server deployment installs a bundle of files: give revision.s3, gitHub, http or oci (appSpecContent and configMap hold no files; they are for Function and Service)".into(),
            ));
        }
    };
    let mut revision = ResolvedRevision::new(source, digest);
    revision.summary = Some(crate::engine::draft::clip(summary, 250));
    Ok(revision)
}

fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// The revision that a Deployment with deploymentMode Restart runs again.
pub fn last_good(group: &DeploymentGroup) -> Result<ResolvedRevision, Obstacle> {
    let last = group.status.as_ref().and_then(|s| s.last_successful_deployment.as_ref());
    last.map(|d| d.revision.clone()).ok_or_else(|| {
        let message = "deploymentMode Restart runs the group's last successful revision again, and there is none yet; deploy one with spec.revision first";
        Obstacle::Invalid("RevisionMissing", message.into())
    })
}

/// The Server platform's part of a Deployment's snapshot.
pub fn server(
    facts: &Facts,
    group: &DeploymentGroup,
    target: &ServerTarget,
    revision: &ResolvedRevision,
    (name, config): (&str, &DeploymentConfigSpec),
    creator: Creator,
) -> Result<ResolvedServer, Obstacle> {
    if let Some((reason, cure)) = &facts.server.secret_withheld {
        return Err(Obstacle::Missing(reason, cure.clone()));
    }
    let has_traffic = target.deployment_style.option == TrafficControl::WithTrafficControl;
    if let Some(balancer) = target.load_balancer.as_ref().filter(|_| has_traffic) {
        check_service(facts.server.service.as_ref(), &balancer.service.name)?;
    }
    let group_name = group.metadata.name.as_deref().unwrap_or_default();
    let mut hosts = chosen(facts, target, creator)?;
    if has_traffic && target.load_balancer.is_some() {
        check_addresses(&hosts)?;
    }
    let spec = &facts.deployment.spec;
    let all = healthy_of(&hosts, group_name);
    if spec.update_outdated_instances_only && !creator.is_rollback() {
        hosts.retain(|h| !targets::is_current(h, group_name, revision));
    }
    let left_alone = all - healthy_of(&hosts, group_name);
    targets::order(&mut hosts, group_name, revision, config.zonal_config.is_some());
    let total = i32::try_from(hosts.len()).unwrap_or(i32::MAX);
    let wanted = config
        .minimum_healthy_hosts
        .unwrap_or(MinimumHealthyHosts { type_: HealthyHostsType::HostCount, value: 0 });
    let is_one = predefined::is_one_at_a_time(name);
    let floor = if is_one { (total - 1).max(0) } else { healthy::floor(wanted, total) };
    // Of a count those that are left alone are a part.
    let is_count = wanted.type_ == HealthyHostsType::HostCount && !is_one;
    let floor = if is_count { (floor - left_alone).max(0) } else { floor };
    check_floor(&hosts, group_name, floor, name, "")?;
    let zones = zones(&hosts, config);
    let mut from = 0;
    for zone in &zones {
        let to = from + usize::try_from(zone.targets).unwrap_or(0);
        let whose = words::in_zone(&zone.name);
        check_floor(&hosts[from..to], group_name, zone.minimum_healthy, name, &whose)?;
        from = to;
    }
    Ok(ResolvedServer {
        targets: hosts.iter().map(|h| h.name.clone()).collect(),
        uids: hosts.iter().map(|h| h.uid.clone()).collect(),
        zones,
        minimum_healthy_hosts: wanted,
        minimum_healthy: floor,
        spared_healthy: if creator.is_rollback() { spared(facts, group_name) } else { 0 },
        zonal_config: config.zonal_config,
        course: progress::course(has_traffic),
        load_balancer: target.load_balancer.clone(),
        event_timeout: target.event_timeout,
        file_exists_behavior: spec.file_exists_behavior.unwrap_or_default(),
        ignore_application_stop_failures: spec.ignore_application_stop_failures,
        restart: spec.deployment_mode == DeploymentMode::Restart,
        secret: revision.source.secret().map(str::to_owned),
    })
}

/// The hosts that a deployment goes to: the group's, or those that the one which is rolled back has touched.
fn chosen<'a>(
    facts: &'a Facts,
    target: &ServerTarget,
    creator: Creator,
) -> Result<Vec<&'a Arc<HostFact>>, Obstacle> {
    let all = &facts.server.hosts;
    let hosts = if creator.is_rollback() { touched_before(facts).0 } else { targets::select(target, all) };
    if hosts.len() > MAX_TARGETS {
        let message = format!(
            "the group has {} hosts, and a deployment goes to {MAX_TARGETS} at most: divide it by narrower spec.server.tagSets or fleets",
            hosts.len()
        );
        return Err(Obstacle::Invalid("OverMaxInstances", message));
    }
    if !hosts.is_empty() {
        return Ok(hosts);
    }
    if creator.is_rollback() {
        let message = "none of the hosts that the failed deployment touched is there any more";
        return Err(Obstacle::Invalid("NoInstances", message.into()));
    }
    Err(Obstacle::NotReady("NoInstances", no_instances(target)))
}

/// What a group without hosts says.
pub fn no_instances(target: &ServerTarget) -> String {
    let by = match (target.tag_sets.is_empty(), target.fleets.is_empty()) {
        (false, true) => "matches spec.server.tagSets",
        (true, _) => "belongs to spec.server.fleets",
        _ => "matches spec.server.tagSets or belongs to spec.server.fleets",
    };
    format!(
        "no Instance {by}: register hosts with those tags (kubectl sluice register), or correct the group"
    )
}

/// The targets of a deployment that are there, with their letters.
fn present<'a>(
    status: Option<&'a DeploymentStatus>,
    hosts: &'a BTreeMap<String, Arc<HostFact>>,
) -> impl Iterator<Item = (&'a Arc<HostFact>, u8)> {
    let server = status.and_then(|s| s.resolved.as_ref()?.server.as_deref());
    let named = status
        .zip(server)
        .into_iter()
        .flat_map(|(status, server)| server.targets.iter().zip(&server.uids).zip(status.targets.bytes()));
    named.filter_map(|((name, uid), letter)| {
        let host = hosts.get(name).filter(|h| h.uid == *uid && !h.is_going)?;
        Some((host, letter))
    })
}

/// The hosts of a deployment, on record as `status`, that are there: those on which it has changed something, and the others.
pub fn touched<'a>(
    deployment: &Deployment,
    status: Option<&'a DeploymentStatus>,
    hosts: &'a BTreeMap<String, Arc<HostFact>>,
) -> (Vec<&'a Arc<HostFact>>, Vec<&'a Arc<HostFact>>) {
    let group = &deployment.spec.deployment_group_ref.name;
    let (touched, others): (Vec<_>, Vec<_>) =
        present(status, hosts).partition(|(h, letter)| is_touched(h, group, deployment.uid(), *letter));
    let bare = |all: Vec<(&'a Arc<HostFact>, u8)>| all.into_iter().map(|(host, _)| host).collect();
    (bare(touched), bare(others))
}

/// The same of the deployment that is rolled back.
fn touched_before(facts: &Facts) -> (Vec<&Arc<HostFact>>, Vec<&Arc<HostFact>>) {
    let failed = facts.triggering.as_ref();
    failed.map(|d| touched(d, d.status.as_ref(), &facts.server.hosts)).unwrap_or_default()
}

/// True if a deployment has changed anything on a host: one that never began there has nothing to take back.
fn is_touched(host: &HostFact, group: &str, deployment_uid: &str, letter: u8) -> bool {
    let said = host.entry(group).and_then(|e| e.said.as_ref()).filter(|s| s.deployment_uid == deployment_uid);
    match letter {
        b'I' | b'S' => true,
        b'F' => said.is_some_and(Said::has_begun),
        _ => false,
    }
}

/// How many of the hosts that serve a rollback spares: as many as the deployment had to that it follows, less those that it
/// does not go to.
fn spared(facts: &Facts, group: &str) -> i32 {
    let server = facts.triggering.as_ref().and_then(|d| advance::snapshot(d)).map(|(_, server)| server);
    let (_, others) = touched_before(facts);
    server.map_or(0, |s| (s.minimum_healthy - healthy_of(&others, group)).max(0))
}

/// How many are healthy and heard of.
fn healthy_of(hosts: &[&Arc<HostFact>], group: &str) -> i32 {
    let healthy = hosts.iter().filter(|h| h.is_healthy(group) && h.is_heard_of());
    i32::try_from(healthy.count()).unwrap_or(i32::MAX)
}

/// Behind a load balancer traffic must have somewhere to go.
fn check_addresses(hosts: &[&Arc<HostFact>]) -> Result<(), Obstacle> {
    let lacking: Vec<&str> = hosts.iter().filter(|h| h.address.is_none()).map(|h| h.name.as_str()).collect();
    let Some(first) = lacking.first() else { return Ok(()) };
    let message = format!(
        "spec.address says where the load balancer sends a host's traffic, and {} none: {}; kubectl sluice register {first} --address IP",
        if lacking.len() == 1 { "this host has" } else { "these hosts have" },
        words::few(&lacking, NAMED)
    );
    Err(Obstacle::NotReady("AddressMissing", message))
}

/// The group owns the endpoints of a Service without a selector.
fn check_service(service: Option<&ServiceFact>, name: &str) -> Result<(), Obstacle> {
    let service = service.ok_or(Obstacle::Unknown)?;
    match lack(service, name) {
        Some((reason, message)) if !service.exists => Err(Obstacle::Missing(reason, message)),
        Some((reason, message)) => Err(Obstacle::NotReady(reason, message)),
        None => Ok(()),
    }
}

/// What the load balancer's Service lacks: reason and sentence.
pub fn lack(service: &ServiceFact, name: &str) -> Option<(&'static str, String)> {
    if !service.exists {
        let message = format!(
            "there is no Service {name}, the group's load balancer; create it without a selector, with the port that clients use"
        );
        return Some(("ServiceMissing", message));
    }
    if !service.selector.is_empty() {
        let message = format!(
            "Service {name}, the group's load balancer, has a selector, so that its endpoints are those of pods; take the selector away, or name another Service"
        );
        return Some(("ServiceHasSelector", message));
    }
    None
}

/// A floor that leaves no host to begin with can be seen at once where all are healthy, and one that cannot be reached anywhere.
fn check_floor(
    hosts: &[&Arc<HostFact>],
    group: &str,
    floor: i32,
    name: &str,
    whose: &str,
) -> Result<(), Obstacle> {
    let total = i32::try_from(hosts.len()).unwrap_or(i32::MAX);
    let are_all_healthy = healthy_of(hosts, group) == total;
    if total == 0 || floor < total || (floor == total && !are_all_healthy) {
        return Ok(());
    }
    let message = if floor > total {
        format!(
            "deployment configuration {name} wants {floor} healthy hosts{whose}, and it goes to {total}: so many could never be; lower its minimum or add hosts"
        )
    } else {
        format!(
            "deployment configuration {name} wants {floor} healthy hosts{whose}, and there are {total}, all healthy: not one could be worked on; lower its minimum or add hosts"
        )
    };
    Err(Obstacle::Invalid("HealthConstraintsInvalid", message))
}

fn zones(hosts: &[&Arc<HostFact>], config: &DeploymentConfigSpec) -> Vec<ResolvedZone> {
    let Some(zonal) = config.zonal_config else { return vec![] };
    let mut zones: Vec<ResolvedZone> = vec![];
    for host in hosts {
        match zones.last_mut().filter(|zone| zone.name == host.zone) {
            Some(zone) => zone.targets += 1,
            None => zones.push(ResolvedZone { name: host.zone.clone(), targets: 1, minimum_healthy: 0 }),
        }
    }
    for zone in &mut zones {
        let wanted = zonal.minimum_healthy_hosts_per_zone;
        zone.minimum_healthy = wanted.map_or(0, |w| healthy::floor(w, zone.targets));
    }
    zones
}
