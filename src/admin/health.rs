//! `/livez` and `/readyz`.

use axum::extract::State;
use axum::http::StatusCode;

use super::Admin;
use crate::shutdown::Phase;

/// The process is alive if this loop answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Ready until a drain begins.
pub(super) async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    match admin.shutdown.phase() {
        Phase::Running => (StatusCode::OK, "ok\n"),
        Phase::Unready => (StatusCode::SERVICE_UNAVAILABLE, "unready\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Phase::Closing => (StatusCode::SERVICE_UNAVAILABLE, "closing\n"),
        Phase::Abort => (StatusCode::SERVICE_UNAVAILABLE, "abort\n"),
    }
}
