//! A day: clients of several kinds, programs at both ends, and the sessions between them. Incidents happen in it later.

use std::sync::Arc;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use super::chance::pick;
use super::clients::client;
pub(super) use super::clients::{Client, Kind};
use super::ends::{odd, usual};
pub(super) use super::ends::{says, unanswered};
use super::program::{Program, traffic};
use super::script::{Act, Ending, Script, Setting};
use crate::close::{Address, CloseRecord, HandshakeRecord, Outcome, Request, RouteFacts, Text, TlsFailure, TlsVersion};
use crate::diagnosis::Observation;
use crate::wire::Peer;

/// The way from the clients to closewatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Direct,
    /// Two balancers that say for whom they speak, and are not trusted.
    Named,
    /// The same, trusted.
    Trusted,
    /// Two balancers that say nothing.
    Mute,
}

/// The makings of a day.
#[derive(Clone, Debug)]
pub(super) struct Makings {
    pub(super) hours: f64,
    pub(super) sessions: usize,
    pub(super) clients: usize,
    /// Browsers, phones, daemons.
    pub(super) mix: [f64; 3],
    pub(super) routes: usize,
    pub(super) instances: usize,
    pub(super) upstreams: usize,
    /// Every instance has an upstream of its own, at one address.
    pub(super) sidecar: bool,
    /// All routes lead to the same upstreams.
    pub(super) shared: bool,
    pub(super) front: Front,
    pub(super) program: Program,
    /// Median life in seconds.
    pub(super) life: f64,
    /// Odd ends among all.
    pub(super) odd: f64,
}

/// One session that is still to be played.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) opened: f64,
    pub(super) script: Script,
    pub(super) client: usize,
    pub(super) route: usize,
    pub(super) instance: usize,
    pub(super) upstream: usize,
    pub(super) extensions: bool,
    pub(super) offered: u16,
    pub(super) selected: bool,
    pub(super) path: Option<&'static str>,
    /// An incident ended it.
    pub(super) victim: bool,
}

/// A handshake that fails.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) at: f64,
    pub(super) client: usize,
    pub(super) route: usize,
    pub(super) instance: usize,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) tls: Option<TlsFailure>,
    pub(super) took: f64,
    pub(super) path: Option<&'static str>,
}

/// All that happens on a day.
pub(super) struct Day {
    pub(super) rng: Rng,
    pub(super) makings: Makings,
    pub(super) clients: Vec<Client>,
    pub(super) sessions: Vec<Planned>,
    pub(super) failures: Vec<Failed>,
    /// Of each instance, in seconds.
    pub(super) clocks: Vec<f64>,
}

/// A record and its instance.
pub(super) enum Logged {
    Closed { record: Box<CloseRecord>, instance: String, victim: bool },
    Failed { record: Box<HandshakeRecord>, route: String, instance: String },
}

// === impl Logged ===

impl Logged {
    pub(super) fn seen(&self) -> Observation<'_> {
        match self {
            Self::Closed { record, instance, .. } => Observation::of_close(record, instance),
            Self::Failed { record, route, instance } => Observation::of_handshake(route, record, instance),
        }
    }

    pub(super) fn filed(&self) -> f64 {
        let time = match self {
            Self::Closed { record, .. } => record.time,
            Self::Failed { record, .. } => record.time,
        };
        time.as_duration().as_secs_f64()
    }
}

// === impl Makings ===

impl Makings {
    fn random(rng: &mut Rng, size: usize) -> Self {
        let mix = pick(rng, &[[0.8, 0.15, 0.05], [0.2, 0.75, 0.05], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]]);
        let program = pick(rng, &[Program::Chat, Program::Bare, Program::Phoenix, Program::SocketIo, Program::SignalR]);
        let hours = if size < 500 { pick(rng, &[0.5, 2.0, 6.0]) } else { pick(rng, &[2.0, 8.0, 24.0]) };
        Self {
            hours,
            sessions: size,
            clients: (size / pick(rng, &[2, 3, 6])).max(25),
            mix,
            routes: pick(rng, &[1, 1, 2, 3]),
            instances: pick(rng, &[1, 2, 3, 6]),
            upstreams: pick(rng, &[1, 1, 2, 4]),
            sidecar: false,
            shared: false,
            front: pick(rng, &[Front::Direct, Front::Direct, Front::Named, Front::Trusted, Front::Mute]),
            program,
            life: pick(rng, &[60.0, 240.0, 800.0]),
            odd: pick(rng, &[0.005, 0.015, 0.025]),
        }
    }
}

// === impl Day ===

impl Day {
    pub(super) fn new(seed: u64, size: usize, change: impl FnOnce(&mut Rng, &mut Makings)) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut makings = Makings::random(&mut rng, size);
        change(&mut rng, &mut makings);
        makings.life = makings.life.min(makings.hours * 1200.0);
        let clients = (0..makings.clients).map(|_| client(&mut rng, makings.mix)).collect();
        let clocks = vec![0.0; makings.instances];
        let mut day = Self { rng, makings, clients, sessions: vec![], failures: vec![], clocks };
        for _ in 0..day.makings.sessions {
            let opened = day.some_time();
            let client = day.rng.usize(..day.clients.len());
            let session = day.session(opened, client);
            day.sessions.push(session);
        }
        let strays = (day.makings.sessions as f64 * day.rng.f64() * 0.02) as usize;
        for _ in 0..strays {
            let at = day.some_time();
            let client = day.rng.usize(..day.clients.len());
            let kinds = [
                (Outcome::BadRequest, Some(400)),
                (Outcome::NoRoute, Some(404)),
                (Outcome::ClientGone, None),
                (Outcome::Refused, Some(401)),
                (Outcome::Refused, Some(403)),
            ];
            let (outcome, status) = pick(&mut day.rng, &kinds);
            day.fails(at, client, outcome, status);
        }
        day
    }

    pub(super) fn length(&self) -> f64 {
        self.makings.hours * 3600.0
    }

    /// More happens in the middle of a day.
    fn some_time(&mut self) -> f64 {
        let length = self.length();
        let (a, b) = (self.rng.f64(), self.rng.f64());
        length * if self.rng.bool() { a } else { f64::midpoint(a, b) }
    }

    /// A session as it would go by itself.
    pub(super) fn session(&mut self, opened: f64, client: usize) -> Planned {
        let makings = &self.makings;
        let rng = &mut self.rng;
        let normal: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let mut life = makings.life * normal.exp();
        let longest = makings.hours * 1800.0;
        if life > longest {
            life = longest * (0.3 + 0.7 * rng.f64());
        }
        let life = life.max(0.8);
        let kind = self.clients[client].kind;
        let ending = if rng.f64() < makings.odd { odd(rng) } else { usual(rng, kind) };
        let acts = traffic(rng, makings.program, life);
        Planned {
            opened,
            script: Script { acts, life, ending, stall: None, relieved: None },
            client,
            route: rng.usize(..makings.routes),
            instance: rng.usize(..makings.instances),
            upstream: rng.usize(..makings.upstreams),
            extensions: kind == Kind::Browser,
            offered: 0,
            selected: false,
            path: None,
            victim: false,
        }
    }

    pub(super) fn fails(&mut self, at: f64, client: usize, outcome: Outcome, status: Option<u16>) -> &mut Failed {
        let (routes, instances) = (self.makings.routes, self.makings.instances);
        let took = if outcome == Outcome::UpstreamTimeout {
            30.0
        } else if outcome == Outcome::DialTimeout {
            5.0
        } else {
            0.002 + self.rng.f64() * 0.05
        };
        self.failures.push(Failed {
            at,
            client,
            route: self.rng.usize(..routes),
            instance: self.rng.usize(..instances),
            outcome,
            status,
            tls: None,
            took,
            path: None,
        });
        self.failures.last_mut().unwrap()
    }

    /// Ends a session at an age, in a way that is not its own.
    pub(super) fn strike(&mut self, at: usize, life: f64, ending: Ending) {
        let session = &mut self.sessions[at];
        session.script.life = life;
        session.script.ending = ending;
        session.victim = true;
    }

    /// The client opens a session again, to the same place.
    pub(super) fn again(&mut self, at: usize, after: f64) {
        let old = self.sessions[at].clone();
        let opened = old.opened + old.script.life + after;
        if opened < self.length() {
            let mut new = self.session(opened, old.client);
            (new.route, new.instance, new.upstream, new.path) = (old.route, old.instance, old.upstream, old.path);
            self.sessions.push(new);
        }
    }

    /// Sessions that are open at a time.
    pub(super) fn open(&self, when: f64) -> Vec<usize> {
        let open = |session: &Planned| session.opened < when && when < session.opened + session.script.life;
        (0..self.sessions.len()).filter(|at| open(&self.sessions[*at])).collect()
    }

    /// The records, in the order in which they are written.
    pub(super) fn log(&mut self) -> Vec<Logged> {
        let start: Timestamp = "2026-11-24T06:30:00Z".parse().unwrap();
        let at = |seconds: f64| start + SignedDuration::from_secs_f64(seconds);
        let names = ["chat", "events", "graphql"];
        let mut log = vec![];
        let routes: Vec<Arc<RouteFacts>> = names
            .iter()
            .map(|name| {
                Arc::new(RouteFacts {
                    name: (*name).into(),
                    upstream: "http://app:8080".into(),
                    ..RouteFacts::default()
                })
            })
            .collect();
        for session in &self.sessions {
            let upstream = if self.makings.sidecar {
                "127.0.0.1:9000".to_owned()
            } else {
                let of_route = if self.makings.shared { 0 } else { session.route };
                format!("10.40.{of_route}.{}:8080", session.upstream + 11)
            };
            let (address, request) = request(
                &mut self.rng,
                &self.makings,
                &self.clients[session.client],
                session.path.unwrap_or(["/chat/socket", "/events", "/graphql"][session.route]),
            );
            let setting = Setting {
                route: routes[session.route].clone(),
                opened_at: at(session.opened + self.clocks[session.instance]),
                handshake: 0.003 + self.rng.f64() * 0.02,
                client: address,
                client_tls: tls(&self.makings, &self.clients[session.client]),
                upstream: Address::Ip(upstream.parse().unwrap()),
                request: Request {
                    extensions: session.extensions.then(|| Box::new("permessage-deflate".into())),
                    subprotocols_offered: session.offered,
                    subprotocol: session.selected.then(|| Box::new("v1.chat".into())),
                    ..request
                },
                random: self.rng.u128(..1 << 80),
            };
            let record = Box::new(session.script.record(setting));
            log.push(Logged::Closed { record, instance: instance(session.instance), victim: session.victim });
        }
        for failed in &self.failures {
            let path = failed.path.unwrap_or(["/chat/socket", "/events", "/graphql"][failed.route]);
            let (client, request) = request(&mut self.rng, &self.makings, &self.clients[failed.client], path);
            let record = Box::new(HandshakeRecord {
                outcome: failed.outcome,
                status: failed.status,
                request,
                client,
                client_tls: tls(&self.makings, &self.clients[failed.client]).filter(|_| failed.tls.is_none()),
                duration: std::time::Duration::from_secs_f64(failed.took),
                time: at(failed.at + failed.took + self.clocks[failed.instance]),
                tls_error: failed.tls,
                detail: None,
                trace: None,
            });
            let route = if failed.outcome == Outcome::NoRoute { "none" } else { names[failed.route] };
            log.push(Logged::Failed { record, route: route.to_owned(), instance: instance(failed.instance) });
        }
        log.sort_by(|a, b| a.filed().total_cmp(&b.filed()));
        log
    }
}

fn instance(number: usize) -> String {
    format!("ws-edge-{}", ["7c9f", "b2kq", "x0ml", "p4vd", "q8zt", "n3wa", "e5ry", "u6os", "i1hg", "j2cb"][number % 10])
}

/// TLS of a client that has no box before it; the same in each of its sessions.
fn tls(makings: &Makings, client: &Client) -> Option<TlsVersion> {
    let number: u32 = client.address.bytes().map(u32::from).sum();
    match (makings.front, number % 10) {
        (Front::Direct, 0..6) => Some(TlsVersion::Tls13),
        (Front::Direct, 6..9) => Some(TlsVersion::Tls12),
        (Front::Direct | Front::Named | Front::Trusted | Front::Mute, _) => None,
    }
}

fn request(rng: &mut Rng, makings: &Makings, client: &Client, path: &str) -> (Address, Request) {
    let hop = ["10.9.0.4", "10.9.1.4"][rng.usize(..2)];
    let address = if makings.front == Front::Direct { client.address.as_str() } else { hop };
    let address = Address::Ip((address.parse::<std::net::IpAddr>().unwrap(), rng.u16(1024..)).into());
    let real = || Address::Ip((client.address.parse::<std::net::IpAddr>().unwrap(), 0).into());
    let request = Request {
        real_address: (makings.front == Front::Trusted).then(|| Box::new(real())),
        method: "GET".into(),
        path: Text::from(path),
        host: Some(Text::from("ws.example")),
        http_version: crate::close::HttpVersion::Http11,
        user_agent: Some(Text::from(client.agent.as_str())),
        origin: (client.kind == Kind::Browser).then(|| Text::from("https://www.example")),
        forwarded_for: (makings.front == Front::Named).then(|| Box::new(Text::from(client.address.as_str()))),
        ..Request::default()
    };
    (address, request)
}

/// The time at which the last act of a peer before `at` was.
pub(super) fn last(acts: &[Act], by: impl Fn(Peer) -> bool, at: f64) -> f64 {
    acts.iter().filter(|act| by(act.by) && act.at < at).map(|act| act.at).fold(0.0, f64::max)
}
