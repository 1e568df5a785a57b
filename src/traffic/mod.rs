//! How traffic is read and nudged: HTTPRoutes (Gateway API), and the endpoints behind Services.
//!
//! A driver answers what it sees and writes what it is told; it never waits and never writes a Deployment.

pub mod endpoint_slices;
pub mod http_route;
pub mod sightings;
