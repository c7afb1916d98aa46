//! As many sessions as descriptors allow, cut at once: `tests/soak`.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::time::{Instant, timeout};

use super::WITHOUT_DIAGNOSIS;
use crate::instance::{Output, Running, until};

/// More than this is not tried; with 20,000 descriptors it is what there is room for.
const MOST: u64 = 9000;

/// Sessions before those that count: the last closures are kept for the operator, and so is what is allocated but once.
const WARM_UP: u64 = 2000;

/// Descriptors of either process that are no session's.
const OTHERS: u64 = 500;

/// How long after the cut the last record may come.
const RECORDED: Duration = Duration::from_secs(5);

/// The most memory that one session, idle and in the clear, may take.
const SESSION: u64 = 5 * 1024 / 2;

/// The most memory that a storm may leave behind.
const LEFT: u64 = 1024 * 1024;

/// Memory that has not become less for so long is no longer being given back: the allocator takes a second.
const REST: Duration = Duration::from_secs(3);

#[tokio::test]
#[ignore = "takes all descriptors: tests/soak runs it"]
async fn all_sessions_are_cut_at_once() {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = MOST.min(limit.saturating_sub(OTHERS) / 2);
    assert!(count >= 1000, "{limit} descriptors are too few for a storm");
    let mut running = Running::with(WITHOUT_DIAGNOSIS, &[], Output::Read).await;
    let idle = running.child.descriptors();
    cut(&mut running, WARM_UP.min(count)).await;
    let before = at_rest(&running).await;
    let mut peaks = Vec::new();
    for _ in 0..2 {
        let peak = cut(&mut running, count).await;
        until("every descriptor to be closed", async || running.child.descriptors() == idle).await;
        let after = at_rest(&running).await;
        println!("{count} sessions cut at once: {before} bytes before, {peak} with all of them, {after} after");
        assert!(peak <= before + count * SESSION, "{peak} bytes are too many for {count} sessions: {before} before");
        assert!(after < before + LEFT, "{} bytes are left of a storm", after - before);
        peaks.push(peak);
    }
    assert!(peaks[1] <= peaks[0] + peaks[0] / 50, "the second storm takes more: {peaks:?}");
}

/// Opens sessions, and resets all their clients' connections; gives the memory in use with all of them open.
async fn cut(running: &mut Running, count: u64) -> u64 {
    let sessions = running.sessions(usize::try_from(count).unwrap()).await;
    let peak = running.child.memory();
    let (mut clients, upstreams): (Vec<_>, Vec<_>) = sessions.into_iter().unzip();
    for client in &mut clients {
        client.reset();
    }
    let records = async {
        for _ in 0..count {
            let record = running.record().await;
            assert_eq!(record["cause"], "client_reset", "{record}");
            assert_eq!(record["code"], 1006, "{record}");
        }
    };
    timeout(RECORDED, records).await.unwrap_or_else(|_| panic!("records are missing {RECORDED:?} after the cut"));
    for mut upstream in upstreams {
        upstream.expect_reset().await;
    }
    peak
}

/// The memory in use once nothing more of it is given back.
async fn at_rest(running: &Running) -> u64 {
    let (mut least, mut since) = (u64::MAX, Instant::now());
    until("the memory to come to rest", async || {
        let memory = running.child.memory();
        if memory < least {
            (least, since) = (memory, Instant::now());
        }
        since.elapsed() >= REST
    })
    .await;
    least
}
