//! Sessions that end without a Close, or with one that comes too late.

use closewatch::wire::Peer::{Client, Upstream};

use super::script::Step::{HangsUp, Resets, Says, Sends};
use super::script::{case, play};
use crate::rig::{Rig, close, ping, text};

#[tokio::test]
async fn an_end_without_a_close_is_1006_by_whoever_ended_first() {
    let rows = [
        case(
            "client FIN",
            [HangsUp(Client), HangsUp(Upstream)],
            "1006 by client: client_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
        ),
        case(
            "upstream FIN",
            [HangsUp(Upstream), HangsUp(Client)],
            "1006 by upstream: upstream_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
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
            "client RST behind messages",
            [Says(Client, text("a")), Says(Upstream, text("b")), Resets(Client)],
            "1006 by client: client_reset, none, abnormal; client reset saw 1006; upstream local saw 1006",
        ),
        case(
            "upstream FIN, then client RST",
            [HangsUp(Upstream), Resets(Client)],
            "1006 by upstream: upstream_eof, none, abnormal; client reset saw 1006; upstream fin saw 1006",
        ),
        case(
            "client FIN in the middle of a frame",
            [Sends(Client, vec![0x81, 0x85, 1, 2, 3]), HangsUp(Client), HangsUp(Upstream)],
            "1006 by client: client_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
        ),
        case(
            "upstream FIN in the middle of a Close",
            [Sends(Upstream, vec![0x88, 0x02, 0x03]), HangsUp(Upstream), HangsUp(Client)],
            "1006 by upstream: upstream_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006",
        ),
    ];
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_close_behind_the_other_peers_end_is_kept_but_does_not_decide() {
    let rows = [
        case(
            "client FIN, then the upstream's Close",
            [HangsUp(Client), Says(Upstream, close(1001, "")), HangsUp(Upstream)],
            "1006 by client: client_eof, half, abnormal; client fin saw 1001; upstream fin saw 1006",
        ),
        case(
            "upstream FIN, then the client's Close",
            [HangsUp(Upstream), Says(Client, close(1000, "")), HangsUp(Client)],
            "1006 by upstream: upstream_eof, half, abnormal; client fin saw 1006; upstream fin saw 1000",
        ),
    ];
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_not_guessed() {
    // A length with its highest bit set (RFC 6455 §5.2).
    let impossible = |masked: u8| [vec![0x82, masked | 127], vec![0xff; 8], vec![1, 2, 3, 4]].concat();
    let rows = [
        case(
            "the client is blind, and hangs up",
            [Sends(Client, impossible(0x80)), HangsUp(Client), HangsUp(Upstream)],
            "null [unknown] by client: client_eof, unknown, unknown; client fin saw 1006; upstream fin saw null",
        ),
        case(
            "the upstream is blind, and the client closes",
            [Sends(Upstream, impossible(0)), Says(Client, close(1000, "")), HangsUp(Upstream), HangsUp(Client)],
            "null [unknown] by unknown: unknown, unknown, unknown; client fin saw null; upstream fin saw 1000",
        ),
        case(
            "the upstream closes, and what comes behind that blinds",
            [Says(Upstream, close(1000, "")), Sends(Upstream, impossible(0)), HangsUp(Upstream), HangsUp(Client)],
            "1000 by upstream: close_unanswered, half, clean; client fin saw 1000; upstream fin saw 1006",
        ),
        case(
            "bytes of all kinds, and pings, pass a blind tap",
            [
                Sends(Client, impossible(0x80)),
                Says(Client, ping(b"x")),
                Says(Client, close(1000, "")),
                HangsUp(Client),
                HangsUp(Upstream),
            ],
            "null [unknown] by client: client_eof, unknown, unknown; client fin saw 1006; upstream fin saw null",
        ),
    ];
    play(Rig::new(), rows).await;
}
