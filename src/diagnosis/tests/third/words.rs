//! Ends that one side explains by a code, by words, or by what it had just seen.

use super::people::Program;
use super::talk::{Answer, Beat, Leave};
use super::world::{Build, Draft, Fate, Limit, World};
use crate::close::End;
use crate::diagnosis::Culprit::{Client, MiddleboxBack, Upstream};
use crate::diagnosis::Mechanism::{
    AuthExpired, BadHandshake, CompressionError, HandlerError, MessageTooBig, Overload, PolicyRejected, ProtocolError,
};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::{Peer, Violation};

pub(super) const WORDS: &[(&str, Build)] = &[
    ("1008 token expired at 3600 s", |w| expires(w, 3600.0, 1008, "token expired")),
    ("4401 at 15 min: jwt expired", |w| expires(w, 900.0, 4401, "jwt expired")),
    ("4003 session has timed out, log in again at 50 min", |w| {
        expires(w, 3000.0, 4003, "session expired, log in again");
    }),
    ("3000 credentials are no longer valid at 2 h", |w| expires(w, 7200.0, 3000, "access token is expired")),
    ("1008 jwt expired at any age", expires_at_any_age),
    ("1008 rate limit exceeded", |w| {
        says(w, 0.15, &Leave::close(Peer::Upstream, 1008, "rate limit exceeded"), PolicyRejected, &[Client]);
    }),
    ("4403 forbidden", |w| says(w, 0.12, &Leave::close(Peer::Upstream, 4403, "forbidden"), PolicyRejected, &[Client])),
    ("1009 of the upstream", |w| says(w, 0.1, &Leave::close(Peer::Upstream, 1009, ""), MessageTooBig, &[Client])),
    ("1009 of one client library", too_big_for_one),
    ("1009 of the upstream at the 3 % of one agent", too_big_of_few),
    ("1007 invalid compressed data", |w| inflates(w, Peer::Upstream, 1007, "invalid compressed data")),
    ("1002 of a client version with deflate", |w| inflates(w, Peer::Client, 1002, "Invalid WebSocket frame: RSV1")),
    ("one library's frames lack the mask", unmasked),
    ("the upstream sends bad UTF-8", bad_text),
    ("the upstream's continuation of nothing", continuation),
    ("101 selects a subprotocol that nobody offered", |w| contradicts(w, Violation::Subprotocol)),
    ("101 selects an extension that nobody offered", |w| contradicts(w, Violation::Extension)),
    ("1011 behind one kind of message", handler),
    ("1000 answered by 1011", answered_by_1011),
    ("1011 at 4 % of the messages, no words", handler_quietly),
    ("1013 overloaded in the middle of sessions", |w| {
        says(w, 0.1, &Leave::close(Peer::Upstream, 1013, "server overloaded"), Overload, &[Upstream]);
    }),
];

/// Soon behind a message of `by` the session ends so, in this share of sessions.
fn behind_message(w: &mut World, draft: &mut Draft, by: Peer, leave: Leave) -> bool {
    let messages: Vec<f64> = draft
        .talk
        .beats
        .iter()
        .filter(|(_, b)| matches!(b, Beat::Text(from) if *from == by))
        .map(|(at, _)| *at)
        .collect();
    if messages.is_empty() {
        return false;
    }
    let at = w.one(&messages);
    draft.talk.cut(at + 0.004 + w.rng.f64() * 0.02, leave);
    true
}

fn expires(w: &mut World, age: f64, code: u16, reason: &str) {
    for program in &mut w.programs {
        program.life = (age * 0.9, 0.9);
        program.pings = program.pings.min(1.0) * age / 90.0;
        program.beats = 0.0;
    }
    for route in &mut w.routes {
        route.pings = 0.0;
    }
    w.span = w.span.max(age * 12.0);
    w.expect(AuthExpired, &[Client, Upstream], Limit::Is(age));
    let leave = Leave::close(Peer::Upstream, code, reason);
    w.day(|w, draft| {
        let at = age + w.rng.f64() * 1.5;
        if draft.talk.life < at {
            return Fate::Ends;
        }
        draft.talk.cut(at, leave.clone());
        Fate::Back(w.between(0.3, 5.0))
    });
}

fn expires_at_any_age(w: &mut World) {
    w.expect(AuthExpired, &[Client, Upstream], Limit::Any);
    says_behind(w, 0.2, &Leave::close(Peer::Upstream, 1008, "JWT expired"), None);
}

fn says(w: &mut World, share: f64, leave: &Leave, mechanism: Mechanism, culprits: &[Culprit]) {
    w.expect(mechanism, culprits, Limit::None);
    let by = if mechanism == Overload { None } else { Some(Peer::Client) };
    says_behind(w, share, leave, by);
}

fn says_behind(w: &mut World, share: f64, leave: &Leave, by: Option<Peer>) {
    w.day(|w, draft| {
        if !w.chance(share) {
            return Fate::Ends;
        }
        if let Some(by) = by {
            behind_message(w, draft, by, leave.clone());
        } else {
            let at = draft.talk.life * w.between(0.1, 0.9);
            draft.talk.cut(at, leave.clone());
        }
        if w.chance(0.5) { Fate::Back(w.between(0.5, 20.0)) } else { Fate::Ends }
    });
}

/// A program of its own that a part of the clients use.
pub(super) fn some_use(w: &mut World, agent: &'static str, copies: usize) {
    let program = Program::named(agent).lives(300.0, 1.0).says(14.0, 0.9, 9.0, 0.9).goes([2, 5, 70, 10, 0, 2, 1, 2, 0]);
    for _ in 0..copies {
        w.programs.push(program.clone());
    }
}

pub(super) fn uses(w: &World, draft: &Draft, agent: &str) -> bool {
    w.clients[draft.client].program.agent == agent
}

fn too_big_for_one(w: &mut World) {
    const AGENT: &str = "Unity/2022.3 NativeWebSocket/1.1";
    some_use(w, AGENT, 2);
    w.expect(MessageTooBig, &[Upstream, Client], Limit::None);
    w.day(|w, draft| {
        if uses(w, draft, AGENT) && w.chance(0.35) {
            behind_message(w, draft, Peer::Upstream, Leave::close(Peer::Client, 1009, "message is too large"));
        }
        Fate::Ends
    });
}

fn too_big_of_few(w: &mut World) {
    const AGENT: &str = "uploader/0.9";
    w.size = w.size.max(900);
    some_use(w, AGENT, 1);
    w.expect(MessageTooBig, &[Client], Limit::None);
    w.day(|w, draft| {
        if uses(w, draft, AGENT) && w.chance(0.4) {
            behind_message(w, draft, Peer::Client, Leave::close(Peer::Upstream, 1009, "frame too large"));
        }
        Fate::Ends
    });
}

fn inflates(w: &mut World, by: Peer, code: u16, reason: &str) {
    for program in &mut w.programs {
        program.deflate = true;
    }
    let culprits: &[_] = if by == Peer::Upstream { &[Client] } else { &[Upstream, Client] };
    w.expect(CompressionError, culprits, Limit::None);
    let leave = Leave::Close(by, Some(code), reason.to_owned(), Answer::Fin);
    w.day(|w, draft| {
        if w.chance(0.12) {
            behind_message(w, draft, by.other(), leave.clone());
        }
        Fate::Ends
    });
}

fn unmasked(w: &mut World) {
    const AGENT: &str = "tiny-ws/0.2 (esp32)";
    some_use(w, AGENT, 1);
    w.expect(ProtocolError, &[Client], Limit::None);
    w.day(|w, draft| {
        if uses(w, draft, AGENT) && w.chance(0.6) {
            let leave = Leave::Close(Peer::Upstream, Some(1002), "MASK must be set".to_owned(), Answer::Fin);
            if behind_message(w, draft, Peer::Client, leave) {
                draft.talk.beats.push((draft.talk.life - 0.003, Beat::Breach(Peer::Client, Violation::Mask)));
            }
            return Fate::Back(w.between(1.0, 20.0));
        }
        Fate::Ends
    });
}

fn bad_text(w: &mut World) {
    for program in &mut w.programs {
        program.deflate = false;
    }
    w.expect(ProtocolError, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if w.chance(0.1) {
            let leave = Leave::close(Peer::Client, 1007, "Could not decode a text frame as UTF-8.");
            behind_message(w, draft, Peer::Upstream, leave);
        }
        Fate::Ends
    });
}

fn continuation(w: &mut World) {
    w.expect(ProtocolError, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if w.chance(0.08) {
            let leave = Leave::Close(Peer::Client, Some(1002), String::new(), Answer::Fin);
            if behind_message(w, draft, Peer::Upstream, leave) {
                draft.talk.beats.push((draft.talk.life - 0.003, Beat::Breach(Peer::Upstream, Violation::Continuation)));
            }
        }
        Fate::Ends
    });
}

fn contradicts(w: &mut World, violation: Violation) {
    w.expect(BadHandshake, &[Upstream, MiddleboxBack], Limit::None);
    let from = w.span * 0.4;
    w.day(|w, draft| {
        draft.offered = if violation == Violation::Subprotocol { 2 } else { 0 };
        draft.subprotocol = (draft.offered > 0).then_some("v2.app");
        let browser = w.clients[draft.client].program.origin.is_some() || w.chance(0.6);
        if draft.opened < from || !browser {
            return Fate::Ends;
        }
        if violation == Violation::Subprotocol {
            draft.subprotocol = Some("mqtt");
        } else {
            draft.extensions = Some("permessage-bzip2");
        }
        let how = w.one(&[End::Fin, End::Fin, End::Reset]);
        draft.talk.cut(0.03 + w.rng.f64() * 0.1, Leave::End(Peer::Client, how));
        draft.talk.beats = vec![(0.0, Beat::Breach(Peer::Upstream, violation))];
        Fate::Back(w.between(2.0, 60.0))
    });
}

fn handler(w: &mut World) {
    w.expect(HandlerError, &[Upstream], Limit::None);
    says_behind(w, 0.1, &Leave::close(Peer::Upstream, 1011, "internal error"), Some(Peer::Client));
}

fn handler_quietly(w: &mut World) {
    w.size = w.size.max(700);
    w.expect(HandlerError, &[Upstream], Limit::None);
    says_behind(w, 0.05, &Leave::close(Peer::Upstream, 1011, ""), Some(Peer::Client));
}

fn answered_by_1011(w: &mut World) {
    w.expect(HandlerError, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if let Leave::Close(Peer::Client, code, ..) = draft.talk.leave.clone()
            && w.chance(0.5)
        {
            draft.talk.leave =
                Leave::Close(Peer::Client, code, String::new(), Answer::With(1011, "session cleanup failed"));
        }
        Fate::Ends
    });
}
