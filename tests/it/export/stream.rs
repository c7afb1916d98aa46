//! `/closes/stream`, over a socket.

use closewatch::admin::admin_router;
use closewatch::close::{CloseSink, Outcome};
use closewatch::shutdown::Phase;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::admin::Rig;
use super::records;
use crate::instance::{PATIENCE, until};
use crate::schema::read_line;

/// One client of the stream.
struct Stream(BufReader<TcpStream>);

/// One event of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    id: String,
    event: String,
    data: Value,
}

impl Stream {
    /// Asks with HTTP/1.0: the answer comes without chunks, and ends with the connection.
    async fn open(rig: &Rig, query: &str, header: &str) -> Self {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        let request = format!("GET /closes/stream?{query} HTTP/1.0\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Self(BufReader::new(stream));
        let status = stream.line().await.unwrap();
        assert!(status.contains("200"), "{status}");
        while stream.line().await.as_deref() != Some("") {}
        assert_eq!(stream.line().await.as_deref(), Some("retry: 2000"));
        assert!(stream.line().await.is_some_and(|line| line.starts_with("id: ")), "where it begins");
        stream.line().await;
        stream
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("a line").unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Sent> {
        let mut sent = Sent::default();
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut sent.id),
                Some(("event", event)) => event.clone_into(&mut sent.event),
                Some(("data", data)) if sent.event.is_empty() => sent.data = read_line(data),
                Some(("data", data)) => sent.data = serde_json::from_str(data).unwrap(),
                Some(_) => panic!("{line}"),
                None if line.is_empty() && sent.data.is_null() => {}
                None if line.is_empty() => return Some(sent),
                None => assert_eq!(line, ":", "nothing but a comment"),
            }
        }
    }

    async fn codes(&mut self, count: usize) -> Vec<Option<u64>> {
        let mut codes = Vec::new();
        for _ in 0..count {
            codes.push(self.next().await.expect("an event").data["code"].as_u64());
        }
        codes
    }
}

#[tokio::test]
async fn the_latest_come_first_and_then_each_as_it_comes() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    for record in [records::reset_by_upstream(), records::left_the_page(), records::boom()] {
        route.closed(record);
    }
    let mut stream = Stream::open(&rig, "limit=2", "").await;
    assert_eq!(stream.codes(2).await, [Some(1001), Some(1011)]);
    route.handshake(&records::handshake(Outcome::Refused, Some(403)));
    route.closed(records::hostile());
    let refused = stream.next().await.unwrap();
    assert_eq!((&refused.data["event"], &*refused.event), (&"websocket.handshake_failed".into(), ""));
    let closed = stream.next().await.unwrap();
    let line = rig.get("/closes?limit=1").await.body;
    assert_eq!(closed.data, serde_json::from_str::<Value>(&line).unwrap(), "the line of the close log");
}

#[tokio::test]
async fn filters_are_those_of_closes() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    route.closed(records::left_the_page());
    let mut stream = Stream::open(&rig, "class=abnormal&code=1011", "").await;
    for record in [records::reset_by_upstream(), records::left_the_page(), records::boom()] {
        route.closed(record);
    }
    assert_eq!(stream.codes(1).await, [Some(1011)]);
    let answer = rig.get("/closes/stream?class=bad").await;
    assert!(answer.status == 400 && answer.body.starts_with("class: \"bad\" is none of"), "{}", answer.body);
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_where_it_was() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    let mut stream = Stream::open(&rig, "", "").await;
    route.closed(records::boom());
    let last = stream.next().await.unwrap().id;
    drop(stream);
    route.closed(records::reset_by_upstream());
    route.closed(records::left_the_page());
    let mut stream = Stream::open(&rig, "", &format!("Last-Event-ID: {last}\r\n")).await;
    assert_eq!(stream.codes(2).await, [Some(1006), Some(1001)], "what came meanwhile");
    // The process before had its own numbers: all events of this one are new to its clients.
    let mut stream = Stream::open(&rig, "", "Last-Event-ID: 0badc0de0-7\r\n").await;
    assert_eq!(stream.codes(3).await, [Some(1011), Some(1006), Some(1001)]);
}

#[tokio::test]
async fn a_client_that_is_too_slow_is_told_how_many_it_missed_and_a_storm_is_sampled() {
    let rig = Rig::new(admin_router).await;
    let route = rig.exporter.route("chat");
    let mut stream = Stream::open(&rig, "class=abnormal", "").await;
    // This thread serves the stream too: it does not run before all of these have come.
    for _ in 0..1500 {
        route.closed(records::boom());
        route.closed(records::left_the_page());
    }
    let missed = stream.next().await.unwrap();
    assert_eq!((&*missed.event, missed.data), ("missed", json!({ "missed": 2000 })), "the ring holds 1,000");
    let sampled = stream.next().await.unwrap();
    assert_eq!((&*sampled.event, sampled.data), ("sampled", json!({ "shown": 100, "of": 500 })));
    assert_eq!(stream.codes(100).await, vec![Some(1011); 100]);
    route.closed(records::boom());
    let next = stream.next().await.unwrap();
    assert!(next.id.ends_with("-3001") && next.event.is_empty(), "{next:?}");
}

#[tokio::test]
async fn there_is_room_for_sixteen_streams_and_for_another_when_one_has_gone() {
    let rig = Rig::new(admin_router).await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(Stream::open(&rig, "", "").await);
    }
    let refused = rig.get("/closes/stream").await;
    assert_eq!((refused.status, &*refused.body), (503, "16 streams are open already\n"));
    assert!(refused.head.contains("retry-after: 10"), "{}", refused.head);
    assert!(rig.get("/metrics").await.body.contains("\nclosewatch_streams_refused_total 1\n"));
    streams.pop();
    let head = "HEAD /closes/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    until("the place of the one that is gone", async || rig.request(head).await.status == 200).await;
}

#[tokio::test]
async fn the_end_of_the_process_is_the_end_of_a_stream_behind_its_last_event() {
    let rig = Rig::new(admin_router).await;
    let mut stream = Stream::open(&rig, "", "").await;
    rig.shutdown.advance(Phase::Closing);
    rig.exporter.route("chat").closed(records::boom());
    rig.admin.end_streams().await;
    assert_eq!(stream.codes(1).await, [Some(1011)]);
    assert_eq!(stream.next().await, None);
    assert_eq!(stream.0.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_stream_makes_way_for_the_next_instance() {
    let rig = Rig::new(admin_router).await;
    let _stream = Stream::open(&rig, "", "").await;
    rig.shutdown.hand_on();
    until("the stream to make way for the next instance", async || {
        rig.end.cancel();
        rig.served.is_finished()
    })
    .await;
}
