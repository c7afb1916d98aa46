//! The JSON Schema of the lines, made by what writes them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use ulid::Ulid;

use super::properties::Properties;
use super::record::{closed, handshake_failed};
use super::style::JsonStyle;
use crate::close::{
    Address, CloseRecord, CompactDuration, HandshakeRecord, Ledger, Live, Outcome, Request, RouteFacts, Session,
};

/// The JSON Schema of a line of the close log: an ended session, or a handshake that led to none. `docs/record.schema.json` is
/// this, with the descriptions of `docs/record.md`.
///
/// It is strict: every field is there, and no other. A reader that outlives an update should ignore fields that it does not
/// know.
pub fn record_schema() -> Value {
    let style = JsonStyle::default();
    let (mut session, mut handshake) = (Properties::default(), Properties::default());
    closed(&some_record(), &style, &mut session);
    handshake_failed("", &some_handshake(), &style, &mut handshake);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of closewatch's close log",
        "oneOf": [{ "$ref": "#/$defs/closed" }, { "$ref": "#/$defs/handshake_failed" }],
        "$defs": { "closed": session.schema(), "handshake_failed": handshake.schema() },
    })
}

/// Any record: its types are described, not its values.
fn some_record() -> CloseRecord {
    let session = Session {
        id: Ulid::nil(),
        route: Arc::new(RouteFacts::default()),
        opened_at: Timestamp::UNIX_EPOCH,
        handshake: CompactDuration::ZERO,
        client: nowhere(),
        upstream: nowhere(),
        client_tls: None,
        upstream_tls: None,
        request: Request::default(),
        trace: None,
        live: Live::default(),
    };
    CloseRecord::file(Arc::new(session), Ledger::new(), Duration::ZERO, Timestamp::UNIX_EPOCH)
}

/// The same of a handshake.
fn some_handshake() -> HandshakeRecord {
    HandshakeRecord {
        outcome: Outcome::Refused,
        status: None,
        request: Request::default(),
        client: nowhere(),
        client_tls: None,
        duration: Duration::ZERO,
        time: Timestamp::UNIX_EPOCH,
        tls_error: None,
        detail: None,
        trace: None,
    }
}

fn nowhere() -> Address {
    Address::Unix("".into())
}
