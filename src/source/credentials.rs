//! What a source asks for before it hands anything out: picked from a Secret, sealed to a host, used, forgotten.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Error;
use crate::api::Revision;

/// The credentials of one source. Never shown, and wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Credentials {
    /// Of S3-compatible storage.
    S3 {
        /// The access key's id.
        access_key_id: String,
        /// The access key.
        secret_access_key: String,
        /// The session's token, with temporary keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<String>,
    },
    /// Of GitHub.
    GitHub {
        /// A token that may read the repository's contents.
        token: String,
    },
    /// Of an OCI registry.
    Oci {
        /// The user.
        username: String,
        /// The password, or a token that stands for it.
        password: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 { .. } => "Credentials::S3(…)",
            Self::GitHub { .. } => "Credentials::GitHub(…)",
            Self::Oci { .. } => "Credentials::Oci(…)",
        })
    }
}

impl Credentials {
    /// Takes from a Secret's data what the revision's source needs, and nothing else. `None` if it names no Secret.
    ///
    /// Errors: [`Error::SecretIncomplete`] names the key that is missing.
    pub fn pick(revision: &Revision, data: &BTreeMap<String, ByteString>) -> Result<Option<Self>, Error> {
        let Some(name) = revision.secret() else { return Ok(None) };
        let key = |key: &str| value(name, data, key);
        if revision.s3.is_some() {
            let session_token = data.contains_key("sessionToken").then(|| key("sessionToken")).transpose()?;
            let (access_key_id, secret_access_key) = (key("accessKeyId")?, key("secretAccessKey")?);
            return Ok(Some(Self::S3 { access_key_id, secret_access_key, session_token }));
        }
        if revision.git_hub.is_some() {
            return Ok(Some(Self::GitHub { token: key("token")? }));
        }
        Ok(Some(Self::Oci { username: key("username")?, password: key("password")? }))
    }

    /// As the JSON map that is sealed.
    ///
    /// Errors: none that a map of strings could cause.
    pub fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| unreadable())
    }

    /// From what was unsealed.
    ///
    /// Errors: [`Error::Sealing`] if it is not such a map.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(json).map_err(|_| unreadable())
    }
}

/// The parser's own words might quote what it read.
fn unreadable() -> Error {
    Error::Sealing("the sealed credentials are not the map that they should be; is the controller older or newer than this host's agent?".into())
}

fn value(secret: &str, data: &BTreeMap<String, ByteString>, key: &str) -> Result<String, Error> {
    let Some(bytes) = data.get(key) else {
        return Err(Error::SecretIncomplete(format!("Secret {secret} has no key {key} in its data; add it")));
    };
    let text = std::str::from_utf8(&bytes.0).ok().map(str::trim);
    match text.filter(|t| !t.is_empty() && t.chars().all(|c| !c.is_control())) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::SecretIncomplete(format!(
            "the value of key {key} of Secret {secret} is empty or not one line of text; correct it"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{GitHubRevision, LocalRef};

    fn private() -> Revision {
        let git_hub = GitHubRevision {
            repository: "acme/web".into(),
            commit_id: "0".repeat(40),
            bundle_type: None,
            api_url: None,
            secret_ref: Some(LocalRef::new("hub")),
        };
        Revision { git_hub: Some(git_hub.into()), ..Revision::default() }
    }

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect()
    }

    #[test]
    fn only_what_the_source_needs_leaves_the_secret() {
        let data = data(&[("token", "t0k3n\n"), ("password", "other")]);
        let picked = Credentials::pick(&private(), &data).unwrap().unwrap();
        assert_eq!(*picked.to_json().unwrap(), br#"{"token":"t0k3n"}"#);
        assert_eq!(Credentials::from_json(br#"{"token":"t0k3n"}"#).unwrap(), picked);
        assert_eq!(format!("{picked:?}"), "Credentials::GitHub(…)");
    }

    #[test]
    fn a_missing_key_is_named_and_no_value_is() {
        let error = Credentials::pick(&private(), &data(&[("tokn", "t0k3n")])).unwrap_err();
        assert_eq!(error.to_string(), "Secret hub has no key token in its data; add it");
        let error = Credentials::pick(&private(), &data(&[("token", "t0k3n\nx")])).unwrap_err();
        assert!(!error.to_string().contains("t0k3n"), "{error}");
        assert!(!Credentials::from_json(br#"{"tokn":"t0k3n"}"#).unwrap_err().to_string().contains("t0k3n"));
    }

    #[test]
    fn a_revision_without_a_secret_takes_none() {
        assert_eq!(Credentials::pick(&Revision::default(), &data(&[("token", "x")])), Ok(None));
    }
}
