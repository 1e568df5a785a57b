//! The agent of a host: arguments, telemetry, one call. Its scripts begin as this program, too.

use std::io::stderr;
use std::process::ExitCode;

use clap::Parser;
use sluice::agent::{self, CommandLine};
use tracing_subscriber::{fmt, prelude::*};

fn main() -> ExitCode {
    if let Some(code) = agent::become_script(std::env::args_os()) {
        return code.into();
    }
    let line = CommandLine::parse();
    let (logs, lines) = (tracing_subscriber::registry(), fmt::layer().with_ansi(false).with_writer(stderr));
    let level = line.log_level();
    if line.log_format == "json" {
        logs.with(level).with(lines.json()).init()
    } else {
        logs.with(level).with(lines).init()
    }
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = ExitCode::from(runtime.block_on(agent::main(line)));
            // What still blocks has nothing more to say.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
