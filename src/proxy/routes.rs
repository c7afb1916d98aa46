//! The routes as the data plane uses them: the configuration's, each with its sink and its pool.

use std::sync::Arc;

use super::plain::Pool;
use super::relay::Limits;
use crate::close::{CloseCode, CloseSink, CodeRules, NO_ROUTE, RouteSink};
use crate::config::{self, Config};

/// All routes, and what is done with a request that none takes.
pub(super) struct Routes {
    routes: Vec<Arc<Route>>,
    pub(super) none: Arc<dyn RouteSink>,
}

/// One route, with everything a session needs of it resolved.
pub(super) struct Route {
    pub(super) config: config::Route,
    pub(super) name: Arc<str>,
    pub(super) upstream_name: Arc<str>,
    pub(super) rules: Arc<CodeRules>,
    pub(super) sink: Arc<dyn RouteSink>,
    pub(super) limits: Arc<Limits>,
    pub(super) pool: Pool,
}

// === impl Routes ===

impl Routes {
    pub(super) fn new(config: &Config, sink: &dyn CloseSink) -> Self {
        let routes = config.routes.iter().map(|route| Arc::new(Route::new(route, config, sink))).collect();
        Self { routes, none: sink.route(NO_ROUTE) }
    }

    /// The route that a request takes.
    pub(super) fn find(&self, host: Option<&str>, path: &str) -> Option<&Arc<Route>> {
        config::find(self.routes.iter().map(|route| (&route.config, route)), host, path)
    }
}

// === impl Route ===

impl Route {
    fn new(route: &config::Route, config: &Config, sink: &dyn CloseSink) -> Self {
        let timeouts = &config.timeouts;
        Self {
            name: route.name.as_str().into(),
            upstream_name: route.upstream.to_string().into(),
            rules: Arc::new(route.codes.clone()),
            sink: sink.route(&route.name),
            limits: Arc::new(Limits {
                linger: timeouts.linger,
                half_closed: timeouts.half_closed,
                dead_peer: timeouts.dead_peer,
                idle: route.idle,
                close_reply: timeouts.close_reply,
                drain_jitter: timeouts.drain_jitter,
                own_code: config.drain.code.map(CloseCode),
                own_reason: config.drain.reason.as_str().into(),
                splice: config.relay.splice,
            }),
            pool: Pool::new(&route.upstream, timeouts, config.limits.header_bytes),
            config: route.clone(),
        }
    }
}
