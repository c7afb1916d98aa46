//! TLS on the clients' legs: named where an incident is confined to one version of it, and nowhere else.

use super::incidents::some;
use super::recipe::busy;
use super::stage::{Client, Ends, Stage, tls};
use crate::close::TlsVersion;
use crate::diagnosis::{Engine, Finding, LegTls, Mechanism, Observation};
use crate::wire::Peer;

const SEEDS: [u64; 4] = [3, 11, 29, 71];
const OLD: LegTls = LegTls::Version(TlsVersion::Tls12);

/// The finding of a day on which half of the sessions of the `ill` clients are reset.
fn found(seed: u64, old: u32, ill: impl Fn(&Client) -> bool, told: impl Fn(LegTls) -> LegTls) -> Finding {
    let mut stage = Stage::new(seed, |setting| {
        busy(setting);
        (setting.hop, setting.phones) = (false, 0.0);
    });
    let all_day = (0.0, stage.length());
    some(
        &mut stage,
        0.5,
        all_day,
        |stage, session| ill(&stage.clients[session.client]),
        |stage, at| {
            let life = stage.sessions[at].life;
            stage.end(at, life, Ends::Reset(Peer::Client));
        },
    );
    let mut engine = Engine::default();
    for seen in stage.log() {
        let (host, _) = seen.address.rsplit_once(':').unwrap();
        engine.add(&Observation { client_tls: told(tls(host, old)), ..seen.clone() });
    }
    let findings = engine.report().findings;
    let [found] = &findings[..] else { panic!("seed {seed}: {findings:#?}") };
    assert_eq!(found.mechanism, Mechanism::RandomResets, "seed {seed}");
    found.clone()
}

#[test]
fn resets_of_the_clients_with_tls_1_2_are_named_by_it() {
    // Few of them are too few for the route, and enough for themselves.
    for old in [8, 40] {
        for seed in SEEDS {
            let found = found(seed, old, |client| tls(&client.address, old) == OLD, |tls| tls);
            assert_eq!(found.common.client_tls_version, Some("1.2"), "seed {seed}: {found:?}");
            assert!(found.sentence.contains("client TLS 1.2"), "{}", found.sentence);
        }
    }
}

#[test]
fn resets_of_clients_of_any_tls_are_not_named_by_it() {
    for seed in SEEDS {
        let found = found(seed, 40, |client| client.address.ends_with(['1', '4', '7']), |tls| tls);
        assert_eq!(found.common.client_tls_version, None, "seed {seed}: {found:?}");
    }
}

#[test]
fn records_that_do_not_say_what_tls_there_was_are_not_named_by_it() {
    for seed in SEEDS {
        let found = found(seed, 40, |client| tls(&client.address, 40) == OLD, |_| LegTls::Unknown);
        assert_eq!(found.common.client_tls_version, None, "seed {seed}: {found:?}");
    }
}

#[test]
fn clients_without_tls_are_named_by_that() {
    for seed in SEEDS {
        let found = found(seed, 40, |client| tls(&client.address, 40) == LegTls::None, |tls| tls);
        assert_eq!(found.common.client_tls_version, Some("none"), "seed {seed}: {found:?}");
    }
}
