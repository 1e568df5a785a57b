//! Access control entries as a Server AppSpec writes them: takes one text, gives the entry.

use super::super::spelling::shown;
use super::{Acl, AclKind};

/// Reads `[default:](user|group|mask|other):[name]:permissions`; each word may be its first letter, and a
/// name alone is a user's.
pub(super) fn acl_of(text: &str) -> Result<Acl, String> {
    let invalid = || {
        format!(
            "has {}: write it like `user:joe:rw-`, `group:web:r-x` or `default:user:joe:rwx`",
            shown(text)
        )
    };
    let mut parts: Vec<&str> = text.split(':').collect();
    let permissions = parts.pop().and_then(permissions_of).ok_or_else(invalid)?;
    let is_default = parts.len() > 1 && matches!(parts[0], "d" | "default");
    if is_default {
        parts.remove(0);
    }
    let (kind, name) = match parts[..] {
        [name] => kind_of(name)
            .filter(|kind| matches!(kind, AclKind::Mask | AclKind::Other))
            .map_or((AclKind::User, name), |kind| (kind, "")),
        // The kind may stand in the place of its empty name.
        [kind, name] => (kind_of(kind).ok_or_else(invalid)?, name),
        _ => return Err(invalid()),
    };
    let is_named = !name.is_empty();
    let takes_name = matches!(kind, AclKind::User | AclKind::Group);
    if is_named && (!takes_name || name.contains(char::is_control)) {
        return Err(invalid());
    }
    if !is_named && !is_default && kind != AclKind::Mask {
        return Err(format!(
            "has {}, which names nobody: mode says what owner, group and others may",
            shown(text)
        ));
    }
    Ok(Acl { is_default, kind, name: name.into(), permissions })
}

fn kind_of(word: &str) -> Option<AclKind> {
    match word {
        "u" | "user" => Some(AclKind::User),
        "g" | "group" => Some(AclKind::Group),
        "m" | "mask" => Some(AclKind::Mask),
        "o" | "other" => Some(AclKind::Other),
        _ => None,
    }
}

/// One octal digit, or letters of which `-` says nothing.
fn permissions_of(text: &str) -> Option<u8> {
    if let [digit @ b'0'..=b'7'] = text.as_bytes() {
        return Some(digit - b'0');
    }
    text.chars().try_fold(0, |bits, letter| match letter {
        'r' => Some(bits | 4),
        'w' => Some(bits | 2),
        'x' => Some(bits | 1),
        '-' => Some(bits),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(is_default: bool, kind: AclKind, name: &str, permissions: u8) -> Acl {
        Acl { is_default, kind, name: name.into(), permissions }
    }

    #[test]
    fn an_entry_is_read_in_its_long_and_its_short_form() {
        for (text, expected) in [
            ("user:joe:rw-", acl(false, AclKind::User, "joe", 6)),
            ("u:joe:6", acl(false, AclKind::User, "joe", 6)),
            ("joe:rwx", acl(false, AclKind::User, "joe", 7)),
            ("group:web:r-x", acl(false, AclKind::Group, "web", 5)),
            ("mask::r--", acl(false, AclKind::Mask, "", 4)),
            ("m:4", acl(false, AclKind::Mask, "", 4)),
            ("default:user:joe:rwx", acl(true, AclKind::User, "joe", 7)),
            ("d:g:web:x", acl(true, AclKind::Group, "web", 1)),
            ("d:user::rwx", acl(true, AclKind::User, "", 7)),
            ("default::rwx", acl(true, AclKind::User, "", 7)),
            ("d:other::0", acl(true, AclKind::Other, "", 0)),
            ("d:mask:rw", acl(true, AclKind::Mask, "", 6)),
        ] {
            assert_eq!(acl_of(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_base_entry_without_a_name_is_the_modes_business() {
        for text in ["user::rwx", "g::r-x", "other::r--", "o:r--", ":rwx"] {
            assert!(acl_of(text).unwrap_err().contains("mode says"), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_entry() {
        for text in [
            "rwx",
            "",
            "u:joe:8",
            "u:joe:rwq",
            "u:joe:77",
            "mask:joe:rwx",
            "x:u:joe:r",
            "d:d:joe:r",
            "a:b:c:d:e",
        ] {
            assert!(acl_of(text).unwrap_err().contains("write it like"), "{text}");
        }
    }
}
