//! The record of one upgrade attempt.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::close::{
    Address, HandshakeRecord, HandshakeTrace, Outcome, Request as RequestFacts, RouteSink, Text, TlsFailure, TlsVersion,
};
use crate::proxy::source::client::Client;
use crate::shutdown::{Phase, Shutdown};

/// An upgrade in progress: files one [`HandshakeRecord`], whatever happens to its task.
pub(in crate::proxy) struct Handshake {
    sink: Arc<dyn RouteSink>,
    request: RequestFacts,
    client: Address,
    client_tls: Option<TlsVersion>,
    began: Instant,
    trace: Option<Arc<HandshakeTrace>>,
    tls_error: Option<TlsFailure>,
    shutdown: Shutdown,
    /// Its 101 is on its way to the client.
    switching: bool,
    filed: bool,
}

// === impl Handshake ===

impl Handshake {
    pub(in crate::proxy) fn begin(
        sink: Arc<dyn RouteSink>,
        request: RequestFacts,
        client: &Client,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            sink,
            request,
            client: client.address.clone(),
            client_tls: client.tls,
            began: Instant::now(),
            trace: None,
            tls_error: None,
            shutdown,
            switching: false,
            filed: false,
        }
    }

    /// The same, begun at another instant.
    pub(in crate::proxy) const fn since(mut self, began: Instant) -> Self {
        self.began = began;
        self
    }

    /// The same, failed by TLS.
    pub(in crate::proxy) const fn tls_failed(mut self, why: Option<TlsFailure>) -> Self {
        self.tls_error = why;
        self
    }

    /// The same, with a place in a trace.
    pub(in crate::proxy) fn traced(mut self, trace: Option<Arc<HandshakeTrace>>) -> Self {
        self.trace = trace;
        self
    }

    /// The time since its request was read, or its TLS handshake begun.
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Its place in a trace.
    pub(in crate::proxy) fn trace(&self) -> Option<Arc<HandshakeTrace>> {
        self.trace.clone()
    }

    /// The upstream has switched, and the client is about to be told.
    pub(in crate::proxy) fn switching(mut self) -> Self {
        self.switching = true;
        self
    }

    /// It failed before there was a request, so there is no answer.
    pub(in crate::proxy) fn fail(mut self, outcome: Outcome, detail: Text) {
        self.file(outcome, None, Some(detail));
    }

    /// The client was given its answer.
    pub(in crate::proxy) fn end(mut self, outcome: Outcome, status: StatusCode, detail: Option<Text>) {
        self.file(outcome, Some(status.as_u16()), detail);
    }

    /// The 101 was written. Gives that instant, at which the session opens, how long the handshake took, and its request.
    pub(in crate::proxy) fn open(mut self) -> (Timestamp, Duration, RequestFacts) {
        let (time, took) = (Timestamp::now(), self.elapsed());
        let status = Some(StatusCode::SWITCHING_PROTOCOLS.as_u16());
        (time, took, self.file_at(time, took, Outcome::Upgraded, status, None))
    }

    fn file(&mut self, outcome: Outcome, status: Option<u16>, detail: Option<Text>) {
        self.file_at(Timestamp::now(), self.elapsed(), outcome, status, detail);
    }

    /// Files the record, and gives the request back.
    fn file_at(
        &mut self,
        time: Timestamp,
        duration: Duration,
        outcome: Outcome,
        status: Option<u16>,
        detail: Option<Text>,
    ) -> RequestFacts {
        self.filed = true;
        let record = HandshakeRecord {
            outcome,
            status,
            request: std::mem::take(&mut self.request),
            client: self.client.clone(),
            client_tls: self.client_tls,
            duration,
            time,
            tls_error: self.tls_error,
            detail,
            trace: self.trace.take(),
        };
        self.sink.handshake(&record);
        record.request
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        if !self.filed {
            // Its task was dropped: by a panic, by the end of the process, or by hyper, because the client is gone.
            let (outcome, status) = if std::thread::panicking() {
                (Outcome::Internal, None)
            } else if self.shutdown.phase() >= Phase::Closing {
                // The client is told so, unless its 101 was begun.
                (Outcome::Draining, (!self.switching).then_some(StatusCode::SERVICE_UNAVAILABLE.as_u16()))
            } else {
                (Outcome::ClientGone, None)
            };
            self.file(outcome, status, None);
        }
    }
}
