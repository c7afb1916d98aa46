//! All sessions of a few events, judged a second time by a slow and literal reading of the table.

use std::fmt::Write;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::close::Session;
use crate::close::invariants::session;
use crate::wire::Opcode;

/// Every kind of event, of each peer or of closewatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Close(Peer),
    Ping(Peer),
    Pong(Peer),
    Fin(Peer),
    Reset(Peer),
    /// All that this peer sent is written on.
    Written(Peer),
    Drain,
}

/// `initiator cause handshake`, and whether the code is that of a Close: read off the list of events.
fn literal(acts: &[Act]) -> (bool, String) {
    let find = |act: Act| acts.iter().position(|one| *one == act);
    let closes = Peer::ALL.map(|peer| find(Act::Close(peer)));
    let handshake = ["none", "half", "complete"][closes.iter().flatten().count()];
    let ends = |act: &Act| matches!(act, Act::Close(_) | Act::Fin(_) | Act::Reset(_) | Act::Drain);
    let Some(ending) = acts.iter().position(ends) else { return (false, format!("proxy proxy_error {handshake}")) };
    match acts[ending] {
        Act::Drain => (false, format!("proxy drain {handshake}")),
        Act::Fin(peer) => (false, format!("{0} {0}_eof {handshake}", peer.as_str())),
        Act::Reset(peer) => (false, format!("{0} {0}_reset {handshake}", peer.as_str())),
        Act::Close(peer) => {
            let other = peer.other();
            let written = (ending..acts.len()).find(|at| acts[*at] == Act::Written(peer)).unwrap_or(acts.len());
            (
                true,
                match closes[other.index()] {
                    Some(answer) if answer < written => format!("both close_handshake {handshake}"),
                    Some(_) => format!("{} close_handshake {handshake}", peer.as_str()),
                    None if is_silent(&acts[..ending], other) => {
                        format!("{} {}_unresponsive {handshake}", peer.as_str(), other.as_str())
                    }
                    None => format!("{} close_unanswered {handshake}", peer.as_str()),
                },
            )
        }
        Act::Ping(_) | Act::Pong(_) | Act::Written(_) => unreachable!("no end: {:?}", acts[ending]),
    }
}

/// Whether `peer` owes a pong, and sent no byte since the ping was written on to it.
fn is_silent(before: &[Act], peer: Peer) -> bool {
    // When each ping was written on, as long as it is not answered. All have the same payload.
    let mut owed = vec![];
    for (at, act) in before.iter().enumerate() {
        if *act == Act::Ping(peer.other()) {
            owed.push((at..before.len()).find(|at| before[*at] == Act::Written(peer.other())));
        }
        if *act == Act::Pong(peer) && owed.first().is_some_and(|ping| ping.is_some_and(|written| written < at)) {
            owed.remove(0);
        }
    }
    let sends = |act: &Act| matches!(act, Act::Close(from) | Act::Ping(from) | Act::Pong(from) if *from == peer);
    owed.first().copied().flatten().is_some_and(|written| !before[written..].iter().any(sends))
}

/// Plays the events, each at its own time or all at once.
fn judge(acts: &[Act], step: Duration) -> CloseRecord {
    let mut ledger = Ledger::new();
    let mut sent = [0; 2];
    let mut now = Duration::ZERO;
    for act in acts {
        now += step;
        let (from, opcode) = match *act {
            Act::Close(peer) => (peer, Opcode::Close),
            Act::Ping(peer) => (peer, Opcode::Ping),
            Act::Pong(peer) => (peer, Opcode::Pong),
            Act::Fin(peer) => {
                ledger.on(Event::Ended { peer, how: End::Fin }, now);
                continue;
            }
            Act::Reset(peer) => {
                ledger.on(Event::Ended { peer, how: End::Reset }, now);
                continue;
            }
            Act::Written(from) => {
                ledger.on(Event::Written { from, total: sent[from.index()] }, now);
                continue;
            }
            Act::Drain => {
                ledger.on(Event::Decided { cause: Cause::Drain }, now);
                continue;
            }
        };
        sent[from.index()] += 2;
        let end = sent[from.index()];
        let frame = Frame { opcode, completes: None, len: 0, payload: &[], after_close: false, end };
        ledger.on(Event::Frame { from, frame: &frame }, now);
        ledger.on(Event::Read { from, bytes: 2, active: opcode != Opcode::Close }, now);
    }
    CloseRecord::file(shared_session(), ledger, now, Timestamp::UNIX_EPOCH)
}

fn shared_session() -> Arc<Session> {
    thread_local!(static SESSION: Arc<Session> = session(CodeRules::default()));
    SESSION.with(Arc::clone)
}

/// Every sequence of events that peers and sockets can bring about: one Close a peer, nothing from a peer whose transport
/// has ended, nothing written on that is not there.
fn possible_next(acts: &[Act], alphabet: &[Act]) -> Vec<Act> {
    let happened = |act: Act| acts.contains(&act);
    let over = |peer: Peer| happened(Act::Fin(peer)) || happened(Act::Reset(peer));
    let possible = |act: &Act| match *act {
        Act::Close(peer) => !over(peer) && !happened(*act),
        Act::Ping(peer) | Act::Pong(peer) | Act::Fin(peer) => !over(peer),
        // After its FIN a peer can still reset.
        Act::Reset(peer) => !happened(Act::Reset(peer)),
        Act::Written(peer) => {
            let sent = |act: &Act| matches!(act, Act::Close(from) | Act::Ping(from) | Act::Pong(from) if *from == peer);
            let last = acts.iter().rposition(sent);
            last.is_some_and(|last| !acts[last..].contains(act))
        }
        Act::Drain => !happened(Act::Drain),
    };
    alphabet.iter().copied().filter(possible).collect()
}

fn walk(acts: &mut Vec<Act>, depth: usize, alphabet: &[Act], wrong: &mut String) -> u64 {
    let record = judge(acts, STEP);
    let verdict = &record.verdict;
    let (of_close, expected) = literal(acts);
    let shown = format!("{} {} {}", verdict.initiator, verdict.cause, verdict.handshake);
    let code = if of_close { CloseCode::NO_STATUS } else { CloseCode::ABNORMAL };
    let all_at_once = judge(acts, Duration::ZERO).verdict;
    let timeless = (all_at_once.initiator, all_at_once.cause, all_at_once.client_saw, all_at_once.upstream_saw);
    let same = (verdict.initiator, verdict.cause, verdict.client_saw, verdict.upstream_saw) == timeless;
    if (shown != expected || verdict.code != Some(code) || !same) && wrong.len() < 4000 {
        writeln!(wrong, "{acts:?}\n  expected {expected} {code}\n  got      {verdict:?}").unwrap();
    }
    let mut count = 1;
    if depth > 0 {
        for act in possible_next(acts, alphabet) {
            acts.push(act);
            count += walk(acts, depth - 1, alphabet, wrong);
            acts.pop();
        }
    }
    count
}

fn of_both(acts: &[fn(Peer) -> Act]) -> Vec<Act> {
    Peer::ALL.into_iter().flat_map(|peer| acts.iter().map(move |act| act(peer))).collect()
}

#[track_caller]
fn explore(alphabet: &[Act], depth: usize, at_least: u64) {
    let mut wrong = String::new();
    let sessions = walk(&mut vec![], depth, alphabet, &mut wrong);
    assert!(wrong.is_empty(), "{wrong}");
    assert!(sessions >= at_least, "only {sessions} sessions");
}

#[test]
fn all_sessions_of_closes_ends_and_a_drain_are_judged_by_the_table() {
    let alphabet = [of_both(&[Act::Close, Act::Written, Act::Fin, Act::Reset]), vec![Act::Drain]].concat();
    // None is longer: each of these happens once at most.
    explore(&alphabet, 9, 10_000);
}

#[test]
fn all_sessions_of_five_events_with_pings_are_judged_by_the_table() {
    explore(&of_both(&[Act::Close, Act::Ping, Act::Pong, Act::Written, Act::Fin]), 5, 10_000);
}

#[test]
fn all_sessions_of_seven_pings_pongs_and_closes_are_judged_by_the_table() {
    use Peer::{Client, Upstream};
    let alphabet =
        [Act::Ping(Upstream), Act::Written(Upstream), Act::Pong(Client), Act::Close(Upstream), Act::Close(Client)];
    explore(&alphabet, 7, 10_000);
}

#[test]
fn the_literal_reading_is_what_it_says() {
    use Peer::{Client, Upstream};
    let read = |acts: &[Act]| literal(acts).1;
    assert_eq!(read(&[]), "proxy proxy_error none");
    assert_eq!(read(&[Act::Close(Client), Act::Close(Upstream)]), "both close_handshake complete");
    assert_eq!(
        read(&[Act::Close(Client), Act::Written(Client), Act::Close(Upstream)]),
        "client close_handshake complete"
    );
    assert_eq!(
        read(&[Act::Ping(Upstream), Act::Written(Upstream), Act::Close(Upstream)]),
        "upstream client_unresponsive half"
    );
    assert_eq!(read(&[Act::Fin(Client), Act::Close(Upstream)]), "client client_eof half");
}
