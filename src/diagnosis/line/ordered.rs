//! A line whose fields stand in the order in which closewatch writes them, read in one pass.
//!
//! Fields in between that are not known are passed over. Any other order, and any line that [`Scan`] gives up on, is left to
//! the reader that looks fields up by their names.

#![expect(
    clippy::inline_always,
    reason = "the place in a line stays in registers only if what moves it is one function"
)]
#![expect(clippy::option_option, reason = "no value is another form of line, and a value of none a field that is null")]

use super::named::{Breaches, CloseLine, Line, PeerLine, RequestLine, Str};
use super::scan::{Scan, key};
use crate::diagnosis::LegTls;
use crate::wire::Peer;

/// The length of an instant as closewatch writes it.
const INSTANT: usize = "2026-11-20T12:00:00.000000Z".len();
/// The length of a session's id.
const SESSION: usize = 26;

/// Goes past fields that may be next and are not read. The value that one has in most records is compared, with its name, at once.
macro_rules! pass {
    ($scan:ident: $($name:literal $(= $usual:literal)?)+) => {
        $( if true $( && !$scan.is_at(key!($name = $usual)) )? { $scan.pass(key!($name))?; } )+
    };
}

/// Goes past fields that may be next, are not read, and most often have a number.
macro_rules! pass_numbers {
    ($scan:ident: $($name:literal)+) => {
        $( $scan.pass_number(key!($name))?; )+
    };
}

/// Reads a record into an empty `line`; none if it is not in that order. Then the line has some of the fields.
pub(super) fn read<'a>(text: &'a str, line: &mut Line<'a>) -> Option<()> {
    let mut scan = Scan::new(text);
    scan.enter()?;
    scan.find(key!(first "schema"))?;
    line.schema = Some(scan.whole()?);
    scan.find(key!("event"))?;
    let event = scan.string()?;
    line.event = Some(Str::from(event));
    match event {
        "websocket.closed" => scan = closed(scan, line)?,
        "websocket.handshake_failed" => handshake_failed(&mut scan, line)?,
        _ => return None,
    }
    scan.leave()?;
    scan.is_at_end().then_some(())
}

fn closed<'a>(mut scan: Scan<'a>, line: &mut Line<'a>) -> Option<Scan<'a>> {
    let scan = &mut scan;
    pass!(scan: "level");
    line.time = instant(scan, key!("time"))?;
    line.instance = text(scan, key!("instance"))?;
    scan.find(key!("session"))?;
    line.session = if scan.null() { None } else { Some(Str::from(scan.string_of::<SESSION>()?)) };
    line.route = text(scan, key!("route"))?;
    line.class = text(scan, key!("class"))?;
    line.code = whole(scan, key!("code"))?;
    pass!(scan: "code_name");
    line.initiator = text(scan, key!("initiator"))?;
    line.cause = text(scan, key!("cause"))?;
    pass!(scan: "handshake");
    line.reason = text(scan, key!("reason"))?;
    if scan.is_at(key!("opened_at")) {
        scan.string_of::<INSTANT>()?;
    }
    line.ended_at = instant(scan, key!("ended_at"))?;
    line.duration_ms = number(scan, key!("duration_ms"))??;
    pass_numbers!(scan: "filed_ms");
    line.idle_ms = number(scan, key!("idle_ms"))??;
    pass_numbers!(scan: "close_handshake_ms");
    line.handshake_ms = number(scan, key!("handshake_ms"))?;
    scan.find(key!("client"))?;
    *scan = peer(*scan, Peer::Client, line.client.insert(PeerLine::default()))?;
    scan.find(key!("upstream"))?;
    *scan = peer(*scan, Peer::Upstream, line.upstream.insert(PeerLine::default()))?;
    scan.find(key!("request"))?;
    *scan = request(*scan, line.request.insert(RequestLine::default()))?;
    if !scan.is_at(key!("hint" = "null" "trace_id" = "null" "span_id" = "null" "handshake_trace_id" = "null")) {
        pass!(scan: "hint" "trace_id" "span_id" "handshake_trace_id");
    }
    Some(*scan)
}

fn handshake_failed<'a>(scan: &mut Scan<'a>, line: &mut Line<'a>) -> Option<()> {
    pass!(scan: "level");
    line.time = text(scan, key!("time"))?;
    line.instance = text(scan, key!("instance"))?;
    line.outcome = text(scan, key!("outcome"))?;
    line.status = whole(scan, key!("status"))?;
    line.route = text(scan, key!("route"))?;
    scan.find(key!("request"))?;
    *scan = request(*scan, line.request.insert(RequestLine::default()))?;
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
fn peer<'a>(mut scan: Scan<'a>, of: Peer, peer: &mut PeerLine<'a>) -> Option<Scan<'a>> {
    let scan = &mut scan;
    scan.enter()?;
    peer.address = text(scan, key!(first "address"))?;
    if of == Peer::Client {
        peer.real_address = text(scan, key!("real_address"))?;
    }
    pass!(scan: "name");
    peer.close = close(scan)?;
    peer.end = text(scan, key!("end"))?;
    pass_numbers!(scan: "end_at_ms");
    peer.saw = saw(scan)?;
    peer.text_messages = whole(scan, key!("text_messages"))??;
    if !scan.is_at(key!("binary_messages" = "0")) {
        peer.binary_messages = whole(scan, key!("binary_messages"))??;
    }
    peer.frames = whole(scan, key!("frames"))??;
    pass_numbers!(scan: "bytes" "pings" "pongs");
    peer.silence_before_last_ms = number(scan, key!("silence_before_last_ms"))?;
    peer.longest_silence_ms = number(scan, key!("longest_silence_ms"))?;
    peer.last_frame_at_ms = number(scan, key!("last_frame_at_ms"))?;
    peer.last_message_at_ms = number(scan, key!("last_message_at_ms"))?;
    pass_numbers!(scan: "last_pong_at_ms" "ping_rtt_ms" "ping_rtt_max_ms");
    if !scan
        .is_at(key!("unanswered_pings" = "0" "unsolicited_pongs" = "0" "violations" = "{}" "frames_after_close" = "0"))
    {
        peer.unanswered_pings = whole(scan, key!("unanswered_pings"))??;
        pass!(scan: "unsolicited_pongs");
        peer.violations = breaches(scan)?;
        pass!(scan: "frames_after_close");
    }
    peer.since_answered_ping_ms = number(scan, key!("since_answered_ping_ms"))?;
    if scan.is_at(key!("blind" = "false" "stalled_ms" = "0.0" "stalled_at_end_ms" = "0.0" "undelivered_bytes" = "0")) {
        peer.stalled_at_end_ms = Some(0.0);
    } else {
        pass!(scan: "blind");
        peer.stalled_ms = number(scan, key!("stalled_ms"))??;
        peer.stalled_at_end_ms = number(scan, key!("stalled_at_end_ms"))?;
        peer.undelivered_bytes = whole(scan, key!("undelivered_bytes"))??;
    }
    if !scan.is_at(key!("tcp" = "null" "reset_after_fin" = "false" "tls_alert" = "null")) {
        pass!(scan: "tcp" = "null" "reset_after_fin" = "false" "tls_alert" = "null");
    }
    peer.tls_version = tls_version(scan)?;
    scan.leave()?;
    Some(*scan)
}

fn request<'a>(mut scan: Scan<'a>, request: &mut RequestLine<'a>) -> Option<Scan<'a>> {
    let scan = &mut scan;
    scan.enter()?;
    request.path = if scan.is_at(key!(first "method")) {
        if !scan.is_at("\"GET\"") {
            scan.past()?;
        }
        text(scan, key!("path"))?
    } else {
        text(scan, key!(first "path"))?
    };
    pass!(scan: "host" "http_version" = "\"1.1\"");
    request.user_agent = text(scan, key!("user_agent"))?;
    request.origin = text(scan, key!("origin"))?;
    request.subprotocol = text(scan, key!("subprotocol"))?;
    request.extensions = text(scan, key!("extensions"))?;
    if scan.is_at(key!("request_id" = "null" "forwarded_for" = "null" "subprotocols_offered" = "0")) {
        request.subprotocols_offered = Some(0);
    } else {
        pass!(scan: "request_id");
        request.forwarded_for = text(scan, key!("forwarded_for"))?;
        request.subprotocols_offered = whole(scan, key!("subprotocols_offered"))?;
    }
    scan.leave()?;
    Some(*scan)
}

/// The Close that a peer sent: an object with a code, or null.
#[inline(always)]
fn close(scan: &mut Scan<'_>) -> Option<Option<CloseLine>> {
    scan.find(key!("close"))?;
    if scan.null() {
        return Some(None);
    }
    scan.enter()?;
    let code = whole(scan, key!(first "code"))?;
    pass!(scan: "reason" = "\"\"");
    pass_numbers!(scan: "at_ms");
    scan.leave()?;
    Some(Some(CloseLine { code }))
}

/// The end that a peer saw: the same.
#[inline(always)]
fn saw(scan: &mut Scan<'_>) -> Option<Option<CloseLine>> {
    scan.find(key!("saw"))?;
    if scan.null() {
        return Some(None);
    }
    scan.enter()?;
    let code = whole(scan, key!(first "code"))?;
    if !scan.is_at(key!("clean" = "true" "certain" = "true")) {
        pass!(scan: "clean" "certain" = "true");
    }
    scan.leave()?;
    Some(Some(CloseLine { code }))
}

/// TLS on a leg; older records do not say.
#[inline(always)]
fn tls_version(scan: &mut Scan<'_>) -> Option<LegTls> {
    if !scan.find_if_any(key!("tls_version"))? {
        return Some(LegTls::Unknown);
    }
    if scan.null() { Some(LegTls::None) } else { scan.string().map(LegTls::of_word) }
}

#[inline(always)]
fn breaches(scan: &mut Scan<'_>) -> Option<Breaches> {
    if scan.is_at(key!("violations" = "{}")) {
        return Some(Breaches::default());
    }
    scan.find(key!("violations"))?;
    if scan.null() {
        return Some(Breaches::default());
    }
    let (breaches, behind) = kinds(*scan)?;
    *scan = behind;
    Some(breaches)
}

/// Counts of breaches by kind.
#[cold]
#[inline(never)]
fn kinds(mut scan: Scan<'_>) -> Option<(Breaches, Scan<'_>)> {
    scan.enter()?;
    let mut breaches = Breaches::default();
    let mut is_first = true;
    while !scan.is_at("}") {
        breaches.add(scan.name(is_first)?, scan.whole()?);
        is_first = false;
    }
    Some((breaches, scan))
}

#[inline(always)]
fn text<'a>(scan: &mut Scan<'a>, name: &str) -> Option<Option<Str<'a>>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.text().map(|text| Some(Str(text))) }
}

/// An instant as text; most are of one length.
#[inline(always)]
fn instant<'a>(scan: &mut Scan<'a>, name: &str) -> Option<Option<Str<'a>>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.string_of::<INSTANT>().map(|text| Some(Str::from(text))) }
}

#[inline(always)]
fn number(scan: &mut Scan<'_>, name: &str) -> Option<Option<f64>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.number().map(Some) }
}

#[inline(always)]
fn whole<T: TryFrom<u64>>(scan: &mut Scan<'_>, name: &str) -> Option<Option<T>> {
    scan.find(name)?;
    if scan.null() { Some(None) } else { scan.whole().map(Some) }
}
