//! Counts what changes the file system, one step at a time, so that a test can stop or fail at each of them. Outside of tests every step is taken.

use rustix::io::Errno;

#[cfg(test)]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What becomes of a step.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done any more from here on, as if the power had gone.
    Stop,
    /// The system says no.
    Fail(Errno),
}

/// The steps of one installation. Every change asks first.
#[derive(Default)]
pub struct Steps {
    /// True to do as on a file system that cannot let two names change places.
    pub lacks_exchange: bool,
    #[cfg(test)]
    taken: AtomicU64,
    #[cfg(test)]
    is_stopped: AtomicBool,
    #[cfg(test)]
    hook: Option<Box<dyn Fn(u64) -> Option<Fault> + Send + Sync>>,
}

#[cfg(not(test))]
impl Steps {
    /// To be called before each change; what it says is the change's result.
    pub fn step(&self) -> Result<(), Errno> {
        Ok(())
    }
}

#[cfg(test)]
impl Steps {
    /// Steps that `hook` decides on, by their number from 0.
    pub fn with(hook: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self { hook: Some(Box::new(hook)), ..Self::default() }
    }

    /// The same on a file system that cannot let two names change places.
    pub fn lacking_exchange(mut self, lacks_exchange: bool) -> Self {
        self.lacks_exchange = lacks_exchange;
        self
    }

    /// How many were taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// To be called before each change; what it says is the change's result.
    pub fn step(&self) -> Result<(), Errno> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if self.is_stopped.load(Ordering::Relaxed) {
            return Err(Errno::CANCELED);
        }
        match self.hook.as_ref().and_then(|hook| hook(number)) {
            None => Ok(()),
            Some(Fault::Fail(errno)) => Err(errno),
            Some(Fault::Stop) => {
                self.is_stopped.store(true, Ordering::Relaxed);
                Err(Errno::CANCELED)
            }
        }
    }
}
