//! `X-Forwarded-…` and `Forwarded`.

use closewatch::config::{AddressHeader, Forwarded};

use super::{client_of, request_with, shown, trust};
use crate::handshakes::answer::Answer;
use crate::instance::{Output, Running};
use crate::rig::{Rig, SWITCH};

const FORWARDED: &str = "X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: a.test\r\n\
    Forwarded: for=198.51.100.2\r\n";

#[tokio::test]
async fn what_a_trusted_source_says_is_believed_and_kept() {
    for (verbatim, header, expected) in [
        (true, AddressHeader::XForwardedFor, Some("203.0.113.7")),
        (false, AddressHeader::XForwardedFor, Some("203.0.113.7")),
        (true, AddressHeader::Forwarded, Some("198.51.100.2")),
        (false, AddressHeader::Forwarded, Some("198.51.100.2")),
        (true, AddressHeader::Off, None),
    ] {
        let mut rig = Rig::with(|config| {
            trust(config);
            config.relay.verbatim = verbatim;
            config.forwarded.header = header;
        });
        let mut client = rig.connect().await;
        let address = client.address();
        client.send(request_with(FORWARDED).as_bytes()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await;
        assert!(head.contains("\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7, 127.0.0.1\r\n"), "{head}");
        assert!(head.contains("\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: a.test\r\n"), "{head}");
        assert!(head.contains("\r\nForwarded: for=198.51.100.2\r\n"), "{head}");
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        let (socket, real) = client_of(&mut rig, &mut client, &mut upstream).await;
        assert_eq!((socket, real.as_deref()), (address, expected), "{verbatim} {header:?}");
        rig.done().await;
    }
}

#[tokio::test]
async fn what_anybody_else_says_is_not() {
    for verbatim in [true, false] {
        let mut rig = Rig::with(|config| {
            config.relay.verbatim = verbatim;
            config.forwarded.trusted = vec!["192.0.2.0/24".parse().unwrap()];
        });
        let mut client = rig.connect().await;
        client.send(request_with(FORWARDED).as_bytes()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await;
        // Appended to, so that who counts hops from the right is not fooled.
        assert!(head.contains("\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7, 127.0.0.1\r\n"), "{head}");
        let lower = head.to_lowercase();
        assert!(lower.contains("\r\nx-forwarded-proto: http\r\nx-forwarded-host: chat.test\r\n"), "{head}");
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        assert_eq!(client_of(&mut rig, &mut client, &mut upstream).await.1, None);
        rig.done().await;
    }
}

#[tokio::test]
async fn what_a_trusted_source_leaves_out_is_said() {
    for verbatim in [true, false] {
        let mut rig = Rig::with(|config| {
            trust(config);
            config.relay.verbatim = verbatim;
        });
        let mut client = rig.connect().await;
        client.send(request_with("X-Forwarded-Proto: https\r\n").as_bytes()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await.to_lowercase();
        for line in ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: https", "x-forwarded-host: chat.test"] {
            assert_eq!(head.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line} in {head}");
        }
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        assert_eq!(client_of(&mut rig, &mut client, &mut upstream).await.1, None);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_failed_upgrade_knows_its_client_too() {
    let mut rig = Rig::with(|config| {
        trust(config);
        config.routes[0].path = "/only".to_owned();
    });
    let mut client = rig.connect().await;
    client.send(request_with(FORWARDED).as_bytes()).await;
    assert_eq!(Answer::to(&mut client).await.status, 404);
    let (_, record) = rig.handshake().await;
    assert_eq!(shown(record.request.real_address.as_deref()).as_deref(), Some("203.0.113.7"));
    rig.done().await;
}

#[tokio::test]
async fn by_default_nothing_is_added_and_nothing_is_changed() {
    for verbatim in [true, false] {
        for lines in ["", FORWARDED] {
            let rig = Rig::with(|config| {
                config.relay.verbatim = verbatim;
                config.forwarded = Forwarded::default();
            });
            let request = request_with(lines);
            let mut client = rig.connect().await;
            client.send(request.as_bytes()).await;
            let mut upstream = rig.accept().await;
            assert!(upstream.receive_head().await.eq_ignore_ascii_case(&request), "{verbatim}");
            drop((client, upstream));

            // A plain request.
            let request = format!("GET / HTTP/1.1\r\nHost: chat.test\r\n{lines}\r\n");
            let mut client = rig.connect().await;
            client.send(request.as_bytes()).await;
            let mut upstream = rig.accept().await;
            assert!(upstream.receive_head().await.eq_ignore_ascii_case(&request), "{verbatim}");
        }
    }
}

#[tokio::test]
async fn a_hop_in_front_that_is_not_trusted_is_warned_of_once() {
    let mut running = Running::with("", &[], Output::Read).await;
    let _first = running.session().await;
    for _ in 0..2 {
        running.session_with(&request_with(FORWARDED)).await;
    }
    running.child.logs(&["WARN", "forwarded.trusted", "source=127.0.0.1:"]).await;
    running.child.signal(rustix::process::Signal::TERM);
    let rest = running.child.rest_of_log().await;
    assert!(!rest.contains("forwarded.trusted"), "{rest}");

    // Of a trusted source, and where no such header is read, there is nothing to warn of.
    for config in ["forwarded.trusted = [\"127.0.0.1\"]\n", "forwarded.header = \"off\"\n"] {
        let mut running = Running::with(config, &[], Output::Read).await;
        running.session_with(&request_with(FORWARDED)).await;
        running.child.signal(rustix::process::Signal::TERM);
        let log = running.child.rest_of_log().await;
        assert!(!log.contains("forwarded.trusted: ") && !log.contains("WARN"), "{log}");
    }
}
