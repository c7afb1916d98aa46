//! The sink that joins all outputs.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::diagnosis::{Diagnosis, RouteHints};
use super::otlp::{Durations, Flushing, Otlp};
use super::{
    Activity, CloseLog, Event, JsonStyle, LiveSessions, LogOptions, Metrics, OtlpError, Recent, Ring, RouteMetrics,
    Sink,
};
use crate::close::{
    Class, CloseCode, CloseRecord, CloseSink, CodeRules, HandshakeRecord, NO_ROUTE, Outcome, Propagation, Rejection,
    RequestHeaders, RouteSink, Session,
};
use crate::config::{self, Otel};
use crate::diagnosis::Mechanism;
use crate::wire::{MessageKind, Peer};

/// Events that a subscriber of the feed may lag behind before it misses some.
pub const FEED: usize = 1024;

/// Routes that are gone from the configuration and keep their series: a last scrape still finds them. Each takes some 140 KB.
pub const GONE_ROUTES: usize = 100;

/// The settings of all outputs.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The close log.
    pub log: LogOptions,
    /// How records are written, in the log and at the admin address.
    pub json: JsonStyle,
    /// How many events are kept for the admin address.
    pub recent: usize,
    /// The codes of the Closes that closewatch sends itself, if it sends any.
    pub own_codes: Vec<CloseCode>,
    /// The OTLP export.
    pub otel: Otel,
    /// The live diagnosis.
    pub diagnosis: config::Diagnosis,
}

/// Why there are no outputs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The close log cannot be opened.
    #[error("the close log cannot be opened")]
    Log(#[source] io::Error),
    /// The OTLP exporter cannot be started.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// There is no thread for the diagnosis.
    #[error("the diagnosis cannot be started")]
    Diagnosis(#[source] io::Error),
}

/// Every output of one process. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Exporter(Arc<Outputs>);

#[derive(Debug)]
struct Outputs {
    metrics: Metrics,
    log: CloseLog,
    /// `None` if nothing goes out over OTLP.
    otlp: Option<Otlp>,
    /// `None` if it is off.
    diagnosis: Option<Diagnosis>,
    recent: Ring,
    activity: Activity,
    started: Instant,
    live: LiveSessions,
    feed: broadcast::Sender<Arc<Event>>,
    json: JsonStyle,
    own_codes: Vec<CloseCode>,
    /// Not the routes themselves: they hold these outputs, which would then never be dropped.
    routes: Mutex<Routes>,
}

/// The routes that have series.
#[derive(Debug, Default)]
struct Routes {
    known: HashMap<Arc<str>, Arc<RouteMetrics>>,
    /// Those of them that no configuration has any more, the longest gone first.
    gone: VecDeque<Arc<str>>,
    /// How the routes of the configuration read codes.
    rules: BTreeMap<Box<str>, CodeRules>,
}

/// One route's way to the outputs.
#[derive(Debug)]
struct Route {
    name: Arc<str>,
    metrics: Arc<RouteMetrics>,
    /// `None` without diagnosis.
    hints: Option<Arc<RouteHints>>,
    outputs: Arc<Outputs>,
}

// === impl ExportOptions ===

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            log: LogOptions::default(),
            json: JsonStyle::default(),
            // Some 2 MB: what a dashboard shows, and an incident's first minute.
            recent: 1000,
            own_codes: vec![CloseCode::GOING_AWAY],
            otel: Otel::default(),
            diagnosis: config::Diagnosis::default(),
        }
    }
}

// === impl Exporter ===

impl Exporter {
    /// Opens the close log and makes every output ready. The configuration that the options come from counts as taken
    /// now.
    pub fn start(options: ExportOptions) -> Result<Self, StartError> {
        let metrics = Metrics::new();
        metrics.config_taken(Timestamp::now());
        let log = CloseLog::open(&options.log, options.json.clone(), metrics.records_dropped(Sink::Log));
        let log = log.map_err(StartError::Log)?;
        let otlp = Otlp::start(&options.otel, &options.json, &metrics)?;
        let durations = otlp.as_ref().and_then(Otlp::durations);
        let diagnosis = Diagnosis::start(&options.diagnosis, options.json.instance.clone(), &metrics, durations);
        let diagnosis = diagnosis.map_err(StartError::Diagnosis)?;
        Ok(Self::with(options, metrics, log, otlp, diagnosis))
    }

    /// The same with a log that is open already, without OTLP and without diagnosis; its drops are to be counted in `metrics`.
    pub fn with_log(options: ExportOptions, metrics: Metrics, log: CloseLog) -> Self {
        Self::with(options, metrics, log, None, None)
    }

    fn with(
        options: ExportOptions,
        metrics: Metrics,
        log: CloseLog,
        otlp: Option<Otlp>,
        diagnosis: Option<Diagnosis>,
    ) -> Self {
        metrics.diagnosis_enabled(diagnosis.is_some());
        Self(Arc::new(Outputs {
            metrics,
            log,
            otlp,
            diagnosis,
            recent: Ring::new(options.recent),
            activity: Activity::default(),
            started: Instant::now(),
            live: LiveSessions::new(),
            feed: broadcast::Sender::new(FEED),
            json: options.json,
            own_codes: options.own_codes,
            routes: Mutex::default(),
        }))
    }

    /// Makes the series that a route can be expected to have, with the classes that `rules` give. To be called for every
    /// route before it is used, and again when a configuration was loaded.
    pub fn declare_route(&self, name: &str, rules: &CodeRules) {
        self.0.expect(name, rules);
        let mut routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.known.entry(name.into()).or_insert_with(|| Arc::new(self.0.metrics.route(name)));
        routes.rules.insert(name.into(), rules.clone());
    }

    /// The class that each route of the configuration gives `code`, by the route's name.
    pub fn classes(&self, code: CloseCode) -> Vec<(Box<str>, Class)> {
        let routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.rules.iter().map(|(name, rules)| (name.clone(), rules.class_of(code))).collect()
    }

    /// Forgets routes that are not among `names`, the routes of a new configuration: the series of those that went last stay, and
    /// those that sessions still move. So no number of reloads makes the metrics grow without bound.
    pub fn keep_routes<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        let configured: HashSet<_> = names.into_iter().chain([NO_ROUTE]).collect();
        let mut routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let Routes { known, gone, rules } = &mut *routes;
        rules.retain(|name, _| configured.contains(&**name));
        gone.retain(|name| !configured.contains(&**name));
        let newly: Vec<_> =
            known.keys().filter(|name| !configured.contains(&***name) && !gone.contains(*name)).cloned().collect();
        gone.extend(newly);
        let mut excess = gone.len().saturating_sub(GONE_ROUTES);
        gone.retain(|name| {
            // Held by nobody but the map.
            let is_unused = known.get(name).is_none_or(|metrics| Arc::strong_count(metrics) == 1);
            let is_forgotten = excess > 0 && is_unused;
            if is_forgotten {
                excess -= 1;
                known.remove(name);
                self.0.metrics.forget_route(name);
            }
            !is_forgotten
        });
    }

    /// Samples spans as `otel` says, from now on.
    pub fn resample(&self, otel: &Otel) {
        if let Some(otlp) = &self.0.otlp {
            otlp.resample(otel);
        }
    }

    /// The series.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The close log.
    pub fn log(&self) -> &CloseLog {
        &self.0.log
    }

    /// The live diagnosis, unless it is off.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        self.0.diagnosis.as_ref()
    }

    /// The latest events.
    pub fn recent(&self) -> &Ring {
        &self.0.recent
    }

    /// The last quarter of an hour in numbers.
    pub fn activity(&self) -> Recent {
        self.0.activity.recent(self.0.started.elapsed())
    }

    /// The live sessions.
    pub fn live(&self) -> &LiveSessions {
        &self.0.live
    }

    /// How records are written.
    pub fn json(&self) -> &JsonStyle {
        &self.0.json
    }

    /// Every event from now on. Who falls more than [`FEED`] events behind misses some, and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.feed.subscribe()
    }

    /// Waits until the outputs have written everything they were given; `false` if that took longer than `timeout`.
    /// Blocks the thread.
    pub fn flush(&self, timeout: Duration) -> bool {
        let otlp = self.0.otlp.as_ref().map(|otlp| otlp.flush(timeout));
        let log = self.0.log.flush(timeout);
        otlp.is_none_or(Flushing::wait) && log
    }
}

impl CloseSink for Exporter {
    fn route(&self, name: &str) -> Arc<dyn RouteSink> {
        let name: Arc<str> = name.into();
        let mut routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = routes.known.entry(Arc::clone(&name)).or_insert_with(|| {
            self.0.expect(&name, &CodeRules::default());
            Arc::new(self.0.metrics.route(&name))
        });
        let hints = self.0.diagnosis.as_ref().map(|diagnosis| diagnosis.hints(&name));
        Arc::new(Route { metrics: Arc::clone(metrics), hints, name, outputs: Arc::clone(&self.0) })
    }

    fn rejected(&self, reason: Rejection) {
        self.0.metrics.rejected(reason);
    }

    fn visitor(&self, headers: &dyn RequestHeaders) -> Option<NonZeroU32> {
        self.0.diagnosis.as_ref()?.visitor(headers)
    }
}

// === impl Outputs ===

impl Outputs {
    fn expect(&self, route: &str, rules: &CodeRules) {
        self.metrics.expect(route, rules, &self.own_codes);
        if self.diagnosis.is_some() {
            self.metrics.expect_diagnosis(route);
        }
    }

    fn publish(&self, event: Event) {
        // Made in its place, as it is large.
        let event = Arc::new(event);
        self.activity.count(&event, self.started.elapsed());
        self.recent.push(Arc::clone(&event));
        // Fails if nobody listens, which is the usual case.
        let _ = self.feed.send(Arc::clone(&event));
        if let Some(otlp) = &self.otlp {
            otlp.push(&event);
        }
        if let Some(diagnosis) = &self.diagnosis {
            diagnosis.push(&event);
        }
        // Last: a reader of the line finds the closure in every view.
        self.log.push(&event);
    }
}

// === impl Route ===

impl Route {
    /// Where durations are recorded for OTLP, if metrics go there.
    fn durations(&self) -> Option<&Durations> {
        self.outputs.otlp.as_ref()?.durations()
    }
}

impl RouteSink for Route {
    fn trace(&self, headers: &dyn RequestHeaders) -> Option<Propagation> {
        self.outputs.otlp.as_ref()?.trace(headers)
    }

    fn handshake(&self, record: &HandshakeRecord) {
        self.metrics.handshake(record);
        if let Some(durations) = self.durations() {
            durations.handshake(&self.name, record);
        }
        if record.outcome != Outcome::Upgraded {
            let (route, record) = (Arc::clone(&self.name), record.clone());
            self.outputs.publish(Event::HandshakeFailed { route, record });
        } else if let Some(otlp) = &self.outputs.otlp {
            otlp.upgraded(&self.name, record);
        }
    }

    fn opened(&self, session: &Arc<Session>) {
        self.metrics.opened();
        self.outputs.live.insert(Arc::clone(session));
        if let Some(diagnosis) = &self.outputs.diagnosis {
            diagnosis.opened(session);
        }
    }

    fn closed(&self, mut record: CloseRecord) {
        self.metrics.closed(&record);
        let hint = self.hints.as_ref().and_then(|hints| hints.hint(&record));
        if let Some(hint) = hint {
            record.hint = Some(hint.as_str());
            self.metrics.hint(hint);
        }
        if record.verdict.is_lost() || hint.is_some_and(Mechanism::is_of_silence) {
            self.metrics.lost();
        }
        if let Some(otlp) = &self.outputs.otlp {
            record.span = otlp.span_of(&record);
            self.outputs.metrics.traced(&record);
        }
        if let Some(durations) = self.durations() {
            durations.closed(&self.name, &record);
        }
        self.outputs.live.remove(record.session.id);
        self.outputs.publish(Event::Closed(record));
    }

    fn bytes(&self, from: Peer, bytes: u64) {
        self.metrics.bytes(from, bytes);
    }

    fn messages(&self, from: Peer, kind: MessageKind, count: u64) {
        self.metrics.messages(from, kind, count);
    }

    fn ping_rtt(&self, peer: Peer, rtt: Duration) {
        self.metrics.ping_rtt(peer, rtt);
        if let Some(durations) = self.durations() {
            durations.ping_rtt(&self.name, peer, rtt);
        }
    }

    fn stalled(&self, change: i64) {
        self.metrics.stalled(change);
    }

    fn spilled(&self, change: i64) {
        self.metrics.spilled(change);
    }

    fn upstream_connections(&self, change: i64) {
        self.metrics.upstream_connections(change);
    }

    fn http_response(&self, status: u16) {
        self.metrics.http_response(status);
    }
}
