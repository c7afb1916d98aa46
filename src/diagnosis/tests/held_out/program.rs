//! Programs: what they say in an open session, by the habits of real stacks.

use fastrand::Rng;

use super::chance::exponential;
use super::script::{Act, What};
use crate::wire::Peer;
use Peer::{Client, Upstream};

/// A stack at both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Program {
    /// Messages either way; the server pings every 25 s.
    Chat,
    /// Messages either way, and no pings.
    Bare,
    /// The client's heartbeat of 30 s is answered.
    Phoenix,
    /// The server's ping, a message, every 25 s.
    SocketIo,
    /// Both send a ping, a message, every 15 s.
    SignalR,
    /// Both ping every 20 s: Python websockets.
    Python,
    /// The client pings every 30 s.
    OkHttp,
    /// The upstream pushes every 6 s; the client is silent.
    Feed,
    /// The same, and the client beats every 30 s.
    Beaten,
    /// The client sends every 9 s; the upstream is silent.
    Telemetry,
    /// Bursts of messages, with silence between them of this mean.
    Quiet(f64),
}

/// Its frames in a session of this length.
pub(super) fn traffic(rng: &mut Rng, program: Program, life: f64) -> Vec<Act> {
    let mut acts = vec![Act { at: 0.02 + 0.1 * rng.f64(), by: Client, what: What::Message }];
    match program {
        Program::Chat => {
            messages(rng, &mut acts, life, 25.0);
            pings(rng, &mut acts, life, Upstream, 25.0);
        }
        Program::Bare => messages(rng, &mut acts, life, 12.0),
        Program::Phoenix => {
            messages(rng, &mut acts, life, 40.0);
            beats(rng, &mut acts, life, Client, 30.0);
        }
        Program::SocketIo => {
            messages(rng, &mut acts, life, 50.0);
            beats(rng, &mut acts, life, Upstream, 25.0);
        }
        Program::SignalR => {
            messages(rng, &mut acts, life, 40.0);
            every(rng, &mut acts, life, Client, 15.0);
            every(rng, &mut acts, life, Upstream, 15.0);
        }
        Program::Python => {
            messages(rng, &mut acts, life, 30.0);
            pings(rng, &mut acts, life, Upstream, 20.0);
            pings(rng, &mut acts, life, Client, 20.0);
        }
        Program::OkHttp => {
            messages(rng, &mut acts, life, 50.0);
            pings(rng, &mut acts, life, Client, 30.0);
        }
        Program::Feed => every(rng, &mut acts, life, Upstream, 6.0),
        Program::Beaten => {
            every(rng, &mut acts, life, Upstream, 6.0);
            every(rng, &mut acts, life, Client, 30.0);
        }
        Program::Telemetry => {
            acts.push(Act { at: 0.2, by: Upstream, what: What::Message });
            every(rng, &mut acts, life, Client, 9.0);
        }
        Program::Quiet(mean) => {
            let mut at = exponential(rng, mean / 3.0);
            while at < life {
                for _ in 0..=rng.u8(..3) {
                    let by = if rng.bool() { Client } else { Upstream };
                    acts.push(Act { at, by, what: What::Message });
                    at += 0.05 + rng.f64();
                }
                at += exponential(rng, mean);
            }
        }
    }
    acts.retain(|act| act.at < life);
    acts.sort_by(|a, b| a.at.total_cmp(&b.at));
    acts
}

fn messages(rng: &mut Rng, acts: &mut Vec<Act>, life: f64, mean: f64) {
    let mut at = exponential(rng, mean);
    while at < life {
        acts.push(Act { at, by: if rng.bool() { Client } else { Upstream }, what: What::Message });
        at += exponential(rng, mean);
    }
}

/// A message of `by` at a fixed interval.
fn every(rng: &mut Rng, acts: &mut Vec<Act>, life: f64, by: Peer, period: f64) {
    let mut at = period * (0.3 + 0.7 * rng.f64());
    while at < life {
        acts.push(Act { at, by, what: What::Message });
        at += period * (0.97 + 0.06 * rng.f64());
    }
}

/// The same, answered by a message.
fn beats(rng: &mut Rng, acts: &mut Vec<Act>, life: f64, by: Peer, period: f64) {
    let from = acts.len();
    every(rng, acts, life, by, period);
    for at in from..acts.len() {
        let answer = acts[at].at + 0.02 + 0.1 * rng.f64();
        acts.push(Act { at: answer, by: by.other(), what: What::Message });
    }
}

fn pings(rng: &mut Rng, acts: &mut Vec<Act>, life: f64, by: Peer, period: f64) {
    let mut at = period;
    let mut number = if by == Client { 1 << 20 } else { 0 };
    while at < life {
        acts.push(Act { at, by, what: What::Ping(number) });
        acts.push(Act { at: at + 0.01 + 0.15 * rng.f64(), by: by.other(), what: What::Pong(number) });
        number += 1;
        at += period + 0.01 * rng.f64();
    }
}
