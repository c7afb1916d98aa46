//! A line whose fields stand in the order in which closewatch writes them, read in one pass.
//!
//! Fields in between that are not known are passed over. Any other order, and any line that [`Scan`] gives up on, is left to
//! the reader that looks fields up by their names.

#![expect(clippy::option_option, reason = "no value is another form of line, and a value of none a field that is null")]

use super::named::{Breaches, CloseLine, Line, PeerLine, RequestLine, Str};
use super::scan::{Scan, key};
use crate::diagnosis::LegTls;
use crate::wire::Peer;

/// Goes past fields that may be next and are not read.
macro_rules! pass {
    ($scan:ident: $($name:literal)+) => {
        $( $scan.pass(key!($name))?; )+
    };
}

/// Reads a record; none if it is not in that order.
pub(super) fn read(text: &str) -> Option<Line<'_>> {
    let mut scan = Scan::new(text)?;
    scan.enter()?;
    scan.find(key!(first "schema"))?;
    let schema = Some(scan.whole()?);
    scan.find(key!("event"))?;
    let event = scan.string()?;
    let mut line = Line { schema, event: Some(Str::from(event)), ..Line::default() };
    match event {
        "websocket.closed" => closed(&mut scan, &mut line)?,
        "websocket.handshake_failed" => handshake_failed(&mut scan, &mut line)?,
        _ => return None,
    }
    scan.leave()?;
    scan.is_at_end().then_some(line)
}

fn closed<'a>(scan: &mut Scan<'a>, line: &mut Line<'a>) -> Option<()> {
    pass!(scan: "level");
    line.time = text(scan, key!("time"))?;
    line.instance = text(scan, key!("instance"))?;
    line.session = text(scan, key!("session"))?;
    line.route = text(scan, key!("route"))?;
    line.class = text(scan, key!("class"))?;
    line.code = whole(scan, key!("code"))?;
    pass!(scan: "code_name");
    line.initiator = text(scan, key!("initiator"))?;
    line.cause = text(scan, key!("cause"))?;
    pass!(scan: "handshake");
    line.reason = text(scan, key!("reason"))?;
    pass!(scan: "opened_at");
    line.ended_at = text(scan, key!("ended_at"))?;
    line.duration_ms = number(scan, key!("duration_ms"))??;
    pass!(scan: "filed_ms");
    line.idle_ms = number(scan, key!("idle_ms"))??;
    pass!(scan: "close_handshake_ms");
    line.handshake_ms = number(scan, key!("handshake_ms"))?;
    scan.find(key!("client"))?;
    line.client = Some(peer(scan, Peer::Client)?);
    scan.find(key!("upstream"))?;
    line.upstream = Some(peer(scan, Peer::Upstream)?);
    scan.find(key!("request"))?;
    line.request = Some(request(scan)?);
    Some(())
}

fn handshake_failed<'a>(scan: &mut Scan<'a>, line: &mut Line<'a>) -> Option<()> {
    pass!(scan: "level");
    line.time = text(scan, key!("time"))?;
    line.instance = text(scan, key!("instance"))?;
    line.outcome = text(scan, key!("outcome"))?;
    line.status = whole(scan, key!("status"))?;
    line.route = text(scan, key!("route"))?;
    scan.find(key!("request"))?;
    line.request = Some(request(scan)?);
    scan.find(key!("client"))?;
    scan.enter()?;
    let (address, real_address) = (text(scan, key!(first "address"))?, text(scan, key!("real_address"))?);
    line.client = Some(PeerLine { address, real_address, tls_version: tls_version(scan)?, ..PeerLine::default() });
    scan.leave()?;
    line.duration_ms = number(scan, key!("duration_ms"))??;
    line.tls_error = text(scan, key!("tls_error"))?;
    Some(())
}

/// `client` or `upstream`; only a client can have a real address.
fn peer<'a>(scan: &mut Scan<'a>, of: Peer) -> Option<PeerLine<'a>> {
    scan.enter()?;
    let address = text(scan, key!(first "address"))?;
    let real_address = if of == Peer::Client { text(scan, key!("real_address"))? } else { None };
    pass!(scan: "name");
    scan.find(key!("close"))?;
    let close = code(scan)?;
    let end = text(scan, key!("end"))?;
    pass!(scan: "end_at_ms");
    scan.find(key!("saw"))?;
    let saw = code(scan)?;
    let (text_messages, binary_messages) =
        (whole(scan, key!("text_messages"))??, whole(scan, key!("binary_messages"))??);
    let frames = whole(scan, key!("frames"))??;
    pass!(scan: "bytes" "pings" "pongs");
    let silence_before_last_ms = number(scan, key!("silence_before_last_ms"))?;
    let longest_silence_ms = number(scan, key!("longest_silence_ms"))?;
    let last_frame_at_ms = number(scan, key!("last_frame_at_ms"))?;
    let last_message_at_ms = number(scan, key!("last_message_at_ms"))?;
    pass!(scan: "last_pong_at_ms" "ping_rtt_ms" "ping_rtt_max_ms");
    let unanswered_pings = whole(scan, key!("unanswered_pings"))??;
    pass!(scan: "unsolicited_pongs");
    let violations = breaches(scan)?;
    pass!(scan: "frames_after_close");
    let since_answered_ping_ms = number(scan, key!("since_answered_ping_ms"))?;
    pass!(scan: "blind");
    let stalled_ms = number(scan, key!("stalled_ms"))??;
    let stalled_at_end_ms = number(scan, key!("stalled_at_end_ms"))?;
    let undelivered_bytes = whole(scan, key!("undelivered_bytes"))??;
    pass!(scan: "tcp" "reset_after_fin" "tls_alert");
    let tls_version = tls_version(scan)?;
    scan.leave()?;
    Some(PeerLine {
        address,
        real_address,
        close,
        end,
        saw,
        text_messages,
        binary_messages,
        frames,
        last_frame_at_ms,
        last_message_at_ms,
        unanswered_pings,
        since_answered_ping_ms,
        violations,
        stalled_ms,
        stalled_at_end_ms,
        undelivered_bytes,
        silence_before_last_ms,
        longest_silence_ms,
        tls_version,
    })
}

fn request<'a>(scan: &mut Scan<'a>) -> Option<RequestLine<'a>> {
    scan.enter()?;
    scan.pass(key!(first "method"))?;
    let path = text(scan, key!("path"))?;
    pass!(scan: "host" "http_version");
    let request = RequestLine {
        path,
        user_agent: text(scan, key!("user_agent"))?,
        origin: text(scan, key!("origin"))?,
        subprotocol: text(scan, key!("subprotocol"))?,
        extensions: {
            let extensions = text(scan, key!("extensions"))?;
            pass!(scan: "request_id");
            extensions
        },
        forwarded_for: text(scan, key!("forwarded_for"))?,
        subprotocols_offered: whole(scan, key!("subprotocols_offered"))?,
    };
    scan.leave()?;
    Some(request)
}

/// `close` or `saw`: an object with a code, or null.
fn code(scan: &mut Scan<'_>) -> Option<Option<CloseLine>> {
    if scan.null() {
        return Some(None);
    }
    scan.enter()?;
    let code = whole(scan, key!(first "code"))?;
    scan.leave()?;
    Some(Some(CloseLine { code }))
}

/// TLS on a leg; older records do not say.
fn tls_version(scan: &mut Scan<'_>) -> Option<LegTls> {
    if !scan.find_if_any(key!("tls_version"))? {
        return Some(LegTls::Unknown);
    }
    if scan.null() { Some(LegTls::None) } else { scan.string().map(LegTls::of_word) }
}

fn breaches(scan: &mut Scan<'_>) -> Option<Breaches> {
    scan.find(key!("violations"))?;
    if scan.null() {
        return Some(Breaches::default());
    }
    scan.enter()?;
    let mut breaches = Breaches::default();
    while let Some(kind) = scan.name() {
        breaches.add(kind, scan.whole()?);
    }
    scan.leave()?;
    Some(breaches)
}

#[inline]
fn text<'a, const N: usize>(scan: &mut Scan<'a>, name: &[u8; N]) -> Option<Option<Str<'a>>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.string().map(|text| Some(Str::from(text))) }
}

#[inline]
fn number<const N: usize>(scan: &mut Scan<'_>, name: &[u8; N]) -> Option<Option<f64>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.number().map(Some) }
}

#[inline]
fn whole<T: TryFrom<u64>, const N: usize>(scan: &mut Scan<'_>, name: &[u8; N]) -> Option<Option<T>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.whole().map(Some) }
}
