//! A day: routes, instances, clients and what they do; and the records of it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::people::{PROGRAMS, Program};
use super::talk::{Leave, Talk};
use crate::close::{CloseRecord, HandshakeRecord, Outcome, RouteFacts, TlsFailure, TlsVersion};
use crate::diagnosis::{Culprit, Mechanism};
use fastrand::Rng;

/// Makes a day, and says what must be found in it.
pub(super) type Build = fn(&mut World);

pub(super) struct Route {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) upstreams: Vec<SocketAddr>,
    /// Period of the server's pings; 0 for none.
    pub(super) pings: f64,
    pub(super) facts: Arc<RouteFacts>,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) ip: IpAddr,
    pub(super) program: Program,
    pub(super) tls: Option<TlsVersion>,
    pub(super) route: usize,
    /// The hop that it comes by.
    pub(super) hop: usize,
}

/// A session before it is filed.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Seconds since the beginning of the log.
    pub(super) opened: f64,
    pub(super) client: usize,
    pub(super) route: usize,
    pub(super) upstream: usize,
    pub(super) instance: usize,
    pub(super) talk: Talk,
    pub(super) extensions: Option<&'static str>,
    pub(super) subprotocol: Option<&'static str>,
    pub(super) offered: u16,
    /// From request to 101.
    pub(super) handshake: f64,
    /// How often the client has come back so far.
    pub(super) tries: u32,
}

/// The fate of a draft.
pub(super) enum Fate {
    Ends,
    /// It ends, and the client opens the next so many seconds later.
    Back(f64),
    /// There is no session: outcome, status, duration; and the next attempt so many seconds later, if there is one.
    Refused(Outcome, Option<u16>, f64, Option<f64>),
    /// The same for TLS.
    Tls(TlsFailure, Option<u16>),
}

/// The finding that must be there: any of these mechanisms, any of these culprits.
pub(super) struct Expected {
    pub(super) mechanisms: Vec<Mechanism>,
    pub(super) culprits: Vec<Culprit>,
    pub(super) limit: Limit,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Is(f64),
    None,
    /// Two engineers would differ.
    Any,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) size: usize,
    pub(super) span: f64,
    pub(super) routes: Vec<Route>,
    pub(super) instances: Vec<(String, f64)>,
    pub(super) hops: Vec<IpAddr>,
    /// Hops name their clients, and are trusted.
    pub(super) trusted: bool,
    pub(super) programs: Vec<Program>,
    pub(super) clients: Vec<Client>,
    pub(super) expected: Vec<Expected>,
    pub(super) start: f64,
    pub(super) closed: Vec<(CloseRecord, usize)>,
    pub(super) failed: Vec<(HandshakeRecord, &'static str, usize)>,
}

const NAMES: [(&str, &str); 7] = [
    ("chat", "/chat"),
    ("feed", "/v2/feed"),
    ("quotes", "/stream/quotes"),
    ("devices", "/iot/ws"),
    ("default", "/ws"),
    ("graphql", "/graphql"),
    ("rooms", "/rooms/join"),
];

// === impl World ===

impl World {
    pub(super) fn new(seed: u64, size: usize) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5151);
        let first = rng.usize(..NAMES.len());
        let net = rng.u8(..);
        let routes = (0..rng.usize(1..4)).map(|number| {
            let (name, path) = NAMES[(first + number) % NAMES.len()];
            let host = |n: u8| SocketAddr::from((Ipv4Addr::new(10, net, number as u8, 10 + n), 8000 + rng.u16(..3)));
            Route {
                name,
                path,
                upstreams: (0..1 + number as u8 % 3 + net % 2).map(host).collect(),
                pings: [0.0, 20.0, 25.0, 30.0, 54.0][(usize::from(net) + number) % 5],
                facts: Arc::new(RouteFacts {
                    name: name.into(),
                    upstream: format!("http://{name}.internal").into(),
                    ..RouteFacts::default()
                }),
            }
        });
        let routes: Vec<_> = routes.collect();
        let instances = [1, 1, 2, 3, 4][rng.usize(..5)];
        let apart = if instances > 1 { rng.f64() * 3.0 } else { 0.0 };
        let instances = (0..instances).map(|n| (format!("edge-{n}"), apart * (rng.f64() - 0.5))).collect::<Vec<_>>();
        let mut programs = PROGRAMS.to_vec();
        rng.shuffle(&mut programs);
        programs.truncate(rng.usize(3..8));
        let start = 1_770_000_000.0 + rng.f64() * 2.0e7;
        let span = 3600.0 * [3.0, 6.0, 10.0, 24.0][rng.usize(..4)];
        let mut world = Self {
            rng,
            size,
            span,
            routes,
            instances,
            hops: vec![],
            trusted: true,
            programs,
            clients: vec![],
            expected: vec![],
            start,
            closed: vec![],
            failed: vec![],
        };
        if world.rng.f64() < 0.35 {
            world.behind(2);
        }
        world
    }

    /// Clients come by so many hops, which name them.
    pub(super) fn behind(&mut self, hops: u8) {
        let net = self.rng.u8(..);
        self.hops = (0..hops).map(|n| IpAddr::from([172, 31, net, 4 + n * 17])).collect();
    }

    /// Clients come by themselves.
    pub(super) fn direct(&mut self) {
        self.hops.clear();
    }

    /// There is one route with so many upstreams.
    pub(super) fn one_route(&mut self, upstreams: u8) {
        self.routes.truncate(1);
        self.upstreams(0, upstreams);
    }

    /// There are at least two routes.
    pub(super) fn two_routes(&mut self) {
        while self.routes.len() != 2 {
            let seed = self.rng.u64(..);
            self.routes = Self::new(seed, 0).routes;
        }
    }

    pub(super) fn upstreams(&mut self, route: usize, count: u8) {
        let net = self.rng.u8(..);
        let of = |n| SocketAddr::from((Ipv4Addr::new(10, net, 77 + route as u8, 20 + n), 9000));
        self.routes[route].upstreams = (0..count).map(of).collect();
    }

    /// Nobody pings, nobody has heartbeats, and silences last about as long as `limit`; a few programs talk on.
    pub(super) fn quiet(&mut self, limit: f64) {
        for route in &mut self.routes {
            route.pings = 0.0;
        }
        for (number, program) in self.programs.iter_mut().enumerate() {
            program.life = (limit * 6.0, 1.0);
            program.beats = 0.0;
            program.pings = if number == 2 { limit * 0.4 } else { 0.0 };
            program.talks = (limit * 0.25, 1.1);
            program.pushes = (limit * 0.5, 1.2);
        }
        self.span = self.span.max(limit * 60.0);
    }

    /// Sessions last for a good part of the log, so that many are open at any time.
    pub(super) fn long_lived(&mut self) {
        for program in &mut self.programs {
            program.life = (self.span / 12.0, 0.9);
        }
        for route in &mut self.routes {
            route.pings = if route.pings > 0.0 { (self.span / 300.0).max(route.pings) } else { 0.0 };
        }
        for program in &mut self.programs {
            program.pings = if program.pings > 0.0 { (self.span / 300.0).max(program.pings) } else { 0.0 };
            program.beats = if program.beats > 0.0 { (self.span / 300.0).max(program.beats) } else { 0.0 };
        }
    }

    pub(super) fn expect(&mut self, mechanism: Mechanism, culprits: &[Culprit], limit: Limit) {
        self.expect_any(&[mechanism], culprits, limit);
    }

    pub(super) fn expect_any(&mut self, mechanisms: &[Mechanism], culprits: &[Culprit], limit: Limit) {
        self.expected.push(Expected { mechanisms: mechanisms.to_vec(), culprits: culprits.to_vec(), limit });
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.rng.f64() < share
    }

    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.rng.f64() * (to - from)
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())]
    }

    /// A new client with this program.
    pub(super) fn client(&mut self, program: &Program) -> usize {
        let rng = &mut self.rng;
        let ip = if rng.f64() < 0.08 {
            IpAddr::from([0x2a02, rng.u16(..), rng.u16(..), 0, rng.u16(..), rng.u16(..), rng.u16(..), 1])
        } else {
            IpAddr::from([rng.u8(11..223), rng.u8(..), rng.u8(..), rng.u8(1..255)])
        };
        let tls = if !self.hops.is_empty() {
            None
        } else if rng.f64() < 0.15 {
            Some(TlsVersion::Tls12)
        } else {
            Some(TlsVersion::Tls13)
        };
        let route = rng.usize(..self.routes.len());
        self.clients.push(Client { ip, program: program.clone(), tls, route, hop: rng.usize(..7) });
        self.clients.len() - 1
    }

    /// A session of this client that opens then.
    pub(super) fn draft(&mut self, client: usize, opened: f64) -> Draft {
        let who = self.clients[client].clone();
        let rng = &mut self.rng;
        let life = who.program.life(rng);
        let route = &self.routes[who.route];
        let talk = Talk {
            beats: who.program.talk(rng, route.pings, life),
            life,
            leave: who.program.leave(rng, who.tls.is_some()),
            stuck: None,
            rtt: [0.01 + rng.f64() * 0.12, 0.0005 + rng.f64() * 0.002],
        };
        Draft {
            opened,
            client,
            route: who.route,
            upstream: rng.usize(..route.upstreams.len()),
            instance: rng.usize(..self.instances.len()),
            talk,
            extensions: who.program.deflate.then_some("permessage-deflate"),
            subprotocol: None,
            offered: 0,
            handshake: 0.002 + rng.f64() * 0.02,
            tries: 0,
        }
    }

    /// The visits of an ordinary day, in their order.
    pub(super) fn visits(&mut self) -> Vec<Draft> {
        let each = self.between(1.5, 6.0);
        let mut drafts = vec![];
        let hot = self.rng.f64();
        while drafts.len() < self.size {
            let program = self.programs[self.rng.usize(..self.programs.len())].clone();
            let client = self.client(&program);
            for _ in 0..=self.rng.usize(..(each * 2.0) as usize) {
                // More in one half of the day than in the other.
                let mut at = self.rng.f64();
                if (at - hot).abs() > 0.25 && self.chance(0.4) {
                    at = (hot + self.between(-0.25, 0.25)).rem_euclid(1.0);
                }
                let draft = self.draft(client, at * self.span);
                drafts.push(draft);
            }
        }
        drafts.truncate(self.size);
        drafts.sort_by(|a, b| a.opened.total_cmp(&b.opened));
        drafts
    }

    /// An ordinary day to which `rule` is applied.
    pub(super) fn day(&mut self, rule: impl FnMut(&mut Self, &mut Draft) -> Fate) {
        let visits = self.visits();
        self.noise();
        self.run(visits, rule);
    }

    /// Files these sessions; clients that come back are judged by `rule` again.
    pub(super) fn run(&mut self, drafts: Vec<Draft>, mut rule: impl FnMut(&mut Self, &mut Draft) -> Fate) {
        let mut queue = VecDeque::from(drafts);
        while let Some(mut draft) = queue.pop_front() {
            let fate = rule(self, &mut draft);
            let next = match fate {
                Fate::Ends => {
                    self.close(&draft);
                    None
                }
                Fate::Back(after) => {
                    self.close(&draft);
                    Some(draft.opened + draft.talk.life + after)
                }
                Fate::Refused(outcome, status, duration, after) => {
                    self.refuse(&draft, outcome, status, duration, None);
                    after.map(|after| draft.opened + duration + after)
                }
                Fate::Tls(error, status) => {
                    self.refuse(&draft, Outcome::TlsFailed, status, 0.03, Some(error));
                    None
                }
            };
            if let Some(at) = next.filter(|at| *at < self.span && draft.tries < 12) {
                let mut again = self.draft(draft.client, at);
                again.tries = draft.tries + 1;
                again.instance = if self.chance(0.5) { draft.instance } else { again.instance };
                queue.push_back(again);
            }
        }
    }

    /// Scanners, clients that give up, and a few who mistyped their password.
    pub(super) fn noise(&mut self) {
        let curl = Program::named("curl/8.5.0");
        for _ in 0..=self.size / 60 {
            let client = self.client(&curl);
            let at = self.between(0.0, self.span);
            let draft = self.draft(client, at);
            let (outcome, status) = self.one(&[
                (Outcome::NoRoute, Some(404)),
                (Outcome::BadRequest, Some(400)),
                (Outcome::Refused, Some(401)),
                (Outcome::ClientGone, None),
            ]);
            self.refuse(&draft, outcome, status, 0.004, None);
        }
    }
}

// === impl Draft ===

impl Draft {
    pub(super) fn open_at(&self, instant: f64) -> bool {
        self.opened < instant && instant < self.opened + self.talk.life
    }

    /// Ends it at this instant of the log.
    pub(super) fn cut_at(&mut self, instant: f64, leave: Leave) {
        self.talk.cut(instant - self.opened, leave);
    }
}
