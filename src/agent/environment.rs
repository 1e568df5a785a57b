//! What a script finds in its environment: what the Deployment says, and of the agent's own only what is on the list.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::journal::Record;
use crate::api::EventName;

/// What scripts get of the agent's own environment; names that end in `*` stand for all that begin so.
const PASSED: [&str; 14] = [
    "PATH",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];
/// Without a PATH of its own a shell still finds programs, but what it starts would not.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of the agent's own environment its scripts get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inheritance {
    /// True for all of it, as CodeDeploy's agent does.
    pub all: bool,
    /// Names beside those that always pass.
    pub also: Vec<String>,
}

impl Inheritance {
    fn passes(&self, name: &OsStr) -> bool {
        let is_meant = |pattern: &str| match (pattern.strip_suffix('*'), name.to_str()) {
            (Some(start), Some(name)) => name.starts_with(start),
            _ => name == pattern,
        };
        self.all || PASSED.iter().any(|p| is_meant(p)) || self.also.iter().any(|p| is_meant(p))
    }
}

/// The whole environment of an event's scripts.
pub fn of_event(
    inheritance: &Inheritance,
    own: impl Iterator<Item = (OsString, OsString)>,
    record: &Record,
    event: EventName,
) -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<OsString, OsString> = own.filter(|(name, _)| inheritance.passes(name)).collect();
    all.entry("PATH".into()).or_insert_with(|| PATH.into());
    for (name, value) in said(record, event) {
        all.insert(name.into(), value.into());
    }
    all
}

/// What CodeDeploy says to every script.
fn said(record: &Record, event: EventName) -> Vec<(&'static str, String)> {
    let a = &record.assignment;
    let mut said = vec![
        ("LIFECYCLE_EVENT", event.to_string()),
        ("DEPLOYMENT_ID", a.deployment.clone()),
        ("APPLICATION_NAME", a.application.clone()),
        ("DEPLOYMENT_GROUP_NAME", a.deployment_group.clone()),
        ("DEPLOYMENT_GROUP_ID", a.deployment_group_id.clone()),
    ];
    let source = a.revision.as_ref().map(|r| &r.source);
    if let Some(s3) = source.and_then(|s| s.s3.as_ref()) {
        // What nobody knows is left out, as scripts ask by `${BUNDLE_VERSION+x}`.
        let known = |asked: &Option<String>, found: &String| {
            Some(asked.clone().unwrap_or_else(|| found.clone())).filter(|value| !value.is_empty())
        };
        said.push(("BUNDLE_BUCKET", s3.bucket.clone()));
        said.push(("BUNDLE_KEY", s3.key.clone()));
        said.extend(known(&s3.version, &record.bundle.version).map(|version| ("BUNDLE_VERSION", version)));
        said.extend(known(&s3.e_tag, &record.bundle.e_tag).map(|e_tag| ("BUNDLE_ETAG", e_tag)));
    }
    if let Some(git_hub) = source.and_then(|s| s.git_hub.as_ref()) {
        said.push(("BUNDLE_COMMIT", git_hub.commit_id.clone()));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Assignment, GitHubRevision, ResolvedRevision, Revision, S3Revision};

    fn record(source: Revision) -> Record {
        let assignment = Assignment {
            deployment_group: "web".into(),
            deployment_group_id: "uid-1".into(),
            deployment: "web-7".into(),
            application: "shop".into(),
            revision: Some(ResolvedRevision::new(&source, "")),
            ..Assignment::default()
        };
        Record::accepted(1, assignment, None)
    }

    fn text(inheritance: &Inheritance, source: Revision) -> Vec<String> {
        text_of(inheritance, &record(source))
    }

    fn text_of(inheritance: &Inheritance, record: &Record) -> Vec<String> {
        let own = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("AWS_SECRET", "s"),
            ("SHOP_URL", "u"),
            ("DEPLOYMENT_ID", "x"),
        ];
        let own = own.into_iter().map(|(n, v)| (n.into(), v.into()));
        let all = of_event(inheritance, own, record, EventName::AfterInstall);
        all.iter().map(|(n, v)| format!("{}={}", n.display(), v.display())).collect()
    }

    const SAID: [&str; 5] = [
        "APPLICATION_NAME=shop",
        "DEPLOYMENT_GROUP_ID=uid-1",
        "DEPLOYMENT_GROUP_NAME=web",
        "DEPLOYMENT_ID=web-7",
        "LIFECYCLE_EVENT=AfterInstall",
    ];

    #[test]
    fn a_script_gets_what_the_deployment_says_and_little_else() {
        let expected = [&SAID[..4], &["LC_ALL=C", "LIFECYCLE_EVENT=AfterInstall", "PATH=/bin"]].concat();
        assert_eq!(text(&Inheritance::default(), Revision::default()), expected);
    }

    #[test]
    fn names_that_the_configuration_adds_pass_and_with_all_everything_but_what_the_deployment_says() {
        let also = Inheritance { all: false, also: vec!["SHOP_*".into()] };
        assert!(text(&also, Revision::default()).contains(&"SHOP_URL=u".to_owned()));
        let all = text(&Inheritance { all: true, also: vec![] }, Revision::default());
        assert!(all.contains(&"AWS_SECRET=s".to_owned()) && all.contains(&"DEPLOYMENT_ID=web-7".to_owned()));
    }

    fn in_s3(version: Option<&str>, e_tag: Option<&str>) -> S3Revision {
        S3Revision {
            bucket: "b".into(),
            key: "k.tgz".into(),
            version: version.map(Into::into),
            e_tag: e_tag.map(Into::into),
            bundle_type: None,
            endpoint: None,
            region: None,
            secret_ref: None,
        }
    }

    /// What is said of an object in S3: by the Deployment, and by the store when it was fetched.
    fn of_s3(named: (Option<&str>, Option<&str>), found: (&str, &str)) -> Vec<String> {
        let s3 = in_s3(named.0, named.1);
        let mut record = record(Revision { s3: Some(s3.into()), ..Revision::default() });
        (record.bundle.version, record.bundle.e_tag) = (found.0.into(), found.1.into());
        let mut said = text_of(&Inheritance::default(), &record);
        said.retain(|said| said.starts_with("BUNDLE_") && !said.starts_with("BUNDLE_KEY="));
        said
    }

    #[test]
    fn what_a_deployment_does_not_name_of_its_object_is_what_the_store_said() {
        let bucket = "BUNDLE_BUCKET=b";
        assert_eq!(of_s3((None, None), ("v1", "e1")), [bucket, "BUNDLE_ETAG=e1", "BUNDLE_VERSION=v1"]);
        assert_eq!(of_s3((None, Some("e")), ("v1", "e")), [bucket, "BUNDLE_ETAG=e", "BUNDLE_VERSION=v1"]);
        assert_eq!(of_s3((Some("v"), None), ("v", "e1")), [bucket, "BUNDLE_ETAG=e1", "BUNDLE_VERSION=v"]);
        assert_eq!(of_s3((None, None), ("", "e1")), [bucket, "BUNDLE_ETAG=e1"], "the store has no versions");
        assert_eq!(of_s3((Some("v"), Some("e")), ("", "")), [bucket, "BUNDLE_ETAG=e", "BUNDLE_VERSION=v"]);
        assert_eq!(of_s3((None, None), ("", "")), [bucket]);
    }

    #[test]
    fn a_bundle_says_where_it_comes_from() {
        let s3 = in_s3(None, None);
        let all = text(&Inheritance::default(), Revision { s3: Some(s3.into()), ..Revision::default() });
        let bundle: Vec<&str> =
            all.iter().map(String::as_str).filter(|said| said.starts_with("BUNDLE_")).collect();
        assert_eq!(bundle, ["BUNDLE_BUCKET=b", "BUNDLE_KEY=k.tgz"], "no more is known");
        let git_hub = GitHubRevision {
            repository: "o/r".into(),
            commit_id: "c".repeat(40),
            bundle_type: None,
            api_url: None,
            secret_ref: None,
        };
        let all =
            text(&Inheritance::default(), Revision { git_hub: Some(git_hub.into()), ..Revision::default() });
        assert!(all.contains(&format!("BUNDLE_COMMIT={}", "c".repeat(40))));
    }
}
