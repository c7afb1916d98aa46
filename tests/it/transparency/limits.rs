//! Sessions that are half over do not stay for ever.

use std::time::Duration;

use closewatch::wire::Peer;

use crate::rig::{Rig, close, line, text};

const MOMENT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_session_that_is_half_over_is_reset_when_nothing_moves_any_more() {
    let rows = [
        (None, "1006 by upstream: upstream_eof, none, abnormal; client open saw 1006; upstream fin saw 1006"),
        (Some(1000), "1000 by upstream: close_unanswered, half, clean; client open saw 1000; upstream open saw 1006"),
    ];
    for (code, expected) in rows {
        let mut rig = Rig::with(|config| config.timeouts.half_closed = Some(MOMENT));
        let (mut client, mut upstream) = rig.session().await;
        if let Some(code) = code {
            upstream.say(&close(code, "")).await;
            client.hear(&close(code, "")).await;
        } else {
            upstream.fin().await;
            client.expect_fin().await;
        }
        let record = rig.record().await;
        assert_eq!(line(&record), expected);
        assert!(record.filed >= MOMENT);
        assert!(record.facts.client.was_reset);
        if code.is_some() {
            client.expect_reset().await;
            upstream.expect_reset().await;
        }
        rig.done().await;
    }
}

#[tokio::test]
async fn a_session_that_is_half_over_goes_on_as_long_as_bytes_move() {
    let mut rig = Rig::with(|config| config.timeouts.half_closed = Some(MOMENT * 10));
    let (mut client, mut upstream) = rig.session().await;
    client.fin().await;
    upstream.expect_fin().await;
    let mut tick = tokio::time::interval(MOMENT);
    for _ in 0..13 {
        tick.tick().await;
        upstream.say(&text("tick")).await;
        client.hear(&text("tick")).await;
    }
    upstream.fin().await;
    client.expect_fin().await;
    assert_eq!(rig.record().await.facts.upstream.text_messages, 13);
    rig.done().await;
}

#[tokio::test]
async fn half_closed_sessions_stay_if_they_may() {
    let mut rig = Rig::with(|config| {
        config.timeouts.half_closed = None;
        config.timeouts.linger = Duration::from_millis(1);
        config.timeouts.dead_peer = Some(Duration::from_millis(1));
    });
    let (mut client, mut upstream) = rig.session().await;
    client.fin().await;
    upstream.expect_fin().await;
    // Something else that takes its time, and is an event.
    let mut other = rig.session().await;
    other.0.reset();
    other.1.expect_reset().await;
    rig.record().await;
    upstream.say(&text("still here")).await;
    client.hear(&text("still here")).await;
    upstream.fin().await;
    client.expect_fin().await;
    assert_eq!(rig.record().await.facts.of(Peer::Upstream).text_messages, 1);
    rig.done().await;
}
