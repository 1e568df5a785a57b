//! OCI artifacts by digest: the manifest is checked against the digest of the image, the first layer against the manifest.
//!
//! Only what a pull by digest needs (distribution-spec, "Pulling manifests", "Pulling blobs", and Docker's token exchange), so
//! that every request goes through the same connector and the same limits as the others.

mod challenge;
mod image;

use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION};
use kube::client::Body;
use serde::Deserialize;
use url::Url;

use super::Credentials;
use crate::remote::Client;
use crate::remote::download::{Ask, Expected, Fault, Limits, Sink, download};
use challenge::Challenge;
pub use image::Image;

/// Manifests and tokens are small.
const MAX_ANSWER: u64 = 4 << 20;
const MANIFESTS: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json",
);

/// A pull under way: which image, for whom, and what the registry takes as proof.
pub struct Pull<'a> {
    client: &'a Client<Body>,
    limits: Limits,
    image: Image,
    credentials: Option<(&'a str, &'a str)>,
    authorization: Option<HeaderValue>,
}

/// The layer that is the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Pull<'a> {
    /// A pull of `image`.
    pub fn new(
        client: &'a Client<Body>,
        limits: &Limits,
        image: Image,
        credentials: Option<&'a Credentials>,
    ) -> Self {
        let credentials = match credentials {
            Some(Credentials::Oci { username, password }) => Some((username.as_str(), password.as_str())),
            _ => None,
        };
        let limits = Limits { max_bytes: MAX_ANSWER, ..limits.clone() };
        Self { client, limits, image, credentials, authorization: None }
    }

    /// Reads the manifest, proving who we are if the registry asks for it.
    pub async fn layer(&mut self) -> Result<Layer, Fault> {
        let expected = Expected { sha256: Some(self.image.sha256.clone()), ..Expected::default() };
        let manifest = match self.manifest(expected.clone()).await {
            Err(Fault::Status { status: 401, challenge: Some(challenge), place, .. }) => {
                self.authorize(&place, &challenge).await?;
                self.manifest(expected).await?
            }
            other => other?,
        };
        first_layer(&manifest)
    }

    async fn manifest(&self, expected: Expected) -> Result<Vec<u8>, Fault> {
        let mut ask = self.ask("manifests", &format!("sha256:{}", self.image.sha256))?;
        ask.headers.insert(ACCEPT, MANIFESTS);
        self.small(expected, ask).await
    }

    async fn small(&self, expected: Expected, mut ask: Ask) -> Result<Vec<u8>, Fault> {
        let sink = Sink::Memory(Vec::new());
        let got = download(self.client, sink, expected, &self.limits, &mut ask).await?;
        Ok(got.sink.into_memory())
    }

    /// The request for the layer. A token may have ended since the last try: `is_again` asks for another one.
    pub async fn blob(&mut self, layer: &Layer, is_again: bool) -> Result<Ask, Fault> {
        if is_again && self.authorization.is_some() {
            self.authorization = None;
            self.layer().await?;
        }
        self.ask("blobs", &format!("sha256:{}", layer.sha256))
    }

    fn ask(&self, what: &str, digest: &str) -> Result<Ask, Fault> {
        let Image { base, repository, .. } = &self.image;
        let url = Url::parse(&format!("{base}/v2/{repository}/{what}/{digest}"));
        let url = url.map_err(|e| Fault::Invalid(format!("the image names no registry: {e}")))?;
        let headers = self.authorization.iter().map(|value| (AUTHORIZATION, value.clone())).collect();
        Ok(Ask { url, headers })
    }

    async fn authorize(&mut self, place: &str, challenge: &str) -> Result<(), Fault> {
        let denied = |place: &str| Fault::Status {
            place: place.into(),
            status: 401,
            code: None,
            challenge: None,
            retry_after: None,
        };
        let basic = self.credentials.map(|(user, password)| challenge::basic(user, password)).transpose()?;
        let value = match Challenge::read(challenge) {
            Some(Challenge::Basic) => basic.ok_or_else(|| denied(place))?,
            Some(Challenge::Bearer { realm, service, scope }) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.image.repository));
                let url = challenge::token_url(&self.image.base, &realm, service.as_deref(), &scope)?;
                let headers = basic.map(|value| (AUTHORIZATION, value)).into_iter().collect();
                let answer = self.small(Expected::default(), Ask { url, headers }).await?;
                token(&answer).ok_or_else(|| denied(place))?
            }
            None => return Err(denied(place)),
        };
        self.authorization = Some(value);
        Ok(())
    }
}

fn token(answer: &[u8]) -> Option<HeaderValue> {
    let token: Token = serde_json::from_slice(answer).ok()?;
    let token = token.token.or(token.access_token).filter(|t| !t.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn first_layer(manifest: &[u8]) -> Result<Layer, Fault> {
    let refuse = |why: &str| Err(Fault::Invalid(why.into()));
    let Ok(manifest) = serde_json::from_slice::<Manifest>(manifest) else {
        return refuse("what lies under that digest is not a manifest");
    };
    if manifest.manifests.is_some() {
        return refuse(
            "it is an index of several manifests; name the digest of the one whose first layer is the bundle",
        );
    }
    let Some(Descriptor { digest, size }) = manifest.layers.into_iter().next() else {
        return refuse("its manifest has no layers; push the bundle as the artifact's first layer");
    };
    match digest.strip_prefix("sha256:").filter(|d| image::is_sha256(d)) {
        Some(sha256) => Ok(Layer { sha256: sha256.into(), bytes: size }),
        None => refuse("its first layer is not named by a SHA-256"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layer_is_the_bundle() {
        let sha = "a".repeat(64);
        let manifest =
            format!(r#"{{"layers":[{{"digest":"sha256:{sha}","size":5}},{{"digest":"x","size":1}}]}}"#);
        assert_eq!(first_layer(manifest.as_bytes()).unwrap(), Layer { sha256: sha, bytes: 5 });
    }

    #[test]
    fn what_is_no_single_artifact_is_refused_by_name() {
        for (manifest, part) in [
            (r#"{"manifests":[]}"#, "index"),
            (r#"{"layers":[]}"#, "no layers"),
            (r#"{"layers":[{"digest":"sha512:ab","size":1}]}"#, "SHA-256"),
            ("<html>", "not a manifest"),
        ] {
            let fault = first_layer(manifest.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
