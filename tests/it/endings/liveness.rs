//! Closes that say that the other peer does not answer, and whether that is so.

use closewatch::wire::Peer::{Client, Upstream};

use super::script::Step::{HangsUp, Says, SaysAndResets};
use super::script::{both_hang_up, case, play};
use crate::rig::{Rig, close, ping, pong, text};

#[tokio::test]
async fn a_close_to_a_peer_that_owes_a_pong_and_is_silent_is_that_peers_doing() {
    let rows = [
        case(
            "the client owes a pong",
            [
                Says(Client, text("x")),
                Says(Upstream, ping(b"1")),
                Says(Upstream, close(1011, "keepalive ping timeout")),
                HangsUp(Upstream),
                HangsUp(Client),
            ],
            "1011 by upstream: client_unresponsive, half, abnormal; client fin saw 1011; upstream fin saw 1006",
        ),
        case(
            "the same, and the upstream resets",
            [Says(Upstream, ping(b"1")), SaysAndResets(Upstream, close(1011, ""))],
            "1011 by upstream: client_unresponsive, half, abnormal; client local saw 1011; upstream reset saw 1006",
        ),
        case(
            "the upstream owes a pong",
            [Says(Client, ping(b"")), Says(Client, close(4000, "")), HangsUp(Client), HangsUp(Upstream)],
            "4000 [4xxx] by client: upstream_unresponsive, half, application; client fin saw 1006; upstream fin saw 4000",
        ),
    ];
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_peer_that_said_anything_behind_the_ping_is_not_unresponsive() {
    let unanswered = "1011 by upstream: close_unanswered, half, abnormal; client fin saw 1011; upstream fin saw 1006";
    let rows = [
        case(
            "it answered",
            [
                vec![Says(Upstream, ping(b"1")), Says(Client, pong(b"1")), Says(Upstream, close(1011, ""))],
                both_hang_up().to_vec(),
            ]
            .concat(),
            unanswered,
        ),
        case(
            "it owes the pong, but sent a message",
            [
                vec![Says(Upstream, ping(b"1")), Says(Client, text("x")), Says(Upstream, close(1011, ""))],
                both_hang_up().to_vec(),
            ]
            .concat(),
            unanswered,
        ),
        case("nobody asked it", [vec![Says(Upstream, close(1011, ""))], both_hang_up().to_vec()].concat(), unanswered),
        case(
            "it answers the Close after all",
            [
                vec![Says(Upstream, ping(b"1")), Says(Upstream, close(1011, "")), Says(Client, close(1011, ""))],
                both_hang_up().to_vec(),
            ]
            .concat(),
            "1011 by upstream: close_handshake, complete, abnormal; client fin saw 1011 clean; upstream fin saw 1011 clean",
        ),
    ];
    play(Rig::new(), rows).await;
}
