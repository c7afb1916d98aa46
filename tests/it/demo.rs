//! `closewatch demo`: every scene ends as it is meant to, and is shown.

use crate::instance::{Child, Output};

/// The columns of each scene: route, class, code, initiator, cause.
const SCENES: &[[&str; 5]] = &[
    ["chat", "clean", "1000", "client", "close_handshake"],
    ["chat", "clean", "1005", "client", "close_handshake"],
    ["chat", "clean", "1001", "client", "close_handshake"],
    ["feed", "clean", "1000", "upstream", "close_handshake"],
    ["feed", "planned", "1001", "upstream", "close_handshake"],
    ["feed", "planned", "1012", "upstream", "close_handshake"],
    ["feed", "overload", "1013", "upstream", "close_handshake"],
    ["feed", "planned", "1001", "proxy", "idle_timeout"],
    ["feed", "abnormal", "1006", "client", "client_reset"],
    ["chat", "abnormal", "1011", "upstream", "close_handshake"],
    ["chat", "policy", "1009", "upstream", "close_handshake"],
    ["chat", "policy", "1008", "upstream", "close_handshake"],
    ["chat", "protocol", "1002", "upstream", "close_handshake"],
    ["graphql", "policy", "4401", "upstream", "close_handshake"],
    ["graphql", "application", "4408", "upstream", "close_handshake"],
    ["graphql", "abnormal", "4500", "upstream", "close_handshake"],
    ["chat", "application", "4000", "upstream", "close_handshake"],
    ["chat", "policy", "3003", "upstream", "close_handshake"],
    ["chat", "abnormal", "1006", "client", "client_eof"],
    ["chat", "abnormal", "1006", "client", "client_reset"],
    ["chat", "abnormal", "1011", "upstream", "client_unresponsive"],
    ["chat", "abnormal", "1006", "upstream", "upstream_reset"],
    ["chat", "abnormal", "1006", "upstream", "upstream_eof"],
    ["chat", "handshake", "403", "-", "refused"],
    ["chat", "handshake", "503", "-", "refused"],
    ["chat", "handshake", "502", "-", "bad_response"],
    ["chat", "handshake", "502", "-", "upstream_closed"],
    ["none", "handshake", "404", "-", "no_route"],
];

#[tokio::test]
async fn the_demo_plays_every_scene_once_and_leaves() {
    let arguments = ["demo", "--rounds", "1", "--admin", "127.0.0.1:0", "--rate", "50"];
    let mut child = Child::start(&arguments, Output::Read);
    let mut expected: Vec<Vec<&str>> = SCENES.iter().map(|scene| scene.to_vec()).collect();
    let mut introduced = false;
    let mut unexpected = Vec::new();
    while let Some(line) = child.line().await {
        if !introduced {
            introduced = line.starts_with("TIME ");
            assert!(introduced || line.len() <= 80, "wraps in 80 columns: {line}");
            continue;
        }
        let fields: Vec<_> = line.split_whitespace().skip(1).take(5).collect();
        match expected.iter().position(|scene| *scene == fields) {
            Some(found) => drop(expected.swap_remove(found)),
            None => unexpected.push(line),
        }
    }
    assert!(expected.is_empty() && unexpected.is_empty(), "missing {expected:#?}\nunexpected {unexpected:#?}");
    assert_eq!(child.exit_code().await, Some(0));
    assert_eq!(child.rest_of_log().await, "", "nothing to warn of");
}
