//! The thread that sends: takes events from the queue, makes spans and log records of them, and brings them to the
//! collector, in batches and with patience.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use prometheus::IntCounter;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout_at};

use super::collector::Collector;
use super::meters::Meters;
use super::{logs, spans};
use crate::close::HandshakeRecord;
use crate::export::{Event, JsonStyle};

/// Spans or log records in one request: some 1 MB, of the 4 MiB that a collector takes over gRPC.
const BATCH: usize = 512;
/// A sender that was woken rests for this long: what comes meanwhile shares its request, and wakes nobody.
const REST: Duration = Duration::from_secs(1);
/// Pauses between retries of a batch that the gRPC exporter rejected early; after the last one the batch is dropped and counted.
const REPEATS: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];
/// The program's own log speaks of lost records no more often than this.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// One item of the queue.
#[derive(Debug)]
pub(super) enum Item {
    /// An event, as all outputs get it.
    Event(Arc<Event>),
    /// A handshake that led to a session: only traces tell of it.
    Upgraded { route: Arc<str>, record: Box<HandshakeRecord> },
}

/// Makes spans and log records of what is in the queue.
#[derive(Clone, Debug)]
pub(super) struct Mapper {
    pub(super) style: JsonStyle,
    pub(super) scope: InstrumentationScope,
    pub(super) traces: bool,
    /// `None` if no log records are wanted.
    pub(super) logger: Option<SdkLogger>,
}

/// A request to be told when the queue is empty.
#[derive(Debug)]
pub(super) struct Flush {
    /// When the rest of the queue is given up.
    pub(super) deadline: Instant,
    /// Receives whether all of it was sent.
    pub(super) done: blocking::Sender<bool>,
}

/// The sender, and what it says of its losses.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) collector: Collector,
    pub(super) meters: Option<Meters>,
    pub(super) interval: Duration,
    /// Time limit of the exporter's own attempts.
    pub(super) patience: Duration,
    pub(super) mapper: Arc<Mapper>,
    pub(super) dropped: IntCounter,
    pub(super) reported: u64,
    pub(super) warned: Option<Instant>,
}

// === impl Mapper ===

impl Mapper {
    /// Spans and log records that an item will become.
    pub(super) fn count(&self, item: &Item) -> u64 {
        let (span, log) = match item {
            Item::Upgraded { record, .. } => (spans::is_sampled(record), false),
            Item::Event(event) => match &**event {
                Event::Closed(record) => (record.span.is_some(), true),
                Event::HandshakeFailed { record, .. } => (spans::is_sampled(record), true),
            },
        };
        u64::from(span && self.traces) + u64::from(log && self.logger.is_some())
    }

    fn span(&self, item: &Item) -> Option<SpanData> {
        if !self.traces {
            return None;
        }
        match item {
            Item::Upgraded { route, record } => spans::handshake(route, record, &self.style, &self.scope),
            Item::Event(event) => match &**event {
                Event::Closed(record) => spans::session(record, &self.style, &self.scope),
                Event::HandshakeFailed { route, record } => spans::handshake(route, record, &self.style, &self.scope),
            },
        }
    }

    fn log(&self, item: &Item) -> Option<SdkLogRecord> {
        match item {
            Item::Upgraded { .. } => None,
            Item::Event(event) => Some(logs::record(event, &self.style, self.logger.as_ref()?)),
        }
    }
}

// === impl Sender ===

impl Sender {
    /// Runs until the queue's other end is gone.
    pub(super) async fn run(mut self, mut items: Receiver<Item>, mut flushes: UnboundedReceiver<Flush>) {
        let mut tick = interval_at(Instant::now() + self.interval, self.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The flush that somebody waits for, and whether anything was given up for it.
        let mut flush = None;
        let mut lost = false;
        loop {
            let mut batch = Vec::new();
            let mut measure = false;
            if flush.is_none() {
                tokio::select! {
                    biased;
                    asked = flushes.recv() => match asked {
                        Some(asked) => flush = Some(asked),
                        None => return,
                    },
                    _ = tick.tick(), if self.meters.is_some() => measure = true,
                    _ = items.recv_many(&mut batch, BATCH) => tokio::select! {
                        asked = flushes.recv() => flush = asked,
                        () = sleep(REST), if batch.len() < BATCH => {}
                        () = std::future::ready(()), if batch.len() >= BATCH => {}
                    },
                }
            }
            while batch.len() < BATCH
                && let Ok(item) = items.try_recv()
            {
                batch.push(item);
            }
            if !batch.is_empty() {
                lost |= !self.send(&batch, &mut flushes, &mut flush).await;
            }
            // The last figures behind the last records.
            let over = batch.is_empty() && flush.is_some();
            if measure || over {
                lost |= !self.measure(&mut flushes, &mut flush).await;
            }
            if over && let Some(Flush { done, .. }) = flush.take() {
                // The waiting thread may have given up.
                let _ = done.send(!std::mem::take(&mut lost));
            }
        }
    }

    /// Sends a batch; `false` if some of it had to be given up.
    async fn send(
        &mut self,
        batch: &[Item],
        flushes: &mut UnboundedReceiver<Flush>,
        flush: &mut Option<Flush>,
    ) -> bool {
        if is_overdue(flush.as_ref()) {
            self.dropped.inc_by(batch.iter().map(|item| self.mapper.count(item)).sum());
            return false;
        }
        let mut whole = true;
        // Over HTTP the exporter itself knows what to repeat.
        let all = self.patience;
        let patience = |over_grpc| if over_grpc { all } else { Duration::ZERO };
        let spans: Vec<_> = batch.iter().filter_map(|item| self.mapper.span(item)).collect();
        if let (Some(exporter), false) = (&self.collector.spans, spans.is_empty()) {
            let count = spans.len();
            let sent =
                repeatedly(|| exporter.export(spans.clone()), patience(self.collector.spans_over_grpc), flushes, flush)
                    .await;
            whole &= self.settle(count, sent);
        }
        let logs: Vec<_> = batch.iter().filter_map(|item| self.mapper.log(item)).collect();
        if let (Some(exporter), false) = (&self.collector.logs, logs.is_empty()) {
            let records: Vec<_> = logs.iter().map(|log| (log, &self.mapper.scope)).collect();
            let sent = repeatedly(
                || exporter.export(LogBatch::new(&records)),
                patience(self.collector.logs_over_grpc),
                flushes,
                flush,
            )
            .await;
            whole &= self.settle(logs.len(), sent);
        }
        whole
    }

    /// Sends the metrics; `false` if they could not be. The next ones say it all, so nothing is counted.
    async fn measure(&mut self, flushes: &mut UnboundedReceiver<Flush>, flush: &mut Option<Flush>) -> bool {
        let Some(meters) = &mut self.meters else { return true };
        let sent = until(meters.export(), flushes, flush).await;
        if let Err(error) = &sent {
            tracing::warn!(%error, "the metrics could not be sent to the collector");
        }
        sent.is_ok()
    }

    /// Counts what was lost, and speaks of what was lost since it last did.
    fn settle(&mut self, count: usize, sent: OTelSdkResult) -> bool {
        let error = sent.err();
        if error.is_some() {
            self.dropped.inc_by(count as u64);
        }
        let dropped = self.dropped.get();
        let silent = self.warned.is_some_and(|warned| warned.elapsed() < WARN_EVERY);
        if dropped > self.reported && !silent {
            let since = dropped - self.reported;
            if let Some(error) = &error {
                tracing::warn!(dropped = since, %error, "the collector does not take spans or log records");
            } else {
                tracing::warn!(dropped = since, "the collector is too slow: its queue was full");
            }
            (self.reported, self.warned) = (dropped, Some(Instant::now()));
        }
        error.is_none()
    }
}

/// Sends a batch, and again if it failed before its time was over. Over gRPC a connection that broke, or a collector that died while
/// it took the batch, is an unknown error, which the exporter does not repeat. A span that comes twice has the same id twice.
async fn repeatedly<F: Future<Output = OTelSdkResult>>(
    attempt: impl Fn() -> F,
    patience: Duration,
    flushes: &mut UnboundedReceiver<Flush>,
    flush: &mut Option<Flush>,
) -> OTelSdkResult {
    let began = Instant::now();
    let mut sent = until(attempt(), flushes, flush).await;
    for pause in REPEATS {
        if sent.is_ok() || began.elapsed() >= patience || is_overdue(flush.as_ref()) {
            break;
        }
        let again = async {
            sleep(pause).await;
            attempt().await
        };
        sent = until(again, flushes, flush).await;
    }
    sent
}

fn is_overdue(flush: Option<&Flush>) -> bool {
    flush.is_some_and(|flush| flush.deadline <= Instant::now())
}

/// Drives `work` to its end, or to the deadline of a flush, be it one that is asked for only now.
async fn until(
    work: impl Future<Output = OTelSdkResult>,
    flushes: &mut UnboundedReceiver<Flush>,
    flush: &mut Option<Flush>,
) -> OTelSdkResult {
    let mut work = pin!(work);
    if flush.is_none() {
        tokio::select! {
            biased;
            done = &mut work => return done,
            asked = flushes.recv() => *flush = asked,
        }
    }
    let Some(Flush { deadline, .. }) = flush else { return Err(OTelSdkError::AlreadyShutdown) };
    timeout_at(*deadline, work).await.unwrap_or(Err(OTelSdkError::Timeout(Duration::ZERO)))
}
