//! How sessions end where there is TLS: the verdict is that of plain connections, and a cut is told from a FIN.

use closewatch::wire::Peer::{Client, Upstream};

use super::LEGS;
use crate::endings::script::Step::{
    Alerts, Cross, CutsOff, HangsUp, Notifies, Resets, Says, SaysAndAlerts, SaysAndHangsUp, SaysAndResets,
};
use crate::endings::script::{both_hang_up, case, play};
use crate::rig::{Legs, Rig, close, empty_close, text};

#[tokio::test]
async fn ends_are_told_apart_on_either_leg() {
    for legs in LEGS {
        // Without TLS there is only one FIN.
        let cut = |has_tls: bool| if has_tls { "tls_truncated" } else { "fin" };
        let (client, upstream) = (cut(legs.client), cut(legs.upstream));
        let rows = [
            case(
                "closing handshake",
                [&[Says(Client, close(1000, "")), Says(Upstream, close(1000, ""))], &both_hang_up()[..]].concat(),
                "1000 by client: close_handshake, complete, clean; \
                 client fin saw 1000 clean; upstream fin saw 1000 clean",
            ),
            case(
                "Closes that cross",
                [&[Cross { client: empty_close(), upstream: close(1001, "") }], &both_hang_up()[..]].concat(),
                "1005 by both: close_handshake, complete, clean; client fin saw 1001 clean; upstream fin saw 1005 clean",
            ),
            case(
                "1011, then FIN with close_notify",
                [SaysAndHangsUp(Upstream, close(1011, "boom")), HangsUp(Client)],
                "1011 by upstream: close_unanswered, half, abnormal; client fin saw 1011; upstream fin saw 1006",
            ),
            case(
                "1011, then FIN without close_notify",
                [Says(Upstream, close(1011, "boom")), CutsOff(Upstream), HangsUp(Client)],
                &format!(
                    "1011 by upstream: close_unanswered, half, abnormal; \
                     client fin saw 1011; upstream {upstream} saw 1006"
                ),
            ),
            case(
                "client FIN with close_notify",
                [HangsUp(Client), HangsUp(Upstream)],
                "1006 by client: client_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
            ),
            case(
                "client FIN without close_notify",
                [CutsOff(Client), HangsUp(Upstream)],
                &format!("1006 by client: client_eof, none, abnormal; client {client} saw 1006; upstream fin saw 1006"),
            ),
            case(
                "both without",
                [CutsOff(Upstream), CutsOff(Client)],
                &format!(
                    "1006 by upstream: upstream_eof, none, abnormal; \
                     client {client} saw 1006; upstream {upstream} saw 1006"
                ),
            ),
            case(
                "half-close",
                [HangsUp(Client), Says(Upstream, text("still here")), HangsUp(Upstream)],
                "1006 by client: client_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
            ),
            case(
                "half-close of the upstream",
                [HangsUp(Upstream), Says(Client, text("still here")), CutsOff(Client)],
                &format!(
                    "1006 by upstream: upstream_eof, none, abnormal; client {client} saw 1006; upstream fin saw 1006"
                ),
            ),
            case(
                "client RST",
                [Resets(Client)],
                "1006 by client: client_reset, none, abnormal; client reset saw 1006; upstream local saw 1006",
            ),
            case(
                "upstream RST",
                [Resets(Upstream)],
                "1006 by upstream: upstream_reset, none, abnormal; client local saw 1006; upstream reset saw 1006",
            ),
            case(
                "1011, then RST",
                [SaysAndResets(Upstream, close(1011, "boom"))],
                "1011 by upstream: close_unanswered, half, abnormal; client local saw 1011; upstream reset saw 1006",
            ),
        ];
        play(Rig::with_tls(legs, |_| {}), rows).await;
    }
}

#[tokio::test]
async fn close_notify_alone_is_a_fin() {
    let rows = || {
        [case(
            "close_notify, and the connection stays",
            [Notifies(Client), Says(Upstream, text("bye")), HangsUp(Upstream)],
            "1006 by client: client_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
        )]
    };
    play(Rig::with_tls(Legs { client: true, upstream: false }, |_| {}), rows()).await;
    play(Rig::with_tls(Legs { client: true, upstream: true }, |_| {}), rows()).await;
}

#[tokio::test]
async fn a_fatal_alert_is_a_reset() {
    let rows = [
        case(
            "client",
            [Alerts(Client)],
            "1006 by client: client_reset, none, abnormal; client reset saw 1006; upstream local saw 1006",
        ),
        case(
            "upstream",
            [Alerts(Upstream)],
            "1006 by upstream: upstream_reset, none, abnormal; client local saw 1006; upstream reset saw 1006",
        ),
        case(
            "a Close before it gets through",
            [SaysAndAlerts(Upstream, close(1011, "boom"))],
            "1011 by upstream: close_unanswered, half, abnormal; client local saw 1011; upstream reset saw 1006",
        ),
    ];
    play(Rig::with_tls(Legs { client: true, upstream: true }, |_| {}), rows).await;
}

#[tokio::test]
async fn the_alert_is_in_the_record() {
    let mut rig = Rig::with_tls(Legs { client: true, upstream: true }, |_| {});
    let (mut client, mut upstream) = rig.session().await;
    client.alert();
    upstream.expect_reset().await;
    let facts = rig.record().await.facts;
    assert_eq!(facts.client.tls_alert.unwrap().to_string(), "decode_error");
    assert_eq!(facts.upstream.tls_alert, None);

    // Bytes that are not TLS are answered with an alert of closewatch's own.
    let (mut client, mut upstream) = rig.session().await;
    client.send_in_the_clear(b"GET / HTTP/1.1\r\n\r\n");
    upstream.expect_reset().await;
    let facts = rig.record().await.facts;
    assert_eq!(facts.client.tls_alert.unwrap().to_string(), "decode_error");
    rig.done().await;
}
