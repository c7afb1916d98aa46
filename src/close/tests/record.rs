//! The words and numbers of a record.

use super::*;
use crate::close::{Address, Live, TlsAlert};

#[test]
fn an_address_is_spelled_with_what_is_known_of_it() {
    for (address, spelled) in [
        (Address::Ip("192.0.2.1:80".parse().unwrap()), "192.0.2.1:80"),
        (Address::Ip("[2001:db8::1]:80".parse().unwrap()), "[2001:db8::1]:80"),
        (Address::Ip("192.0.2.1:0".parse().unwrap()), "192.0.2.1"),
        (Address::Unix("/run/chat.sock".into()), "unix:/run/chat.sock"),
    ] {
        assert_eq!(address.to_string(), spelled);
    }
}

#[test]
fn alerts_and_codes_are_spelled_as_in_their_rfcs() {
    assert_eq!(TlsAlert(48).to_string(), "unknown_ca");
    assert_eq!(TlsAlert(200).to_string(), "alert_200");
    assert_eq!(format!("{:?}", CloseCode(4401)), "4401");
}

#[test]
fn a_live_session_tells_what_has_moved() {
    let live = Live::default();
    live.moved(Peer::Client, 3, STEP);
    live.moved(Peer::Upstream, 5, 2 * STEP);
    live.moved(Peer::Client, 4, 7 * STEP);
    assert_eq!(Peer::ALL.map(|peer| live.bytes(peer)), [7, 5]);
    assert_eq!(live.last_activity(), 7 * STEP);
}
