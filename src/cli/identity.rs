//! A host's identity as objects: the account its agent acts as, the rights on that host's objects alone, its heartbeat Lease,
//! and the file that the agent is configured by. Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::args::Register;
use crate::api::{GROUP, INSTANCE_LABEL, Instance};

/// Before the Instance's name in that of its account, its Role and its RoleBinding; the chart's admission policy knows agents by it.
pub const ACCOUNT_PREFIX: &str = "sluice-agent-";

/// The name of the account (and of its Role and RoleBinding) of the Instance `name`.
pub fn account(name: &str) -> String {
    format!("{ACCOUNT_PREFIX}{name}")
}

/// Whose objects these are: what an Instance's account, rights and Lease have in common. They go when it goes.
#[derive(Clone, Debug)]
pub struct Owner<'a> {
    /// The Instance's name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
}

impl Owner<'_> {
    fn metadata(&self, name: String) -> ObjectMeta {
        let owner = OwnerReference {
            api_version: Instance::api_version(&()).into(),
            kind: Instance::kind(&()).into(),
            name: self.name.into(),
            uid: self.uid.into(),
            ..OwnerReference::default()
        };
        ObjectMeta {
            name: Some(name),
            labels: Some(BTreeMap::from([(INSTANCE_LABEL.into(), self.name.into())])),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        }
    }

    /// The account that the agent acts as. Nothing is mounted from it anywhere.
    pub fn service_account(&self) -> ServiceAccount {
        ServiceAccount {
            metadata: self.metadata(account(self.name)),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        }
    }

    /// The agent's rights: every rule names the one object that it is about.
    pub fn role(&self) -> Role {
        let rule = |group: &str, resource: &str, name: &str, verbs: &[&str]| PolicyRule {
            api_groups: Some(vec![group.into()]),
            resources: Some(vec![resource.into()]),
            resource_names: Some(vec![name.into()]),
            verbs: verbs.iter().map(|v| (*v).into()).collect(),
            ..PolicyRule::default()
        };
        Role {
            metadata: self.metadata(account(self.name)),
            rules: Some(vec![
                rule(GROUP, "instances", self.name, &["get", "list", "watch"]),
                rule(GROUP, "instances/status", self.name, &["patch", "update"]),
                rule("coordination.k8s.io", "leases", self.name, &["get", "patch", "update"]),
                rule("", "serviceaccounts/token", &account(self.name), &["create"]),
            ]),
        }
    }

    /// The account has the rights.
    pub fn role_binding(&self, namespace: &str) -> RoleBinding {
        RoleBinding {
            metadata: self.metadata(account(self.name)),
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".into(),
                kind: "Role".into(),
                name: account(self.name),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".into(),
                name: account(self.name),
                namespace: Some(namespace.into()),
                ..Subject::default()
            }]),
        }
    }

    /// The Lease that the agent renews. It is made here, because no right to create can name the object.
    pub fn lease(&self) -> Lease {
        Lease { metadata: self.metadata(self.name.into()), spec: None }
    }
}

/// The Instance as a merge patch, or as the spec of a new one: what the flags say, and nothing else.
pub fn spec(args: &Register) -> Value {
    let mut spec = Map::new();
    if !args.tag.is_empty() {
        let tags = args.tag.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        spec.insert("tags".into(), Value::Object(tags.collect()));
    }
    for (field, value) in [("address", &args.address), ("zone", &args.zone), ("fleet", &args.fleet)] {
        if let Some(value) = value {
            spec.insert(field.into(), value.as_str().into());
        }
    }
    json!({"spec": spec})
}

/// What is asked for a token: for the API server, and for that long.
pub fn token_request(length: SignedDuration) -> TokenRequest {
    TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(length.as_secs()), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    }
}

/// The file that `sluice-agent` is configured by.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentConfig {
    /// URL of the API server.
    pub server: String,
    /// The certificates that it is known by: PEM in base64, as in a kubeconfig. Without them the system's count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority_data: Option<String>,
    /// The namespace of the Instance.
    pub namespace: String,
    /// The Instance.
    pub name: String,
    /// The first token of its account.
    pub token: String,
}

/// Certificates as a kubeconfig holds them.
pub fn authority_data(certificates: &[Vec<u8>]) -> Option<String> {
    let pem: String = certificates.iter().map(|der| pem(&STANDARD.encode(der))).collect();
    (!pem.is_empty()).then(|| STANDARD.encode(pem))
}

/// RFC 7468: lines of 64 characters.
fn pem(base64: &str) -> String {
    let mut lines = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, letter) in base64.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines + "\n-----END CERTIFICATE-----\n"
}

/// True if only programs on the machine itself can reach the URL.
pub fn is_loopback(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{CommandLine, Verb};
    use super::*;

    const OWNER: Owner<'_> = Owner { name: "web-7", uid: "u7" };

    fn register(line: &str) -> Register {
        let line = format!("kubectl-sluice register {line}");
        match CommandLine::try_parse_from(line.split_whitespace()).unwrap().verb {
            Verb::Register(register) => *register,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_agents_rights_name_the_one_object_of_each_kind() {
        let rules = OWNER.role().rules.unwrap();
        let said: Vec<String> = rules
            .iter()
            .map(|r| {
                format!(
                    "{} {} {}",
                    r.resources.as_ref().unwrap().join(","),
                    r.resource_names.as_ref().unwrap().join(","),
                    r.verbs.join(",")
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "instances web-7 get,list,watch",
                "instances/status web-7 patch,update",
                "leases web-7 get,patch,update",
                "serviceaccounts/token sluice-agent-web-7 create"
            ]
        );
        let binding = OWNER.role_binding("prod");
        assert_eq!(binding.role_ref.name, "sluice-agent-web-7");
        assert_eq!(binding.subjects.unwrap()[0].name, "sluice-agent-web-7");
    }

    #[test]
    fn everything_of_a_host_is_found_by_its_label_and_goes_with_its_instance() {
        let lease = OWNER.lease();
        let account = OWNER.service_account();
        assert_eq!(account.automount_service_account_token, Some(false));
        for metadata in
            [lease.metadata, account.metadata, OWNER.role().metadata, OWNER.role_binding("prod").metadata]
        {
            assert_eq!(metadata.labels.unwrap()[INSTANCE_LABEL], "web-7");
            assert_eq!(metadata.owner_references.unwrap()[0].uid, "u7");
        }
    }

    #[test]
    fn only_what_the_flags_say_is_written_into_the_instance() {
        let all = register("web-7 --tag env=prod --tag web --address 10.0.0.7 --zone eu-1a --fleet web");
        let expected = json!({"spec": {
            "tags": {"env": "prod", "web": ""}, "address": "10.0.0.7", "zone": "eu-1a", "fleet": "web",
        }});
        assert_eq!(spec(&all), expected);
        assert_eq!(spec(&register("--instance-name web-7")), json!({"spec": {}}));
    }

    #[test]
    fn an_authority_is_written_as_in_a_kubeconfig() {
        assert_eq!(authority_data(&[]), None);
        let pem = STANDARD.decode(authority_data(&[vec![7; 60]]).unwrap()).unwrap();
        let pem = String::from_utf8(pem).unwrap();
        let lines: Vec<&str> = pem.lines().collect();
        assert_eq!((lines[0], lines[3]), ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"));
        assert_eq!(STANDARD.decode(lines[1..3].concat()).unwrap(), [7; 60]);
        assert!(lines[1].len() == 64);
    }

    #[test]
    fn an_address_that_no_other_host_can_reach_is_known() {
        for url in ["https://127.0.0.1:6443", "https://localhost", "https://[::1]:6443/"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://10.0.0.1:6443", "https://api.example", "https://127.example"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
