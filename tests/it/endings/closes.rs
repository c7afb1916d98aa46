//! Sessions that a Close ends.

use closewatch::wire::Peer;
use closewatch::wire::Peer::{Client, Upstream};

use super::script::Step::{Cross, HangsUp, IsLeft, Resets, Says, SaysAndHangsUp, SaysAndResets, SaysTogether, Spells};
use super::script::{Case, both_hang_up, case, play};
use crate::rig::{Frame, Rig, binary, close, close_body, continuation, empty_close, ping, text};

/// Every code that may be sent: its label, and its class by who sends it.
const LEGAL: &[(u16, &str, [&str; 2])] = &[
    (1000, "1000", ["clean", "clean"]),
    (1001, "1001", ["clean", "planned"]),
    (1002, "1002", ["protocol", "protocol"]),
    (1003, "1003", ["protocol", "protocol"]),
    (1007, "1007", ["protocol", "protocol"]),
    (1008, "1008", ["policy", "policy"]),
    (1009, "1009", ["policy", "policy"]),
    (1010, "1010", ["protocol", "protocol"]),
    (1011, "1011", ["abnormal", "abnormal"]),
    (1012, "1012", ["planned", "planned"]),
    (1013, "1013", ["overload", "overload"]),
    (1014, "1014", ["abnormal", "abnormal"]),
    (3000, "3000", ["policy", "policy"]),
    (3003, "3003", ["policy", "policy"]),
    (3008, "3008", ["application", "application"]),
    (3999, "3xxx", ["application", "application"]),
    (4000, "4xxx", ["application", "application"]),
    (4401, "4xxx", ["application", "application"]),
    (4999, "4xxx", ["application", "application"]),
];

/// Numbers that no endpoint may put into a Close.
const ILLEGAL: &[u16] = &[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535];

/// A peer sends `first`, the other answers with `reply`, and both hang up.
fn handshake(name: &str, peer: Peer, first: &Frame, reply: &Frame, expected: &str) -> Case {
    let steps = [vec![Says(peer, first.clone()), Says(peer.other(), reply.clone())], both_hang_up().to_vec()].concat();
    case(name, steps, expected)
}

/// The line of a handshake in which `peer` said `first` and the other `reply`, as the two saw it.
fn complete(code: &str, peer: Peer, class: &str, first: &str, reply: &str) -> String {
    let (client, upstream) = match peer {
        Client => (reply, first),
        Upstream => (first, reply),
    };
    format!(
        "{code} by {}: close_handshake, complete, {class}; client fin saw {client} clean; upstream fin saw {upstream} clean",
        peer.as_str()
    )
}

#[tokio::test]
async fn every_legal_code_keeps_its_number_and_has_its_class() {
    let rows = LEGAL.iter().flat_map(|&(code, label, classes)| {
        Peer::ALL.map(|peer| {
            let shown = if label == code.to_string() { label.to_owned() } else { format!("{code} [{label}]") };
            let code_text = code.to_string();
            let expected = complete(&shown, peer, classes[peer.index()], &code_text, &code_text);
            let frame = close(code, "why");
            handshake(&format!("{code} by {}", peer.as_str()), peer, &frame, &frame, &expected)
        })
    });
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_code_that_must_not_be_sent_is_invalid_and_passes_all_the_same() {
    let rows = ILLEGAL.iter().flat_map(|&code| {
        Peer::ALL.map(|peer| {
            let shown = format!("{code} [invalid]");
            let expected = complete(&shown, peer, "protocol", &code.to_string(), "1002");
            let name = format!("{code} by {}", peer.as_str());
            handshake(&name, peer, &close(code, ""), &close(1002, ""), &expected)
        })
    });
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_close_without_a_code_is_1005_and_a_body_of_one_byte_is_no_code() {
    let rows = Peer::ALL.into_iter().flat_map(|peer| {
        [
            handshake(
                &format!("empty by {}", peer.as_str()),
                peer,
                &empty_close(),
                &empty_close(),
                &complete("1005", peer, "clean", "1005", "1005"),
            ),
            handshake(
                &format!("one byte by {}", peer.as_str()),
                peer,
                &close_body(&[3]),
                &close(1002, ""),
                &complete("null [invalid]", peer, "protocol", "null", "1002"),
            ),
            handshake(
                &format!("a reason that is not UTF-8 by {}", peer.as_str()),
                peer,
                &close_body(&[0x03, 0xe8, 0xff]),
                &close(1007, ""),
                &complete("1000 [invalid]", peer, "protocol", "1000", "1007"),
            ),
        ]
    });
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn the_first_close_decides_whatever_the_echo_says() {
    let rows = Peer::ALL.into_iter().flat_map(|peer| {
        let name = |echo: &str| format!("4401 by {}, {echo} by the other", peer.as_str());
        let expected = |echo: &str| complete("4401 [4xxx]", peer, "application", "4401", echo);
        [
            handshake(&name("1000"), peer, &close(4401, ""), &close(1000, ""), &expected("1000")),
            handshake(&name("none"), peer, &close(4401, ""), &empty_close(), &expected("1005")),
            handshake(&name("1011"), peer, &close(4401, ""), &close(1011, "late"), &expected("1011")),
        ]
    });
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_close_is_found_however_it_is_cut_and_wherever_it_stands() {
    let rows = Peer::ALL.into_iter().flat_map(|peer| {
        let expected = complete("1000", peer, "clean", "1000", "1000");
        let (first, reply) = (close(1000, "bye"), close(1000, ""));
        let then = |steps: Vec<_>| [steps, vec![Says(peer.other(), reply.clone())], both_hang_up().to_vec()].concat();
        [
            case("byte by byte", then(vec![Spells(peer, first.clone())]), &expected),
            case(
                "inside a fragmented message",
                then(vec![Says(peer, text("half").unfinished()), Says(peer, ping(b"x")), Says(peer, first.clone())]),
                &expected,
            ),
            case(
                "behind a whole message, in one write",
                then(vec![SaysTogether(peer, vec![binary(&[7; 300]), text("x"), first.clone()])]),
                &expected,
            ),
            case(
                "before more frames, in one write",
                then(vec![SaysTogether(peer, vec![first.clone(), text("late"), close(4000, "later")])]),
                &expected,
            ),
            case(
                "behind the end of a fragmented message",
                then(vec![
                    Says(peer, text("a").unfinished()),
                    Says(peer, continuation(b"b")),
                    Says(peer, first.clone()),
                ]),
                &expected,
            ),
        ]
    });
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn closes_that_cross_are_by_both() {
    let cross = Cross { client: close(1000, ""), upstream: close(1001, "") };
    let rows = [
        case(
            "both readable when closewatch looks",
            [vec![cross], both_hang_up().to_vec()].concat(),
            // The client's turn is first; what it says is the ending event.
            "1000 by both: close_handshake, complete, clean; client fin saw 1001 clean; upstream fin saw 1000 clean",
        ),
        case(
            "1001 by both is clean",
            [vec![Cross { client: close(1001, ""), upstream: close(1001, "") }], both_hang_up().to_vec()].concat(),
            "1001 by both: close_handshake, complete, clean; client fin saw 1001 clean; upstream fin saw 1001 clean",
        ),
        case(
            "data of the other peer is no Close",
            [
                vec![Cross { client: close(1000, ""), upstream: text("x") }, Says(Upstream, close(1000, ""))],
                both_hang_up().to_vec(),
            ]
            .concat(),
            "1000 by client: close_handshake, complete, clean; client fin saw 1000 clean; upstream fin saw 1000 clean",
        ),
    ];
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_close_that_nobody_answers_is_half_a_handshake() {
    let rows = [
        case(
            "upstream: Close, then FIN",
            [SaysAndHangsUp(Upstream, close(1000, "")), HangsUp(Client)],
            "1000 by upstream: close_unanswered, half, clean; client fin saw 1000; upstream fin saw 1006",
        ),
        case(
            "client: Close, then FIN",
            [SaysAndHangsUp(Client, close(1000, "")), HangsUp(Upstream)],
            "1000 by client: close_unanswered, half, clean; client fin saw 1006; upstream fin saw 1000",
        ),
        case(
            "client: Close and FIN at once, as Safari does; the upstream answers into the half-open connection",
            [SaysAndHangsUp(Client, close(1000, "")), Says(Upstream, close(1000, "")), HangsUp(Upstream)],
            "1000 by client: close_handshake, complete, clean; client fin saw 1000 clean; upstream fin saw 1000 clean",
        ),
        case(
            "upstream: Close, then RST",
            [SaysAndResets(Upstream, close(1011, "boom"))],
            "1011 by upstream: close_unanswered, half, abnormal; client local saw 1011; upstream reset saw 1006",
        ),
        case(
            "client: Close, then RST",
            [SaysAndResets(Client, close(1000, ""))],
            "1000 by client: close_unanswered, half, clean; client reset saw 1006; upstream local saw 1000",
        ),
        case(
            "upstream: Close; client: RST instead of an answer",
            [Says(Upstream, close(1000, "")), Resets(Client)],
            "1000 by upstream: close_unanswered, half, clean; client reset saw 1000; upstream local saw 1006",
        ),
        case(
            "upstream: Close; client: FIN instead of an answer",
            [Says(Upstream, close(1000, "")), HangsUp(Client), HangsUp(Upstream)],
            "1000 by upstream: close_unanswered, half, clean; client fin saw 1000; upstream fin saw 1006",
        ),
    ];
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_reset_behind_the_closing_handshake_does_not_change_the_verdict() {
    let rows = [
        case(
            "the client resets once it was left",
            [Says(Upstream, close(1000, "")), Says(Client, close(1000, "")), HangsUp(Upstream), Resets(Client)],
            "1000 by upstream: close_handshake, complete, clean; client reset saw 1000 clean; upstream fin saw 1000",
        ),
        case(
            "the upstream resets instead of FIN",
            [Says(Upstream, close(1000, "")), Says(Client, close(1000, "")), Resets(Upstream)],
            "1000 by upstream: close_handshake, complete, clean; client local saw 1000; upstream reset saw 1000 clean",
        ),
    ];
    play(Rig::new(), rows).await;
}

#[tokio::test]
async fn a_transport_that_nobody_ends_behind_the_handshake_is_ended_after_the_linger() {
    let rig = Rig::with(|config| config.timeouts.linger = std::time::Duration::from_millis(50));
    let rows = [case(
        "neither hangs up",
        [Says(Upstream, close(1000, "")), Says(Client, close(1000, "")), IsLeft(Client), IsLeft(Upstream)],
        "1000 by upstream: close_handshake, complete, clean; client open saw 1000 clean; upstream open saw 1000 clean",
    )];
    play(rig, rows).await;
}
