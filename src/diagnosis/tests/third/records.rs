//! The records that closewatch writes of a day.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ulid::Ulid;

use super::world::{Draft, World};
use crate::close::{Address, CloseRecord, HandshakeRecord, HttpVersion, Live, Outcome, Request, Session, TlsFailure};
use crate::diagnosis::Observation;

impl World {
    fn request(&mut self, draft: &Draft) -> (Address, Request) {
        let client = &self.clients[draft.client];
        let port = self.rng.u16(20_000..65_000);
        let text = |text: &str| Some(text.into());
        let mut request = Request {
            method: "GET".into(),
            path: self.routes[draft.route].path.into(),
            host: text("ws.example"),
            http_version: HttpVersion::Http11,
            user_agent: text(client.program.agent),
            origin: client.program.origin.map(Into::into),
            subprotocol: draft.subprotocol.map(|name| Box::new(name.into())),
            extensions: draft.extensions.map(|name| Box::new(name.into())),
            subprotocols_offered: draft.offered,
            ..Request::default()
        };
        let ip = if self.hops.is_empty() {
            client.ip
        } else {
            if self.trusted {
                request.real_address = Some(Box::new(Address::Ip(SocketAddr::new(client.ip, 0))));
            } else {
                request.forwarded_for = Some(Box::new(client.ip.to_string().as_str().into()));
            }
            self.hops[client.hop % self.hops.len()]
        };
        (Address::Ip(SocketAddr::new(ip, port)), request)
    }

    fn time(&self, at: f64, instance: usize) -> Timestamp {
        let at = self.start + at + self.instances[instance].1;
        Timestamp::from_nanosecond((at * 1e6).round() as i128 * 1000).unwrap()
    }

    pub(super) fn close(&mut self, draft: &Draft) {
        let talk = &draft.talk;
        if draft.opened + talk.life > self.span {
            return; // still open when the log ends
        }
        let (client, request) = self.request(draft);
        let (ledger, filed) = talk.told();
        let opened_at = self.time(draft.opened, draft.instance);
        let route = &self.routes[draft.route];
        let id = Ulid::from_parts(opened_at.as_millisecond() as u64, self.rng.u128(..));
        let session = Session {
            id,
            route: Arc::clone(&route.facts),
            opened_at,
            handshake: Duration::from_secs_f64(draft.handshake).into(),
            client,
            upstream: Address::Ip(route.upstreams[draft.upstream % route.upstreams.len()]),
            client_tls: self.clients[draft.client].tls,
            upstream_tls: None,
            request,
            trace: None,
            live: Live::default(),
        };
        let time = opened_at + filed;
        self.closed.push((CloseRecord::file(Arc::new(session), ledger, filed, time), draft.instance));
    }

    pub(super) fn refuse(
        &mut self,
        draft: &Draft,
        outcome: Outcome,
        status: Option<u16>,
        duration: f64,
        tls_error: Option<TlsFailure>,
    ) {
        let at = draft.opened + duration;
        if at > self.span {
            return;
        }
        let (client, mut request) = self.request(draft);
        request.subprotocol = None;
        request.extensions = None;
        let before_request = tls_error.is_some() && status != Some(502);
        if before_request {
            request = Request::default();
        }
        let name = if before_request || outcome == Outcome::NoRoute { "none" } else { self.routes[draft.route].name };
        let record = HandshakeRecord {
            outcome,
            status,
            request,
            client,
            client_tls: if before_request { None } else { self.clients[draft.client].tls },
            duration: Duration::from_secs_f64(duration),
            time: self.time(at, draft.instance),
            tls_error,
            detail: None,
            trace: None,
        };
        self.failed.push((record, name, draft.instance));
    }

    /// Drops what ended in this part of the log: the instance's disk was full.
    pub(super) fn lose(&mut self, from: f64, to: f64) {
        let start = self.start;
        let kept = |time: Timestamp| {
            let at = time.as_duration().as_secs_f64() - start;
            at < from || at > to
        };
        self.closed.retain(|(record, _)| kept(record.time));
        self.failed.retain(|(record, ..)| kept(record.time));
    }

    pub(super) fn len(&self) -> usize {
        self.closed.len() + self.failed.len()
    }

    /// All of the log, in no order.
    pub(super) fn log(&self) -> impl Iterator<Item = Observation<'_>> {
        let name = |instance: usize| self.instances[instance].0.as_str();
        let closed = self.closed.iter().map(move |(record, at)| Observation::of_close(record, name(*at)));
        let failed =
            self.failed.iter().map(move |(record, route, at)| Observation::of_handshake(route, record, name(*at)));
        closed.chain(failed)
    }
}
