//! The storm, and what is left behind it.

use super::play::Storm;
use crate::instance::{Metrics, get, until};

const SESSIONS: usize = 5000;

/// The first of them, in which everything that is kept reaches its size: the latest records, buffers, the allocator's pools.
const WARM_UP: usize = 1500;

/// The most memory that the rest may leave behind, for the allocator's moods: a kilobyte a session, half of what it would be if
/// the tasks of the sessions were not freed.
const GROWTH: u64 = (SESSIONS - WARM_UP) as u64 * 1024;

#[tokio::test]
async fn a_storm_of_sessions_leaves_records_and_nothing_else() {
    let mut storm = Storm::begin().await;
    let idle = storm.running.child.descriptors();
    storm.play(0..WARM_UP).await;
    let warm = storm.running.child.memory();
    // In the thick of it, the books balance in every scrape.
    let scraping = tokio::spawn({
        let admin = storm.running.admin;
        async move {
            loop {
                Metrics::parse(&get(admin, "/metrics").await.unwrap().body).assert_balanced();
            }
        }
    });
    storm.play(WARM_UP..SESSIONS).await;
    scraping.abort();
    assert!(scraping.await.unwrap_err().is_cancelled(), "a scrape failed");

    storm.assert_over(SESSIONS).await;
    until("every descriptor to be closed", async || storm.running.child.descriptors() == idle).await;
    let grown = storm.running.child.memory().saturating_sub(warm);
    assert!(grown < GROWTH, "grown by {grown} bytes to {}", warm + grown);
}
