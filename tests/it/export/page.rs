//! The live page and its numbers, over a socket. tests/page/run looks at it with a browser.

use closewatch::admin::{admin_router, metrics_router};
use closewatch::close::{CloseSink, Outcome};
use serde_json::Value;

use super::admin::Rig;
use super::records;

/// As a browser asks that navigates.
const NAVIGATES: &str =
    "Host: localhost\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_browser_gets_the_page_and_everybody_else_the_paths() {
    let rig = Rig::new(admin_router).await;
    let page = rig.request(&format!("GET / HTTP/1.1\r\n{NAVIGATES}")).await;
    assert!(page.head.contains("content-type: text/html") && page.body.starts_with("<!doctype html>"), "{}", page.head);
    for accept in ["", "Accept: */*\r\n", "Accept: application/json\r\n"] {
        let index =
            rig.request(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{accept}Connection: close\r\n\r\n")).await;
        assert!(
            index.head.contains("content-type: text/plain") && index.head.contains("vary: accept"),
            "{}",
            index.head
        );
        assert!(index.body.contains("/closes/stream"), "{}", index.body);
    }
    let rig = Rig::new(metrics_router).await;
    let index = rig.request(&format!("GET / HTTP/1.1\r\n{NAVIGATES}")).await;
    assert!(index.head.contains("content-type: text/plain") && !index.body.contains("/closes"), "{}", index.body);
}

#[tokio::test]
async fn the_page_loads_what_it_names_and_its_policy_lets_in_nothing_else() {
    let rig = Rig::new(admin_router).await;
    let page = rig.request(&format!("GET / HTTP/1.1\r\n{NAVIGATES}")).await;
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "require-trusted-types-for 'script'"] {
        assert!(page.head.contains(part), "{part} in {}", page.head);
    }
    assert!(!page.head.contains("unsafe"), "{}", page.head);
    let named: Vec<_> = page.body.split("=\"./").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(named, ["page.js", "page.css"]);
    for (file, kind) in [("page.js", "text/javascript"), ("page.css", "text/css")] {
        let answer = rig.get(&format!("/{file}")).await;
        assert!(answer.head.contains(&format!("content-type: {kind}")), "{}", answer.head);
        assert!(!answer.body.contains("http://") || file == "page.js", "{file} names another place");
    }
    // Inline, nothing would run, and the page would be blank.
    assert!(!page.body.contains("<style") && !page.body.contains("<script>"), "{}", page.body);
}

#[tokio::test]
async fn the_last_quarter_of_an_hour_is_counted_by_class_and_by_time() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    route.opened(&std::sync::Arc::new(records::session(7)));
    for record in [records::boom(), records::reset_by_upstream(), records::left_the_page()] {
        route.closed(record);
    }
    route.handshake(&records::handshake(Outcome::Refused, Some(403)));
    let activity: Value = serde_json::from_str(&rig.get("/activity").await.body).unwrap();
    assert_eq!((&activity["sessions"], &activity["ended"]), (&1.into(), &3.into()), "{activity}");
    for (kind, expected) in [("abnormal", 2), ("clean", 1), ("handshake", 1), ("overload", 0)] {
        let slots = activity["endings"][kind].as_array().unwrap();
        assert_eq!(slots.len(), 90, "ten seconds each");
        assert_eq!(slots.iter().filter_map(Value::as_u64).sum::<u64>(), expected, "{kind}");
    }
    for times in ["idle", "lifetime"] {
        let bars = activity[times].as_array().unwrap();
        assert_eq!(bars.iter().filter_map(|bar| bar["count"].as_u64()).sum::<u64>(), 3, "{times}");
        for bar in bars {
            let [from, mean] = ["from_ms", "mean_ms"].map(|edge| bar[edge].as_f64().unwrap());
            let to = bar["to_ms"].as_f64().unwrap_or(f64::INFINITY);
            // The mean is of whole milliseconds.
            assert!(from <= mean + 1.0 && mean < to, "{bar}");
        }
    }
}
