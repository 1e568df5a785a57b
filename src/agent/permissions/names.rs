//! Names of users and groups: takes a name, gives the host's number for it.
//!
//! The files of the host are read here; where an account lives in a directory service, `getent` is asked. The C library is not: in a static
//! program it would load the host's modules for directories, which are another version's.

use std::fs;
use std::process::{Command, Stdio};

/// The user's number; nothing if the host has no such user.
pub fn user_id(name: &str) -> Option<u32> {
    number("passwd", name)
}

/// The group's number; nothing if the host has no such group.
pub fn group_id(name: &str) -> Option<u32> {
    number("group", name)
}

fn number(database: &str, name: &str) -> Option<u32> {
    // `+` and `-` lead into a directory service.
    if name.is_empty() || name.starts_with(['-', '+']) {
        return None;
    }
    let file = fs::read(format!("/etc/{database}")).unwrap_or_default();
    find(&String::from_utf8_lossy(&file), name).or_else(|| ask(database, name))
}

/// Asks the host's own resolver. A number is no name: getent would take one for an id.
fn ask(database: &str, name: &str) -> Option<u32> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let asked =
        Command::new("getent").args([database, name]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = asked.ok().filter(|output| output.status.success())?;
    find(&String::from_utf8_lossy(&output.stdout), name)
}

/// The third field of the line of that name: `NAME:x:NUMBER:…`.
fn find(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_and_numbers_are_no_names() {
        assert_eq!(user_id("root"), Some(0));
        assert_eq!(group_id("root"), Some(0));
        assert_eq!(ask("passwd", "root"), Some(0));
        for nobody in ["no-such-user-here", "0", "-i", "+", ""] {
            assert_eq!((user_id(nobody), group_id(nobody)), (None, None), "{nobody}");
        }
    }

    #[test]
    fn a_name_is_found_whole_and_a_line_that_says_no_number_says_nothing() {
        let text = "webmaster:x:7:7::/:/bin/sh\n#web:x:8\nweb:x:\nweb:x:33:33:web:/var/www:/bin/sh\n";
        assert_eq!((find(text, "web"), find(text, "webm"), find(text, "x")), (Some(33), None, None));
    }
}
