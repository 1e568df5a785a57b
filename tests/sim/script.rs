//! What people do in a story, and when: each beat waits for its condition, then for its delay, in order.

use jiff::Timestamp;

use super::store::Store;
use super::world::World;

/// A look at the world.
pub type When = Box<dyn Fn(&Store) -> bool>;
/// A change of the world.
pub type Deed = Box<dyn FnOnce(&mut World)>;

/// One thing that somebody does.
pub struct Beat {
    pub text: String,
    pub when: When,
    /// Milliseconds after the condition held.
    pub after: i64,
    pub deed: Deed,
    pub armed: Option<Timestamp>,
}

/// A beat.
pub fn beat(
    text: impl Into<String>,
    when: impl Fn(&Store) -> bool + 'static,
    after: i64,
    deed: impl FnOnce(&mut World) + 'static,
) -> Beat {
    Beat { text: text.into(), when: Box::new(when), after, deed: Box::new(deed), armed: None }
}
