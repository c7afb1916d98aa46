//! The ledger while the session lives.

use super::*;
use crate::close::TlsAlert;

#[test]
fn an_end_is_told_and_whose_doing_it_was() {
    for (script, end, own_end) in [
        ("c:text", None, None),
        ("u:fin", None, None),
        ("c:fin", Some(End::Fin), Some(End::Fin)),
        ("c:reset", Some(End::Reset), Some(End::Reset)),
        ("c:local", Some(End::Local), None),
    ] {
        let ledger = Play::of(script).ledger;
        assert_eq!(ledger.end(Peer::Client).map(|end| end.how), end, "{script}");
        assert_eq!(ledger.own_end(Peer::Client).map(|end| end.how), own_end, "{script}");
    }
}

#[test]
fn the_kernel_is_asked_once_what_the_network_was_like() {
    for (script, known) in [("c:fin", false), ("unacked=4>u", false), ("unacked=4>c", true)] {
        assert_eq!(Play::of(script).ledger.knows_network(Peer::Client), known, "{script}");
    }
}

#[test]
fn a_session_is_ordinary_by_its_first_close_if_it_was_answered() {
    for (script, ordinary) in [
        ("c:close=1000 u:close=1000", true),
        ("u:close=1001 c:close=1001", true),
        ("c:close u:close", true),
        ("c:close=1000 u:close=1011", true),
        ("u:close=1000 c:close=1011", true),
        ("c:close=1011 u:close=1000", false),
        ("u:close=1011 c:close=1000", false),
        ("c:close=byte u:close=1000", false),
        ("c:close=1000", false),
        ("c:fin u:fin", false),
    ] {
        assert_eq!(Play::of(script).ledger.is_ordinary(), ordinary, "{script}");
    }
}

#[test]
fn activity_is_the_last_byte_of_any_frame_but_close_up_to_the_end() {
    for (script, last) in
        [("u:fin", 0), ("c:text", 1), ("c:text u:ping=x +8 u:close=1000", 2), ("u:close=1000 c:text", 0)]
    {
        assert_eq!(Play::of(script).ledger.last_activity(), last * STEP, "{script}");
    }
}

#[test]
fn the_first_alert_of_a_leg_is_kept() {
    let mut ledger = Play::of("c:text").ledger;
    for (peer, alert) in [(Peer::Client, 48), (Peer::Client, 40), (Peer::Upstream, 80)] {
        ledger.on(Event::Alert { peer, alert: TlsAlert(alert) }, 2 * STEP);
    }
    let facts = file(ledger, CodeRules::default(), 3 * STEP).facts;
    assert_eq!(
        [facts.client, facts.upstream].map(|facts| facts.tls_alert),
        [48, 80].map(|alert| Some(TlsAlert(alert)))
    );
}
