//! The programs that talk on an ordinary day.

use fastrand::Rng;

use super::talk::{Answer, Beat, Leave};
use crate::close::End;
use crate::wire::Peer;

/// A client program and its habits. Times are seconds; pairs are median and spread of a lognormal distribution.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) agent: &'static str,
    pub(super) origin: Option<&'static str>,
    pub(super) life: (f64, f64),
    /// Between its messages; 0 for none.
    pub(super) talks: (f64, f64),
    /// Between messages of the upstream; 0 for none.
    pub(super) pushes: (f64, f64),
    /// Period of its pings; 0 for none.
    pub(super) pings: f64,
    /// Period of its heartbeats, which the upstream answers by a message; 0 for none.
    pub(super) beats: f64,
    /// Whether it offers compression.
    pub(super) deflate: bool,
    /// Weights of its ways to leave, in the order of [`Program::leave`].
    pub(super) leaves: [u32; 9],
}

const APP: &str = "https://app.example";

pub(super) const PROGRAMS: [Program; 11] = [
    program("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/139.0 Safari/537.36", Some(APP))
        .lives(240.0, 1.2)
        .says(25.0, 1.0, 9.0, 0.9)
        .goes([45, 18, 14, 7, 4, 2, 1, 3, 1]),
    program("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) Version/18.0 Safari/605.1.15", Some(APP))
        .lives(300.0, 1.1)
        .says(40.0, 1.0, 15.0, 1.0)
        .goes([35, 25, 20, 9, 4, 2, 1, 2, 1]),
    program("Mozilla/5.0 (Windows NT 10.0; rv:142.0) Gecko/20100101 Firefox/142.0", Some(APP))
        .lives(420.0, 1.2)
        .says(30.0, 1.1, 12.0, 0.8)
        .goes([50, 15, 15, 5, 3, 2, 1, 3, 1]),
    program("Chat/5.3 CFNetwork/1490.0.4 Darwin/23.2.0", None)
        .lives(90.0, 1.0)
        .says(18.0, 0.9, 14.0, 1.0)
        .goes([10, 4, 18, 55, 2, 3, 4, 1, 1]),
    program("okhttp/4.12.0", None)
        .lives(150.0, 1.1)
        .says(22.0, 1.0, 16.0, 1.0)
        .pinging(30.0)
        .goes([4, 1, 40, 40, 1, 5, 4, 2, 2]),
    program("node-ws-client/8.18", None)
        .lives(1500.0, 0.9)
        .says(12.0, 0.7, 10.0, 0.7)
        .goes([2, 22, 60, 8, 0, 1, 0, 6, 1]),
    program("Python/3.12 websockets/13.1", None)
        .lives(1200.0, 1.0)
        .says(15.0, 0.8, 11.0, 0.8)
        .pinging(20.0)
        .goes([9, 0, 80, 5, 0, 1, 0, 5, 0]),
    program("Go-http-client/1.1", None).lives(900.0, 1.0).says(20.0, 0.8, 9.0, 0.9).goes([0, 2, 52, 38, 0, 2, 0, 6, 0]),
    program("Java/21 Spring-WebSocket", None)
        .lives(800.0, 0.8)
        .says(30.0, 0.7, 20.0, 0.8)
        .beating(25.0)
        .goes([3, 1, 78, 10, 0, 2, 0, 5, 1]),
    program("Microsoft SignalR/8.0 (.NET 8.0; Windows)", None)
        .lives(700.0, 1.1)
        .says(45.0, 1.0, 30.0, 1.0)
        .beating(15.0)
        .goes([2, 6, 72, 9, 1, 2, 1, 6, 1]),
    program("Dart/3.4 (dart:io)", None)
        .lives(200.0, 1.1)
        .says(20.0, 1.0, 18.0, 1.0)
        .goes([6, 22, 25, 36, 1, 3, 4, 2, 1]),
];

const fn program(agent: &'static str, origin: Option<&'static str>) -> Program {
    Program {
        agent,
        origin,
        life: (300.0, 1.0),
        talks: (30.0, 1.0),
        pushes: (0.0, 1.0),
        pings: 0.0,
        beats: 0.0,
        deflate: origin.is_some(),
        leaves: [0, 0, 1, 0, 0, 0, 0, 0, 0],
    }
}

// === impl Program ===

impl Program {
    pub(super) const fn named(agent: &'static str) -> Self {
        program(agent, None)
    }

    pub(super) const fn lives(self, median: f64, spread: f64) -> Self {
        Self { life: (median, spread), ..self }
    }

    pub(super) const fn says(self, talks: f64, spread: f64, pushes: f64, push_spread: f64) -> Self {
        Self { talks: (talks, spread), pushes: (pushes, push_spread), ..self }
    }

    pub(super) const fn pinging(self, pings: f64) -> Self {
        Self { pings, ..self }
    }

    pub(super) const fn beating(self, beats: f64) -> Self {
        Self { beats, ..self }
    }

    pub(super) const fn goes(self, leaves: [u32; 9]) -> Self {
        Self { leaves, ..self }
    }

    pub(super) fn life(&self, rng: &mut Rng) -> f64 {
        lognormal(rng, self.life).max(0.05)
    }

    /// How it leaves today.
    pub(super) fn leave(&self, rng: &mut Rng, tls: bool) -> Leave {
        let mut left = rng.u32(0..self.leaves.iter().sum());
        let way = self.leaves.iter().position(|weight| {
            let here = left < *weight;
            left = left.wrapping_sub(*weight);
            here
        });
        let own = |code| Leave::close(Peer::Client, code, "");
        match way.unwrap_or(2) {
            0 => own(1001),
            1 => Leave::Close(Peer::Client, None, String::new(), Answer::Echo),
            2 => own(1000),
            3 => Leave::End(Peer::Client, End::Fin),
            4 => Leave::End(Peer::Client, if tls { End::TlsTruncated } else { End::Fin }),
            5 => Leave::End(Peer::Client, End::Reset),
            6 => Leave::End(Peer::Client, End::Timeout),
            7 => Leave::close(Peer::Upstream, 1000, ""),
            _ => Leave::close(Peer::Client, 4000 + rng.u16(1..9), "logout"),
        }
    }

    /// The frames of a session of this length on a route whose server pings with this period (0: never).
    pub(super) fn talk(&self, rng: &mut Rng, server_pings: f64, life: f64) -> Vec<(f64, Beat)> {
        let mut beats = vec![];
        let room = |gap: f64| (life / (gap * 70.0)).max(1.0);
        if self.talks.0 > 0.0 {
            let gap = (self.talks.0 * room(self.talks.0), self.talks.1);
            let mut at = 0.01 + rng.f64() * 0.4;
            while at < life {
                beats.push((at, Beat::Text(Peer::Client)));
                if rng.f64() < 0.6 {
                    beats.push((at + 0.005 + rng.f64() * 0.2, Beat::Text(Peer::Upstream)));
                }
                at += lognormal(rng, gap).max(0.05);
            }
        }
        if self.pushes.0 > 0.0 {
            let gap = (self.pushes.0 * room(self.pushes.0), self.pushes.1);
            let mut at = 0.05 + lognormal(rng, gap);
            while at < life {
                beats.push((at, Beat::Text(Peer::Upstream)));
                at += lognormal(rng, gap).max(0.05);
            }
        }
        for (by, period) in [(Peer::Client, self.pings), (Peer::Upstream, server_pings)] {
            let mut number = 0;
            while period > 0.0 && f64::from(number + 1) * period < life {
                number += 1;
                let at = f64::from(number) * period;
                beats.push((at, Beat::Ping(by, number)));
                beats.push((at + 0.01 + rng.f64() * 0.15, Beat::Pong(by.other(), number)));
            }
        }
        let mut at = self.beats;
        while self.beats > 0.0 && at < life {
            beats.push((at, Beat::Text(Peer::Client)));
            beats.push((at + 0.01 + rng.f64() * 0.1, Beat::Text(Peer::Upstream)));
            at += self.beats;
        }
        beats.retain(|(at, _)| *at < life);
        beats.sort_by(|a, b| a.0.total_cmp(&b.0));
        beats
    }
}

/// A number of the lognormal distribution with this median and spread.
pub(super) fn lognormal(rng: &mut Rng, (median, spread): (f64, f64)) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    median * (spread * radius * (std::f64::consts::TAU * rng.f64()).cos()).exp()
}
