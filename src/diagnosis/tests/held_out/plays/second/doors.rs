//! Upgrades that fail, on several routes.

use super::super::play::{Recipe, expect, one};
use super::kit::{rename_clients, shared_by_three_routes};
use crate::close::{Outcome, TlsFailure};
use crate::diagnosis::tests::held_out::day::{Day, Planned};
use crate::diagnosis::tests::held_out::incident::{all, refuse, some};
use crate::diagnosis::tests::held_out::script::{Act, Ending, What};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer;
use crate::wire::Violation;
use Culprit::{Client, NetworkUpstreamSide, Proxy, Upstream};
use Mechanism::{BadHandshake, CertificateRejected, HandshakesRefused, Overload};

fn refused(
    seed: u64,
    size: usize,
    share: f64,
    how: &[(Outcome, Option<u16>)],
    of: impl Fn(&Day, &Planned) -> bool,
) -> Day {
    let mut day = Day::new(seed, size, |_, makings| shared_by_three_routes(makings));
    let length = day.length();
    refuse(&mut day, (0.35 * length, 0.75 * length), share, how, 3, of);
    day
}

fn tls(day: &mut Day, failure: TlsFailure) {
    for failed in day.failures.iter_mut().filter(|failed| failed.outcome == Outcome::TlsFailed) {
        failed.tls = Some(failure);
    }
}

pub(super) const PLAYS: &[Recipe] = &[
    ("2 handshakes_refused: 500 and 502 on three routes", |seed, size| {
        let how = [(Outcome::Refused, Some(500)), (Outcome::Refused, Some(502))];
        one(refused(seed, size, 0.5, &how, all), expect(&[HandshakesRefused], &[Upstream], Some(None)))
    }),
    ("2 handshakes_refused: 429 on one route of three", |seed, size| {
        let how = [(Outcome::Refused, Some(429))];
        let day = refused(seed, size, 0.8, &how, |_, it| it.route == 0);
        one(day, expect(&[HandshakesRefused, Overload], &[Upstream, Client], Some(None)))
    }),
    ("2 handshakes_refused: dials fail on three routes", |seed, size| {
        let how = [(Outcome::DialFailed, Some(502))];
        let day = refused(seed, size, 0.9, &how, all);
        one(day, expect(&[HandshakesRefused], &[Upstream, NetworkUpstreamSide], Some(None)))
    }),
    ("2 handshakes_refused: dials time out on three routes", |seed, size| {
        let day = refused(seed, size, 0.6, &[(Outcome::DialTimeout, Some(504))], all);
        one(day, expect(&[HandshakesRefused], &[NetworkUpstreamSide], Some(None)))
    }),
    ("2 handshakes_refused: 403 to one release of the app", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| shared_by_three_routes(makings));
        let renamed = rename_clients(&mut day, if size < 500 { 0.3 } else { 0.12 }, "Acme/7.0 (old) okhttp/4.9");
        refuse(&mut day, (0.0, 1e9), 0.9, &[(Outcome::Refused, Some(403))], 3, |_, it| renamed[it.client]);
        one(day, expect(&[HandshakesRefused], &[Client, Upstream], Some(None)))
    }),
    ("2 certificate_rejected: clients, three routes", |seed, size| {
        let mut day = refused(seed, size, 0.6, &[(Outcome::TlsFailed, None)], all);
        tls(&mut day, TlsFailure::CertificateExpired);
        one(day, expect(&[CertificateRejected], &[Proxy, Client], Some(None)))
    }),
    ("2 certificate_rejected: the upstream's, three routes", |seed, size| {
        let mut day = refused(seed, size, 0.9, &[(Outcome::TlsFailed, Some(502))], all);
        tls(&mut day, TlsFailure::UnknownCa);
        one(day, expect(&[CertificateRejected], &[Upstream], Some(None)))
    }),
    ("2 bad_handshake: a subprotocol that nobody offered, three routes", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| shared_by_three_routes(makings));
        let share = super::kit::few(&mut day);
        some(&mut day, share, all, |day, at| {
            let session = &mut day.sessions[at];
            (session.offered, session.selected) = (1, true);
            session.script.acts.clear();
            session.script.acts.push(Act { at: 0.0, by: Peer::Upstream, what: What::Breach(Violation::Subprotocol) });
            day.strike(at, 0.03, Ending::Fin(Peer::Client));
        });
        one(day, expect(&[BadHandshake], &[Upstream], Some(None)))
    }),
    ("2 overload: upgrades are late on three routes", |seed, size| {
        let day = refused(seed, size, 0.7, &[(Outcome::UpstreamTimeout, Some(504))], all);
        one(day, expect(&[Overload, HandshakesRefused], &[Upstream], Some(None)))
    }),
];
