//! The shared credentials file of AWS' tools: `[profile]` and `key = value`. Pure.

use crate::source::Credentials;

/// The keys of profile `name`; `None` unless it has both.
pub fn credentials(text: &str, name: &str) -> Option<Credentials> {
    let (mut is_here, mut id, mut key, mut session_token) = (false, None, None, None);
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';'])) {
        if let Some(title) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            is_here = title.trim() == name;
        } else if let Some((what, value)) = line.split_once('=').filter(|_| is_here) {
            let value = Some(value.trim().to_owned()).filter(|v| !v.is_empty());
            match what.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => key = value,
                "aws_session_token" => session_token = value,
                _ => {}
            }
        }
    }
    Some(Credentials::S3 { access_key_id: id?, secret_access_key: key?, session_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_gives_its_own_keys_and_no_others() {
        let text = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=B=\n\n[ ci ]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n[half]\naws_access_key_id=F\n";
        let keys = |id: &str, key: &str, session: Option<&str>| {
            Some(Credentials::S3 {
                access_key_id: id.into(),
                secret_access_key: key.into(),
                session_token: session.map(Into::into),
            })
        };
        assert_eq!(credentials(text, "default"), keys("A", "B=", None));
        assert_eq!(credentials(text, "ci"), keys("C", "D", Some("E")));
        assert_eq!(credentials(text, "half"), None);
        assert_eq!(credentials(text, "other"), None);
    }
}
