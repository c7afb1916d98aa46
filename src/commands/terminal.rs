//! The terminal output of the demo: an event as one line of text.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::close::{Class, CloseCode, CloseRecord, HandshakeRecord, Text};
use crate::export::Event;

/// The heading of the columns that [`line`] writes.
pub(super) const COLUMNS: &str = "TIME      ROUTE     CLASS        CODE     INITIATOR  CAUSE                  AFTER    \
                         CLIENT SAW  UPSTREAM SAW  REASON";

/// An event as one line without a line break; with `colour`, what needs a look stands out.
pub(super) fn line(event: &Event, colour: bool) -> String {
    let (text, paint) = match event {
        Event::Closed(record) => (closed(record), paint_of(record.verdict.class)),
        Event::HandshakeFailed { route, record } => (handshake_failed(route, record), "\x1b[35m"),
    };
    if colour { format!("{paint}{text}\x1b[0m") } else { text }
}

fn closed(record: &CloseRecord) -> String {
    let verdict = &record.verdict;
    let saw = |code: Option<CloseCode>| code.map_or_else(|| "?".to_owned(), |code| code.to_string());
    format!(
        "{}  {:<9} {:<12} {:<8} {:<10} {:<22} {:<8} {:<11} {:<13} {}",
        time(record.time),
        record.session.route.name,
        verdict.class,
        verdict.label.to_string(),
        verdict.initiator,
        verdict.cause,
        short(verdict.ended),
        saw(verdict.client_saw.code),
        saw(verdict.upstream_saw.code),
        Text::from(record.reason()).escaped(),
    )
    .trim_end()
    .to_owned()
}

fn handshake_failed(route: &str, record: &HandshakeRecord) -> String {
    let status = record.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    format!(
        "{}  {route:<9} {:<12} {status:<8} {:<10} {:<22} {}",
        time(record.time),
        "handshake",
        "-",
        record.outcome,
        short(record.duration)
    )
}

const fn paint_of(class: Class) -> &'static str {
    match class {
        Class::Clean => "\x1b[32m",
        Class::Planned | Class::Application => "\x1b[36m",
        Class::Policy | Class::Protocol | Class::Overload => "\x1b[33m",
        Class::Abnormal => "\x1b[31m",
        Class::Unknown => "\x1b[35m",
    }
}

/// `12:01:12`, in UTC.
fn time(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

/// `340ms`, `7.2s`, `3m05s`, `2h07m`.
fn short(time: Duration) -> String {
    let (secs, millis) = (time.as_secs(), time.subsec_millis());
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = match secs {
        0 => write!(text, "{millis}ms"),
        1..60 => write!(text, "{secs}.{}s", millis / 100),
        60..3600 => write!(text, "{}m{:02}s", secs / 60, secs % 60),
        _ => write!(text, "{}h{:02}m", secs / 3600, secs / 60 % 60),
    };
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ulid::Ulid;

    use super::*;
    use crate::close::{Address, Event, Ledger, Live, Request, RouteFacts, Session, is_unprintable};
    use crate::wire::{Frame, Observe, Peer, ReservedBits, Tap, Violation};

    #[test]
    fn durations_are_short_at_every_length() {
        for (millis, expected) in
            [(0, "0ms"), (999, "999ms"), (1_000, "1.0s"), (59_999, "59.9s"), (185_000, "3m05s"), (7_620_000, "2h07m")]
        {
            assert_eq!(short(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_hostile_reason_is_part_of_one_line() {
        let mut ledger = Ledger::new();
        let mut tap = Tap::new(Peer::Upstream, ReservedBits::None);
        let reason = "\u{1b}[2J\u{202e}gone\r\n12:00:00  forged\u{85}";
        let mut close = vec![0x88, u8::try_from(reason.len() + 2).unwrap(), 0x0f, 0xa0];
        close.extend_from_slice(reason.as_bytes());
        tap.feed(&close, &mut Into(&mut ledger));
        let session = Session {
            id: Ulid::generate(),
            route: Arc::new(RouteFacts { name: "chat".into(), ..RouteFacts::default() }),
            opened_at: Timestamp::UNIX_EPOCH,
            client: Address::Unix("".into()),
            upstream: Address::Unix("".into()),
            request: Request::default(),
            trace: None,
            live: Live::default(),
        };
        let record = CloseRecord::file(Arc::new(session), ledger, Duration::ZERO, Timestamp::UNIX_EPOCH);
        let text = line(&crate::export::Event::Closed(record), false);
        assert!(text.contains("gone") && text.contains("forged"), "{text}");
        assert!(!text.chars().any(is_unprintable), "{text:?}");
    }

    /// Brings what a tap sees of the upstream into a ledger.
    struct Into<'a>(&'a mut Ledger);

    impl Observe for Into<'_> {
        fn frame(&mut self, frame: &Frame<'_>) {
            self.0.on(Event::Frame { from: Peer::Upstream, frame }, Duration::ZERO);
        }

        fn violation(&mut self, violation: Violation) {
            panic!("{violation:?}");
        }

        fn blind(&mut self) {
            panic!("blind");
        }
    }

    #[test]
    fn a_time_is_the_clock_of_the_day() {
        assert_eq!(time("2026-11-20T12:01:12.4Z".parse().unwrap()), "12:01:12");
    }
}
