//! Names of users and groups: takes a name, gives what the host's accounts say of it.
//!
//! The files of the host are read here; where an account lives in a directory service, `getent` is asked. The C library is not: in a static
//! program it would load the host's modules for directories, which are another version's.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a directory service may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The directory service has not answered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered;

/// The user's number; nothing if the host has no such user.
pub fn user_id(name: &str) -> Result<Option<u32>, Unanswered> {
    number("passwd", name)
}

/// The group's number; nothing if the host has no such group.
pub fn group_id(name: &str) -> Result<Option<u32>, Unanswered> {
    number("group", name)
}

/// Where a user is at home, and what they are spoken to by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The home directory.
    pub home: String,
    /// The shell; empty where the account names none.
    pub shell: String,
}

/// What a user's account says; nothing if the host has no such user.
pub fn login(name: &str) -> Result<Option<Login>, Unanswered> {
    look_up("passwd", name, login_of)
}

fn number(database: &str, name: &str) -> Result<Option<u32>, Unanswered> {
    look_up(database, name, number_of)
}

/// What `read` makes of the account of that name.
fn look_up<T>(database: &str, name: &str, read: fn(&[&str]) -> Option<T>) -> Result<Option<T>, Unanswered> {
    // `+` and `-` lead into a directory service.
    if name.is_empty() || name.starts_with(['-', '+']) {
        return Ok(None);
    }
    let file = fs::read(format!("/etc/{database}")).unwrap_or_default();
    match find(&String::from_utf8_lossy(&file), name, read) {
        None => ask(database, name, read),
        found => Ok(found),
    }
}

/// Asks the host's own resolver. A number is no name: getent would take one for an id.
fn ask<T>(database: &str, name: &str, read: fn(&[&str]) -> Option<T>) -> Result<Option<T>, Unanswered> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let said = said(Command::new("getent").args([database, name]), PATIENCE)?;
    Ok(find(&String::from_utf8_lossy(&said), name, read))
}

/// What a program says; nothing from one that fails, or cannot be run. It is killed when it has said nothing for that long.
fn said(command: &mut Command, patience: Duration) -> Result<Vec<u8>, Unanswered> {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = spawned else { return Ok(vec![]) };
    let (sender, said) = mpsc::channel();
    if let Some(mut stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = vec![];
            let _ = stdout.read_to_end(&mut bytes);
            // Nobody listens any more if it took too long.
            let _ = sender.send(bytes);
        });
    }
    let heard = said.recv_timeout(patience);
    if heard == Err(RecvTimeoutError::Timeout) {
        // It has ended by itself, if that fails.
        let _ = child.kill();
    }
    let has_succeeded = child.wait().is_ok_and(|status| status.success());
    match heard {
        Err(RecvTimeoutError::Timeout) => Err(Unanswered),
        Ok(bytes) if has_succeeded => Ok(bytes),
        _ => Ok(vec![]),
    }
}

/// The line of that name, as far as `read` understands it: `NAME:x:NUMBER:…`.
fn find<T>(text: &str, name: &str, read: fn(&[&str]) -> Option<T>) -> Option<T> {
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        if fields[0] == name { read(&fields) } else { None }
    })
}

fn number_of(fields: &[&str]) -> Option<u32> {
    fields.get(2)?.parse().ok()
}

/// Of `NAME:x:NUMBER:GROUP:WORDS:HOME:SHELL`.
fn login_of(fields: &[&str]) -> Option<Login> {
    number_of(fields)?;
    let shell = fields.get(6).copied().unwrap_or_default().into();
    Some(Login { home: (*fields.get(5)?).into(), shell })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_and_numbers_are_no_names() {
        assert_eq!(user_id("root"), Ok(Some(0)));
        assert_eq!(group_id("root"), Ok(Some(0)));
        assert_eq!(ask("passwd", "root", number_of), Ok(Some(0)));
        for nobody in ["no-such-user-here", "0", "-i", "+", ""] {
            assert_eq!((user_id(nobody), group_id(nobody)), (Ok(None), Ok(None)), "{nobody}");
        }
    }

    #[test]
    fn a_directory_service_that_does_not_answer_is_not_waited_for() {
        let waited = said(Command::new("sleep").arg("600"), Duration::from_millis(50));
        assert_eq!(waited, Err(Unanswered));
        assert_eq!(said(Command::new("sh").args(["-c", "echo yes"]), PATIENCE), Ok(b"yes\n".to_vec()));
        assert_eq!(said(Command::new("sh").args(["-c", "echo yes; exit 2"]), PATIENCE), Ok(vec![]));
        assert_eq!(said(&mut Command::new("no-such-program-here"), PATIENCE), Ok(vec![]));
    }

    #[test]
    fn a_name_is_found_whole_and_a_line_that_says_no_number_says_nothing() {
        let text = "webmaster:x:7:7::/:/bin/sh\n#web:x:8\nweb:x:\nweb:x:33:33:web:/var/www:/bin/sh\n";
        let number = |name| find(text, name, number_of);
        assert_eq!((number("web"), number("webm"), number("x")), (Some(33), None, None));
        let web = Login { home: "/var/www".into(), shell: "/bin/sh".into() };
        assert_eq!((find(text, "web", login_of), find(text, "webm", login_of)), (Some(web), None));
    }
}
