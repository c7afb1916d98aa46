//! The check of a request's `Host`.
//!
//! A page in an operator's browser can make its own name point at 127.0.0.1 and then read whatever answers there (DNS
//! rebinding). Such a request still bears that name in `Host`, so only names that are known to be ours are answered.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Admin;

const REFUSAL: &str = "the Host of an admin request must be an IP address, localhost, or one of admin.names in the \
                       configuration\n";

/// Lets a request pass if every name it bears is ours.
pub(super) async fn check(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    // No Host at all is HTTP/1.0: a health check, but never a browser.
    let headers = request.headers().get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let target = request.uri().authority().map(Authority::as_str);
    if headers.chain(target).all(|host| is_ours(host, &admin.names)) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, REFUSAL).into_response()
    }
}

/// Whether `host`, which may have a port, is an IP address, `localhost`, or one of `names`.
fn is_ours(host: &str, names: &[String]) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed
            .split_once(']')
            .is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()));
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name);
    let ours = |ours: &str| ours.eq_ignore_ascii_case(name);
    name.parse::<std::net::Ipv4Addr>().is_ok() || ours("localhost") || names.iter().any(|name| ours(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        let names = ["closewatch.internal".to_owned()];
        for host in [
            "127.0.0.1",
            "10.1.2.3:9464",
            "[::1]",
            "[::1]:9464",
            "[fd00::7]:80",
            "localhost",
            "LOCALHOST:9464",
            "localhost.",
            "closewatch.internal",
            "Closewatch.Internal:9464",
        ] {
            assert!(is_ours(host, &names), "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        let names = ["closewatch.internal".to_owned()];
        for host in [
            "",
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "closewatch.internal.evil.example",
            "[evil.example]",
            "[127.0.0.1]",
            "[::1",
            "user@evil.example",
            "0x7f000001",
        ] {
            assert!(!is_ours(host, &names), "{host}");
        }
    }
}
