//! Names of users and groups: takes a name, gives the host's number for it.
//!
//! A static program's C library reads `/etc/passwd` and `/etc/group` only; where an account lives in a directory service, `getent` is asked.

use std::process::{Command, Stdio};

/// The user's number; nothing if the host has no such user.
pub fn user_id(name: &str) -> Option<u32> {
    uzers::get_user_by_name(name).map(|user| user.uid()).or_else(|| ask("passwd", name))
}

/// The group's number; nothing if the host has no such group.
pub fn group_id(name: &str) -> Option<u32> {
    uzers::get_group_by_name(name).map(|group| group.gid()).or_else(|| ask("group", name))
}

/// Asks the host's own resolver. A number is no name: getent would take one for an id.
fn ask(database: &str, name: &str) -> Option<u32> {
    if name.is_empty() || name.starts_with('-') || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let asked =
        Command::new("getent").args([database, name]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = asked.ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?;
    let mut fields = line.trim_end().split(':');
    (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_and_numbers_are_no_names() {
        assert_eq!(user_id("root"), Some(0));
        assert_eq!(group_id("root"), Some(0));
        assert_eq!(ask("passwd", "root"), Some(0));
        for nobody in ["no-such-user-here", "0", "-i", ""] {
            assert_eq!((user_id(nobody), group_id(nobody)), (None, None), "{nobody}");
        }
    }
}
