//! Ends of sessions on the stage, and those of an ordinary day.

use fastrand::Rng;

use crate::close::{Cause, Initiator};
use crate::wire::Peer;

/// How a session ends.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    /// A Close, and the code with which it is answered, if it is; 1005 for an empty answer.
    Close {
        by: Peer,
        code: Option<u16>,
        reason: String,
        answer: Option<u16>,
    },
    Fin(Peer),
    Reset(Peer),
    Timeout(Peer),
    Drain,
    OwnIdle,
}

/// How sessions end on an ordinary day.
pub(super) fn natural(rng: &mut Rng, phone: bool, noise: f64) -> Ends {
    let close = |by, code: Option<u16>, reason: &str| Ends::Close {
        by,
        code,
        reason: reason.to_owned(),
        answer: Some(code.unwrap_or(1005)),
    };
    let noise = if rng.f64() < 0.02 * noise { rng.u8(..8) } else { 255 };
    match noise {
        0 => return close(Peer::Upstream, Some(1011), "unhandled exception"),
        1 => return close(Peer::Upstream, Some(4401), "Unauthorized"),
        2 | 6 => return Ends::Reset(Peer::Client),
        3 => return Ends::Timeout(Peer::Client),
        4 => return Ends::Reset(Peer::Upstream),
        5 => return close(Peer::Upstream, Some(1008), "rate limit"),
        7 => return close(Peer::Client, Some(1002), ""),
        _ => {}
    }
    match (phone, rng.u8(..100)) {
        (true, 0..55) => Ends::Fin(Peer::Client),
        (true, 55..60) => Ends::Reset(Peer::Client),
        (true, 60..65) => Ends::Timeout(Peer::Client),
        (true, 65..85) => close(Peer::Client, Some(1000), ""),
        (true, _) | (false, 0..45) => close(Peer::Client, Some(1001), ""),
        (false, 45..70) => close(Peer::Client, None, ""),
        (false, 70..90) => close(Peer::Client, Some(1000), "done"),
        (false, 90..95) => close(Peer::Upstream, Some(1000), "end of feed"),
        (false, _) => Ends::Fin(Peer::Client),
    }
}

/// The code, initiator and cause of the record of such an end.
pub(super) fn verdict(ends: &Ends) -> (Option<u16>, Initiator, Cause) {
    match ends {
        Ends::Close { by, code, answer, .. } => {
            let cause = if answer.is_some() { Cause::CloseHandshake } else { Cause::CloseUnanswered };
            (Some(code.unwrap_or(1005)), (*by).into(), cause)
        }
        Ends::Fin(Peer::Client) => (Some(1006), Initiator::Client, Cause::ClientEof),
        Ends::Fin(Peer::Upstream) => (Some(1006), Initiator::Upstream, Cause::UpstreamEof),
        Ends::Reset(Peer::Client) => (Some(1006), Initiator::Client, Cause::ClientReset),
        Ends::Reset(Peer::Upstream) => (Some(1006), Initiator::Upstream, Cause::UpstreamReset),
        Ends::Timeout(Peer::Client) => (Some(1006), Initiator::Client, Cause::ClientTimeout),
        Ends::Timeout(Peer::Upstream) => (Some(1006), Initiator::Upstream, Cause::UpstreamTimeout),
        Ends::Drain => (Some(1001), Initiator::Proxy, Cause::Drain),
        Ends::OwnIdle => (Some(1001), Initiator::Proxy, Cause::IdleTimeout),
    }
}
