//! `register` and `deregister`: a host's Instance, the account of its agent and the rights on that one host's objects.
//!
//! Registering again is harmless: what is there is kept, what the flags say is written, and a new token is given. What belongs to
//! somebody else under one of these names is never touched.

use std::fmt::Debug;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::args::{Deregister, Register};
use super::connect::Session;
use super::error::Error;
use super::identity::{self, AgentConfig, Owner};
use super::screen::{print, tell};
use crate::api::{INSTANCE_LABEL, Instance};

/// The field manager of a host's account and rights.
const FIELD_MANAGER: &str = "kubectl-sluice";

/// A kind of which every host has one object.
trait Part:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}
impl<K> Part for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
{
}

/// Makes the host known, and gives the file for its agent.
///
/// # Errors
/// Those of the API server, names that belong to somebody else, a file that cannot be written.
pub async fn register(session: &Session, args: &Register) -> Result<(), Error> {
    let name = args.instance.name();
    let account = identity::account(name);
    is_ours_or_absent::<Lease>(session, name, name).await?;
    is_ours_or_absent::<ServiceAccount>(session, &account, name).await?;
    is_ours_or_absent::<Role>(session, &account, name).await?;
    is_ours_or_absent::<RoleBinding>(session, &account, name).await?;
    let (instance, was_there) = instance(session, args).await?;
    let uid = instance.uid().unwrap_or_default();
    let owner = Owner { name, uid: &uid };
    apply(session, &owner.lease()).await?;
    apply(session, &owner.service_account()).await?;
    apply(session, &owner.role()).await?;
    apply(session, &owner.role_binding(&session.namespace)).await?;
    let (token, until) = token(session, &account, args).await?;
    let (url, certificates) = session.server();
    let server = args.server.clone().unwrap_or(url);
    if identity::is_loopback(&server) {
        tell(&format!("warning: only this machine can reach {server}: say --server if the host is another"));
    }
    let certificate_authority_data = identity::authority_data(certificates);
    let namespace = session.namespace.clone();
    let config = AgentConfig { server, certificate_authority_data, namespace, name: name.into(), token };
    let text = serde_saphyr::to_string(&config).map_err(|e| Error::Unwritable(e.to_string()))?;
    let how = if was_there { "registered again" } else { "registered" };
    let place = match &args.config_file {
        Some(path) => {
            write_for_owner(path, &text)
                .map_err(|source| Error::WriteFile { what: path.display().to_string(), source })?;
            format!("; its agent's file is {}", path.display())
        }
        None => {
            print(&text)?;
            String::new()
        }
    };
    tell(&format!("instance.sluice.dev/{name} {how}: account {account}, token good until {until}{place}"));
    Ok(())
}

/// Takes the host's rights away, then its account, its Lease and its Instance.
///
/// # Errors
/// Those of the API server, and NotFound where nothing of the host was there.
pub async fn deregister(session: &Session, args: &Deregister) -> Result<(), Error> {
    let name = args.instance.name();
    let mut gone = remove::<RoleBinding>(session, name).await?;
    gone += remove::<ServiceAccount>(session, name).await?;
    gone += remove::<Role>(session, name).await?;
    gone += remove::<Lease>(session, name).await?;
    let api: Api<Instance> = Api::namespaced(session.client.clone(), &session.namespace);
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => tell(&format!("instance.sluice.dev/{name} deregistered: its agent has no rights any more")),
        Err(error) if !is_not_found(&error) => return Err(error.into()),
        Err(_) if gone > 0 => tell(&format!(
            "instance.sluice.dev/{name} deregistered: the Instance was gone, its account and rights are gone too"
        )),
        Err(_) if args.ignore_not_found => tell(&format!("instance.sluice.dev/{name} is not registered")),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The Instance with what the flags say, and whether it was there.
async fn instance(session: &Session, args: &Register) -> Result<(Instance, bool), Error> {
    let (name, spec) = (args.instance.name(), identity::spec(args));
    let api: Api<Instance> = Api::namespaced(session.client.clone(), &session.namespace);
    if let Some(there) = api.get_opt(name).await? {
        return Ok((merge(&api, name, there, &spec).await?, true));
    }
    let mut new = Instance::new(name, Default::default());
    new.spec = serde_json::from_value(spec["spec"].clone())
        .map_err(|source| Error::Unreadable { name: name.into(), source })?;
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    Ok((api.create(&params, &new).await?, false))
}

/// Nothing is written where the flags say nothing.
async fn merge(api: &Api<Instance>, name: &str, there: Instance, spec: &Value) -> Result<Instance, Error> {
    if *spec == json!({"spec": {}}) {
        return Ok(there);
    }
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    Ok(api.patch(name, &params, &Patch::Merge(spec)).await?)
}

/// A name such as the controller's own Lease has must not come into an agent's hands.
async fn is_ours_or_absent<K: Part>(session: &Session, name: &str, instance: &str) -> Result<(), Error> {
    let api: Api<K> = Api::namespaced(session.client.clone(), &session.namespace);
    let Some(there) = api.get_opt(name).await? else { return Ok(()) };
    if there.labels().get(INSTANCE_LABEL).map(String::as_str) == Some(instance) {
        return Ok(());
    }
    let kind = K::kind(&());
    Err(Error::Usage(format!(
        "{kind} {name} is there and does not have the label {INSTANCE_LABEL}={instance}: it is not this host's; choose another name"
    )))
}

async fn apply<K: Part>(session: &Session, part: &K) -> Result<(), Error> {
    let api: Api<K> = Api::namespaced(session.client.clone(), &session.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&part.name_any(), &params, &Patch::Apply(part)).await?;
    Ok(())
}

/// A token of the account, and until when it is good.
async fn token(session: &Session, account: &str, args: &Register) -> Result<(String, String), Error> {
    let api: Api<ServiceAccount> = Api::namespaced(session.client.clone(), &session.namespace);
    let request = identity::token_request(args.token_duration);
    let answer = api.create_token_request(account, &PostParams::default(), &request).await?;
    let status = answer.status.ok_or_else(|| Error::Unwritable("a token without a status".into()))?;
    let until = status.expiration_timestamp.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok((status.token, until))
}

/// Deletes what has the host's label, each object only as it was seen, and says how many there were.
async fn remove<K: Part>(session: &Session, instance: &str) -> Result<usize, Error> {
    let api: Api<K> = Api::namespaced(session.client.clone(), &session.namespace);
    let params = ListParams::default().labels(&format!("{INSTANCE_LABEL}={instance}"));
    let found = api.list(&params).await?.items;
    for part in &found {
        let only = Preconditions { uid: part.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
        match api.delete(&part.name_any(), &params).await {
            Ok(_) => {}
            Err(error) if is_not_found(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found.len())
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Readable by its owner alone from the first byte on; what stood there before is replaced as a whole.
fn write_for_owner(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // The half that was written holds a token; if it cannot be removed either there is nothing to do about it.
        let _ = fs::remove_file(&beside);
    }
    placed
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_agents_file_is_its_owners_alone_even_where_another_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.yaml");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_for_owner(&path, "token: t\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "token: t\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(write_for_owner(&folder.path().join("none/agent.yaml"), "token: t\n").is_err());
    }
}
