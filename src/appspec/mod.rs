//! AppSpec files: takes the bytes of one (YAML or JSON), gives what it says or a sentence that names the
//! field and the cure. Pure: no file system, no Kubernetes, no clock.
//!
//! One reader per compute platform stands on the same tree ([`tree`]) and the same look at fields
//! ([`section`]); those of Function and Service share [`resource`] and [`hooks`] too. [`platform_of`] tells the
//! platforms apart; [`lint`] says everything that can be said of a text, also what AWS would make of it. What every reader accepts and refuses is
//! collected in the file format notes of CodeDeploy's user guide and in what real files look like.
//!
//! A key that stands twice in one map counts once, the last one, with a warning.

mod error;
mod function;
mod hooks;
mod intrinsic;
mod lint;
mod names;
mod platform;
mod resource;
mod section;
mod server;
mod service;
mod spelling;
mod tree;
mod write;

pub use error::{Error, Position};
pub use function::{FunctionEvent, FunctionSpec, read_function, read_function_within};
pub use hooks::HookRef;
pub use lint::{Finding, Lint, Severity, lint};
pub use platform::{Platform, platform_of};
pub use server::{
    Acl, AclKind, FileEntry, FileExists, Os, Permission, Rules, Script, SelinuxContext, ServerEvent,
    ServerSpec, read_server, read_server_by, read_server_within,
};
pub use service::{ServiceEvent, ServiceSpec, read_service, read_service_within};
pub use tree::Limits;
pub use write::{write_function, write_service};
