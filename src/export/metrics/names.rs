//! Every metric's name, help, labels and buckets. Nothing else in the program spells them.

/// A family of metrics as it stands in the exposition.
#[derive(Debug)]
pub(in crate::export) struct Family {
    /// Its name, prefix and unit included.
    pub(in crate::export) name: &'static str,
    /// The help text.
    pub(in crate::export) help: &'static str,
    /// Its labels, in the order in which values are given.
    pub(in crate::export) labels: &'static [&'static str],
}

pub(in crate::export) const SESSIONS_OPENED: Family = Family {
    name: "closewatch_sessions_opened_total",
    help: "WebSocket sessions whose 101 was written to the client.",
    labels: &["route"],
};
pub(in crate::export) const SESSIONS_ACTIVE: Family = Family {
    name: "closewatch_sessions_active",
    help: "WebSocket sessions that are up: those opened minus those closed, as of this scrape.",
    labels: &["route"],
};
pub(in crate::export) const CLOSES: Family = Family {
    name: "closewatch_closes_total",
    help: "WebSocket sessions that ended, by close code, class, who began the end, and what it was.",
    labels: &["route", "code", "class", "initiator", "cause"],
};
pub(in crate::export) const SESSION_DURATION: Family = Family {
    name: "closewatch_session_duration_seconds",
    help: "From the opening of an ended session to the event that ended it.",
    labels: &["route", "class"],
};
pub(in crate::export) const IDLE_BEFORE_CLOSE: Family = Family {
    name: "closewatch_idle_before_close_seconds",
    help: "Silence between the last frame other than a Close and the event that ended the session.",
    labels: &["route", "class"],
};
pub(in crate::export) const CLOSE_HANDSHAKE: Family = Family {
    name: "closewatch_close_handshake_seconds",
    help: "From the first Close of an ended session to the other peer's.",
    labels: &["route", "initiator"],
};
pub(in crate::export) const SAW_MISMATCH: Family = Family {
    name: "closewatch_saw_mismatch_total",
    help: "Ended sessions whose two sides saw different close codes.",
    labels: &["route", "initiator"],
};
pub(in crate::export) const HANDSHAKES: Family = Family {
    name: "closewatch_handshakes_total",
    help: "WebSocket upgrade requests, by what came of them and the status that the client was given.",
    labels: &["route", "outcome", "status"],
};
pub(in crate::export) const HANDSHAKE_DURATION: Family = Family {
    name: "closewatch_handshake_duration_seconds",
    help: "From an upgrade request to its answer.",
    labels: &["route"],
};
pub(in crate::export) const MESSAGES: Family = Family {
    name: "closewatch_messages_total",
    help: "WebSocket messages, counted at their last frame.",
    labels: &["route", "direction", "kind"],
};
pub(in crate::export) const FRAME_BYTES: Family = Family {
    name: "closewatch_frame_bytes_total",
    help: "Bytes read behind the handshake, frame headers included, TLS excluded.",
    labels: &["route", "direction"],
};
pub(in crate::export) const UNDELIVERED_BYTES: Family = Family {
    name: "closewatch_undelivered_bytes_total",
    help: "Bytes read and never written on, because the session had ended.",
    labels: &["route", "direction"],
};
pub(in crate::export) const PING_RTT: Family = Family {
    name: "closewatch_ping_rtt_seconds",
    help: "From a ping, written on to a peer, to that peer's pong, read.",
    labels: &["route", "peer"],
};
pub(in crate::export) const VIOLATIONS: Family = Family {
    name: "closewatch_violations_total",
    help: "Breaches of RFC 6455 in ended sessions.",
    labels: &["route", "direction", "kind"],
};
pub(in crate::export) const BLIND_SESSIONS: Family = Family {
    name: "closewatch_blind_sessions_total",
    help: "Ended sessions of which one direction could not be read as WebSocket frames.",
    labels: &["route", "direction"],
};
pub(in crate::export) const HTTP_REQUESTS: Family = Family {
    name: "closewatch_http_requests_total",
    help: "Plain HTTP requests that passed through, by the class of their status.",
    labels: &["route", "status_class"],
};
pub(in crate::export) const FINDINGS: Family = Family {
    name: "closewatch_findings",
    help: "1 while diagnosis finds this cause at work on a route (* for several), 0 when that is over.",
    labels: &["route", "culprit", "mechanism"],
};
pub(in crate::export) const FINDING_LIMIT: Family = Family {
    name: "closewatch_finding_limit_seconds",
    help: "The parameter of a finding that is there and has one: idle time, lifetime, age of a credential, interval.",
    labels: &["route", "culprit", "mechanism"],
};
pub(in crate::export) const DIAGNOSIS_ENABLED: Family = Family {
    name: "closewatch_diagnosis_enabled",
    help: "1 if diagnosis runs, else 0: then no finding says nothing.",
    labels: &[],
};
pub(in crate::export) const SESSIONS_LOST: Family = Family {
    name: "closewatch_sessions_lost_total",
    help: "Sessions that ended abnormally, and not by their client; and those that diagnosis says a box cut for their silence.",
    labels: &["route"],
};
pub(in crate::export) const RECONNECT: Family = Family {
    name: "closewatch_reconnect_seconds",
    help: "From the end of a session to the next opening by the same client, within an hour, by the class of that end.",
    labels: &["route", "class"],
};
pub(in crate::export) const NEVER_RETURNED: Family = Family {
    name: "closewatch_never_returned_total",
    help: "Ended sessions whose client opened none within an hour, counted then, by the class of that end.",
    labels: &["route", "class"],
};
pub(in crate::export) const HASTY_RECONNECTS: Family = Family {
    name: "closewatch_hasty_reconnects_total",
    help: "Returns without back-off, or within 5 s of a code that asks for a wait.",
    labels: &["route", "kind"],
};
pub(in crate::export) const HINTS: Family = Family {
    name: "closewatch_hints_total",
    help: "Ended sessions by the mechanism that diagnosis names in their record.",
    labels: &["route", "hint"],
};
pub(in crate::export) const SESSIONS_STALLED: Family =
    Family { name: "closewatch_sessions_stalled", help: "Sessions that wait for a peer to take bytes.", labels: &[] };
pub(in crate::export) const SPILLED_BYTES: Family = Family {
    name: "closewatch_spilled_bytes",
    help: "Bytes held in closewatch, in its memory or in a pipe, until a peer takes them.",
    labels: &[],
};
pub(in crate::export) const UPSTREAM_CONNECTIONS: Family = Family {
    name: "closewatch_upstream_connections",
    help: "Connections to upstreams that are no session's: of plain requests, in use or kept.",
    labels: &[],
};
pub(in crate::export) const DRAINING: Family =
    Family { name: "closewatch_draining", help: "1 from the beginning of a drain on, else 0.", labels: &[] };
pub(in crate::export) const RECORDS_DROPPED: Family = Family {
    name: "closewatch_records_dropped_total",
    help: "Records that did not reach an output, because it was too slow or failed.",
    labels: &["sink"],
};
pub(in crate::export) const CONNECTIONS_REJECTED: Family = Family {
    name: "closewatch_connections_rejected_total",
    help: "Connections turned away before they made a request.",
    labels: &["reason"],
};
pub(in crate::export) const STREAMS_REFUSED: Family = Family {
    name: "closewatch_streams_refused_total",
    help: "Requests for /closes/stream that were answered 503, because too many streams were open.",
    labels: &[],
};
pub(in crate::export) const CONFIG_RELOAD_SUCCESS: Family = Family {
    name: "closewatch_config_reload_success",
    help: "1 if the last configuration and the last change of certificates were taken, 0 if one was refused: the one before is in force.",
    labels: &[],
};
pub(in crate::export) const CONFIG_LAST_RELOAD: Family = Family {
    name: "closewatch_config_last_reload_timestamp_seconds",
    help: "When a configuration was last taken, in seconds since 1970.",
    labels: &[],
};
pub(in crate::export) const CERTIFICATE_EXPIRY: Family = Family {
    name: "closewatch_tls_certificate_expiry_timestamp_seconds",
    help: "Until when a certificate that closewatch shows is valid, in seconds since 1970.",
    labels: &["file"],
};
pub(in crate::export) const ADMIN_INFO: Family = Family {
    name: "closewatch_admin_info",
    help: "1; the label says where people reach the admin address, if the configuration does.",
    labels: &["url"],
};
pub(in crate::export) const BUILD_INFO: Family =
    Family { name: "closewatch_build_info", help: "1; the labels say what runs here.", labels: &["version"] };

/// Sessions last from a failed login to a dashboard that is left open over a weekend.
pub(in crate::export) const SESSION_DURATION_BUCKETS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0,
    259_200.0,
];
/// In pairs around the idle limits in common use (15, 30, 60, 100, 120, 300, 350, 600 and 3600 s): whatever falls
/// between the two of a pair was most likely cut by the hop that has that limit.
pub(in crate::export) const IDLE_BUCKETS: &[f64] = &[
    14.5, 16.0, 29.5, 31.0, 59.5, 62.0, 99.5, 102.0, 119.5, 122.0, 299.5, 303.0, 349.5, 353.0, 599.5, 605.0, 3599.0,
    3610.0,
];
/// One round trip, up to the minute that Chromium waits for the answer to its Close.
pub(in crate::export) const CLOSE_HANDSHAKE_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From a client without back-off to one that comes back after lunch. 5 s are the shortest wait that 1012 asks for.
pub(in crate::export) const RECONNECT_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 1800.0, 3600.0];
/// A dial, a request and its answer, up to the default limit of 30 s for the whole handshake.
pub(in crate::export) const HANDSHAKE_DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From a peer in the same rack to the 20 s after which most libraries give a pong up.
pub(in crate::export) const PING_RTT_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];
