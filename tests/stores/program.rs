//! A server's process: started on a free port, awaited, ended with the test.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long a server may take to listen.
const DEADLINE: Duration = Duration::from_secs(60);

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One of the programs that `e2e/tools.sh` builds; it dies with us however we end.
pub fn tool(name: &str) -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder =
        std::env::var_os("SLUICE_TOOLS").map_or_else(|| root.join("target/tools/bin"), PathBuf::from);
    let program = folder.join(name);
    assert!(program.is_file(), "{} is missing: run e2e/tools.sh {name}", program.display());
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).kill_on_drop(true);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command
}

/// Starts it, and waits until `port` answers.
pub async fn start(command: &mut Command, port: u16) -> Child {
    let mut child = command.spawn().unwrap();
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{command:?} ended at once");
            tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.ok();
        }
    };
    assert!(tokio::time::timeout(DEADLINE, listens).await.is_ok(), "{command:?} never listened");
    child
}

/// A client for what the tests themselves ask of the servers.
pub fn http() -> reqwest::Client {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
