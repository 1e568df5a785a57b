//! A commit of a GitHub repository as the archive that GitHub makes of it.

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{Credentials, Error};
use crate::api::{BundleType, GitHubRevision};
use crate::remote::download::Ask;

const API: &str = "https://api.github.com";
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));

/// How the archive comes packed: what CodeDeploy calls tar, GitHub packs with gzip.
///
/// Errors: [`Error::InvalidRevision`] for a form in which GitHub has none.
pub fn kind(revision: &GitHubRevision) -> Result<BundleType, Error> {
    match revision.bundle_type {
        Some(BundleType::Zip) => Ok(BundleType::Zip),
        None | Some(BundleType::Tar | BundleType::Tgz) => Ok(BundleType::Tgz),
        Some(BundleType::Yaml | BundleType::Json) => Err(Error::InvalidRevision(
            "spec.revision.gitHub.bundleType must be tar, tgz or zip: GitHub gives a commit as an archive"
                .into(),
        )),
    }
}

/// The request for the archive. It answers with a redirect to another host, which never sees the token.
///
/// Errors: [`Error::InvalidRevision`] for an API URL that is none, or a form in which GitHub has no archives.
pub fn ask(revision: &GitHubRevision, credentials: Option<&Credentials>) -> Result<Ask, Error> {
    let form = if kind(revision)? == BundleType::Zip { "zipball" } else { "tarball" };
    let api = revision.api_url.as_deref().unwrap_or(API).trim_end_matches('/');
    let (repository, commit) = (&revision.repository, &revision.commit_id);
    if repository.split('/').any(|part| part == "." || part == "..") {
        return Err(Error::InvalidRevision("spec.revision.gitHub.repository must be owner/name".into()));
    }
    let url = Url::parse(&format!("{api}/repos/{repository}/{form}/{commit}"));
    let url = url.ok().filter(|u| u.username().is_empty() && u.password().is_none()).ok_or_else(|| {
        Error::InvalidRevision("spec.revision.gitHub.apiUrl must be a URL without user and password, such as https://github.example.com/api/v3".into())
    })?;
    let mut headers = HeaderMap::from_iter([VERSION]);
    headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    if let Some(Credentials::GitHub { token }) = credentials {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| {
            Error::SecretIncomplete("the Secret's token has characters that no token has; correct it".into())
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(Ask { url, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(kind: Option<BundleType>, api: Option<&str>) -> GitHubRevision {
        GitHubRevision {
            repository: "acme/web.app".into(),
            commit_id: "a".repeat(40),
            bundle_type: kind,
            api_url: api.map(Into::into),
            secret_ref: None,
        }
    }

    #[test]
    fn the_archive_is_asked_of_the_api() {
        let url = |revision: &GitHubRevision| String::from(ask(revision, None).unwrap().url);
        let tail = format!("/repos/acme/web.app/tarball/{}", "a".repeat(40));
        assert_eq!(url(&commit(None, None)), format!("https://api.github.com{tail}"));
        let own = commit(Some(BundleType::Zip), Some("https://hub.example/api/v3/"));
        assert_eq!(url(&own), format!("https://hub.example/api/v3{}", tail.replace("tarball", "zipball")));
    }

    #[test]
    fn what_is_called_tar_comes_as_tgz() {
        assert_eq!(kind(&commit(Some(BundleType::Tar), None)), Ok(BundleType::Tgz));
        assert_eq!(kind(&commit(None, None)), Ok(BundleType::Tgz));
        assert!(kind(&commit(Some(BundleType::Yaml), None)).is_err());
    }

    #[test]
    fn a_token_is_a_header_and_never_shown() {
        let token = Credentials::GitHub { token: "t0k3n".into() };
        let ask = ask(&commit(None, None), Some(&token)).unwrap();
        assert_eq!(ask.headers[AUTHORIZATION], "Bearer t0k3n");
        assert!(!format!("{ask:?}").contains("t0k3n"));
    }
}
