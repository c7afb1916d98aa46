//! As many sessions as descriptors allow, cut at once: `tests/soak`.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::time::timeout;

use crate::instance::{Running, until};

/// More than this is not tried; with 20,000 descriptors it is what there is room for.
const MOST: u64 = 9000;

/// Descriptors of either process that are no session's.
const OTHERS: u64 = 500;

/// Sessions until everything that stays is there.
const WARM_UP: u64 = 2000;

/// How long after the cut the last record may come.
const RECORDED: Duration = Duration::from_secs(5);

/// What one session, idle and in the clear, may take.
const SESSION: u64 = 3 * 1024;

/// What a storm may leave behind in memory, once what it used has been given back.
const LEFT: u64 = 1024 * 1024;

#[tokio::test]
#[ignore = "takes all descriptors: tests/soak runs it"]
async fn all_sessions_are_cut_at_once() {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = MOST.min(limit.saturating_sub(OTHERS) / 2);
    assert!(count >= 1000, "{limit} descriptors are too few for a storm");
    let mut running = Running::start().await;
    let idle = running.child.descriptors();
    // What is allocated once and stays, with the last closures that are kept for the operator.
    cut(&mut running, WARM_UP, u64::MAX).await;
    let before = running.child.memory();
    let mut most = before + count * SESSION;
    for _ in 0..2 {
        let with_all = cut(&mut running, count, most).await;
        println!("{count} sessions cut at once: {before} bytes before, {with_all} with all of them");
        until("every descriptor to be closed", async || running.child.descriptors() == idle).await;
        until("the memory to be given back", async || running.child.memory() < before + LEFT).await;
        // A second storm takes no more than the first.
        most = with_all + with_all / 50;
    }
}

/// Opens sessions, and resets all their clients' connections; gives the memory in use with all of them open, which has to come
/// down to `most` or less while they are idle: right behind the opening it was 10 % more, once.
async fn cut(running: &mut Running, count: u64, most: u64) -> u64 {
    let sessions = running.sessions(usize::try_from(count).unwrap()).await;
    until("the memory with all sessions open", async || running.child.memory() <= most).await;
    let with_all = running.child.memory();
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
    with_all
}
