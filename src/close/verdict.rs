//! The verdict: the one table that says what the facts mean.

use std::time::Duration;

use super::facts::{Close, Facts, OwnClose, PeerFacts, Seq};
use super::{Cause, Class, CloseCode, CodeLabel, CodeRules, End, Handshake, Initiator, catalog};
use crate::wire::{Peer, Violation};

/// The conclusions from a session's facts: a pure function of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The code; `None` if blind, or if the Close had a body of one byte.
    pub code: Option<CloseCode>,
    /// The label of the code: what a metric can bear.
    pub label: CodeLabel,
    /// The side that began the end.
    pub initiator: Initiator,
    /// The kind of event that ended the session.
    pub cause: Cause,
    /// How much of the closing handshake there was.
    pub handshake: Handshake,
    /// How it is to be taken.
    pub class: Class,
    /// When the ending event was.
    pub ended: Duration,
    /// From the first Close to the other peer's.
    pub close_handshake: Option<Duration>,
    /// The close code that RFC 6455 §7.1.5 gives the client.
    pub client_saw: Saw,
    /// The close code that RFC 6455 §7.1.5 gives the upstream.
    pub upstream_saw: Saw,
}

/// The end as an endpoint can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saw {
    /// The close code that it derives; `None` if the direction towards it was blind, or the body had one byte.
    pub code: Option<CloseCode>,
    /// It sent a Close, was given one, and its leg was not reset by closewatch.
    pub clean: bool,
    /// The peer itself has shown it: its own Close came behind the one that it was given, or it closed first and was
    /// answered; or no Close was written to it at all. What only its kernel acknowledged may never have been read.
    pub certain: bool,
}

/// The first of what can end a session.
enum Ending<'a> {
    Close {
        from: Peer,
        close: &'a Close,
    },
    Transport {
        of: Peer,
        how: End,
    },
    Own {
        cause: Cause,
    },
    /// The record was filed with the session still alive: its task was dropped.
    Nothing,
}

// === impl Verdict ===

impl Verdict {
    /// Judges `facts`. `unresponsive` says of each peer whether it owed a pong and had been silent since the ping, when
    /// the other's Close was read; `filed` is when the record is made.
    pub(super) fn of(facts: &Facts, unresponsive: [bool; 2], rules: &CodeRules, filed: Duration) -> Self {
        let (ending, seq, ended) = ending(facts, filed);
        let blind_before = |peer: Peer| facts.of(peer).blind.is_some_and(|blind| blind < seq);
        let blind = Peer::ALL.into_iter().any(blind_before);

        let handshake = match (&facts.client.close, &facts.upstream.close) {
            (Some(_), Some(_)) if !blind => Handshake::Complete,
            _ if blind || Peer::ALL.iter().any(|peer| unseen(facts, *peer)) => Handshake::Unknown,
            (Some(_), _) | (_, Some(_)) => Handshake::Half,
            (None, None) => Handshake::None,
        };
        let (code, mut label, initiator, cause) = match ending {
            Ending::Close { .. } if blind => (None, CodeLabel::Unknown, Initiator::Unknown, Cause::Unknown),
            Ending::Close { from, close } => {
                let (code, label) = of_close(close, rules);
                let other = &facts.of(from.other());
                let crossed = other
                    .close
                    .as_ref()
                    .is_some_and(|reply| close.written.is_none_or(|written| reply.seq < written.seq));
                let initiator = if crossed { Initiator::Both } else { from.into() };
                let cause = match handshake {
                    Handshake::Complete => Cause::CloseHandshake,
                    Handshake::Unknown => Cause::Unknown,
                    Handshake::Half | Handshake::None if unresponsive[from.other().index()] => match from {
                        Peer::Upstream => Cause::ClientUnresponsive,
                        Peer::Client => Cause::UpstreamUnresponsive,
                    },
                    Handshake::Half | Handshake::None => Cause::CloseUnanswered,
                };
                (code, label, initiator, cause)
            }
            Ending::Transport { of, how } => {
                (Some(CloseCode::ABNORMAL), CodeLabel::Code(CloseCode::ABNORMAL.0), of.into(), transport_cause(of, how))
            }
            Ending::Own { cause } => {
                let code = own_close(facts).map_or(CloseCode::ABNORMAL, |own| own.code);
                (Some(code), rules.label(code), Initiator::Proxy, cause)
            }
            Ending::Nothing => {
                (Some(CloseCode::ABNORMAL), CodeLabel::Code(CloseCode::ABNORMAL.0), Initiator::Proxy, Cause::ProxyError)
            }
        };
        let code = if blind { None } else { code };
        if blind {
            label = CodeLabel::Unknown;
        }
        Self {
            code,
            label,
            initiator,
            cause,
            handshake,
            class: class(cause, code, label, initiator, rules),
            ended,
            close_handshake: match (&facts.client.close, &facts.upstream.close) {
                (Some(client), Some(upstream)) => Some(client.at.abs_diff(upstream.at)),
                _ => None,
            },
            client_saw: saw(facts, Peer::Client),
            upstream_saw: saw(facts, Peer::Upstream),
        }
    }

    /// The class of an end with this cause, code (as a record has it, so 1005 and 1006 mean *derived*) and initiator:
    /// what the table gives before any session ended that way.
    pub fn class_of(cause: Cause, code: CloseCode, initiator: Initiator, rules: &CodeRules) -> Class {
        class(cause, Some(code), rules.label(code), initiator, rules)
    }

    /// The level of the record: `warn` for what somebody may have to look at, also where the two sides have shown that they saw
    /// different codes.
    pub fn level(&self) -> &'static str {
        if self.disagreement_is_shown() { "warn" } else { self.class.level() }
    }

    /// Whether the two sides saw different codes, each for certain. A peer that only hung up behind the Close that it was given may
    /// have read it or not: the cause says that the Close was not answered, and there is no dispute to be settled.
    pub fn disagreement_is_shown(&self) -> bool {
        self.saw_mismatch() && self.client_saw.certain && self.upstream_saw.certain
    }

    /// Whether the session was lost: its end is abnormal, and the client neither began it nor had died before.
    pub fn is_lost(&self) -> bool {
        let of_client = self.initiator == Initiator::Client || self.cause == Cause::ClientUnresponsive;
        self.class == Class::Abnormal && !of_client
    }

    /// Whether the two sides saw different codes: the finding that explains most disputes. A side of which it is not known
    /// is no finding.
    pub fn saw_mismatch(&self) -> bool {
        matches!((self.client_saw.code, self.upstream_saw.code), (Some(client), Some(upstream)) if client != upstream)
    }
}

/// The class of a code by itself: the last step of the table.
fn class(cause: Cause, code: Option<CloseCode>, label: CodeLabel, initiator: Initiator, rules: &CodeRules) -> Class {
    match (cause, label) {
        (Cause::ProxyError, _) => return Class::Abnormal,
        (Cause::Drain | Cause::IdleTimeout, _) => return Class::Planned,
        (_, CodeLabel::Unknown) => return Class::Unknown,
        (_, CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private | CodeLabel::Invalid) => {}
    }
    if let Some(class) = rules.class(label, code) {
        return class;
    }
    match (label, code) {
        (CodeLabel::Invalid, _) | (_, None) => Class::Protocol,
        (_, Some(CloseCode::GOING_AWAY)) => match initiator {
            Initiator::Client | Initiator::Both => Class::Clean,
            Initiator::Upstream | Initiator::Proxy | Initiator::Unknown => Class::Planned,
        },
        (_, Some(code)) => catalog::entry(code).class,
    }
}

/// The first, in sequence, of: a peer's Close, a peer's transport end, closewatch's decision.
fn ending(facts: &Facts, filed: Duration) -> (Ending<'_>, Seq, Duration) {
    let mut first = (Ending::Nothing, Seq::END, filed);
    for peer in Peer::ALL {
        let seen = facts.of(peer);
        if let Some(close) = &seen.close
            && close.seq < first.1
        {
            first = (Ending::Close { from: peer, close }, close.seq, close.at);
        }
        if let Some(end) = seen.own_end()
            && end.seq < first.1
        {
            first = (Ending::Transport { of: peer, how: end.how }, end.seq, end.at);
        }
    }
    if let Some(decision) = facts.decision
        && decision.seq < first.1
    {
        first = (Ending::Own { cause: decision.cause }, decision.seq, decision.at);
    }
    first
}

/// The Close that closewatch sent, if it sent one: towards both peers it is the same.
fn own_close(facts: &Facts) -> Option<&OwnClose> {
    Peer::ALL.into_iter().find_map(|peer| facts.of(peer).own_close.as_ref())
}

/// The reason that came with the code of the verdict: that of the Close which ended the session, closewatch's own included.
pub(super) fn reason<'f>(facts: &'f Facts, verdict: &Verdict, filed: Duration) -> &'f str {
    if verdict.label == CodeLabel::Unknown {
        return "";
    }
    match ending(facts, filed).0 {
        Ending::Close { close, .. } => close.reason.as_str(),
        Ending::Own { .. } => own_close(facts).map_or("", |own| own.reason.as_str()),
        Ending::Transport { .. } | Ending::Nothing => "",
    }
}

/// Whether a Close of this peer may have gone by unread.
fn unseen(facts: &Facts, peer: Peer) -> bool {
    let facts = facts.of(peer);
    facts.blind.is_some() && facts.close.is_none()
}

/// The code and label of a Close frame. Illegal and malformed ones share a label, so that 1005 and 1006 stay *derived*.
fn of_close(close: &Close, rules: &CodeRules) -> (Option<CloseCode>, CodeLabel) {
    match (close.code, close.fault) {
        (None, None) => (Some(CloseCode::NO_STATUS), CodeLabel::Code(CloseCode::NO_STATUS.0)),
        (code, Some(_)) => (code, CodeLabel::Invalid),
        (Some(code), None) => (Some(code), rules.label(code)),
    }
}

const fn transport_cause(of: Peer, how: End) -> Cause {
    match (of, how) {
        (Peer::Client, End::Fin | End::TlsTruncated) => Cause::ClientEof,
        (Peer::Client, End::Reset) => Cause::ClientReset,
        (Peer::Client, End::Timeout) => Cause::ClientTimeout,
        (Peer::Upstream, End::Fin | End::TlsTruncated) => Cause::UpstreamEof,
        (Peer::Upstream, End::Reset) => Cause::UpstreamReset,
        (Peer::Upstream, End::Timeout) => Cause::UpstreamTimeout,
        // Neither ends a session by itself.
        (_, End::Open | End::Local) => Cause::ProxyError,
    }
}

/// The close code that RFC 6455 §7.1.5 gives `peer`: that of the first Close which it was given.
fn saw(facts: &Facts, peer: Peer) -> Saw {
    let (to, from) = (facts.of(peer), facts.of(peer.other()));
    let theirs = from.close.as_ref().and_then(|close| Some((close.written?.seq, close)));
    let reached = |written: Seq| to.end.is_none_or(|end| written < end.seq) || reads_behind_its_fin(to);
    let first_theirs = theirs.filter(|(written, _)| reached(*written));
    let first_ours = to.own_close.as_ref().filter(|own| reached(own.written));
    let (given, code) = match (first_theirs, first_ours) {
        (Some((written, close)), ours) if ours.is_none_or(|own| written < own.written) => {
            let malformed = close.fault == Some(Violation::CloseBody) && close.code.is_none();
            (Some(written), if malformed { None } else { Some(close.code.unwrap_or(CloseCode::NO_STATUS)) })
        }
        (_, Some(own)) => (Some(own.written), Some(own.code)),
        // It may have been given a Close that could not be read; not if it was gone by then, or if that would have been
        // a second one.
        (_, None) if from.close.is_none() && from.blind.is_some_and(reached) => (None, None),
        (_, None) => (None, Some(CloseCode::ABNORMAL)),
    };
    let certain = if let Some(written) = given {
        has_shown(to, written)
    } else {
        // Behind its FIN it may have been given one, and read it, without a word of its kernel.
        let was_sent_one = theirs.is_some() || to.own_close.is_some();
        code.is_some() && !(was_sent_one && to.end() == End::Fin)
    };
    Saw { code, clean: to.close.is_some() && given.is_some() && !to.was_reset, certain }
}

/// Whether a peer that has sent its FIN read on: it acknowledged all that was written to it, and did not reset.
fn reads_behind_its_fin(peer: &PeerFacts) -> bool {
    peer.end() == End::Fin && !peer.reset_after_fin && peer.unacknowledged == 0
}

/// Whether `peer` has shown that it was given the Close written to it at `written`: it sent its own behind it, or had sent
/// its own before and this was the answer. An acknowledgement shows nothing: it is its kernel's, not its program's.
fn has_shown(peer: &PeerFacts, written: Seq) -> bool {
    let thrown_away = peer.is_lost() && peer.unacknowledged > 0;
    peer.close.as_ref().is_some_and(|close| close.seq > written || !thrown_away)
}

// === impl Initiator ===

impl From<Peer> for Initiator {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Client => Self::Client,
            Peer::Upstream => Self::Upstream,
        }
    }
}
