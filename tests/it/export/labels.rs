//! No peer can make a label.

use std::collections::{BTreeMap, BTreeSet};

use closewatch::close::{
    Cause, Class, CloseCode, CloseSink, CodeRules, End, Event, Initiator, Outcome, Rejection, TcpFacts,
};
use closewatch::diagnosis::{Culprit, Mechanism};
use closewatch::export::Exporter;
use closewatch::wire::{Opcode, Peer, Violation};
use proptest::prelude::*;

use super::metrics::{exposition, silent};
use super::records::{self, Script, ms};

/// Everything that a peer, the network or closewatch can do to a session.
#[derive(Clone, Debug)]
enum Step {
    Frame(Peer, u8, Vec<u8>),
    Stuck(Peer, u8, Vec<u8>),
    Close(Peer, u16, String),
    Violation(Peer, usize),
    Blind(Peer),
    Ended(Peer, usize),
    Decided(usize),
    OwnClose(Peer, u16),
    Kernel(Peer, u64),
    Unwritten(Peer),
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![Just(Peer::Client), Just(Peer::Upstream)]
}

fn step() -> impl Strategy<Value = Step> {
    let payload = || proptest::collection::vec(any::<u8>(), 0..125);
    prop_oneof![
        (peer(), 0..16_u8, payload()).prop_map(|(from, opcode, payload)| Step::Frame(from, opcode, payload)),
        (peer(), 0..16_u8, payload()).prop_map(|(from, opcode, payload)| Step::Stuck(from, opcode, payload)),
        (peer(), any::<u16>(), any::<String>()).prop_map(|(from, code, reason)| Step::Close(from, code, reason)),
        (peer(), 900..5100_u16, any::<String>()).prop_map(|(from, code, reason)| Step::Close(from, code, reason)),
        (peer(), 0..Violation::COUNT).prop_map(|(from, kind)| Step::Violation(from, kind)),
        peer().prop_map(Step::Blind),
        (peer(), 0..End::ALL.len()).prop_map(|(peer, how)| Step::Ended(peer, how)),
        (0..3_usize).prop_map(Step::Decided),
        (peer(), any::<u16>()).prop_map(|(to, code)| Step::OwnClose(to, code)),
        peer().prop_map(Step::Unwritten),
        (peer(), any::<u64>()).prop_map(|(peer, unacknowledged)| Step::Kernel(peer, unacknowledged)),
    ]
}

fn apply(script: Script, step: &Step, at: f64) -> Script {
    match step {
        Step::Frame(from, opcode, payload) => script.frame(*from, Opcode::from_first_byte(*opcode), payload, at),
        Step::Stuck(from, opcode, payload) => {
            script.unwritten_frame(*from, Opcode::from_first_byte(*opcode), payload, at)
        }
        Step::Close(from, code, reason) => script.close(*from, *code, reason, at),
        Step::Violation(from, kind) => {
            script.event(Event::Violation { from: *from, violation: Violation::ALL[*kind] }, at)
        }
        Step::Blind(from) => script.event(Event::Blind { from: *from }, at),
        Step::Ended(peer, how) => script.ended(*peer, End::ALL[*how], at),
        Step::Decided(cause) => {
            let cause = [Cause::Drain, Cause::IdleTimeout, Cause::ProxyError][*cause];
            script.event(Event::Decided { cause }, at)
        }
        Step::OwnClose(to, code) => script.event(Event::OwnClose { to: *to, code: CloseCode(*code), reason: "" }, at),
        Step::Unwritten(from) => script.unwritten(*from, 100, at),
        Step::Kernel(peer, unacknowledged) => {
            let tcp = Some(TcpFacts { rtt: ms(1.0), retransmits: 7 });
            script.event(Event::Kernel { peer: *peer, unacknowledged: *unacknowledged, tcp }, at)
        }
    }
}

/// The values that each label may have; those of `code` and `status` are given by their shape.
fn allowed(label: &str, value: &str) -> bool {
    let number = value.parse::<u16>().ok();
    match label {
        "route" => value == "chat",
        "code" => {
            matches!(value, "3xxx" | "4xxx" | "invalid" | "unknown")
                || number.is_some_and(|code| matches!(code, 1000..=1003 | 1005..=1014 | 3000 | 3003 | 3008))
        }
        "class" => Class::ALL.iter().any(|class| class.as_str() == value),
        "initiator" => Initiator::ALL.iter().any(|initiator| initiator.as_str() == value),
        "cause" => Cause::ALL.iter().any(|cause| cause.as_str() == value),
        "outcome" => Outcome::ALL.iter().any(|outcome| outcome.as_str() == value),
        "reason" => Rejection::ALL.iter().any(|reason| reason.as_str() == value),
        "status" => matches!(value, "other" | "none") || number.is_some_and(|status| (100..=511).contains(&status)),
        "status_class" => matches!(value, "1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "other"),
        "direction" => matches!(value, "from_client" | "from_upstream"),
        "peer" => matches!(value, "client" | "upstream"),
        "kind" => {
            matches!(value, "text" | "binary" | "no_back_off" | "after_1012" | "after_1013")
                || Violation::ALL.iter().any(|violation| violation.as_str() == value)
        }
        "sink" => matches!(value, "log" | "otlp" | "diagnosis"),
        "hint" | "mechanism" => Mechanism::ALL.iter().any(|mechanism| mechanism.as_str() == value),
        "culprit" => Culprit::ALL.iter().any(|culprit| culprit.as_str() == value),
        "version" => value == env!("CARGO_PKG_VERSION"),
        "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
        _ => false,
    }
}

/// Asserts that every label of every series is out of its closed set. Gives the values there are of each.
fn check(exporter: &Exporter) -> BTreeMap<String, BTreeSet<String>> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in exposition(exporter).lines().filter(|line| !line.starts_with('#')) {
        let Some((_, labels)) = line.split_once('{') else { continue };
        let (labels, _) = labels.split_once("\"} ").unwrap_or_else(|| panic!("{line}"));
        for pair in labels.split("\",") {
            let (label, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(allowed(label, value), "{label}={value:?} in {line}");
            values.entry(label.to_owned()).or_default().insert(value.to_owned());
        }
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_record_adds_a_label_value_outside_the_closed_sets(
        sessions in proptest::collection::vec((proptest::collection::vec(step(), 0..8), any::<String>()), 1..20),
        handshakes in proptest::collection::vec((0..Outcome::ALL.len(), any::<Option<u16>>(), any::<u16>()), 0..20),
    ) {
        let exporter = silent();
        exporter.declare_route("chat", &CodeRules::default());
        let route = exporter.route("chat");
        for (steps, text) in &sessions {
            let mut script = Script::new().request(|request| request.path = text.as_str().into());
            for (at, step) in (0_u32..).zip(steps) {
                script = apply(script, step, f64::from(at) * 1000.0);
            }
            let record = script.file(1e6);
            route.opened(&record.session);
            route.closed(record);
        }
        for (outcome, status, http) in handshakes {
            route.handshake(&records::handshake(Outcome::ALL[outcome], status));
            route.http_response(http);
        }
        check(&exporter);
    }
}

#[test]
fn every_code_there_is_makes_a_bounded_number_of_series() {
    let exporter = silent();
    exporter.declare_route("chat", &CodeRules::default());
    let route = exporter.route("chat");
    for code in (0..=u16::MAX).step_by(17).chain(990..1030).chain(2990..3020).chain(3990..4010).chain(4990..5010) {
        route.closed(Script::new().close(Peer::Upstream, code, "", 1.0).file(2.0));
    }
    let values = check(&exporter);
    assert!(values["code"].len() <= 21, "{:?}", values["code"]);
    let text = exposition(&exporter);
    let closes = text.lines().filter(|line| line.starts_with("closewatch_closes_total{")).count();
    assert!(closes <= 74 + 3, "{closes}: what was expected, and 3xxx, 4xxx and invalid");
}
