//! Who the agent is: the tokens of its own account, renewed before they end, and the key to which credentials for this host are sealed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::Value;

use super::config::Config;
use super::layout::{Root, replace};
use super::{Error, clock, process};
use crate::api::instance::AgentInfo;
use crate::cluster;
use crate::source::sealing::PrivateKey;

/// How old a token may be before the next one is asked for, however long it is good: a host that was switched off for days still
/// has one.
const MAX_AGE: Duration = Duration::from_secs(24 * 3_600);
/// The pauses between tries to renew.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// A request that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a token says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Until when it is good, in seconds since 1970.
    exp: i64,
    /// Since when.
    iat: i64,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    sub: String,
    /// Who gave it.
    #[serde(default)]
    iss: String,
    /// Whom it is for.
    #[serde(default)]
    aud: Value,
}

impl Claims {
    /// Reads a token. Whether it is genuine is the API server's matter.
    pub fn of(token: &str) -> Option<Self> {
        let payload = token.trim().split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
    }

    /// The account's name.
    fn account(&self) -> Option<&str> {
        self.sub.rsplit(':').next().filter(|_| self.sub.starts_with("system:serviceaccount:"))
    }

    /// True for a token that ends much sooner than those that the agent asks for: a first one.
    fn is_short(&self, wanted: Duration) -> bool {
        self.life() < wanted / 2
    }

    fn life(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.exp - self.iat).unwrap_or(0))
    }

    /// How long after it was given the next one is due: half of its life, a day at most.
    fn wait(&self) -> Duration {
        (self.life() / 2).min(MAX_AGE)
    }

    /// The same from now on, by the host's clock. One that is behind what was seen of the time already says nothing of the age: then the
    /// next one is due at once, or a host that is off each night would never get to ask.
    fn wait_from(&self, now: Timestamp) -> Duration {
        let age = u64::try_from(now.as_second() - self.iat).map(Duration::from_secs);
        age.map_or(Duration::ZERO, |age| self.wait().saturating_sub(age))
    }

    /// True for the token of a configuration that goes before the one that is kept: the host was registered anew, or elsewhere. A cluster that
    /// has changed its own name is no such case: there the configuration's token is over.
    fn goes_before(&self, kept: &Self, now: Timestamp) -> bool {
        let is_elsewhere = (&self.iss, &self.aud) != (&kept.iss, &kept.aud);
        self.sub != kept.sub || self.iat > kept.iat || (is_elsewhere && self.exp > now.as_second())
    }
}

/// The file with the account's present token.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    pauses: (Duration, Duration),
}

impl TokenFile {
    /// Takes the token that was given last, of the configuration's and the one that is kept; of two accounts the configuration's.
    pub fn prepare(config: &Config, root: &Root) -> Result<Self, Error> {
        let path = config.token_file.clone().unwrap_or_else(|| root.own("token"));
        let file = Self { path, pauses: PAUSES };
        let kept = match fs::read_to_string(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            kept => Some(kept.map_err(Error::disk("read", &file.path))?),
        };
        match (&config.token, &kept) {
            (None, None) => return Err(Error::NoToken(file.path)),
            (Some(token), Some(kept)) if goes_before(token, kept, clock::now()) => file.write(token)?,
            (Some(token), None) => file.write(token)?,
            _ => {}
        }
        Ok(file)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, token: &str) -> Result<(), Error> {
        replace(&self.path, token.trim().as_bytes(), 0o600)
    }

    fn claims(&self) -> Option<Claims> {
        Claims::of(&fs::read_to_string(&self.path).ok()?)
    }

    /// Renews the token for ever, each before it ends.
    pub async fn keep_fresh(&self, client: &Client, namespace: &str, wanted: Duration) {
        self.keep_fresh_by(wanted, |claims| self.request(client, namespace, claims, wanted)).await;
    }

    /// The same with tokens from `request`. Whatever fails is tried again: a disk may be full for a while as well as an API server away.
    async fn keep_fresh_by<F>(&self, wanted: Duration, request: impl Fn(Claims) -> F)
    where
        F: Future<Output = Result<String, Error>>,
    {
        let (mut pause, mut has_renewed) = (self.pauses.0, false);
        loop {
            let Some(claims) = self.claims() else {
                tracing::warn!(file = %self.path.display(), "the token says nothing of its end: it is not renewed");
                return std::future::pending().await;
            };
            // The API server may give shorter ones than it is asked for, and the host's clock may be off by days: one that was
            // given just now is waited with by its own words alone.
            let wait = match (has_renewed, claims.is_short(wanted)) {
                (true, _) => claims.wait(),
                (false, true) => Duration::ZERO,
                (false, false) => claims.wait_from(clock::now()),
            };
            clock::sleep(clock::jittered(wait)).await;
            match request(claims.clone()).await.and_then(|token| self.write(&token)) {
                Ok(()) => (pause, has_renewed) = (self.pauses.0, true),
                Err(error) => {
                    tracing::warn!(%error, good_until = claims.exp, "the token was not renewed");
                    has_renewed = false;
                    clock::sleep(clock::jittered(pause)).await;
                    pause = (pause * 2).min(self.pauses.1);
                }
            }
        }
    }

    async fn request(
        &self,
        client: &Client,
        namespace: &str,
        old: Claims,
        wanted: Duration,
    ) -> Result<String, Error> {
        let Some(account) = old.account() else { return Err(Error::NoToken(self.path.clone())) };
        let what = || format!("a token of ServiceAccount {namespace}/{account}");
        let seconds = i64::try_from(wanted.as_secs()).unwrap_or(i64::MAX);
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(seconds), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let params = PostParams::default();
        let answer =
            tokio::time::timeout(TIMEOUT, api.create_token_request(account, &params, &request)).await;
        let answer = answer.map_err(|_| cluster::Error::Slow { what: what() })?;
        let answer = answer.map_err(|error| cluster::Error::from_kube(what(), error))?;
        let status = answer.status.ok_or_else(|| Error::NoToken(self.path.clone()))?;
        tracing::info!(good_until = %status.expiration_timestamp.0, "there is a new token");
        Ok(status.token)
    }
}

/// True if a configuration's token goes before the one that is kept. What says nothing of itself goes before nothing that does.
fn goes_before(token: &str, kept: &str, now: Timestamp) -> bool {
    match (Claims::of(token), Claims::of(kept)) {
        (Some(token), Some(kept)) => token.goes_before(&kept, now),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The key to which credentials for this host are sealed; made on the first start.
pub fn sealing_key(root: &Root) -> Result<PrivateKey, Error> {
    let path = root.own("sealing-key");
    match fs::read_to_string(&path) {
        Ok(text) => match PrivateKey::from_base64(text.trim()) {
            Ok(key) => return Ok(key),
            Err(error) => {
                tracing::error!(%error, "the host's key cannot be read; another one takes its place")
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::disk("read", &path)(error)),
    }
    let key = PrivateKey::generate();
    replace(&path, key.to_base64().as_bytes(), 0o600)?;
    Ok(key)
}

/// What the agent says of itself.
pub fn agent_info(key: &PrivateKey) -> AgentInfo {
    AgentInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        os: operating_system(),
        boot_id: process::boot_id(),
        sealing_key: key.public_base64(),
    }
}

/// The system's name for people, such as `Debian GNU/Linux 13 (trixie)`.
fn operating_system() -> String {
    let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    let text = text.unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    super::host::shortened(name.unwrap_or("Linux").trim_matches(['"', '\'']), 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn token(iat: i64, exp: i64) -> String {
        let payload =
            format!(r#"{{"exp":{exp},"iat":{iat},"sub":"system:serviceaccount:shop:sluice-agent-web-1"}}"#);
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_renewed_at_half_its_life_and_after_a_day_at_the_latest() {
        let day = Claims::of(&token(1_000, 1_000 + 24 * 3_600)).unwrap();
        assert_eq!(day.account(), Some("sluice-agent-web-1"));
        assert_eq!(day.wait_from(at(1_000)), 12 * HOUR);
        assert_eq!(day.wait_from(at(1_000 + 11 * 3_600)), HOUR);
        assert_eq!(day.wait_from(at(1_000 + 13 * 3_600)), Duration::ZERO);
        let week = Claims::of(&token(0, 7 * 24 * 3_600)).unwrap();
        assert_eq!(week.wait(), 24 * HOUR);
    }

    #[test]
    fn a_clock_that_is_behind_the_token_does_not_put_its_renewal_off() {
        let week = Claims::of(&token(10_000, 10_000 + 7 * 24 * 3_600)).unwrap();
        assert_eq!(week.wait_from(at(9_999)), Duration::ZERO);
        assert_eq!(week.wait_from(at(0)), Duration::ZERO);
    }

    #[test]
    fn of_two_accounts_the_configurations_token_counts_and_of_one_the_newer() {
        let of = |account: &str, iss: &str, aud: &str, iat: i64, exp: i64| {
            let sub = format!("system:serviceaccount:shop:{account}");
            let payload = serde_json::json!({"exp": exp, "iat": iat, "sub": sub, "iss": iss, "aud": [aud]});
            format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload.to_string()))
        };
        let kept = of("web-1", "here", "api", 500, 9_000);
        for (what, token, goes_before) in [
            ("older", of("web-1", "here", "api", 400, 9_000), false),
            ("the same", kept.clone(), false),
            ("newer", of("web-1", "here", "api", 600, 9_000), true),
            ("another account's, older", of("web-2", "here", "api", 400, 9_000), true),
            ("another cluster's, older", of("web-1", "there", "api", 400, 9_000), true),
            ("for others, older", of("web-1", "here", "others", 400, 9_000), true),
            ("a cluster's that has changed its name since", of("web-1", "there", "api", 400, 900), false),
            ("none", "opaque".into(), false),
        ] {
            assert_eq!(super::goes_before(&token, &kept, at(1_000)), goes_before, "{what}");
        }
        assert!(super::goes_before(&kept, "opaque", at(1_000)));
    }

    #[test]
    fn a_first_token_is_told_from_the_agents_own() {
        assert!(Claims::of(&token(0, 3_600)).unwrap().is_short(7 * 24 * HOUR));
        assert!(!Claims::of(&token(0, 6 * 24 * 3_600)).unwrap().is_short(7 * 24 * HOUR));
    }

    #[tokio::test]
    async fn a_token_that_finds_no_room_is_renewed_when_there_is_some() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let millisecond = Duration::from_millis(1);
        let file = TokenFile { path: path.clone(), pauses: (millisecond, 4 * millisecond) };
        file.write(&token(0, 3_600)).unwrap();
        // Something is in the way of the next one.
        let in_the_way = path.with_added_extension("new");
        fs::create_dir(&in_the_way).unwrap();
        let asked = std::cell::Cell::new(0);
        let request = |_| {
            asked.set(asked.get() + 1);
            if asked.get() == 3 {
                fs::remove_dir(&in_the_way).unwrap();
            }
            std::future::ready(Ok(token(1_000, 700_000_000)))
        };
        let renewed = async {
            while file.claims() != Claims::of(&token(1_000, 700_000_000)) {
                clock::sleep(millisecond).await;
            }
        };
        let ended = async {
            tokio::select! {
                () = file.keep_fresh_by(7 * 24 * HOUR, request) => {}
                () = renewed => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        for text in ["", "abc", "a.b.c", "a..c"] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }
}
