//! `/activity`: the present, and the last quarter of an hour, in numbers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Admin;
use crate::export::Recent;

/// The answer.
#[derive(Serialize)]
pub(super) struct Activity {
    instance: Option<String>,
    version: &'static str,
    /// Sessions that are up.
    sessions: usize,
    #[serde(flatten)]
    recent: Recent,
}

/// Sessions now, endings by class in slots of ten seconds, and bars of lifetimes and idle times.
pub(super) async fn activity(State(admin): State<Admin>) -> Json<Activity> {
    Json(Activity {
        instance: admin.exporter.json().instance.as_deref().map(str::to_owned),
        version: env!("CARGO_PKG_VERSION"),
        sessions: admin.exporter.live().count(),
        recent: admin.exporter.activity(),
    })
}
