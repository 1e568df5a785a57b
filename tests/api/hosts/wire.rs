//! The way from a host to the API server, which can be cut and mended.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Forwards connections on loopback, while it is whole.
pub struct Wire {
    /// The API server's URL by way of it.
    pub url: String,
    is_whole: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Wire {
    /// A wire to the server of that URL.
    pub async fn to(server: &str) -> Self {
        let address = server.trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let is_whole = Arc::new(watch::Sender::new(true));
        let task = tokio::spawn(forward(listener, address, Arc::clone(&is_whole)));
        Self { url, is_whole, task }
    }

    /// Nothing passes any more, and what passed is broken off.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// It is whole again.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(listener: TcpListener, address: String, is_whole: Arc<watch::Sender<bool>>) {
    loop {
        let Ok((mut here, _)) = listener.accept().await else { continue };
        let mut whole = is_whole.subscribe();
        if !*whole.borrow_and_update() {
            continue;
        }
        let address = address.clone();
        tokio::spawn(async move {
            let Ok(mut there) = TcpStream::connect(&address).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                _ = whole.wait_for(|is_whole| !is_whole) => {}
            }
        });
    }
}
