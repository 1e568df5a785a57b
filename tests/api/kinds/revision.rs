//! A revision's bounds, wherever one stands: in a group, in a deployment, in an assignment of an instance.

use serde_json::{Value, json};

use super::{field_of, length_bounds, name_bounds, word_bounds};
use crate::case::{Case, accepts, refuses, text, with};

const PACKINGS: [&str; 5] = ["tar", "tgz", "zip", "YAML", "JSON"];
const ONE_SOURCE: &str =
    "exactly one source must be given: s3, gitHub, http, oci, appSpecContent or configMap";
const HTTP_ONLY: &str = "must begin with https:// or http://";

/// All bounds of the revision at `path` of `spec`; what stands there by now is replaced.
pub fn revision_bounds(spec: &Value, path: &str) -> Vec<Case> {
    let mut cases = text_cases(spec, path);
    cases.extend(config_map_cases(spec, path));
    cases.extend(source_cases(spec, path));
    cases.extend(s3_cases(spec, path));
    cases.extend(git_hub_cases(spec, path));
    cases.extend(http_cases(spec, path));
    cases.extend(oci_cases(spec, path));
    cases
}

/// `spec` with that revision.
fn of(spec: &Value, path: &str, revision: Value) -> Value {
    with(spec.clone(), path, revision)
}

fn source_cases(spec: &Value, path: &str) -> Vec<Case> {
    let field = field_of(path);
    let text = json!({"content": "version: 0.0"});
    let mut cases = vec![refuses("no source", of(spec, path, json!({})), field, ONE_SOURCE)];
    for (name, source) in [
        ("s3", s3()),
        ("gitHub", git_hub()),
        ("http", http()),
        ("oci", oci()),
        ("configMap", json!({"name": "a", "key": "b"})),
    ] {
        cases.push(accepts("one source", of(spec, path, json!({name: source}))));
        let two = json!({name: source, "appSpecContent": text});
        cases.push(refuses("two sources", of(spec, path, two), field, ONE_SOURCE));
    }
    cases
}

fn text_cases(spec: &Value, path: &str) -> Vec<Case> {
    let whole = of(spec, path, json!({"appSpecContent": {"content": "version: 0.0"}}));
    let content = format!("{path}.appSpecContent.content");
    let mut cases = length_bounds(&whole, &content, 1, 65_536);
    cases.extend(digest_cases(&whole, &format!("{path}.appSpecContent.sha256")));
    let nothing = of(spec, path, json!({"appSpecContent": {}}));
    cases.push(refuses("no content", nothing, field_of(&content), "Required value"));
    cases
}

/// A SHA-256 in hex.
fn digest_cases(spec: &Value, path: &str) -> Vec<Case> {
    let digest = |digest: &str| with(spec.clone(), path, json!(digest));
    let field = field_of(path);
    vec![
        accepts("a digest", digest(&"0aF9".repeat(16))),
        refuses("a digest of other letters", digest(&"g".repeat(64)), field, "should match"),
        refuses("a short digest", digest(&"0".repeat(63)), field, "should match"),
        refuses("a long digest", digest(&"0".repeat(65)), field, "Too long"),
    ]
}

fn config_map_cases(spec: &Value, path: &str) -> Vec<Case> {
    let config_map = |map: Value| of(spec, path, json!({"configMap": map}));
    let name = field_of(&format!("{path}.configMap.name"));
    let key = field_of(&format!("{path}.configMap.key"));
    vec![
        accepts("a short config map", config_map(json!({"name": "a", "key": "b"}))),
        accepts("a long config map", config_map(json!({"name": text(253), "key": text(253)}))),
        refuses("no name", config_map(json!({"key": "b"})), name, "Required value"),
        refuses("no key", config_map(json!({"name": "a"})), key, "Required value"),
        refuses(
            "an empty name and an empty key",
            config_map(json!({"name": "", "key": ""})),
            name,
            "at least 1 chars",
        ),
        refuses(
            "names beyond what Kubernetes has",
            config_map(json!({"name": text(254), "key": text(254)})),
            key,
            "Too long",
        ),
    ]
}

fn s3() -> Value {
    json!({"bucket": "releases", "key": "web/1.zip", "bundleType": "zip"})
}

fn s3_cases(spec: &Value, path: &str) -> Vec<Case> {
    let whole = of(spec, path, json!({"s3": s3()}));
    let at = |field: &str| format!("{path}.s3.{field}");
    let empty = of(spec, path, json!({"s3": {}}));
    let mut cases = vec![
        accepts(
            "the newest of whatever is packed there",
            of(spec, path, json!({"s3": {"bucket": "a", "key": "b"}})),
        ),
        refuses("no bucket", empty.clone(), field_of(&at("bucket")), "Required value"),
        refuses("no key", empty, field_of(&at("key")), "Required value"),
    ];
    for (field, most) in [("bucket", 255), ("key", 1024), ("version", 1024), ("eTag", 256), ("region", 64)] {
        cases.extend(length_bounds(&whole, &at(field), 1, most));
    }
    cases.extend(url_cases(&whole, &at("endpoint")));
    cases.extend(word_bounds(&whole, &at("bundleType"), &PACKINGS));
    cases.extend(secret_cases(&whole, &at("secretRef")));
    cases
}

fn git_hub() -> Value {
    json!({"repository": "org/app", "commitId": "0123456789abcdef0123456789abcdef01234567"})
}

fn git_hub_cases(spec: &Value, path: &str) -> Vec<Case> {
    let whole = of(spec, path, json!({"gitHub": git_hub()}));
    let at = |field: &str| format!("{path}.gitHub.{field}");
    let (repository, commit) = (field_of(&at("repository")), field_of(&at("commitId")));
    let in_repository = |name: &str| with(whole.clone(), &at("repository"), json!(name));
    let of_commit = |commit: &str| with(whole.clone(), &at("commitId"), json!(commit));
    let empty = of(spec, path, json!({"gitHub": {}}));
    let mut cases = vec![
        refuses("no repository", empty.clone(), repository, "Required value"),
        refuses("no commit", empty, commit, "Required value"),
        accepts("the longest repository", in_repository(&format!("a/{}", text(254)))),
        refuses("a long repository", in_repository(&format!("a/{}", text(255))), repository, "Too long"),
        accepts("a commit by SHA-256", of_commit(&"0aF9".repeat(16))),
        refuses("a commit in short", of_commit("0123456"), commit, "at least 40 chars"),
        refuses("a commit between the two lengths", of_commit(&"0".repeat(41)), commit, "should match"),
        refuses("a branch", of_commit(&text(40)), commit, "should match"),
        refuses("a long commit", of_commit(&"0".repeat(65)), commit, "Too long"),
    ];
    for name in ["app", "https://github.com/org/app", "org/app/more", "org/a b", "/app", "org/"] {
        cases.push(refuses("a repository that is none", in_repository(name), repository, "should match"));
    }
    cases.extend(url_cases(&whole, &at("apiUrl")));
    cases.extend(word_bounds(&whole, &at("bundleType"), &PACKINGS));
    cases.extend(secret_cases(&whole, &at("secretRef")));
    cases
}

fn http() -> Value {
    json!({"url": "https://releases.example/web.tgz", "sha256": "0a".repeat(32)})
}

fn http_cases(spec: &Value, path: &str) -> Vec<Case> {
    let whole = of(spec, path, json!({"http": http()}));
    let at = |field: &str| format!("{path}.http.{field}");
    let empty = of(spec, path, json!({"http": {}}));
    let mut cases = vec![
        refuses("no URL", empty.clone(), field_of(&at("url")), "Required value"),
        refuses("no digest", empty, field_of(&at("sha256")), "Required value"),
    ];
    cases.extend(url_cases(&whole, &at("url")));
    cases.extend(digest_cases(&whole, &at("sha256")));
    cases.extend(word_bounds(&whole, &at("bundleType"), &PACKINGS));
    cases
}

fn oci() -> Value {
    json!({"image": format!("registry.example/web@sha256:{}", "0a".repeat(32))})
}

fn oci_cases(spec: &Value, path: &str) -> Vec<Case> {
    let whole = of(spec, path, json!({"oci": oci()}));
    let at = |field: &str| format!("{path}.oci.{field}");
    let field = field_of(&at("image"));
    let image = |image: &str| with(whole.clone(), &at("image"), json!(image));
    let digest = format!("@sha256:{}", "0a".repeat(32));
    let of_length = |length: usize| image(&format!("r/{}{digest}", text(length - 2 - digest.len())));
    let cure = "image must be host/repository@sha256:digest";
    let mut cases = vec![
        refuses("no image", of(spec, path, json!({"oci": {}})), field, "Required value"),
        accepts("a port and a path", image(&format!("127.0.0.1:5000/team/web{digest}"))),
        accepts("the longest image", of_length(512)),
        refuses("a long image", of_length(513), field, "Too long"),
    ];
    for wrong in ["registry.example/web:v1", "registry.example/web", "web", "registry.example/web@sha256:0a"]
    {
        cases.push(refuses("an image that may move", image(wrong), field, cure));
    }
    cases.push(refuses("no host", image(&format!("web{digest}")), field, cure));
    cases.extend(secret_cases(&whole, &at("secretRef")));
    cases
}

fn url_cases(spec: &Value, path: &str) -> Vec<Case> {
    let url = |url: &str| with(spec.clone(), path, json!(url));
    let field = field_of(path);
    vec![
        accepts("a URL", url("https://storage.example:9000/base")),
        accepts("a URL without TLS", url("http://10.0.0.9:9000")),
        accepts("the longest URL", url(&format!("http://{}", text(2041)))),
        refuses("a long URL", url(&format!("http://{}", text(2042))), field, "Too long"),
        refuses("a file", url("file:///etc/shadow"), field, HTTP_ONLY),
        refuses("no URL at all", url("storage.example"), field, HTTP_ONLY),
    ]
}

fn secret_cases(spec: &Value, path: &str) -> Vec<Case> {
    let name = format!("{path}.name");
    let field = field_of(&name);
    let nameless = with(spec.clone(), path, json!({}));
    let mut cases = vec![refuses("a Secret without name", nameless, field, "Required value")];
    cases.extend(name_bounds(&with(spec.clone(), path, json!({"name": "key"})), name.leak(), field));
    cases
}
