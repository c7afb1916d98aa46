//! `/diagnosis`: what the records of the last minutes and hours say together.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Admin;

/// The reports of both windows, as of the last look; 404 if the diagnosis is off.
pub(super) async fn diagnosis(State(admin): State<Admin>) -> Response {
    let Some(diagnosis) = admin.exporter.diagnosis() else {
        return (StatusCode::NOT_FOUND, "diagnosis.enabled is \"off\"\n").into_response();
    };
    let mut body = Vec::new();
    diagnosis.write(&mut body);
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
