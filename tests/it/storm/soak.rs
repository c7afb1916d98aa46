//! The storm that does not end: `tests/soak`.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use super::play::Storm;
use crate::instance::until;

/// Sessions between two looks at what is left behind.
const ROUND: usize = 2000;

/// The most memory that the second half of the rounds may leave behind: nothing that grows with them.
const GROWTH: u64 = 1024 * 1024;

#[tokio::test]
#[ignore = "takes minutes: tests/soak runs it"]
async fn hours_of_sessions_leave_nothing_behind() {
    let minutes = std::env::var("CLOSEWATCH_SOAK_MINUTES").map_or(3.0, |minutes| minutes.parse::<f64>().unwrap());
    let until_then = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut storm = Storm::begin().await;
    let idle = storm.running.child.descriptors();
    let mut played = 0;
    let mut memory = Vec::new();
    while Instant::now() < until_then {
        storm.play(played..played + ROUND).await;
        played += ROUND;
        storm.assert_over(played).await;
        until("every descriptor to be closed", async || storm.running.child.descriptors() == idle).await;
        memory.push(storm.running.child.memory());
        println!("{played} sessions, {} KiB", memory.last().unwrap() / 1024);
    }
    // A quarter of the rounds to reach its size, which it then keeps. The least of many looks is what stays: the others have
    // what the allocator is about to give back.
    let quarters: Vec<_> =
        memory.chunks(memory.len().div_ceil(4)).map(|quarter| quarter.iter().min().unwrap()).collect();
    let (before, after) = (quarters.get(1).unwrap_or(&quarters[0]), quarters[quarters.len() - 1]);
    println!("at least {} KiB in the second quarter of the time, {} KiB in the last", *before / 1024, after / 1024);
    assert!(*after < *before + GROWTH, "memory grows: {memory:?}");

    storm.running.child.signal(Signal::TERM);
    let log = storm.running.child.rest_of_log().await;
    assert_eq!(storm.running.child.exit_code().await, Some(0));
    let alarming = |line: &&str| ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word));
    assert_eq!(log.lines().find(alarming), None);
    println!("{played} sessions, {played} records, seed {}", storm.seed);
}
