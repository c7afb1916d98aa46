//! The facts of a head that comes in pieces, and the deadline for it.

use super::*;

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn state(began: Instant, head: Option<HeadFacts>) -> Arc<RequestState> {
    Arc::new(RequestState::new(began, &Timeouts::default(), head, None))
}

/// The state after `text` has come in pieces of `size`, and hyper has read the upgrade that it begins with.
fn upgrading(state: &Arc<RequestState>, text: &str, size: usize) -> Begun {
    for piece in text.as_bytes().chunks(size) {
        state.bytes_came(&mut piece.to_vec());
    }
    state.begin(true)
}

#[test]
fn a_refused_upgrade_goes_on_only_if_nothing_came_behind_its_head() {
    for size in 1..=UPGRADE.len() + 1 {
        for (behind, goes_on) in [("", true), ("x", false)] {
            let state = state(Instant::now(), None);
            let begun = upgrading(&state, &format!("{UPGRADE}{behind}"), size);
            assert_eq!(state.refuse(true), goes_on, "{behind:?} in pieces of {size}");
            drop(begun);
        }
    }
}

/// It is read again by hyper, with the bytes that came behind it.
#[test]
fn a_head_that_was_read_before_is_not_taken_for_bytes_behind_it() {
    for size in 1..=UPGRADE.len() + 1 {
        for (behind, goes_on) in [("", true), ("x", false)] {
            let facts = HeadFacts { len: UPGRADE.len(), target: None, ambiguous: false };
            let state = state(Instant::now(), Some(facts));
            let begun = upgrading(&state, &format!("{UPGRADE}{behind}"), size);
            assert_eq!(state.refuse(true), goes_on, "{behind:?} in pieces of {size}");
            drop(begun);
        }
    }
}

#[test]
fn bytes_that_come_while_an_upgrade_is_asked_end_it_too() {
    let state = state(Instant::now(), None);
    let begun = upgrading(&state, UPGRADE, 50);
    state.bytes_came(&mut b"x".to_vec());
    assert!(!state.refuse(true));
    drop(begun);
}

/// hyper had it in its buffer, so its end was not seen here.
#[test]
fn an_upgrade_that_was_sent_ahead_is_the_last_request() {
    let state = state(Instant::now(), None);
    state.bytes_came(&mut b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec());
    drop(state.begin(false));
    let begun = state.begin(true);
    assert!(!state.refuse(true));
    drop(begun);
}

#[test]
fn a_refusal_that_is_not_the_last_answer_is_over_when_it_is_flushed() {
    let state = state(Instant::now(), None);
    let begun = upgrading(&state, UPGRADE, 50);
    assert!(state.refuse(true));
    state.flushed();
    assert!(state.hides_fin(), "its body is still to come");
    drop(begun);
    assert!(state.hides_fin(), "the rest of it is still to be written");
    state.flushed();
    assert!(!state.hides_fin() && state.may_retire());
    assert!(state.shows_fin(), "hyper has to look for the FIN that was kept from it");
    assert!(!state.shows_fin(), "once");
}

#[test]
fn two_lengths_are_seen_in_whatever_pieces_they_come() {
    let post = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    for size in 1..=post.len() {
        let state = state(Instant::now(), None);
        for piece in post.as_bytes().chunks(size) {
            state.bytes_came(&mut piece.to_vec());
        }
        assert!(state.begin(false).ambiguous, "in pieces of {size}");
    }
}

#[test]
fn the_first_head_is_due_since_the_connection_began_and_the_next_since_its_first_byte() {
    let limit = Timeouts::default().head;
    let long_ago = Instant::now().checked_sub(limit).unwrap();
    let state = state(long_ago, None);
    assert_eq!(state.due(), Err(Late::Quiet));
    state.bytes_came(&mut b"GET / HT".to_vec());
    assert_eq!(state.due(), Err(Late::Head));
    state.bytes_came(&mut b"TP/1.1\r\nHost: a.example\r\n\r\n".to_vec());
    drop(state.begin(false));
    state.bytes_came(&mut b"GET / HT".to_vec());
    assert!(state.due().is_ok());
}

#[test]
fn a_drain_hurries_only_a_connection_without_a_request() {
    let soon = |state: &RequestState| state.due().is_ok_and(|due| due <= Instant::now() + FIRST_REQUEST);
    let silent = state(Instant::now(), None);
    silent.drain();
    assert!(soon(&silent));
    let begun = state(Instant::now(), None);
    begun.bytes_came(&mut b"G".to_vec());
    begun.drain();
    assert!(!soon(&begun));
}

#[test]
fn a_target_that_hyper_refuses_is_kept_as_it_was_written_in_whatever_pieces_it_comes() {
    let get = "GET /a<b>?c=\"d\" HTTP/1.1\r\nHost: a.example\r\n\r\n";
    for size in 1..=get.len() {
        let state = state(Instant::now(), None);
        let mut shown = get.as_bytes().to_vec();
        for piece in shown.chunks_mut(size) {
            state.bytes_came(piece);
        }
        assert!(shown.starts_with(b"GET /a!b!?c=!d! HTTP/1.1\r\n"), "in pieces of {size}");
        assert_eq!(state.as_written(&shown), get.as_bytes(), "in pieces of {size}");
        assert_eq!(state.begin(false).target.unwrap().shown(true), "/a<b>?c=\"d\"");
    }
    for broken in ["GET /a<b>", "GET /a<b> HTTP/1.1\r\nbro ken\r\n\r\n"] {
        let state = state(Instant::now(), None);
        let mut shown = broken.as_bytes().to_vec();
        state.bytes_came(&mut shown);
        assert_eq!(state.as_written(&shown), broken.as_bytes());
    }
}

/// Parsed from its first byte for each of them, this head would take minutes.
#[test]
fn a_head_that_comes_byte_by_byte_costs_no_more_than_its_length() {
    let state = state(Instant::now(), None);
    let lines = format!("X-Long: {}\r\n", "x".repeat(900)).repeat(60);
    let head = UPGRADE.replace("Upgrade: websocket\r\n", &format!("Upgrade: websocket\r\n{lines}"));
    let start = Instant::now();
    let begun = upgrading(&state, &head, 1);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?} for {} bytes", start.elapsed(), head.len());
    assert!(state.refuse(true), "it was read whole, and nothing behind it");
    drop(begun);
}
