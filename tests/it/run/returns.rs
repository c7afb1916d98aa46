//! Clients that come back, over real sockets.

use crate::instance::{Output, Running, until};
use crate::rig::REQUEST;

/// A session of the visitor with this cookie, cut by its upstream; its record.
async fn cut(running: &mut Running, sid: &str) -> String {
    let request = REQUEST.replacen("\r\n\r\n", &format!("\r\nCookie: theme=dark; sid={sid}\r\n\r\n"), 1);
    let (mut client, mut upstream, head) = running.session_with(&request).await;
    assert!(head.contains(&format!("sid={sid}")), "the upstream is given the cookie: {head}");
    upstream.reset();
    client.expect_reset().await;
    running.record().await.to_string()
}

async fn returns(running: &Running) -> u64 {
    running.scrape().await.sum("closewatch_reconnect_seconds_count", &[("class", "abnormal")])
}

async fn by_cookie(config: &str) {
    let mut running = Running::with(config, &[], Output::Read).await;
    for sid in ["ada-4711", "bob-4712"] {
        let record = cut(&mut running, sid).await;
        assert!(!record.contains(sid) && !record.contains("visitor"), "{record}");
    }
    let record = cut(&mut running, "ada-4711").await;
    until("the return of the first visitor", async || returns(&running).await == 1).await;
    // Everything that opened before was counted before.
    assert_eq!(returns(&running).await, 1, "{record}");
}

#[tokio::test]
async fn a_visitor_is_known_by_a_cookie_of_which_nothing_is_written() {
    by_cookie("diagnosis.client = \"cookie:sid\"\n").await;
}

#[tokio::test]
async fn a_visitor_whose_upgrade_goes_through_hyper_is_known_too() {
    by_cookie("diagnosis.client = \"cookie:sid\"\nrelay.verbatim = \"off\"\n").await;
}

#[tokio::test]
async fn without_a_cookie_that_is_named_one_address_and_program_is_one_client() {
    let mut running = Running::with("", &[], Output::Read).await;
    for sid in ["ada-4711", "bob-4712", "ada-4711"] {
        cut(&mut running, sid).await;
    }
    until("both returns", async || returns(&running).await == 2).await;
}
