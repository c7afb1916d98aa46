//! The series of clients that come back, and of those that do not.

use std::sync::Arc;

use super::families::Families;
use crate::close::{Class, NO_ROUTE};
use crate::diagnosis::{Advice, Return};

/// Handles to the series.
#[derive(Clone, Debug)]
pub(in crate::export) struct Reconnects(pub(super) Arc<Families>);

/// Values of the label `kind`: a return without back-off, and returns sooner than a code asks for.
const NO_BACK_OFF: &str = "no_back_off";
const KINDS: [&str; 3] = [NO_BACK_OFF, kind(Advice::Restart), kind(Advice::Later)];

// === impl Reconnects ===

impl Reconnects {
    /// A client may come back from an end of this class from now on: its series are there, with 0, before it does.
    pub(in crate::export) fn expect(&self, route: &str, class: Class) {
        self.0.reconnect.with_label_values(&[route, class.as_str()]);
        self.0.never_returned.with_label_values(&[route, class.as_str()]);
    }

    /// A client came back.
    pub(in crate::export) fn returned<T>(&self, route: &str, back: &Return<T>) {
        self.0.reconnect.with_label_values(&[route, back.left.class.as_str()]).observe(back.after);
        if back.without_back_off {
            self.hasty(route, NO_BACK_OFF);
        }
        if let Some((advice, true)) = back.advice() {
            self.hasty(route, kind(advice));
        }
    }

    /// A client did not come back.
    pub(in crate::export) fn never(&self, route: &str, class: Class) {
        self.0.never_returned.with_label_values(&[route, class.as_str()]).inc();
    }

    fn hasty(&self, route: &str, kind: &str) {
        self.0.hasty_reconnects.with_label_values(&[route, kind]).inc();
    }
}

const fn kind(advice: Advice) -> &'static str {
    match advice {
        Advice::Restart => "after_1012",
        Advice::Later => "after_1013",
    }
}

/// Makes the series that a route has from the start.
pub(super) fn expect(families: &Families, route: &str) {
    if route != NO_ROUTE {
        for kind in KINDS {
            families.hasty_reconnects.with_label_values(&[route, kind]);
        }
        // The other classes have theirs from the first end whose client can be told apart.
        let abnormal = [route, Class::Abnormal.as_str()];
        families.reconnect.with_label_values(&abnormal);
        families.never_returned.with_label_values(&abnormal);
    }
}
