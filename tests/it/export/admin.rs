//! The operator's HTTP, over a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use closewatch::admin::{Admin, admin_router, metrics_router, serve};
use closewatch::close::{Class, CloseSink, CodeRules, Outcome, is_unprintable};
use closewatch::export::Exporter;
use closewatch::shutdown::{Phase, Shutdown};
use closewatch::wire::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::metrics::silent;
use super::records::{self, ms};
use crate::schema::read_line;

/// An operator's address, and what it shows.
pub(super) struct Rig {
    pub(super) admin: Admin,
    pub(super) exporter: Exporter,
    pub(super) shutdown: Shutdown,
    pub(super) address: SocketAddr,
    pub(super) end: CancellationToken,
    pub(super) served: JoinHandle<()>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) body: String,
}

impl Rig {
    pub(super) async fn new(router: fn(Admin) -> Router) -> Self {
        let (exporter, shutdown) = (silent(), Shutdown::new());
        let admin = Admin::new(exporter.clone(), shutdown.clone(), ["closewatch.internal".to_owned()]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let end = CancellationToken::new();
        let served = tokio::spawn(serve(listener, router(admin.clone()), end.clone().cancelled_owned()));
        Self { admin, exporter, shutdown, address, end, served }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    pub(super) async fn request(&self, head: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

fn lines(body: &str) -> Vec<serde_json::Value> {
    body.lines().map(read_line).collect()
}

#[tokio::test]
async fn readiness_follows_the_phase_and_liveness_does_not() {
    let rig = Rig::new(admin_router).await;
    assert_eq!(rig.get("/readyz").await.status, 200);
    for (phase, name) in [
        (Phase::Unready, "unready\n"),
        (Phase::Draining, "draining\n"),
        (Phase::Closing, "closing\n"),
        (Phase::Abort, "abort\n"),
    ] {
        rig.shutdown.advance(phase);
        let answer = rig.get("/readyz").await;
        assert_eq!((answer.status, &*answer.body), (503, name));
        assert_eq!(rig.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn metrics_have_the_type_that_prometheus_asks_for() {
    let rig = Rig::new(admin_router).await;
    let answer = rig.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", answer.head);
    assert!(answer.body.contains("closewatch_draining 0\n"));
}

#[tokio::test]
async fn closes_are_the_latest_lines_of_the_log() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    route.handshake(&records::handshake(Outcome::Upgraded, Some(101)));
    route.handshake(&records::handshake(Outcome::Refused, Some(403)));
    for record in [records::boom(), records::hostile(), records::reset_by_upstream(), records::left_the_page()] {
        route.closed(record);
    }
    let answer = rig.get("/closes").await;
    assert!(answer.head.contains("content-type: application/x-ndjson"), "{}", answer.head);
    assert!(!answer.head.contains("content-disposition"), "shown, never downloaded: {}", answer.head);
    let codes: Vec<_> = lines(&answer.body).iter().map(|line| line["code"].as_u64()).collect();
    assert_eq!(codes, [None, Some(1011), Some(1006), Some(1006), Some(1001)], "oldest first, no 101 among them");
    assert!(answer.body.contains("\\u202e"));

    for (query, expected) in [
        ("limit=2", vec![1006, 1001]),
        ("limit=0", vec![]),
        ("class=abnormal", vec![1011, 1006]),
        ("class=abnormal&limit=1", vec![1006]),
        ("class=clean&class=protocol", vec![1006, 1001]),
        ("code=1011", vec![1011]),
        ("code=1006", vec![1011, 1006, 1006]),
        ("code=invalid", vec![1006]),
        ("code=1000-1015", vec![1011, 1006, 1006, 1001]),
        ("code=1001", vec![1001]),
        ("class=overload", vec![]),
        ("cause=upstream_reset", vec![1006]),
        ("cause=upstream_reset&initiator=client", vec![]),
        ("initiator=client&initiator=proxy", vec![1006, 1001]),
        ("client=10.1.0.0/16&class=clean", vec![1001]),
        ("client=10.2.0.1", vec![]),
        ("route=feed", vec![]),
        ("since=2100-01-01T00:00:00Z", vec![]),
        ("since=2000-01-01T00:00:00Z&class=clean", vec![1001]),
        ("session=00000000000000000000000007", vec![]),
    ] {
        let lines = lines(&rig.get(&format!("/closes?{query}")).await.body);
        let codes: Vec<_> = lines.iter().filter_map(|line| line["code"].as_u64()).collect();
        assert_eq!(codes, expected, "{query}");
    }
}

#[tokio::test]
async fn a_browser_gets_closes_as_a_table_in_which_all_is_text() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    route.closed(records::boom());
    route.closed(records::hostile());
    route.handshake(&records::handshake(Outcome::Refused, Some(403)));
    let ask = "Host: localhost\r\nAccept: text/html,*/*;q=0.8\r\nConnection: close\r\n\r\n";
    let page = rig.request(&format!("GET /closes?limit=3 HTTP/1.1\r\n{ask}")).await;
    assert!(page.head.contains("content-type: text/html") && page.head.contains("default-src 'none'"), "{}", page.head);
    assert!(!page.head.contains("content-disposition"), "{}", page.head);
    let rows: Vec<_> = page.body.split("<tr>").skip(2).collect();
    assert!(rows.len() == 3 && rows[0].contains("refused") && rows[2].contains(">1011</a></td>"), "{}", page.body);
    // An explanation is one click away: of a failed handshake by its outcome, and not by its status.
    for link in ["<a href=\"explain/refused\">", "<a href=\"explain/1011\">", "<a href=\"explain/abnormal\">"] {
        assert!(page.body.contains(link), "{link}: {}", page.body);
    }
    assert!(rows[0].contains("<td>403</td>") && rows[0].contains("<td>handshake</td>"), "{}", page.body);
    for link in page.body.split("href=\"explain/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(rig.get(&format!("/explain/{link}")).await.status, 200, "{link}");
    }
    assert!(!page.body.chars().any(|character| character != '\n' && is_unprintable(character)), "{}", page.body);

    let query = "/closes?route=%3Cimg%20src=x%3E&route=<b>\"";
    let page = rig.request(&format!("GET {query} HTTP/1.1\r\n{ask}")).await;
    assert!(!page.body.contains("<img") && !page.body.contains("<b>"), "{}", page.body);
}

#[tokio::test]
async fn a_failed_handshake_is_found_by_what_it_has() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    route.handshake(&records::handshake(Outcome::Refused, Some(403)));
    route.closed(records::boom());
    for (query, handshakes, closures) in [
        ("", 1, 1),
        ("route=chat", 1, 1),
        ("route=feed", 0, 0),
        ("cause=refused", 1, 0),
        ("cause=refused&cause=close_unanswered", 1, 1),
        ("cause=dial_failed", 0, 0),
        ("initiator=upstream", 0, 1),
        ("mismatch=1", 0, 1),
        ("since=2100-01-01T00:00:00Z", 0, 0),
    ] {
        let found = lines(&rig.get(&format!("/closes?{query}")).await.body);
        let closed = found.iter().filter(|line| line["event"] == "websocket.closed").count();
        assert_eq!((found.len() - closed, closed), (handshakes, closures), "{query}");
    }
}

#[tokio::test]
async fn a_session_is_found_by_the_code_that_either_side_saw_or_sent() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    // The client closed with 1000, was answered 1011, and that is what it reports.
    for record in [records::left_the_page(), records::disagreed(), records::boom()] {
        route.closed(record);
    }
    for (query, expected) in [
        ("code=1011", vec![1000, 1011]),
        ("code=1000", vec![1000]),
        // The upstream that reset behind its Close was given none.
        ("code=1006", vec![1011]),
        ("mismatch=1", vec![1000, 1011]),
        ("mismatch=1&class=clean", vec![1000]),
        ("mismatch=1&code=1001", vec![]),
    ] {
        let lines = lines(&rig.get(&format!("/closes?{query}")).await.body);
        let codes: Vec<_> = lines.iter().filter_map(|line| line["code"].as_u64()).collect();
        assert_eq!(codes, expected, "{query}");
        assert!(lines.iter().all(|line| line["level"] == "warn"), "{query}");
    }
    assert_eq!(rig.get("/closes?mismatch=yes").await.status, 400);
}

#[tokio::test]
async fn sessions_are_those_that_are_up() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    let first = Arc::new(records::session(1));
    first.live.moved(Peer::Client, 812, ms(0.0));
    first.live.moved(Peer::Upstream, 7, ms(0.0));
    first.live.messages_ended(Peer::Client, 4);
    first.live.messages_ended(Peer::Client, 1);
    first.live.stall_began(Peer::Upstream, ms(0.0));
    first.live.stall_ended(Peer::Upstream, ms(1500.0));
    first.live.stall_began(Peer::Client, ms(0.0));
    for session in [Arc::new(records::session(2)), Arc::clone(&first), Arc::new(records::session(3))] {
        route.opened(&session);
    }
    let body: serde_json::Value = serde_json::from_str(&rig.get("/sessions?limit=2").await.body).unwrap();
    assert_eq!((&body["count"], body["sessions"].as_array().unwrap().len()), (&3.into(), 2));
    let session = &body["sessions"][0];
    assert_eq!(session["session"], first.id.to_string().as_str(), "the oldest first");
    assert_eq!((&session["bytes_from_client"], &session["bytes_from_upstream"]), (&812.into(), &7.into()));
    assert_eq!((&session["messages_from_client"], &session["messages_from_upstream"]), (&5.into(), &0.into()));
    assert_eq!((&session["upstream_stalled_ms"], &session["stalled_now"]), (&1500.0.into(), &true.into()));
    assert_eq!(session["client_stalled_ms"], session["age_ms"], "since the opening, and now");
    assert_eq!((&session["client"], &session["path"]), (&"10.1.2.3:55555".into(), &"/chat".into()));
    assert!(session["age_ms"].as_f64().unwrap() >= session["idle_ms"].as_f64().unwrap());

    route.closed(records::boom());
    let body: serde_json::Value = serde_json::from_str(&rig.get("/sessions").await.body).unwrap();
    assert_eq!((&body["count"], body["sessions"].as_array().unwrap().len()), (&2.into(), 2));
}

#[tokio::test]
async fn a_name_that_is_not_ours_learns_nothing() {
    let rig = Rig::new(admin_router).await;
    for (host, status) in [
        ("Host: localhost:9464\r\n", 200),
        ("Host: 127.0.0.1\r\n", 200),
        ("Host: [::1]:9464\r\n", 200),
        ("Host: closewatch.internal\r\n", 200),
        ("Host: evil.example\r\n", 403),
        ("Host: localhost\r\nHost: evil.example\r\n", 403),
        ("Host: \r\n", 403),
    ] {
        for path in ["/closes", "/metrics", "/livez"] {
            let answer = rig.request(&format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
            assert_eq!(answer.status, status, "{host:?} {path}: {}", answer.body);
            assert!(!answer.head.contains("access-control"));
        }
    }
    let absolute = "GET http://evil.example/closes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(rig.request(absolute).await.status, 403);
    let answer = rig.request("GET /nothing HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert_eq!(answer.status, 403, "not even what there is not");
    assert_eq!(rig.request("GET /livez HTTP/1.0\r\n\r\n").await.status, 200, "a health check that names nobody");
}

#[tokio::test]
async fn bad_queries_are_told_what_is_allowed() {
    let rig = Rig::new(admin_router).await;
    for (path, text) in [
        ("/closes?limit=many", "limit: \"many\" is not a number of 0 to 1000\n"),
        ("/closes?class=bad", "class: \"bad\" is none of: clean, planned, "),
        ("/closes?code=boom", "code: \"boom\" is not a close code"),
        ("/closes?since=now", "since: \"now\" is not a time, as in \"2026-11-20T12:00:00Z\"\n"),
        ("/closes?sinc=now", "\"sinc\" is none of the keys here: limit, class, code, route, "),
        ("/sessions?code=1006", "\"code\" is none of the keys here: limit\n"),
    ] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.starts_with(text), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_words() {
    let rig = Rig::new(admin_router).await;
    let index = rig.get("/").await;
    assert_eq!(index.status, 200);
    assert!(index.body.contains("/closes"));
    let missing = rig.get("/metric").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("/metrics"), "says what there is");
    let post = "POST /closes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let post = rig.request(post).await;
    assert_eq!(post.status, 405);
    assert!(post.head.contains("allow: get,head"), "{}", post.head);
    let head = rig.request("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, &*head.body), (200, ""));
}

#[tokio::test]
async fn the_metrics_address_has_metrics_and_health_only() {
    let rig = Rig::new(metrics_router).await;
    for (path, status) in [("/metrics", 200), ("/livez", 200), ("/readyz", 200), ("/closes", 404), ("/sessions", 404)] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: pod.namespace.svc\r\nConnection: close\r\n\r\n");
        assert_eq!(rig.request(&request).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let rig = Rig::new(admin_router).await;
    let mut idle = TcpStream::connect(rig.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    let _silent = TcpStream::connect(rig.address).await.unwrap();
    rig.end.cancel();
    tokio::time::timeout(Duration::from_secs(10), rig.served).await.expect("over").unwrap();
    assert!(TcpStream::connect(rig.address).await.is_err());
}

#[tokio::test]
async fn a_code_is_explained_as_json_and_to_a_browser_as_a_page() {
    let rig = Rig::new(admin_router).await;
    let json: serde_json::Value = serde_json::from_str(&rig.get("/explain/1006").await.body).unwrap();
    assert_eq!(
        (&json["code"], &json["class"], &json["may_be_sent"]),
        (&1006.into(), &"abnormal".into(), &false.into())
    );
    let mut rules = CodeRules::default();
    rules.set_class("1006".parse().unwrap(), Class::Clean);
    rig.exporter.declare_route("phones", &rules);
    rig.exporter.declare_route("chat", &CodeRules::default());
    let json: serde_json::Value = serde_json::from_str(&rig.get("/explain/1006").await.body).unwrap();
    let expected = serde_json::json!([
        { "route": "chat", "class": "abnormal" },
        { "route": "phones", "class": "clean" },
    ]);
    assert_eq!(json["classes"], expected, "in the present configuration");
    rig.exporter.keep_routes(["chat"]);
    let json: serde_json::Value = serde_json::from_str(&rig.get("/explain/1006").await.body).unwrap();
    assert_eq!(json["classes"].as_array().unwrap().len(), 1, "a reload has dropped the other");
    let head =
        "GET /explain/4401 HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*;q=0.8\r\nConnection: close\r\n\r\n";
    let page = rig.request(head).await;
    assert!(page.head.contains("content-type: text/html") && page.head.contains("default-src 'none'"), "{}", page.head);
    assert!(page.body.contains("<h1>4401 Private Use</h1>") && page.body.contains("Unauthorized"), "{}", page.body);
    assert!(page.body.contains("<tr><th scope=\"row\">chat</th><td>application</td></tr>"), "{}", page.body);
    for beyond in ["/explain/upstream_rst", "/explain/5000", "/explain/-1", "/explain/1006x", "/explain/70000"] {
        let answer = rig.get(beyond).await;
        assert!(answer.status == 404 && answer.body.contains("0 to 4999"), "{beyond}: {}", answer.body);
    }
}

#[tokio::test]
async fn every_other_word_of_a_record_is_explained_too() {
    let rig = Rig::new(admin_router).await;
    for (word, fields) in
        [("upstream_reset", vec!["cause"]), ("idle_cut", vec!["hint"]), ("unknown", vec!["cause", "class"])]
    {
        let json: serde_json::Value = serde_json::from_str(&rig.get(&format!("/explain/{word}")).await.body).unwrap();
        let found: Vec<_> = json.as_array().unwrap().iter().map(|known| known["field"].as_str().unwrap()).collect();
        assert_eq!(found, fields, "{json}");
        assert!(json[0]["meaning"].as_str().unwrap().ends_with('.') && json[0]["word"] == word, "{json}");
    }
    let head =
        "GET /explain/idle_cut HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*;q=0.8\r\nConnection: close\r\n\r\n";
    let page = rig.request(head).await;
    assert!(page.head.contains("content-type: text/html") && page.head.contains("default-src 'none'"), "{}", page.head);
    assert!(page.body.contains("<h1>idle_cut</h1>") && page.body.contains("Send pings"), "{}", page.body);
}

#[tokio::test]
async fn sessions_are_found_by_their_hint() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    let mut cut = records::reset_by_upstream();
    cut.hint = Some("idle_cut");
    for record in [cut, records::boom()] {
        route.opened(&record.session);
        route.closed(record);
    }
    route.handshake(&records::handshake(Outcome::DialFailed, Some(502)));
    let found = lines(&rig.get("/closes?hint=idle_cut&hint=crash").await.body);
    assert_eq!(found.iter().map(|line| line["hint"].as_str()).collect::<Vec<_>>(), [Some("idle_cut")]);
    assert_eq!(lines(&rig.get("/closes?hint=crash").await.body).len(), 0);
    let answer = rig.get("/closes?hint=idle").await;
    assert!(answer.status == 400 && answer.body.contains("idle_cut"), "{}", answer.body);
    let head = "GET /closes HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    let page = rig.request(head).await;
    assert!(page.body.contains(">idle_cut</a></td>"), "{}", page.body);
    assert!(!page.head.contains("content-disposition"), "shown, never downloaded: {}", page.head);
}

#[tokio::test]
async fn a_scraper_that_asks_for_openmetrics_gets_it() {
    let rig = Rig::new(admin_router).await;
    let ask = async |accept: &str| {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        rig.request(&head).await
    };
    let answer = ask("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5").await;
    assert!(
        answer.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{}",
        answer.head
    );
    assert!(
        answer.head.contains("vary: accept, accept-encoding") && answer.body.ends_with("# EOF\n"),
        "{}",
        answer.head
    );
    let answer = ask("text/plain").await;
    assert!(answer.head.contains("version=0.0.4") && !answer.body.contains("# EOF"), "{}", answer.head);
}
