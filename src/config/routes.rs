//! Which route a request takes: the most specific that matches.

use std::cmp::Reverse;

use super::route::{HostMatch, Route};

/// The route for a request: first an exact host, then the longest `*.` host, then none; among these the longest path.
///
/// `host` is the request's `Host` or authority, with or without port; `path` has no query. Takes each route with what the
/// caller holds of it, and gives the latter.
pub fn find<'r, T>(routes: impl IntoIterator<Item = (&'r Route, T)>, host: Option<&str>, path: &str) -> Option<T> {
    let host = host.map(without_port);
    routes
        .into_iter()
        .filter(|(route, _)| route.matches(host, path))
        .min_by_key(|(route, _)| Reverse(specificity(route)))
        .map(|(_, held)| held)
}

/// How narrow a route is; the configuration refuses two that are equal and match the same.
fn specificity(route: &Route) -> (u8, usize, usize) {
    let (kind, host) = match &route.host {
        Some(HostMatch::Exact(name)) => (2, name.len()),
        Some(HostMatch::Below(parent)) => (1, parent.len()),
        None => (0, 0),
    };
    (kind, host, route.path.len())
}

/// `Chat.Example.com.:8080` names the same host as `Chat.Example.com`. A `Host` that makes no sense matches no name.
fn without_port(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !is_bare_ipv6(name) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether what precedes the last colon is itself part of an IPv6 address: `[::1]` ends in a bracket, `[:` does not.
fn is_bare_ipv6(name: &str) -> bool {
    name.contains(':') && !name.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, host: Option<&str>, path: &str) -> Route {
        let mut route = Route::new(name, "http://127.0.0.1:9000".parse().unwrap());
        route.host = host.map(|host| HostMatch::parse(host).unwrap());
        path.clone_into(&mut route.path);
        route
    }

    fn found<'r>(routes: &'r [Route], host: &str, path: &str) -> &'r str {
        let host = (!host.is_empty()).then_some(host);
        find(routes.iter().map(|route| (route, &*route.name)), host, path).unwrap_or("none")
    }

    #[test]
    fn a_path_matches_at_segments_only() {
        let routes = [route("chat", None, "/chat")];
        for path in ["/chat", "/chat/", "/chat/room/1"] {
            assert_eq!(found(&routes, "", path), "chat", "{path}");
        }
        for path in ["/", "/chatty", "/cha", "/Chat", "/x/chat", "*", ""] {
            assert_eq!(found(&routes, "", path), "none", "{path}");
        }
        let below = [route("below", None, "/chat/")];
        assert_eq!(found(&below, "", "/chat/room"), "below");
        assert_eq!(found(&below, "", "/chat"), "none");
    }

    #[test]
    fn the_most_specific_route_wins_in_any_order() {
        let mut routes = vec![
            route("any", None, "/"),
            route("any-deep", None, "/chat/room/1"),
            route("wild", Some("*.example.com"), "/"),
            route("wilder", Some("*.eu.example.com"), "/"),
            route("exact", Some("chat.eu.example.com"), "/"),
            route("exact-deep", Some("chat.eu.example.com"), "/chat"),
        ];
        for _ in 0..routes.len() {
            routes.rotate_left(1);
            for (host, path, expected) in [
                ("chat.eu.example.com", "/chat/room/1", "exact-deep"),
                ("chat.eu.example.com", "/chatty", "exact"),
                ("live.eu.example.com", "/chat/room/1", "wilder"),
                ("live.example.com", "/", "wild"),
                ("example.com", "/chat/room/1", "any-deep"),
                ("example.org", "/", "any"),
                ("", "/", "any"),
            ] {
                assert_eq!(found(&routes, host, path), expected, "{host} {path}");
            }
        }
    }

    #[test]
    fn a_host_matches_in_any_case_and_with_any_port() {
        let routes = [
            route("exact", Some("Chat.Example.com"), "/"),
            route("v6", Some("[::1]"), "/"),
            route("w", Some("*.b.c"), "/"),
        ];
        for host in ["chat.example.com", "CHAT.example.COM:8080", "chat.example.com.", "chat.example.com.:80"] {
            assert_eq!(found(&routes, host, "/"), "exact", "{host}");
        }
        for host in ["[::1]", "[::1]:8080"] {
            assert_eq!(found(&routes, host, "/"), "v6", "{host}");
        }
        for host in ["a.b.c", "A.B.C:1", "x.a.b.c"] {
            assert_eq!(found(&routes, host, "/"), "w", "{host}");
        }
        for host in
            ["", "b.c", ".b.c", "ab.c", "xb.c", "é.b", "chat.example.com:x", "::1", ":", "chat.example.com:80:80"]
        {
            assert_eq!(found(&routes, host, "/"), "none", "{host}");
        }
    }

    #[test]
    fn hosts_are_names_only() {
        for text in ["a", "a.b", "*.a", "*.a.b", "A-b_c.d", "127.0.0.1", "[::1]"] {
            assert!(HostMatch::parse(text).is_ok(), "{text}");
        }
        for text in [
            "", "*", "*.", "a.*", "*a.b", "a..b", ".a", "a.", "a:80", "http://a", "a/b", "[::1]:80", "::1", "[x]",
            "ä.de",
        ] {
            assert!(HostMatch::parse(text).is_err(), "{text}");
        }
        assert!(HostMatch::parse(&"a.".repeat(200)).is_err());
    }
}
