//! Upgrades that fail.

use super::play::{Recipe, expect, one};
use crate::close::{Outcome, TlsFailure};
use crate::diagnosis::tests::held_out::chance::pick;
use crate::diagnosis::tests::held_out::day::Day;
use crate::diagnosis::tests::held_out::incident::{all, refuse};
use crate::diagnosis::{Culprit, Mechanism};
use Culprit::{Client, NetworkUpstreamSide, Proxy, Upstream};
use Mechanism::{CertificateRejected, HandshakesRefused};

fn refused(seed: u64, size: usize, share: f64, how: &[(Outcome, Option<u16>)]) -> Day {
    let mut day = Day::new(seed, size, |_, _| {});
    let length = day.length();
    let between = pick(&mut day.rng, &[(0.5 * length, length), (0.3 * length, 0.6 * length)]);
    refuse(&mut day, between, share, how, 3, all);
    day
}

fn tls(day: &mut Day, status: Option<u16>, failure: TlsFailure) {
    for failed in &mut day.failures {
        if failed.outcome == Outcome::TlsFailed {
            (failed.tls, failed.status) = (Some(failure), status);
        }
    }
}

pub(super) const PLAYS: &[Recipe] = &[
    ("handshakes_refused: 503", |seed, size| {
        let day = refused(seed, size, 0.6, &[(Outcome::Refused, Some(503))]);
        one(day, expect(&[HandshakesRefused], &[Upstream], Some(None)))
    }),
    ("handshakes_refused: 403 for all", |seed, size| {
        let day = refused(seed, size, 0.9, &[(Outcome::Refused, Some(403))]);
        one(day, expect(&[HandshakesRefused], &[Upstream, Client], Some(None)))
    }),
    ("handshakes_refused: 502, 503 and 429 mixed", |seed, size| {
        let how = [(Outcome::Refused, Some(502)), (Outcome::Refused, Some(503)), (Outcome::Refused, Some(429))];
        one(refused(seed, size, 0.5, &how), expect(&[HandshakesRefused], &[Upstream], Some(None)))
    }),
    ("handshakes_refused: nobody listens", |seed, size| {
        let how = [(Outcome::DialFailed, Some(502)), (Outcome::UpstreamClosed, Some(502))];
        one(refused(seed, size, 0.7, &how), expect(&[HandshakesRefused], &[Upstream, NetworkUpstreamSide], Some(None)))
    }),
    ("handshakes_refused: dials time out", |seed, size| {
        let day = refused(seed, size, 0.6, &[(Outcome::DialTimeout, Some(504))]);
        one(day, expect(&[HandshakesRefused], &[NetworkUpstreamSide], Some(None)))
    }),
    ("handshakes_refused: closewatch's own limit", |seed, size| {
        let day = refused(seed, size, 0.5, &[(Outcome::OverLimit, Some(503))]);
        one(day, expect(&[HandshakesRefused], &[Proxy], Some(None)))
    }),
    ("handshakes_refused: 401 to one client program", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        let share = if size < 500 { 0.3 } else { 0.12 };
        for client in &mut day.clients {
            if day.rng.f64() < share {
                "Shop/8.0-beta CFNetwork/4000".clone_into(&mut client.agent);
            }
        }
        let of = |day: &Day, it: &super::super::day::Planned| day.clients[it.client].agent.starts_with("Shop/8.0");
        refuse(&mut day, (0.0, 1e9), 0.9, &[(Outcome::Refused, Some(401))], 3, of);
        one(day, expect(&[HandshakesRefused], &[Client, Upstream], Some(None)))
    }),
    ("certificate_rejected: clients find it expired", |seed, size| {
        let mut day = refused(seed, size, 0.6, &[(Outcome::TlsFailed, None)]);
        tls(&mut day, None, TlsFailure::CertificateExpired);
        one(day, expect(&[CertificateRejected], &[Proxy, Client], Some(None)))
    }),
    ("certificate_rejected: the upstream's expired", |seed, size| {
        let mut day = refused(seed, size, 0.9, &[(Outcome::TlsFailed, Some(502))]);
        tls(&mut day, Some(502), TlsFailure::CertificateExpired);
        one(day, expect(&[CertificateRejected], &[Upstream], Some(None)))
    }),
    ("certificate_rejected: many clients do not know the authority", |seed, size| {
        let mut day = refused(seed, size, 0.4, &[(Outcome::TlsFailed, None)]);
        tls(&mut day, None, TlsFailure::UnknownCa);
        one(day, expect(&[CertificateRejected], &[Proxy, Client], Some(None)))
    }),
];
