//! Clients of several kinds: their addresses and programs.

use fastrand::Rng;

use super::chance::pick;

const BROWSERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
];
const PHONES: [&str; 4] = [
    "okhttp/5.3.0",
    "Shop/7.1 CFNetwork/3860 Darwin/25.1.0",
    "Shop/7.0 CFNetwork/1568 Darwin/24.0.0",
    "Dart/3.10 (dart:io)",
];
const DAEMONS: [&str; 4] = ["Python/3.13 websockets/15.0.1", "Go-http-client/1.1", "node-ws/8.18", "gorilla-agent/2.3"];

/// The kind of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Browser,
    Phone,
    Daemon,
}

/// A client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) address: String,
    pub(super) agent: String,
    pub(super) kind: Kind,
}

/// One of a mix of browsers, phones and daemons.
pub(super) fn client(rng: &mut Rng, mix: [f64; 3]) -> Client {
    let which = rng.f64() * mix.iter().sum::<f64>();
    let kind = if which < mix[0] {
        Kind::Browser
    } else if which < mix[0] + mix[1] {
        Kind::Phone
    } else {
        Kind::Daemon
    };
    let (agents, address): (&[&str], String) = match kind {
        Kind::Browser if rng.f64() < 0.1 => (&BROWSERS, format!("203.0.113.{}", rng.u8(10..14))),
        Kind::Browser if rng.f64() < 0.2 => {
            (&BROWSERS, format!("2001:db8:{:x}:{:x}::{:x}", rng.u16(..60), rng.u16(..), 1 + rng.u16(..)))
        }
        Kind::Browser => (&BROWSERS, format!("{}.{}.{}.{}", rng.u8(81..96), rng.u8(..40), rng.u8(..), rng.u8(1..))),
        Kind::Phone => (&PHONES, format!("100.{}.{}.{}", rng.u8(64..68), rng.u8(..4), rng.u8(1..))),
        Kind::Daemon => (&DAEMONS, format!("34.{}.{}.{}", rng.u8(120..126), rng.u8(..), rng.u8(1..))),
    };
    Client { address, agent: pick(rng, agents).to_owned(), kind }
}
