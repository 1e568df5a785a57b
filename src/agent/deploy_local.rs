//! `deploy-local`: one Deployment on this host without any cluster, told by flags as CodeDeploy's `deploy-local` is. What it leaves
//! below the root folder the next one finds, as on a host.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::PathBuf;

use super::args::{DeployLocal, Packing};
use super::course::{self, Next, Orders};
use super::download::Supply;
use super::environment::Inheritance;
use super::host::{Host, Settings};
use super::journal::Record;
use super::layout::Root;
use super::signals::Signals;
use super::trust::Trust;
use super::{Error, render};
use crate::api::{Assignment, BundleType, EventStatus};

/// Deploys, and says how it went. The exit code: 0 on success, 1 on failure, 2 on wrong usage.
pub async fn run(args: &DeployLocal) -> u8 {
    if let Some(problem) = args.problem() {
        eprintln!("error: {problem}");
        return 2;
    }
    let outcome = deploy(args).await;
    if let Err(error) = &outcome {
        eprintln!("error: {error}");
    }
    let said = match args.output.as_deref() {
        Some("json") => format!("{}\n", render::json(&outcome)),
        _ => outcome.as_ref().map(render::text).unwrap_or_default(),
    };
    // Whoever closed our output knows less, and the deployment is what it is.
    let _ = io::stdout().write_all(said.as_bytes());
    u8::from(!outcome.is_ok_and(|record| record.end == Some(EventStatus::Succeeded)))
}

async fn deploy(args: &DeployLocal) -> Result<Record, Error> {
    let assignment = assignment(args);
    let group = assignment.deployment_group_id.clone();
    let mut signals = Signals::listen()?;
    let root = Root::open(&args.root_dir, "deploy-local", true)?;
    // Refused before anything is touched.
    root.deployment(&group, &assignment.deployment)?;
    let host = Host::open(root, settings(args)).await?;
    take(&host, &assignment)?;
    let cut = async {
        signals.next().await;
        host.cut.give();
        std::future::pending::<()>().await;
    };
    let supply = supply(args);
    tokio::select! {
        ended = run_course(&host, &group, &supply) => ended?,
        () = cut => {}
    }
    host.record(&group).ok_or(Error::NoFolderName(group))
}

async fn run_course(host: &Host, group: &str, supply: &Supply) -> Result<(), Error> {
    loop {
        let last = host.record(group).and_then(|record| record.assignment.course.last().copied());
        let orders = Orders { run_through: last, stop: host.cut.is_given() };
        if !matches!(host.step(group, orders, supply).await?, Next::Run(_)) {
            return Ok(());
        }
    }
}

/// Puts the Deployment on record. One that was cut off under the same id goes on where it was; another one that was is over.
fn take(host: &Host, assignment: &Assignment) -> Result<(), Error> {
    let open = host.record(&assignment.deployment_group_id).filter(|record| record.end.is_none());
    if let Some(open) = open {
        if open.assignment.deployment_uid == assignment.deployment_uid {
            return Ok(());
        }
        let stop = Orders { run_through: None, stop: true };
        if let Next::Finish(status) = course::next(&open, stop) {
            host.finish(&open, status)?;
        }
    }
    host.journal().accept(assignment)
}

fn assignment(args: &DeployLocal) -> Assignment {
    let deployment = args.deployment_id.clone().unwrap_or_else(made_up_id);
    let location = args.bundle_location.to_string_lossy().into_owned();
    Assignment {
        deployment_group: args.deployment_group_name.clone(),
        deployment_group_id: args.deployment_group.clone(),
        deployment: deployment.clone(),
        deployment_uid: deployment,
        application: args.application_name.clone().unwrap_or(location),
        course: args.course(),
        file_exists_behavior: Some(args.file_exists_behavior),
        ignore_application_stop_failures: args.ignore_application_stop_failures,
        ..Assignment::default()
    }
}

/// As CodeDeploy's: `d-`, nine capital letters and digits, `-local`.
fn made_up_id() -> String {
    const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    // A hasher of std begins with random keys.
    let mut chance = RandomState::new().hash_one(0_u8);
    let letters = std::iter::repeat_with(|| {
        let letter = char::from(LETTERS[usize::try_from(chance % 36).unwrap_or(0)]);
        chance /= 36;
        letter
    });
    format!("d-{}-local", letters.take(9).collect::<String>())
}

fn settings(args: &DeployLocal) -> Settings {
    let mut settings = Settings {
        working_directory: args.working_dir.clone(),
        inheritance: Inheritance { all: args.inherit_env, also: vec![] },
        appspec: args.appspec_filename.clone(),
        ..Settings::default()
    };
    Trust::give(&args.allow, &mut settings);
    settings.ignore_ownership(args.ignore_ownership);
    settings
}

fn supply(args: &DeployLocal) -> Supply {
    let location: PathBuf = args.bundle_location.clone();
    match args.packing {
        Packing::Directory => Supply::Folder(location),
        Packing::Tar => Supply::File(location, BundleType::Tar),
        Packing::Tgz => Supply::File(location, BundleType::Tgz),
        Packing::Zip => Supply::File(location, BundleType::Zip),
    }
}
