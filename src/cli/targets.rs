//! `list-deployment-targets` and `get-deployment-target`: the hosts of a Deployment on Server, as its record and they themselves say.

use kube::ResourceExt;
use serde::Serialize;

use super::args::{Format, GetTarget, ListTargets};
use super::clock;
use super::connect::Session;
use super::error::Error;
use super::fetch::{self, Found};
use super::render::{self, Columns, Extent, Hosts, Target};
use super::screen::{self, print, tell};
use crate::api::{Deployment, Instance};

/// Prints the hosts.
///
/// # Errors
/// No such Deployment, one that has no hosts, those of the API server.
pub async fn list(session: &Session, args: &ListTargets) -> Result<(), Error> {
    let deployment = on_hosts(session, args.deployment.name()).await?;
    let hosts = all(session).await?;
    let mut targets = render::targets(&deployment, &hosts);
    targets.retain(|target| args.status.is_empty() || args.status.contains(&target.status));
    let text = match args.output.output {
        Some(format @ (Format::Json | Format::Yaml)) => document(&targets, Extent::List, format)?,
        Some(Format::Name) => targets.iter().map(name_of).collect(),
        _ if targets.is_empty() => {
            tell("No targets found.");
            return Ok(());
        }
        wide => {
            let columns = Columns { namespace: false, wide: wide == Some(Format::Wide) };
            render::target_rows(&targets, columns, clock::now())
        }
    };
    print(&text)
}

/// Prints one host.
///
/// # Errors
/// No such Deployment, one that does not have that host, those of the API server.
pub async fn get(session: &Session, args: &GetTarget) -> Result<(), Error> {
    let deployment = on_hosts(session, args.deployment()).await?;
    let name = args.target();
    let host = fetch::raw_api::<Instance>(session, false).get_opt(name).await?;
    let host = host.map(Found::<Instance>::new).transpose()?;
    let hosts = host.map(|found| (name.to_owned(), found.read)).into_iter().collect();
    let found = render::targets(&deployment, &hosts).into_iter().find(|target| target.target == name);
    let target =
        found.ok_or_else(|| Error::NoTarget { deployment: deployment.name().into(), target: name.into() })?;
    let text = match args.output.output {
        Some(format @ (Format::Json | Format::Yaml)) => document(&[target], Extent::One, format)?,
        Some(Format::Name) => name_of(&target),
        Some(Format::Wide) => {
            render::target_rows(&[target], Columns { namespace: false, wide: true }, clock::now())
        }
        None => render::target_page(&deployment, &target, screen::look(), clock::now()),
    };
    print(&text)
}

/// The Instances of the session's namespace.
async fn all(session: &Session) -> Result<Hosts, Error> {
    let found = fetch::list::<Instance>(session, false).await?;
    Ok(found.into_iter().map(|found| (found.read.name_any(), found.read)).collect())
}

/// The Deployment, if it is on Server or not looked at yet: then it has no targets on record.
async fn on_hosts(session: &Session, name: &str) -> Result<Deployment, Error> {
    let deployment = fetch::get::<Deployment>(session, name).await?.read;
    let is_resolved = deployment.status.as_ref().is_some_and(|status| status.resolved.is_some());
    if is_resolved && render::server_of(&deployment).is_none() {
        let message = format!(
            "deployment \"{name}\" is not of the platform Server, it has no hosts: say get-deployment"
        );
        return Err(Error::Usage(message));
    }
    Ok(deployment)
}

fn name_of(target: &Target) -> String {
    format!("instance.sluice.dev/{}\n", target.target)
}

fn document<T: Serialize>(targets: &[T], extent: Extent, format: Format) -> Result<String, Error> {
    render::document(targets, extent, format == Format::Yaml)
}
