//! Ends of sessions of an ordinary day, by kinds of clients.

use fastrand::Rng;

use super::clients::Kind;
use super::script::{Answer, Ending};
use crate::close::Cause;
use crate::wire::Peer;

pub(super) fn says(by: Peer, code: u16, reason: &str) -> Ending {
    Ending::Close { by, code: Some(code), reason: reason.to_owned(), answer: Answer::Echo }
}

pub(super) fn unanswered(by: Peer, code: u16, reason: &str) -> Ending {
    Ending::Close { by, code: Some(code), reason: reason.to_owned(), answer: Answer::Nothing }
}

/// How sessions of this kind of client end day by day.
#[allow(clippy::match_same_arms, reason = "each kind of client has its own arms")]
pub(super) fn usual(rng: &mut Rng, kind: Kind) -> Ending {
    let empty = Ending::Close { by: Peer::Client, code: None, reason: String::new(), answer: Answer::Echo };
    let hung_up =
        |code| Ending::Close { by: Peer::Client, code: Some(code), reason: String::new(), answer: Answer::HungUp };
    match (kind, rng.u8(..100)) {
        (Kind::Browser, 0..40) => says(Peer::Client, 1001, ""),
        (Kind::Browser, 40..50) => hung_up(1001),
        (Kind::Browser, 50..72) => empty,
        (Kind::Browser, 72..90) | (Kind::Phone, 58..80) | (Kind::Daemon, 0..62) => says(Peer::Client, 1000, ""),
        (_, 90..92) | (Kind::Daemon, 62..70) => says(Peer::Upstream, 1000, ""),
        (Kind::Browser, 92..98) | (Kind::Phone, 0..50) | (Kind::Daemon, 70..90) => Ending::Fin(Peer::Client),
        (Kind::Phone, 50..54) | (Kind::Daemon, 92..94) | (Kind::Browser, 98..99) => Ending::Reset(Peer::Client),
        (Kind::Phone, 54..58) | (Kind::Browser, _) => Ending::Timeout(Peer::Client),
        (Kind::Phone, 80..90) => says(Peer::Client, 1001, ""),
        (Kind::Phone | Kind::Daemon, _) => empty,
    }
}

/// How a few of them end.
pub(super) fn odd(rng: &mut Rng) -> Ending {
    match rng.u8(..9) {
        0 => says(Peer::Upstream, 1011, "internal error"),
        1 => says(Peer::Upstream, 1008, "policy"),
        2 => says(Peer::Upstream, 4401, "unauthorized"),
        3 => Ending::Reset(Peer::Upstream),
        4 => Ending::Fin(Peer::Upstream),
        5 => Ending::Reset(Peer::Client),
        6 => says(Peer::Client, 1002, ""),
        7 => says(Peer::Upstream, 1009, "message too big"),
        _ => Ending::Own(Cause::Drain),
    }
}
