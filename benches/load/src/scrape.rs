//! A scraper that asks the proxy for metrics meanwhile.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::failure;

/// Much more often than any Prometheus.
const EVERY: Duration = Duration::from_secs(1);
const PATHS: [&str; 2] = ["/metrics", "/sessions"];

/// Asks until it is stopped, on a thread of its own.
pub(crate) struct Scraper {
    over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Vec<f64>>>,
}

impl Scraper {
    pub(crate) fn start(admin: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut took = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                for path in PATHS {
                    get(admin, path)?;
                }
                took.push(began.elapsed().as_secs_f64() * 1e3);
                std::thread::park_timeout(EVERY.saturating_sub(began.elapsed()));
            }
            Ok(took)
        });
        Self { over, thread }
    }

    /// Stops it, and prints how long both answers took, in the worst case.
    pub(crate) fn stop(self) -> io::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let took = self.thread.join().map_err(|_| failure("the scraper has panicked"))??;
        println!("scrapes {}", took.len());
        println!("scrape_ms {:.1}", took.into_iter().fold(0.0, f64::max));
        Ok(())
    }
}

fn get(admin: SocketAddr, path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(admin)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(failure("a scrape was not answered with 200")) }
}
