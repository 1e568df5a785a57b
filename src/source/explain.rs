//! What a fault of a download means for the revision: the reason, and a sentence with the field and the cure. Pure.

use http::header::ETAG;

use super::Error;
use crate::api::{ResolvedRevision, Revision};
use crate::remote::download::Fault;

/// The source that a revision names.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `spec.revision.s3`
    S3,
    /// `spec.revision.gitHub`
    GitHub,
    /// `spec.revision.http`
    Http,
    /// `spec.revision.oci`
    Oci,
}

impl Field {
    /// Which one `revision` names.
    pub fn of(revision: &Revision) -> Self {
        match revision {
            Revision { s3: Some(_), .. } => Self::S3,
            Revision { git_hub: Some(_), .. } => Self::GitHub,
            Revision { oci: Some(_), .. } => Self::Oci,
            _ => Self::Http,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::S3 => "spec.revision.s3",
            Self::GitHub => "spec.revision.gitHub",
            Self::Http => "spec.revision.http",
            Self::Oci => "spec.revision.oci",
        }
    }

    fn cure_of_missing(self) -> &'static str {
        match self {
            Self::S3 => "push the bundle there, or correct bucket, key, version or endpoint",
            Self::GitHub => {
                "push the commit, or correct repository and commitId; a private repository looks like none without a secretRef whose token may read it"
            }
            Self::Http => "put the file there, or correct url",
            Self::Oci => "push the artifact, or correct image",
        }
    }

    fn cure_of_denied(self) -> &'static str {
        match self {
            Self::S3 => {
                "name a Secret with accessKeyId and secretAccessKey that may read the object in secretRef; a store that may not be listed answers so for an object that is not there, too"
            }
            Self::GitHub => "name a Secret with a token that may read the repository's contents in secretRef",
            Self::Http => {
                "this source takes no credentials: let the file be read without, or use another source"
            }
            Self::Oci => "name a Secret with a username and password that may pull the artifact in secretRef",
        }
    }
}

/// The error that stands for `fault`.
pub fn error(field: Field, revision: &ResolvedRevision, fault: Fault) -> Error {
    let path = field.path();
    let say = |cure: &str| format!("{path}: {fault}; {cure}");
    match &fault {
        Fault::Egress { .. } => Error::EgressRefused(say(
            "the egress policy keeps sources from such addresses: use another one, or allow its network there",
        )),
        Fault::Certificate { .. } => Error::Unreachable(say(
            "let its certificate be signed by an authority that this system trusts, or add that authority",
        )),
        Fault::Cut { .. } => {
            Error::Unreachable(say("tried several times; see to it that it can be reached from here"))
        }
        Fault::Stalled { .. } | Fault::Late(_) => {
            Error::Stalled(say("see to a faster way there, or make the bundle smaller"))
        }
        Fault::TooLarge { .. } => {
            Error::TooLarge(say("make it smaller, or raise the limit of what is fetched here"))
        }
        Fault::Status { status, code, .. } => of_status(field, *status, code.as_deref(), &say),
        Fault::Redirect { .. } => Error::InvalidRevision(say("name the place itself that it should lead to")),
        Fault::Invalid(_) => Error::InvalidRevision(say("correct it")),
        Fault::Size { .. } | Fault::Digest { .. } | Fault::Header { .. } => mismatch(field, revision, &fault),
        Fault::Disk(cause) => {
            Error::Disk(format!("the bundle cannot be written to this host's disk: {cause}"))
        }
    }
}

fn of_status(field: Field, status: u16, code: Option<&str>, say: &dyn Fn(&str) -> String) -> Error {
    match (status, code) {
        (401 | 403, Some("RequestTimeTooSkewed")) => Error::AccessDenied(say(
            "set the clock of this machine: the store refuses signatures of another time",
        )),
        (301, _) | (400, Some("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")) => {
            Error::InvalidRevision(say("correct region or endpoint: the bucket lives elsewhere"))
        }
        (404 | 410, _) => Error::RevisionMissing(say(field.cure_of_missing())),
        (401 | 403, _) => Error::AccessDenied(say(field.cure_of_denied())),
        (408 | 416 | 425 | 429 | 500..=599, _) => {
            Error::Unreachable(say("tried several times; see to it that the source is in order"))
        }
        _ => Error::InvalidRevision(say(field.cure_of_missing())),
    }
}

fn mismatch(field: Field, revision: &ResolvedRevision, fault: &Fault) -> Error {
    let s3 = revision.source.s3.as_ref();
    let wanted = |value: Option<&String>| value.cloned().unwrap_or_default();
    Error::DigestMismatch(match (fault, field) {
        (Fault::Header { name, .. }, _) if *name == ETAG => format!(
            "spec.revision.s3.eTag is {:?}, but {fault}; the object was replaced: correct eTag, or name its version",
            wanted(s3.and_then(|s| s.e_tag.as_ref()))
        ),
        (Fault::Header { .. }, _) => format!(
            "spec.revision.s3.version is {:?}, but {fault}; correct version, or leave it out where the store keeps none",
            wanted(s3.and_then(|s| s.version.as_ref()))
        ),
        (_, Field::S3) => format!(
            "status.revision.digest is {}, but {fault}; the object was replaced while it was deployed: name its version or eTag in spec.revision.s3, so that every host gets the same",
            revision.digest
        ),
        (_, Field::Http) => {
            format!("spec.revision.http.sha256 is another one: {fault}; correct sha256, or what lies at url")
        }
        _ => format!(
            "spec.revision.oci.image: {fault}; the registry gives other bytes than the digest names: push the artifact again"
        ),
    })
}
