//! The order to let nothing go on, as a value that many wait for.

use tokio::sync::watch;

/// Given once, seen by all.
#[derive(Clone, Debug)]
pub struct Cut {
    sender: watch::Sender<bool>,
}

impl Default for Cut {
    fn default() -> Self {
        Self { sender: watch::Sender::new(false) }
    }
}

impl Cut {
    /// Gives the order.
    pub fn give(&self) {
        self.sender.send_replace(true);
    }

    /// True once it was given.
    pub fn is_given(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns when it is given.
    pub async fn wait(&self) {
        let mut receiver = self.sender.subscribe();
        // It fails only without a sender, and we hold one.
        let _ = receiver.wait_for(|given| *given).await;
    }
}
