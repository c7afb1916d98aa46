//! The two ways to read a line say the same.

use proptest::prelude::*;

use super::named::Line;
use super::{Batch, named};
use crate::close::TlsVersion;
use crate::diagnosis::{Event, LegTls, Observation};

/// Lines as closewatch writes them: the last has escapes.
const GOLDEN: &str = include_str!("../../../tests/data/closes.golden");

fn ordered(text: &str) -> Option<Line<'_>> {
    let mut line = Line::default();
    super::ordered::read(text, &mut line).map(|()| line)
}

fn shown(mut line: Line<'_>) -> String {
    format!("{:?}", Observation::of_fields(&mut line))
}

#[test]
fn the_writers_own_lines_are_read_in_their_order() {
    assert!(GOLDEN.lines().count() >= 3);
    for line in GOLDEN.lines() {
        let read = ordered(line).unwrap_or_else(|| panic!("looked up by name: {line}"));
        assert_eq!(shown(read), shown(named(line).unwrap()));
    }
}

#[test]
fn a_field_that_is_new_is_passed_over() {
    let line = GOLDEN.lines().next().unwrap();
    let newer = line
        .replace("\"class\":", "\"since\":{\"a\":[],\"b\":\"}\"},\"class\":")
        .replace("\"frames\":", "\"new\":1.5,\"frames\":")
        .replace("\"hint\":null", "\"hint\":\"crash\",\"more\":true");
    // An array is left to the other way.
    assert!(ordered(&newer).is_none());
    let newer = newer.replace("\"a\":[]", "\"a\":{}");
    assert_eq!(shown(ordered(&newer).unwrap()), shown(named(line).unwrap()));
}

#[test]
fn values_that_are_not_the_usual_ones_are_read_as_well() {
    let line = GOLDEN.lines().next().unwrap();
    for (usual, other) in [
        ("\"unanswered_pings\":0", "\"unanswered_pings\":2"),
        ("\"unsolicited_pongs\":0", "\"unsolicited_pongs\":10"),
        ("\"violations\":{}", "\"violations\":{\"mask\":1}"),
        ("\"frames_after_close\":0", "\"frames_after_close\":3"),
        ("\"blind\":false", "\"blind\":true"),
        ("\"stalled_ms\":0.0", "\"stalled_ms\":1500.5"),
        ("\"stalled_at_end_ms\":0.0", "\"stalled_at_end_ms\":0.05"),
        ("\"stalled_at_end_ms\":0.0", "\"stalled_at_end_ms\":null"),
        ("\"undelivered_bytes\":0", "\"undelivered_bytes\":77"),
        ("\"binary_messages\":0", "\"binary_messages\":12345678"),
        ("\"clean\":false", "\"clean\":true"),
        ("\"tcp\":null", "\"tcp\":{\"rtt_ms\":3.1,\"retransmits\":0}"),
        ("\"tls_alert\":null", "\"tls_alert\":\"bad_certificate\""),
        ("\"method\":\"GET\"", "\"method\":\"CONNECT\""),
        ("\"request_id\":null", "\"request_id\":\"r-1\""),
        ("\"forwarded_for\":null", "\"forwarded_for\":\"10.9.8.7\""),
        ("\"subprotocols_offered\":0", "\"subprotocols_offered\":2"),
        ("\"trace_id\":null", "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""),
        ("\"close_handshake_ms\":null", "\"close_handshake_ms\":12345678.125"),
        ("\"opened_at\":\"2026-11-20T12:00:00.053900Z\"", "\"opened_at\":\"2026-11-20T12:00:00Z\""),
        ("\"session\":\"01M7WD7THN0000000000000001\"", "\"session\":\"one\""),
    ] {
        assert!(line.contains(usual), "{usual}");
        let other = line.replace(usual, other);
        let read = ordered(&other).unwrap_or_else(|| panic!("looked up by name: {other}"));
        assert_eq!(shown(read), shown(named(&other).unwrap()), "{other}");
    }
}

#[test]
fn what_is_no_json_is_not_read() {
    let line = GOLDEN.lines().next().unwrap();
    for (from, to) in [
        ("\"code\":1006", "\"code\":01006"),
        ("\"code\":1006", "\"code\":-1"),
        ("\"code\":1006", "\"code\":1006,"),
        ("\"duration_ms\":72345.678", "\"duration_ms\":72345."),
        ("\"duration_ms\":72345.678", "\"duration_ms\":1e9"),
        ("\"bytes\":812", "\"bytes\":8.1.2"),
        ("\"blind\":false", "\"blind\":falsey"),
        ("{\"schema\"", "{,\"schema\""),
        ("\"violations\":{}", "\"violations\":{\"mask\":1,}"),
        ("\"violations\":{}", "\"violations\":{\"mask\":1,\"mask\"}"),
        ("\"violations\":{}", "\"violations\":{,\"mask\":1}"),
        ("{\"method\"", "{,\"method\""),
        ("null}", "null}}"),
        ("null}", "null"),
    ] {
        let wrong = line.replacen(from, to, 1);
        assert_ne!(wrong, line);
        assert!(ordered(&wrong).is_none(), "{wrong}");
    }
}

#[test]
fn a_string_with_escapes_is_read_and_one_with_control_characters_left_to_the_other_way() {
    let line = GOLDEN.lines().next().unwrap();
    for length in [0, 3, 7, 8, 30, 31, 32, 33, 100] {
        for behind in [0, 1, 40] {
            let around =
                |odd: &str| format!("{}{odd}{}", "é".repeat(length / 2) + &"a".repeat(length % 2), "b".repeat(behind));
            for name in ["reason", "code_name", "opened_at", "user_agent"] {
                let with = |odd: &str| {
                    let (from, rest) = line.split_once(&format!("\"{name}\":\"")).unwrap();
                    let (_, rest) = rest.split_once('"').unwrap();
                    format!("{from}\"{name}\":\"{}\"{rest}", around(odd))
                };
                let plain = with("\u{7f} \u{80}");
                assert_eq!(shown(ordered(&plain).unwrap()), shown(named(&plain).unwrap()), "{plain}");
                for odd in ["\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83d\\ude00", "\\\"\\\\\\\""] {
                    let line = with(odd);
                    // Nobody expects any in an instant.
                    let Some(read) = ordered(&line) else {
                        assert_eq!(name, "opened_at", "looked up by name: {line}");
                        continue;
                    };
                    assert_eq!(shown(read), shown(named(&line).unwrap()), "{line}");
                }
                for odd in ["\0", "\n", "\u{1f}", "\\x", "\\u00g0", "\\u00x", "\\n\u{1f}", "\\é"] {
                    assert!(ordered(&with(odd)).is_none(), "{odd:?} behind {length} bytes of {name}");
                }
            }
        }
    }
}

#[test]
fn a_number_may_have_a_sign() {
    let line = GOLDEN.lines().next().unwrap();
    let less = line.replace("_message_at_ms\":", "_message_at_ms\":-").replace("\"bytes\":", "\"bytes\":-");
    assert_eq!(shown(ordered(&less).unwrap()), shown(named(&less).unwrap()));
    for (number, wrong) in
        [("-5000.0", "--5000.0"), ("-5000.0", "-"), ("-5000.0", "-05.0"), ("-812", "-"), ("-812", "-08")]
    {
        assert!(ordered(&less.replacen(number, wrong, 1)).is_none(), "{wrong}");
    }
}

#[test]
fn every_form_of_a_record_says_which_tls_there_was() {
    let version = LegTls::Version;
    for (field, tls) in [
        (",\"tls_version\":\"1.2\"", version(TlsVersion::Tls12)),
        (",\"tls_version\":\"1.3\"", version(TlsVersion::Tls13)),
        (",\"since\":{},\"tls_version\":\"1.3\",\"more\":1", version(TlsVersion::Tls13)),
        (",\"tls_version\":null", LegTls::None),
        (",\"tls_version\":\"4.0\"", LegTls::Unknown),
        ("", LegTls::Unknown),
    ] {
        let failed = format!(
            "{{\"schema\":1,\"event\":\"websocket.handshake_failed\",\"time\":\"2026-11-20T12:00:00Z\",\"instance\":null,\
             \"outcome\":\"refused\",\"status\":403,\"route\":\"chat\",\"request\":{{\"path\":\"/\",\"user_agent\":null,\"origin\":null,\
             \"subprotocol\":null,\"extensions\":null,\"forwarded_for\":null,\"subprotocols_offered\":0}},\
             \"client\":{{\"address\":\"10.1.2.3:5\",\"real_address\":null{field}}},\"duration_ms\":1.0,\"tls_error\":null}}"
        );
        for mut line in [ordered(&failed).unwrap(), named(&failed).unwrap()] {
            assert_eq!(Observation::of_fields(&mut line).unwrap().client_tls, tls, "{failed}");
        }
        let word = "\"tls_version\":\"1.3\"";
        let closed = GOLDEN.lines().next().unwrap().replacen(&format!(",{word}"), field, 1);
        for mut line in [ordered(&closed).unwrap(), named(&closed).unwrap()] {
            let seen = Observation::of_fields(&mut line).unwrap();
            let Event::Closed(session) = &seen.event else { panic!("{seen:?}") };
            assert_eq!((seen.client_tls, session.upstream_tls), (tls, LegTls::None), "{closed}");
        }
    }
    for (word, tls) in [("1.2", version(TlsVersion::Tls12)), ("", LegTls::None)] {
        let row = format!(
            "{{\"event\":\"websocket.closed\",\"time\":\"2026-11-20 12:00:00.000000\",\"client_address\":\"10.1.2.3:5\",\
             \"client_tls_version\":\"{word}\"}}"
        );
        assert_eq!(Observation::of_line(&row).unwrap().client_tls, tls, "{row}");
    }
    for (word, tls) in [("1.2", version(TlsVersion::Tls12)), ("none", LegTls::None)] {
        let line = format!(
            "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"timeUnixNano\":\"1795963011611996799\",\"attributes\":[\
             {{\"key\":\"closewatch.session\",\"value\":{{\"stringValue\":\"S\"}}}},\
             {{\"key\":\"closewatch.client.tls_version\",\"value\":{{\"stringValue\":\"{word}\"}}}}]}}]}}]}}]}}"
        );
        let batch = Batch::of_line(&line).unwrap().unwrap();
        let seen = batch.records().next().unwrap().observation().unwrap();
        assert_eq!(seen.client_tls, tls, "{line}");
    }
}

proptest! {
    /// A line that the fast way takes, the other takes too, and both say the same of it.
    #[test]
    fn no_change_of_a_line_makes_the_two_ways_differ(
        number in 0..GOLDEN.lines().count(),
        place in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"0159{}[]:,.\"-e ntf\\_x".to_vec()),
        kind in 0..3_u8,
    ) {
        let mut line = GOLDEN.lines().nth(number).unwrap().as_bytes().to_vec();
        let at = place.index(line.len());
        match kind {
            0 => line[at] = byte,
            1 => line.insert(at, byte),
            _ => drop(line.remove(at)),
        }
        let Ok(line) = String::from_utf8(line) else { return Ok(()) };
        if let Some(read) = ordered(&line) {
            let other = named(&line);
            prop_assert!(other.is_ok(), "{other:?} for {line}");
            prop_assert_eq!(shown(read), shown(other.unwrap()));
        }
    }
}
