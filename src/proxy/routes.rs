//! The routes as the data plane uses them: the configuration's, each with its sink and its dialer.

use std::sync::Arc;

use super::http::failures::Failures;
use super::http::upstreams::Upstream;
use super::relay::{Common, Limits};
use super::transport::dial::Dialer;
use super::transport::tls::Connector;
use crate::close::{CloseCode, CloseSink, NO_ROUTE, RouteFacts, RouteSink};
use crate::config::{self, Config};
use crate::shutdown::Shutdown;

/// All routes, and the sink for requests that none of them takes.
pub(super) struct Routes {
    routes: Vec<Arc<Route>>,
    pub(super) none: Arc<dyn RouteSink>,
}

/// One route, with all handles that its sessions need.
pub(super) struct Route {
    pub(super) config: config::Route,
    pub(super) facts: Arc<RouteFacts>,
    pub(super) sink: Arc<dyn RouteSink>,
    /// The part of it that its sessions keep.
    pub(super) common: Arc<Common>,
    pub(super) dialer: Arc<Dialer>,
    /// Its plain requests without an answer.
    pub(super) failures: Failures,
}

// === impl Routes ===

impl Routes {
    /// The routes of `config`. With those from `before` a reload, a route whose upstream is still the same keeps its dialer: so
    /// its clients keep the upstream connections on which they are known.
    pub(super) fn new(config: &Config, sink: &dyn CloseSink, shutdown: &Shutdown, before: Option<&Self>) -> Self {
        let dialer = |route: &config::Route| {
            let same_name = |known: &&Arc<Route>| known.config.name == route.name;
            let known = before.and_then(|before| before.routes.iter().find(same_name)).map(|known| &known.dialer);
            let same = known.filter(|dialer| dialer.adopts(route, &config.timeouts));
            same.map_or_else(|| Arc::new(Dialer::new(route, &config.timeouts)), Arc::clone)
        };
        let made = |route| Arc::new(Route::new(route, config, sink, shutdown.clone(), dialer(route)));
        Self { routes: config.routes.iter().map(made).collect(), none: sink.route(NO_ROUTE) }
    }

    /// The connectors of all upstreams with TLS.
    pub(super) fn connectors(&self) -> impl Iterator<Item = &Connector> {
        self.routes.iter().filter_map(|route| route.dialer.connector())
    }

    /// The sink for what fails before a request names its route: the only route's, if there is one, else that of none.
    pub(super) fn before_request(&self) -> &Arc<dyn RouteSink> {
        self.only().map_or(&self.none, |only| &only.sink)
    }

    /// The only route, if there is just one.
    pub(super) fn only(&self) -> Option<&Arc<Route>> {
        if let [only] = &*self.routes { Some(only) } else { None }
    }

    /// The route that a request takes.
    pub(super) fn find(&self, host: Option<&str>, path: &str) -> Option<&Arc<Route>> {
        config::find(self.routes.iter().map(|route| (&route.config, route)), host, path)
    }
}

// === impl Route ===

impl Route {
    /// Its upstream, for HTTP.
    pub(super) fn upstream<'r>(&'r self, limits: &'r config::Limits) -> Upstream<'r> {
        let authority = &self.config.upstream.authority;
        Upstream { route: &self.facts, dialer: &self.dialer, authority, sink: &self.sink, limits }
    }

    fn new(
        route: &config::Route,
        config: &Config,
        sink: &dyn CloseSink,
        shutdown: Shutdown,
        dialer: Arc<Dialer>,
    ) -> Self {
        let (timeouts, sink) = (&config.timeouts, sink.route(&route.name));
        let limits = Limits {
            linger: timeouts.linger,
            half_closed: timeouts.half_closed,
            dead_peer: timeouts.dead_peer,
            idle: route.idle,
            close_reply: timeouts.close_reply,
            drain_jitter: timeouts.drain_jitter,
            own_code: config.drain.code.map(CloseCode),
            own_reason: config.drain.reason.as_str().into(),
            splice: config.relay.splice,
        };
        Self {
            facts: Arc::new(RouteFacts {
                name: route.name.as_str().into(),
                upstream: route.upstream.to_string().into(),
                rules: route.codes.clone(),
            }),
            common: Arc::new(Common::new(Arc::clone(&sink), limits, shutdown)),
            sink,
            dialer,
            failures: Failures::default(),
            config: route.clone(),
        }
    }
}
