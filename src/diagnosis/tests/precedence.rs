//! The precedence of rules, and the floors in victims, so that two engineers name the same.

use super::incidents::{close, some};
use super::recipe::any;
use super::stage::{Ends, Setting, Stage};
use crate::diagnosis::{Culprit, Engine, Mechanism, Report};
use crate::wire::Peer::{Client, Upstream};

/// One route of one upstream, whose other sessions end well.
fn calm(sessions: usize) -> impl FnOnce(&mut Setting) {
    move |setting| {
        (setting.sessions, setting.routes, setting.instances, setting.upstreams) = (sessions, 1, 1, 1);
        (setting.phones, setting.noise, setting.hop, setting.facts) = (0.0, 0.0, false, true);
    }
}

fn report(stage: &Stage) -> Report {
    let mut engine = Engine::default();
    for seen in stage.log() {
        engine.add(&seen);
    }
    engine.report()
}

/// Does something to so many sessions, evenly among all.
fn to_some(stage: &mut Stage, count: usize, change: impl Fn(&mut Stage, usize)) {
    let step = stage.sessions.len() / count;
    for number in 0..count {
        change(stage, number * step);
    }
}

#[test]
fn compression_is_blamed_where_it_was_negotiated_and_nothing_else_was_broken() {
    for (extensions, violations, expected) in [
        (true, 0, Mechanism::CompressionError),
        (false, 0, Mechanism::ProtocolError),
        (true, 1, Mechanism::ProtocolError),
    ] {
        let mut stage = Stage::new(3, calm(600));
        let whole = (0.0, stage.length());
        some(&mut stage, 0.08, whole, any, |stage, at| {
            let session = &mut stage.sessions[at];
            session.extensions = extensions;
            session.facts[Upstream.index()].violations = violations;
            session.ends = close(Client, 1002);
        });
        let found = report(&stage).findings;
        let named: Vec<_> = found.iter().map(|finding| (finding.mechanism, finding.culprit)).collect();
        assert_eq!(named, [(expected, Culprit::Upstream)], "extensions {extensions}, violations {violations}");
    }
}

#[test]
fn twenty_victims_among_two_hundred_are_found() {
    for (code, mechanism) in [
        (1009, Mechanism::MessageTooBig),
        (1003, Mechanism::ProtocolError),
        (1008, Mechanism::PolicyRejected),
        (1011, Mechanism::HandlerError),
        (1013, Mechanism::Overload),
    ] {
        for seed in 0..5 {
            let mut stage = Stage::new(seed, calm(200));
            to_some(&mut stage, 20, |stage, at| stage.sessions[at].ends = close(Upstream, code));
            let found = report(&stage).findings;
            let named: Vec<_> = found.iter().map(|finding| (finding.mechanism, finding.sessions)).collect();
            assert_eq!(named, [(mechanism, 20)], "{code}, seed {seed}");
        }
    }
}

#[test]
fn nine_victims_are_a_note() {
    let mut stage = Stage::new(1, calm(200));
    to_some(&mut stage, 9, |stage, at| stage.sessions[at].ends = close(Upstream, 1011));
    let report = report(&stage);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let note = report.notes.iter().find(|note| note.mechanism == "handler_error").unwrap();
    assert!(
        note.sentence.starts_with("9 sessions of route ") && note.sentence.ends_with("; too few for a finding."),
        "{note:?}"
    );
}

#[test]
fn an_age_that_is_exact_outranks_a_silence_that_is_only_near_it() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, calm(600));
        to_some(&mut stage, 30, |stage, at| {
            let (life, hello) = (150.0 + 0.1 * stage.rng.f64(), 4.0 * stage.rng.f64());
            stage.end(at, life, Ends::Fin(Client));
            // The upstream speaks only at the beginning.
            let mut frames = vec![(hello, Upstream)];
            frames.extend((0..4).map(|turn| (5.0 + 35.0 * (f64::from(turn) + stage.rng.f64()), Client)));
            stage.sessions[at].frames = frames;
        });
        let found = report(&stage).findings;
        let named: Vec<_> = found.iter().map(|it| (it.mechanism, it.culprit)).collect();
        assert_eq!(named, [(Mechanism::MaxLifetime, Culprit::MiddleboxFront)], "{seed}: {found:?}");
        assert!((found[0].limit_s.unwrap() - 150.0).abs() < 0.5, "{seed}: {found:?}");
    }
}
