//! Programs and hosts that fall over, refuse, or have too much to do.

use super::talk::{Answer, Leave};
use super::world::{Build, Draft, Fate, Limit, World};
use crate::close::{Cause, End, Outcome, TlsFailure};
use crate::diagnosis::Culprit::{Client, MiddleboxBack, NetworkUpstreamSide, Proxy, Upstream};
use crate::diagnosis::Mechanism::{
    BadHandshake, BadInstance, CertificateRejected, Crash, CrashLoop, HandshakesRefused, InternalError, Overload,
    RandomResets, ReconnectStorm, UnannouncedRestart,
};
use crate::wire::Peer;

pub(super) const FALLS: &[(&str, Build)] = &[
    ("crash by resets, refused for a minute", |w| crash(w, End::Reset)),
    ("crash by FINs, refused for a minute", |w| crash(w, End::Fin)),
    ("crash by 1011 at one moment", crash_by_1011),
    ("crash of what two routes share", crash_on_two_routes),
    ("memory is full every 3 hours", |w| crashes(w, 10_800.0, 9)),
    ("crash loop of 95 s", |w| crashes(w, 95.0, 14)),
    ("restart by FIN, all come back", restart),
    ("a rolling restart that nobody announced", rolling_restart),
    ("a restart at 04:00 by reset, two days", nightly),
    ("one of four upstreams crashes", one_crashes),
    ("one of three upstreams resets a fifth", |w| one_bad(w, &Leave::End(Peer::Upstream, End::Reset), 0.25)),
    ("one of three upstreams says 1011", |w| one_bad(w, &Leave::close(Peer::Upstream, 1011, "internal error"), 0.3)),
    ("one of three upstreams hangs up", |w| one_bad(w, &Leave::End(Peer::Upstream, End::Fin), 0.3)),
    ("both legs of one instance of three fail", instance_fails),
    ("closewatch fails", internal),
    ("503 for ten minutes", |w| refused(w, Outcome::Refused, Some(503), 0.004)),
    ("429 and 503 in turn", mixed_refusals),
    ("the upstream is down: 502", |w| refused(w, Outcome::DialFailed, Some(502), 0.001)),
    ("nobody answers the dial", dial_timeout),
    ("the upstream hangs up before it answers", |w| refused(w, Outcome::UpstreamClosed, Some(502), 0.02)),
    ("the identity provider is down: 401 for most", |w| refused(w, Outcome::Refused, Some(401), 0.2)),
    ("a bad deploy answers 500", |w| refused(w, Outcome::Refused, Some(500), 0.01)),
    ("upgrades are answered too late", too_late),
    ("1013 try again later", overload),
    ("announced restart, then a storm", storm),
    ("closewatch's certificate expired", own_certificate),
    ("the upstream's certificate expired", upstream_certificate),
    ("one instance has a certificate that nobody knows", one_certificate),
    ("answers that are no 101", bad_response),
    ("resets of the upstream in three short bursts", bursts),
];

/// Ends it there, if it is open and of this upstream; refuses it, if it comes while that is down.
fn falls(w: &mut World, draft: &mut Draft, instant: f64, down: f64, leave: &Leave) -> Option<Fate> {
    if draft.opened > instant && draft.opened < instant + down {
        let again = w.between(1.0, 15.0);
        return Some(Fate::Refused(Outcome::DialFailed, Some(502), 0.001, Some(again)));
    }
    if !draft.open_at(instant) {
        return None;
    }
    let at = instant + w.rng.f64() * 0.15;
    draft.cut_at(at, leave.clone());
    Some(Fate::Back(w.between(0.2, 6.0)))
}

fn crash(w: &mut World, how: End) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.35, 0.7);
    w.expect(Crash, &[Upstream], Limit::None);
    let leave = Leave::End(Peer::Upstream, how);
    w.day(|w, draft| falls(w, draft, instant, 60.0, &leave).unwrap_or(Fate::Ends));
}

fn crash_by_1011(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.35, 0.7);
    w.expect(Crash, &[Upstream], Limit::None);
    let leave = Leave::Close(Peer::Upstream, Some(1011), "unhandled exception".to_owned(), Answer::Echo);
    w.day(|w, draft| falls(w, draft, instant, 8.0, &leave).unwrap_or(Fate::Ends));
}

fn crash_on_two_routes(w: &mut World) {
    w.two_routes();
    w.long_lived();
    w.upstreams(0, 1);
    w.routes[1].upstreams = w.routes[0].upstreams.clone();
    let instant = w.span * w.between(0.35, 0.7);
    w.expect(Crash, &[Upstream], Limit::None);
    let leave = Leave::End(Peer::Upstream, End::Reset);
    w.day(|w, draft| falls(w, draft, instant, 40.0, &leave).unwrap_or(Fate::Ends));
}

fn crashes(w: &mut World, every: f64, times: u32) {
    w.one_route(1);
    w.span = w.span.max(every * f64::from(times + 2)).min(every * 40.0);
    for program in &mut w.programs {
        program.life = (every * 1.2, 0.9);
        program.pings = 0.0;
        program.beats = 0.0;
    }
    w.routes[0].pings = 0.0;
    let first = w.span * 0.1;
    let instants: Vec<f64> = (0..times).map(|n| first + every * (f64::from(n) + 0.08 * (w.rng.f64() - 0.5))).collect();
    w.expect(CrashLoop, &[Upstream], Limit::Is(every));
    let leave = Leave::End(Peer::Upstream, End::Reset);
    let down = (every * 0.05).min(20.0);
    w.day(|w, draft| {
        let due = instants.iter().find(|instant| **instant + down > draft.opened);
        due.and_then(|instant| falls(w, draft, *instant, down, &leave)).unwrap_or(Fate::Ends)
    });
}

fn restart(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.35, 0.7);
    w.expect(UnannouncedRestart, &[Upstream], Limit::None);
    let leave = Leave::End(Peer::Upstream, End::Fin);
    w.day(|w, draft| falls(w, draft, instant, 0.0, &leave).unwrap_or(Fate::Ends));
}

fn rolling_restart(w: &mut World) {
    w.long_lived();
    w.one_route(4);
    let first = w.span * w.between(0.35, 0.7);
    w.expect(UnannouncedRestart, &[Upstream], Limit::None);
    let leave = Leave::End(Peer::Upstream, End::Fin);
    w.day(|w, draft| {
        let instant = first + 45.0 * draft.upstream as f64;
        falls(w, draft, instant, 0.0, &leave).unwrap_or(Fate::Ends)
    });
}

fn nightly(w: &mut World) {
    w.span = 48.0 * 3600.0;
    w.long_lived();
    w.one_route(1);
    let first = w.span * 0.17;
    w.expect_any(&[UnannouncedRestart, Crash], &[Upstream], Limit::None);
    let leave = Leave::End(Peer::Upstream, End::Reset);
    w.day(|w, draft| {
        let instant = if draft.opened > first { first + 86_400.0 } else { first };
        falls(w, draft, instant, 0.0, &leave).unwrap_or(Fate::Ends)
    });
}

fn one_crashes(w: &mut World) {
    w.size = w.size.max(600);
    w.long_lived();
    w.one_route(4);
    let instant = w.span * w.between(0.35, 0.7);
    w.expect(BadInstance, &[Upstream], Limit::None);
    let leave = Leave::End(Peer::Upstream, End::Reset);
    w.day(|w, draft| {
        if draft.upstream != 2 || !draft.open_at(instant) {
            return Fate::Ends;
        }
        falls(w, draft, instant, 0.0, &leave).unwrap_or(Fate::Ends)
    });
}

fn one_bad(w: &mut World, leave: &Leave, share: f64) {
    w.one_route(3);
    w.expect(BadInstance, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.upstream != 1 || !w.chance(share) {
            return Fate::Ends;
        }
        let at = draft.talk.life * w.between(0.1, 0.9);
        draft.talk.cut(at, leave.clone());
        Fate::Back(w.between(0.5, 9.0))
    });
}

fn instance_fails(w: &mut World) {
    w.instances = (0..3).map(|n| (format!("gw-{n}"), 0.0)).collect();
    w.expect_any(&[BadInstance, RandomResets], &[Proxy], Limit::None);
    w.day(|w, draft| {
        if draft.instance != 1 || !w.chance(0.3) {
            return Fate::Ends;
        }
        let at = draft.talk.life * w.between(0.1, 0.9);
        // The host runs out of connection tracking: now this leg dies, now that one.
        let leave = if w.chance(0.3) {
            Leave::Both(End::Reset)
        } else if w.chance(0.5) {
            Leave::End(Peer::Client, End::Reset)
        } else {
            Leave::End(Peer::Upstream, End::Reset)
        };
        draft.talk.cut(at, leave);
        Fate::Back(w.between(0.5, 9.0))
    });
}

fn internal(w: &mut World) {
    w.expect(InternalError, &[Proxy], Limit::None);
    w.day(|w, draft| {
        if w.chance(0.1) {
            let at = draft.talk.life * w.between(0.1, 0.9);
            draft.talk.cut(at, Leave::Failed);
        }
        Fate::Ends
    });
}

/// A stretch of the log in which most attempts are refused.
fn stretch(w: &mut World) -> (f64, f64) {
    w.size = w.size.max(300);
    let from = w.span * w.between(0.3, 0.6);
    (from, from + w.span * 0.08)
}

fn refused(w: &mut World, outcome: Outcome, status: Option<u16>, duration: f64) {
    w.one_route(2);
    let (from, to) = stretch(w);
    w.expect(HandshakesRefused, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to || w.chance(0.1) {
            return Fate::Ends;
        }
        let again = w.between(5.0, 90.0);
        Fate::Refused(outcome, status, duration, Some(again))
    });
}

fn mixed_refusals(w: &mut World) {
    w.one_route(2);
    let (from, to) = stretch(w);
    w.expect(HandshakesRefused, &[Upstream, Client], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to || w.chance(0.3) {
            return Fate::Ends;
        }
        let status = w.one(&[429, 429, 503]);
        let again = w.between(5.0, 90.0);
        Fate::Refused(Outcome::Refused, Some(status), 0.004, Some(again))
    });
}

fn dial_timeout(w: &mut World) {
    w.one_route(2);
    let (from, to) = stretch(w);
    w.expect(HandshakesRefused, &[NetworkUpstreamSide, Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to || w.chance(0.4) {
            return Fate::Ends;
        }
        let again = w.between(5.0, 90.0);
        Fate::Refused(Outcome::DialTimeout, Some(504), 5.0, Some(again))
    });
}

fn too_late(w: &mut World) {
    w.one_route(2);
    let (from, to) = stretch(w);
    w.expect(Overload, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to {
            return Fate::Ends;
        }
        if w.chance(0.35) {
            let (waits, again) = (w.between(8.0, 12.0), w.between(5.0, 90.0));
            return Fate::Refused(Outcome::ClientGone, None, waits, Some(again));
        }
        if w.chance(0.4) {
            let again = w.between(5.0, 90.0);
            return Fate::Refused(Outcome::UpstreamTimeout, Some(504), 30.0, Some(again));
        }
        draft.handshake = w.between(2.0, 9.0);
        Fate::Ends
    });
}

fn overload(w: &mut World) {
    w.one_route(2);
    let (from, to) = stretch(w);
    w.expect(Overload, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to || w.chance(0.2) {
            return Fate::Ends;
        }
        let at = w.between(0.01, 3.0);
        draft.talk.cut(at, Leave::close(Peer::Upstream, 1013, "try again later"));
        Fate::Back(w.between(5.0, 60.0))
    });
}

fn storm(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.35, 0.7);
    w.expect(ReconnectStorm, &[Client, Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.opened > instant && draft.opened < instant + 20.0 && draft.tries > 0 && draft.tries < 8 {
            let again = w.between(0.1, 1.5);
            return Fate::Refused(Outcome::Refused, Some(503), 0.05, Some(again));
        }
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        let at = instant + w.rng.f64() * 3.0;
        draft.cut_at(at, Leave::close(Peer::Upstream, 1012, "service restart"));
        Fate::Back(w.between(0.01, 0.3))
    });
}

fn own_certificate(w: &mut World) {
    w.direct();
    let from = w.span * w.between(0.4, 0.6);
    w.expect(CertificateRejected, &[Proxy], Limit::None);
    w.day(|w, draft| {
        if draft.opened > from && w.chance(0.85) {
            let error = w.one(&[TlsFailure::CertificateExpired, TlsFailure::CertificateExpired, TlsFailure::HungUp]);
            return Fate::Tls(error, None);
        }
        Fate::Ends
    });
}

fn upstream_certificate(w: &mut World) {
    w.one_route(1);
    let from = w.span * w.between(0.4, 0.6);
    w.expect(CertificateRejected, &[Upstream], Limit::None);
    w.day(
        |_, draft| {
            if draft.opened > from { Fate::Tls(TlsFailure::CertificateExpired, Some(502)) } else { Fate::Ends }
        },
    );
}

fn one_certificate(w: &mut World) {
    w.direct();
    w.instances = (0..4).map(|n| (format!("edge-{n}"), 0.3 * f64::from(n))).collect();
    w.expect_any(&[CertificateRejected, BadInstance], &[Proxy], Limit::None);
    w.day(
        |w, draft| {
            if draft.instance == 3 && w.chance(0.8) { Fate::Tls(TlsFailure::UnknownCa, None) } else { Fate::Ends }
        },
    );
}

fn bad_response(w: &mut World) {
    w.one_route(2);
    let (from, to) = stretch(w);
    w.expect_any(&[BadHandshake, HandshakesRefused], &[Upstream, MiddleboxBack], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to || w.chance(0.2) {
            return Fate::Ends;
        }
        let again = w.between(5.0, 90.0);
        Fate::Refused(Outcome::BadResponse, Some(502), 0.01, Some(again))
    });
}

fn bursts(w: &mut World) {
    w.one_route(1);
    let starts: Vec<f64> = [0.2, 0.5, 0.75].map(|share| w.span * share).to_vec();
    let long = w.span * 0.04;
    w.expect(RandomResets, &[NetworkUpstreamSide, Upstream, MiddleboxBack], Limit::None);
    w.day(|w, draft| {
        let end = draft.opened + draft.talk.life;
        if starts.iter().any(|start| (*start..start + long).contains(&end)) && w.chance(0.8) {
            draft.talk.leave = Leave::End(Peer::Upstream, End::Reset);
            return Fate::Back(w.between(0.5, 9.0));
        }
        Fate::Ends
    });
}

/// closewatch drains: an end of its own.
pub(super) fn drained() -> Leave {
    Leave::Own(Cause::Drain, 1001)
}
