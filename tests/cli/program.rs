//! Starts the program in an empty environment and takes what it said.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

/// What one run said, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `kubectl-sluice` with the words of `line`; no kubeconfig is found unless the line names one.
pub fn run(line: &str) -> Said {
    run_with(line, "")
}

/// The same, with `input` as standard input.
pub fn run_with(line: &str, input: &str) -> Said {
    let nowhere = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"))
        .args(line.split_whitespace())
        .env_clear()
        .env("HOME", nowhere.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A file with that content that lives as long as the folder.
pub fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// A kubeconfig for a server that nobody is.
pub fn kubeconfig(server: &str) -> (tempfile::TempDir, PathBuf) {
    let mut text = String::from("apiVersion: v1\nkind: Config\ncurrent-context: c\n");
    writeln!(text, "clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]").unwrap();
    writeln!(text, "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]").unwrap();
    writeln!(text, "users: [{{name: u, user: {{}}}}]").unwrap();
    file(&text)
}

/// A server that answers one request with `json`; its address, and what was asked once it has answered.
pub fn serve_once(json: &str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let json = json.to_owned();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head: Vec<String> =
            BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{json}",
            json.len()
        )
        .unwrap();
        head[0].trim_end_matches(" HTTP/1.1").to_owned()
    });
    (url, asked)
}
