//! The stage: days of sessions as they are in life, for plays to happen in. Seeded, so that each play can be played again.

use std::borrow::Cow;

use fastrand::Rng;

use crate::close::{CloseCode, CodeRules, End as Transport, Outcome, TlsVersion, Verdict};
use crate::diagnosis::{Asked, Closed, Event, LegTls, Observation, Refused, Side};
use crate::wire::Peer;

pub(super) use super::ends::Ends;
use super::ends::{natural, verdict};

/// 2026-11-20T08:00:00Z.
const MORNING: f64 = 1_795_161_600.0;

pub(super) const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Safari/605.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Firefox/143.0",
    "Mozilla/5.0 (Windows NT 10.0) Edg/141.0",
];
pub(super) const PHONES: [&str; 3] = ["app/4.2 (iPhone; iOS 19.1)", "app/4.2 (Android 16)", "okhttp/5.1"];

/// One session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) opened: f64,
    pub(super) life: f64,
    pub(super) ends: Ends,
    pub(super) client: usize,
    pub(super) route: usize,
    pub(super) instance: usize,
    pub(super) upstream: usize,
    /// Frames, since the opening, in order.
    pub(super) frames: Vec<(f64, Peer)>,
    pub(super) extensions: bool,
    /// Facts that a play adds.
    pub(super) facts: [Side; 2],
    pub(super) offered: u32,
    pub(super) handshake: f64,
    /// A play has had its way with it.
    pub(super) hit: bool,
}

/// A client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) address: String,
    pub(super) agent: String,
    pub(super) phone: bool,
}

/// A handshake that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) at: f64,
    pub(super) client: usize,
    pub(super) route: usize,
    pub(super) instance: usize,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) tls: String,
    pub(super) took: f64,
}

/// The settings that may differ from stage to stage.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) hours: f64,
    pub(super) sessions: usize,
    pub(super) clients: usize,
    pub(super) phones: f64,
    pub(super) routes: usize,
    pub(super) instances: usize,
    pub(super) upstreams: usize,
    /// Mean pause between messages.
    pub(super) talk: f64,
    /// The upstream pings so often.
    pub(super) pings: Option<f64>,
    /// Median life.
    pub(super) life: f64,
    /// Records have the newer facts.
    pub(super) facts: bool,
    /// Clients come through a hop that says for whom it speaks.
    pub(super) hop: bool,
    /// Background noise: 1 is usual.
    pub(super) noise: f64,
}

/// A log in the making.
pub(super) struct Stage {
    pub(super) rng: Rng,
    pub(super) setting: Setting,
    pub(super) clients: Vec<Client>,
    pub(super) sessions: Vec<Session>,
    pub(super) failures: Vec<Failure>,
    /// By instance, in seconds.
    pub(super) clocks: Vec<f64>,
}

// === impl Setting ===

impl Setting {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let pick = |rng: &mut Rng, of: &[f64]| of[rng.usize(..of.len())];
        Self {
            hours: pick(rng, &[1.0, 3.0, 8.0, 12.0]),
            sessions: pick(rng, &[800.0, 1500.0, 3000.0]) as usize,
            clients: 150 + rng.usize(..400),
            phones: pick(rng, &[0.1, 0.3, 0.6]),
            routes: 1 + rng.usize(..3),
            instances: 1 + rng.usize(..4),
            upstreams: 1 + rng.usize(..3),
            talk: pick(rng, &[5.0, 15.0, 40.0]),
            pings: [None, Some(25.0), Some(30.0), Some(20.0)][rng.usize(..4)],
            life: pick(rng, &[90.0, 300.0, 900.0]),
            facts: rng.u8(..4) > 0,
            hop: rng.u8(..4) == 0,
            noise: 1.0,
        }
    }
}

/// TLS of a client, where `old` of a hundred speak TLS 1.2, and ten none.
pub(super) fn tls(address: &str, old: u32) -> LegTls {
    let number = address.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 100;
    match number {
        90.. => LegTls::None,
        _ if number < old => LegTls::Version(TlsVersion::Tls12),
        _ => LegTls::Version(TlsVersion::Tls13),
    }
}

/// Exponentially distributed, with this mean.
pub(super) fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

fn lognormal(rng: &mut Rng, median: f64, sigma: f64) -> f64 {
    let normal: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
    median * (sigma * normal).exp()
}

// === impl Stage ===

impl Stage {
    pub(super) fn new(seed: u64, change: impl FnOnce(&mut Setting)) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut setting = Setting::random(&mut rng);
        change(&mut setting);
        let subnets = 5 + rng.usize(..40);
        let clients = (0..setting.clients)
            .map(|i| {
                let phone = rng.f64() < setting.phones;
                let agents: &[&str] = if phone { &PHONES } else { &BROWSERS };
                // Phones are in networks of their own.
                let net = if phone { 100 + rng.usize(..6) } else { rng.usize(..subnets) };
                Client {
                    address: format!("198.{}.{}.{}", 18 + net / 200, net % 200, 1 + i % 250),
                    agent: agents[rng.usize(..agents.len())].to_owned(),
                    phone,
                }
            })
            .collect();
        let clocks = vec![0.0; setting.instances];
        let mut stage = Self { rng, setting, clients, sessions: vec![], failures: vec![], clocks };
        for _ in 0..stage.setting.sessions {
            let opened = stage.rng.f64() * stage.length();
            let client = stage.rng.usize(..stage.clients.len());
            let session = stage.session(opened, client);
            stage.sessions.push(session);
        }
        let noise = stage.setting.noise;
        for _ in 0..(stage.setting.sessions as f64 * 0.012 * noise) as usize {
            let at = stage.rng.f64() * stage.length();
            let (outcome, status) = [
                (Outcome::Refused, Some(401)),
                (Outcome::ClientGone, None),
                (Outcome::NoRoute, Some(404)),
                (Outcome::BadRequest, Some(400)),
                (Outcome::Refused, Some(503)),
            ][stage.rng.usize(..5)];
            let client = stage.rng.usize(..stage.clients.len());
            stage.fail(at, client, outcome, status);
        }
        stage
    }

    pub(super) fn length(&self) -> f64 {
        self.setting.hours * 3600.0
    }

    pub(super) fn fail(&mut self, at: f64, client: usize, outcome: Outcome, status: Option<u16>) {
        let route = self.rng.usize(..self.setting.routes);
        let instance = self.rng.usize(..self.setting.instances);
        self.failures.push(Failure {
            at,
            client,
            route,
            instance,
            outcome,
            status,
            tls: String::new(),
            took: self.rng.f64() * 0.1,
        });
    }

    /// A session as it would be without any incident.
    pub(super) fn session(&mut self, opened: f64, client: usize) -> Session {
        let setting = self.setting.clone();
        let rng = &mut self.rng;
        let longest = setting.hours * 3600.0 * 0.6;
        let life = lognormal(rng, setting.life, 0.9).max(0.5);
        let life = if life > longest { longest * rng.f64() } else { life };
        let phone = self.clients[client].phone;
        let ends = natural(rng, phone, setting.noise);
        let talk = setting.talk * (0.5 + rng.f64());
        let mut session = Session {
            opened,
            life,
            ends,
            client,
            route: rng.usize(..setting.routes),
            instance: rng.usize(..setting.instances),
            upstream: rng.usize(..setting.upstreams),
            frames: vec![],
            extensions: rng.f64() < 0.8,
            facts: [Side::default(); 2],
            offered: 0,
            handshake: 0.002 + rng.f64() * 0.02,
            hit: false,
        };
        talks(rng, &mut session, talk, setting.pings);
        session
    }

    /// Sessions that are open at an instant.
    pub(super) fn open_at(&self, at: f64) -> Vec<usize> {
        (0..self.sessions.len())
            .filter(|i| self.sessions[*i].opened < at && at < self.sessions[*i].opened + self.sessions[*i].life)
            .collect()
    }

    /// Ends a session earlier than it would have.
    pub(super) fn end(&mut self, session: usize, life: f64, ends: Ends) {
        let session = &mut self.sessions[session];
        session.life = life;
        session.ends = ends;
        session.hit = true;
        session.frames.retain(|(at, _)| *at <= life);
    }

    /// The client of a session that was ended comes back.
    pub(super) fn comes_back(&mut self, session: usize, after: f64) -> usize {
        let old = self.sessions[session].clone();
        let opened = old.opened + old.life + after;
        let mut new = self.session(opened, old.client);
        (new.route, new.instance, new.upstream) = (old.route, old.instance, old.upstream);
        self.sessions.push(new);
        self.sessions.len() - 1
    }

    /// The log, in the order of time.
    pub(super) fn log(&self) -> Vec<Observation<'static>> {
        let mut log: Vec<_> = self.sessions.iter().enumerate().map(|(i, session)| self.closed(i, session)).collect();
        log.extend(self.failures.iter().map(|failure| self.refused(failure)));
        log.sort_by(|a, b| a.at.total_cmp(&b.at));
        log
    }

    fn common(&self, client: usize, route: usize, instance: usize, at: f64, port: usize) -> Observation<'static> {
        let who = &self.clients[client];
        let address = if self.setting.hop { "10.0.0.7".to_owned() } else { who.address.clone() };
        Observation {
            at: MORNING + at + self.clocks[instance],
            instance: format!("pod-{instance}").into(),
            route: ["chat", "feed", "graphql", "sync"][route].into(),
            address: format!("{address}:{}", 1024 + port % 60_000).into(),
            real_address: if self.setting.hop { who.address.clone().into() } else { Cow::Borrowed("") },
            behind_hop: false,
            client_tls: if self.setting.hop { LegTls::None } else { tls(&who.address, 30) },
            request: Asked {
                path: format!("/{}/ws", ["chat", "feed", "graphql", "sync"][route]).into(),
                user_agent: who.agent.clone().into(),
                origin: Cow::Borrowed(if who.phone { "" } else { "https://app.example" }),
                ..Asked::default()
            },
            event: Event::default(),
        }
    }

    fn refused(&self, failure: &Failure) -> Observation<'static> {
        let mut seen = self.common(failure.client, failure.route, failure.instance, failure.at, failure.at as usize);
        seen.event = Event::Refused(Refused {
            outcome: failure.outcome,
            status: failure.status,
            tls_error: failure.tls.clone().into(),
            duration: failure.took,
        });
        seen
    }

    fn closed(&self, number: usize, session: &Session) -> Observation<'static> {
        let at = session.opened + session.life;
        let mut seen = self.common(session.client, session.route, session.instance, at, number * 7);
        if session.extensions {
            seen.request.extensions = "permessage-deflate".into();
        }
        seen.request.subprotocols_offered = session.offered;
        let (code, initiator, cause) = verdict(&session.ends);
        let class = Verdict::class_of(cause, CloseCode(code.unwrap_or(1006)), initiator, &CodeRules::default());
        let mut peers = session.facts;
        for peer in Peer::ALL {
            self.side(session, peer, &mut peers[peer.index()]);
        }
        let reason = match &session.ends {
            Ends::Close { reason, .. } => reason.clone(),
            Ends::Fin(_) | Ends::Reset(_) | Ends::Timeout(_) | Ends::Drain | Ends::OwnIdle => String::new(),
        };
        let last = session.frames.last().map_or(0.0, |(at, _)| *at);
        seen.event = Event::Closed(Box::new(Closed {
            session: format!("01SESSION{number:017}").into(),
            class,
            code,
            initiator,
            cause,
            reason: reason.into(),
            duration: session.life,
            idle: session.life - last,
            handshake: self.setting.facts.then_some(session.handshake),
            upstream_tls: LegTls::None,
            upstream: format!("10.2.0.{}:9000", session.route * 10 + session.upstream + 1).into(),
            peers,
        }));
        seen
    }

    fn side(&self, session: &Session, peer: Peer, side: &mut Side) {
        let times: Vec<f64> = session.frames.iter().filter(|(_, from)| *from == peer).map(|(at, _)| *at).collect();
        side.frames = times.len() as u64;
        side.messages = side.frames;
        side.last_frame = times.last().copied();
        side.last_message = side.last_message.or(side.last_frame);
        if self.setting.facts {
            let mut before = 0.0;
            let gaps: Vec<f64> = times.iter().map(|at| *at - std::mem::replace(&mut before, *at)).collect();
            side.silence_before_last = gaps.last().copied();
            side.longest_silence = gaps.iter().copied().reduce(f64::max);
        }
        match &session.ends {
            Ends::Close { by, code, answer, .. } => {
                side.close =
                    if *by == peer { Some(*code) } else { answer.map(|code| Some(code).filter(|code| *code != 1005)) };
                side.end = Transport::Local;
            }
            Ends::Fin(of) if *of == peer => side.end = Transport::Fin,
            Ends::Reset(of) if *of == peer => side.end = Transport::Reset,
            Ends::Timeout(of) if *of == peer => side.end = Transport::Timeout,
            Ends::Fin(_) | Ends::Reset(_) | Ends::Timeout(_) | Ends::Drain | Ends::OwnIdle => {
                side.end = Transport::Local;
            }
        }
    }
}

/// Fills a session with messages and pings.
fn talks(rng: &mut Rng, session: &mut Session, talk: f64, pings: Option<f64>) {
    // From the end backwards, so that a long session is not silent at its end for want of frames.
    let mut at = session.life - exponential(rng, talk);
    while at > 0.0 && session.frames.len() < 300 {
        session.frames.push((at, if rng.bool() { Peer::Client } else { Peer::Upstream }));
        at -= exponential(rng, talk);
    }
    session.frames.push((session.life.min(0.05) * rng.f64(), Peer::Client));
    if let Some(every) = pings {
        let first = (session.life - 200.0 * every).max(0.0);
        let mut ping = (first / every).ceil() * every + every;
        while ping < session.life {
            session.frames.push((ping, Peer::Upstream));
            let answered = ping + 0.01 + rng.f64() * 0.1;
            if answered < session.life {
                session.frames.push((answered, Peer::Client));
            }
            ping += every;
        }
    }
    session.frames.sort_by(|a, b| a.0.total_cmp(&b.0));
}
