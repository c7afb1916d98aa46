//! The paths of the two addresses.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;

use super::{Admin, activity, closes, diagnosis, explain, health, host, metrics, page, sessions, stream};

const ADMIN_INDEX: &str = "closewatch: a browser gets a live page here

/metrics   Prometheus series
/livez     200 as long as this process answers
/readyz    200 until a drain begins, then 503
/closes    the latest closures and failed handshakes, a JSON line each: ?limit=100&class=abnormal&code=1006
/closes/stream  the same as they come, as server-sent events
/activity  the last 15 minutes in numbers, as JSON
/sessions  the live sessions: ?limit=100
/diagnosis what ended many sessions, over the last minutes and the last day
/explain/1006  what a close code means, and what to do; /explain/idle_cut the same of another word of a record
";
const METRICS_INDEX: &str = "closewatch

/metrics   Prometheus series
/livez     200 as long as this process answers
/readyz    200 until a drain begins, then 503
";

/// All paths, for the operator's own address. The `Host` of every request is checked.
pub fn admin_router(admin: Admin) -> Router {
    let router = common(ADMIN_INDEX)
        .route("/", get(async |headers: HeaderMap| page::page_or(ADMIN_INDEX, &headers)))
        .route("/page.js", get(page::script))
        .route("/page.css", get(page::style))
        .route("/activity", get(activity::activity))
        .route("/closes", get(closes::closes))
        .route("/closes/stream", get(stream::stream))
        .route("/diagnosis", get(diagnosis::diagnosis))
        .route("/explain/{word}", get(explain::explain))
        .route("/sessions", get(sessions::sessions));
    // Behind the fallbacks too, so that a name that is not ours learns nothing at all.
    finished(router.layer(from_fn_with_state(admin.clone(), host::check)), admin)
}

/// Metrics and health only, for an address that a whole network may reach.
pub fn metrics_router(admin: Admin) -> Router {
    finished(common(METRICS_INDEX).route("/", get(async || METRICS_INDEX)), admin)
}

fn common(index: &'static str) -> Router<Admin> {
    Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(async move || (StatusCode::NOT_FOUND, format!("no such path\n\n{index}")))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"))
}

fn finished(router: Router<Admin>, admin: Admin) -> Router {
    router.layer(map_response(harmless)).with_state(admin)
}

/// Forbids caches to store an answer, and browsers to guess its type.
async fn harmless(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
