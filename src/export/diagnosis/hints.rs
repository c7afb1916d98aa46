//! The findings that are going on, by route, where the end of a session finds them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use foldhash::HashMap;

use crate::close::CloseRecord;
use crate::diagnosis::{self, Active, Mechanism};

/// The hints of all routes.
#[derive(Debug, Default)]
pub(super) struct Hints {
    routes: Mutex<HashMap<Arc<str>, Arc<RouteHints>>>,
    active: Mutex<Arc<[Active]>>,
}

/// The findings of one route.
#[derive(Debug, Default)]
pub(in crate::export) struct RouteHints {
    /// Whether there are any: the usual answer is no, and takes no lock.
    any: AtomicBool,
    active: RwLock<Arc<[Active]>>,
}

// === impl Hints ===

impl Hints {
    pub(super) fn of(&self, route: &Arc<str>) -> Arc<RouteHints> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let hints = routes.entry(Arc::clone(route)).or_default();
        hints.follow(route, &self.active.lock().unwrap_or_else(PoisonError::into_inner));
        Arc::clone(hints)
    }

    /// Whether a configuration has the route, or a session: then its series are there.
    pub(super) fn knows(&self, route: &str) -> bool {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.get(route).is_some_and(|hints| Arc::strong_count(hints) > 1)
    }

    /// These findings are going on now, the weightiest first.
    pub(super) fn set(&self, active: Vec<Active>) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        // Routes that are gone, and whose last session is, too.
        routes.retain(|_, hints| Arc::strong_count(hints) > 1);
        for (route, hints) in routes.iter() {
            hints.follow(route, &active);
        }
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = active.into();
    }
}

// === impl RouteHints ===

impl RouteHints {
    /// The mechanism behind the end of a session of this route, if there is a word for it.
    pub(in crate::export) fn hint(&self, record: &CloseRecord) -> Option<Mechanism> {
        if !self.any.load(Ordering::Acquire) {
            return diagnosis::hint(record, &[]);
        }
        let active = Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner));
        diagnosis::hint(record, &active)
    }

    fn follow(&self, route: &str, active: &[Active]) {
        let of_route: Arc<[Active]> = active.iter().filter(|active| active.is_of(route)).cloned().collect();
        let any = !of_route.is_empty();
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = of_route;
        self.any.store(any, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_known_as_long_as_somebody_uses_it() {
        let hints = Hints::default();
        assert!(!hints.knows("chat"));
        let chat = hints.of(&"chat".into());
        assert!(hints.knows("chat") && !hints.knows("feed"));
        drop(chat);
        assert!(!hints.knows("chat"), "at once, and not only behind the next look");
    }
}
