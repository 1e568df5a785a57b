//! The agent dials out only: nothing of it listens, neither while it serves nor while it deploys. Read from the kernel's tables of sockets.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::host::{Host, eventually};

/// The sockets that a process holds, by their numbers.
fn held(pid: u32) -> HashSet<String> {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = fds.filter_map(|fd| fs::read_link(fd.path()).ok()?.into_os_string().into_string().ok());
    links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

/// Lines of a table of the process' network of which `is` holds, if the socket is the process' own. `inode` says which field has its number.
fn lines(pid: u32, table: &str, inode: usize, is: impl Fn(&[&str]) -> bool) -> Vec<String> {
    let held = held(pid);
    let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let is_it = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(inode).is_some_and(|number| held.contains(*number)) && is(&fields)
    };
    text.lines().skip(1).filter(is_it).map(|line| format!("{table} {line}")).collect()
}

/// What of a process others can call: TCP that listens, UDP and raw sockets that take from anyone, Unix sockets that accept.
fn open_doors(pid: u32) -> Vec<String> {
    let mut found = vec![];
    for table in ["tcp", "tcp6"] {
        found.extend(lines(pid, table, 9, |fields| fields[3] == "0A"));
    }
    for table in ["udp", "udp6", "udplite", "raw", "raw6"] {
        found.extend(lines(pid, table, 9, |fields| fields[3] == "07"));
    }
    found.extend(lines(pid, "unix", 6, |fields| {
        u32::from_str_radix(fields[3], 16).is_ok_and(|f| f & 0x1_0000 != 0)
    }));
    found
}

/// Ends the agent however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_that_serves_its_instance_has_connections_and_no_open_door() {
    let (host, server) = (Host::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let unix = std::os::unix::net::UnixListener::bind(host.path("door")).unwrap();
    assert_eq!(open_doors(std::process::id()).len(), 2, "the test sees its own two");
    drop(unix);
    let text = format!(
        "server: http://{}\nnamespace: web\nname: web-1\ntoken: t\nrootDir: {}\n",
        server.local_addr().unwrap(),
        host.root().display()
    );
    fs::write(host.path("config.yaml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-agent"));
    command.args(["run", "--config"]).arg(host.path("config.yaml"));
    let agent = Running(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let (_called, pid) = (server.accept().unwrap(), agent.0.id());
    let connections = || lines(pid, "tcp", 9, |fields| fields[3] == "01");
    eventually("it has called the API server", || (!connections().is_empty()).then_some(()));
    assert_eq!(open_doors(pid), Vec::<String>::new());
}

#[test]
fn an_agent_that_deploys_has_no_open_door() {
    let host = Host::new();
    host.bundle("slow")
        .hook("AfterInstall", &format!("echo > {}; sleep 600", host.path("runs").display()))
        .done();
    let agent = Running(host.start("slow", ""));
    eventually("the script runs", || host.path("runs").exists().then_some(()));
    assert_eq!(open_doors(agent.0.id()), Vec::<String>::new());
    let _ = Command::new("kill").arg(agent.0.id().to_string()).status();
    eventually("it has ended its script", || {
        let state = fs::read_to_string(format!("/proc/{}/stat", agent.0.id())).unwrap_or_default();
        state.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z')).then_some(())
    });
}
