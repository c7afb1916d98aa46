//! The handle of the OTLP output: starts its thread, queues what is to be sent, and flushes it.

use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use arc_swap::ArcSwap;
use opentelemetry::logs::LoggerProvider as _;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use prometheus::IntCounter;
use tokio::runtime;
use tokio::sync::mpsc::{Sender as Queue, UnboundedSender, channel, unbounded_channel};
use tokio::time::Instant;

use super::collector::{self, Collector};
use super::error::OtlpError;
use super::meters::{Durations, Meters};
use super::sender::{Flush, Item, Mapper, Sender};
use super::spans;
use super::tracer::Tracer;
use crate::close::{CloseRecord, HandshakeRecord, Propagation, RequestHeaders, TraceSpan};
use crate::config::Otel;
use crate::export::{Event, JsonStyle, Metrics, Sink};

/// Time for the sender's answer beyond the limit of a flush.
const SLACK: Duration = Duration::from_millis(500);

/// The way to the thread that sends. Dropped, the thread ends.
#[derive(Debug)]
pub(in crate::export) struct Otlp {
    /// `None` if there are no traces.
    tracer: Option<ArcSwap<Tracer>>,
    /// `None` if there are no metrics.
    durations: Option<Durations>,
    mapper: Arc<Mapper>,
    queue: Queue<Item>,
    flushes: UnboundedSender<Flush>,
    dropped: IntCounter,
}

/// A flush that has begun.
pub(in crate::export) struct Flushing {
    done: blocking::Receiver<bool>,
    limit: Duration,
}

// === impl Otlp ===

impl Otlp {
    /// Starts the thread; `None` if the configuration exports nothing. Nobody is connected to yet.
    pub(in crate::export) fn start(
        otel: &Otel,
        style: &JsonStyle,
        metrics: &Metrics,
    ) -> Result<Option<Self>, OtlpError> {
        if !Collector::is_wanted(otel) {
            return Ok(None);
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let resource = collector::resource(otel, style.instance.as_deref());
        let mut collector = {
            let _within = runtime.enter();
            Collector::new(otel, &resource)?
        };
        let mapper = Arc::new(Mapper {
            style: style.clone(),
            scope: collector::scope(),
            traces: collector.spans.is_some(),
            logger: collector
                .logs
                .as_ref()
                .map(|_| SdkLoggerProvider::builder().build().logger_with_scope(collector::scope())),
        });
        let metered = collector.metrics.take().map(|exporter| Meters::new(exporter, metrics.registry(), resource));
        let (meters, durations) = metered.unzip();
        let dropped = metrics.records_dropped(Sink::Otlp);
        let tracer = collector.spans.as_ref().map(|_| ArcSwap::from_pointee(Tracer::new(otel)));
        let sender = Sender {
            collector,
            meters,
            interval: otel.interval,
            patience: otel.timeout,
            mapper: Arc::clone(&mapper),
            dropped: dropped.clone(),
            reported: dropped.get(),
            warned: None,
        };
        let (queue, items) = channel(otel.queue);
        let (flushes, asked) = unbounded_channel();
        std::thread::Builder::new().name("otlp".to_owned()).spawn(move || {
            runtime.block_on(sender.run(items, asked));
            runtime.shutdown_background();
        })?;
        Ok(Some(Self { tracer, durations, mapper, queue, flushes, dropped }))
    }

    /// Begins the trace of a handshake, if there are traces.
    pub(in crate::export) fn trace(&self, headers: &dyn RequestHeaders) -> Option<Propagation> {
        self.tracer.as_ref().map(|tracer| tracer.load().handshake(headers))
    }

    /// The span of a session that has ended, if it is kept.
    pub(in crate::export) fn span_of(&self, record: &CloseRecord) -> Option<TraceSpan> {
        self.tracer.as_ref()?.load().session(record)
    }

    /// Decides about spans as `otel` says from now on; where they are sent stays.
    pub(in crate::export) fn resample(&self, otel: &Otel) {
        if let Some(tracer) = &self.tracer {
            tracer.store(Arc::new(Tracer::new(otel)));
        }
    }

    /// Where durations are recorded, if there are metrics.
    pub(in crate::export) const fn durations(&self) -> Option<&Durations> {
        self.durations.as_ref()
    }

    /// Hands an event over.
    pub(in crate::export) fn push(&self, event: &Arc<Event>) {
        self.offer(Item::Event(Arc::clone(event)));
    }

    /// Hands over a handshake that led to a session.
    pub(in crate::export) fn upgraded(&self, route: &Arc<str>, record: &HandshakeRecord) {
        if !spans::is_sampled(record) {
            return;
        }
        self.offer(Item::Upgraded { route: Arc::clone(route), record: Box::new(record.clone()) });
    }

    /// Never waits: what does not fit is dropped and counted.
    fn offer(&self, item: Item) {
        let count = self.mapper.count(&item);
        if count > 0 && self.queue.try_send(item).is_err() {
            self.dropped.inc_by(count);
        }
    }

    /// Asks for all that was handed over to be sent; what is left after `limit` is given up, and counted.
    pub(in crate::export) fn flush(&self, limit: Duration) -> Flushing {
        let (done, told) = blocking::channel();
        // If the thread is gone, so is `done`, and that is told.
        let _ = self.flushes.send(Flush { deadline: Instant::now() + limit, done });
        Flushing { done: told, limit }
    }
}

// === impl Flushing ===

impl Flushing {
    /// Waits for the end; `false` if something had to be given up.
    pub(in crate::export) fn wait(self) -> bool {
        self.done.recv_timeout(self.limit + SLACK).unwrap_or(false)
    }
}
