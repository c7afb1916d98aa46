//! Answers of a collector over HTTP: which of them are repeated, and when.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::losses::{disconnect, dropped, exporter};

/// A collector that gives these answers in turn, and tells when each was asked for.
fn collector(answers: &'static [&'static str]) -> (String, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (asked, times) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            asked.send(Instant::now()).unwrap();
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (endpoint, times)
}

#[test]
fn an_answer_that_is_final_is_not_asked_for_again() {
    for answers in [
        &["400 Bad Request", "200 OK"],
        &["401 Unauthorized", "200 OK"],
        &["500 Internal Server Error", "200 OK"],
        &["308 Permanent Redirect", "200 OK"],
    ] {
        let (endpoint, times) = collector(answers);
        let exporter = exporter(endpoint, |_| {});
        disconnect(&exporter, 1);
        assert!(!exporter.flush(Duration::from_secs(20)), "{answers:?}");
        assert_eq!((times.try_iter().count(), dropped(&exporter)), (1, 1), "{answers:?}");
    }
}

#[test]
fn a_collector_that_asks_for_patience_is_asked_again_until_it_takes_the_batch() {
    let (endpoint, times) = collector(&["502 Bad Gateway", "503 Unavailable", "504 Gateway Timeout", "200 OK"]);
    let exporter = exporter(endpoint, |_| {});
    disconnect(&exporter, 1);
    assert!(exporter.flush(Duration::from_secs(20)));
    assert_eq!((times.try_iter().count(), dropped(&exporter)), (4, 0));
}

#[test]
fn the_time_that_a_collector_asks_for_is_given() {
    let (endpoint, times) = collector(&["429 Too Many Requests\r\nRetry-After: 2", "200 OK"]);
    let exporter = exporter(endpoint, |_| {});
    disconnect(&exporter, 1);
    assert!(exporter.flush(Duration::from_secs(20)));
    let times: Vec<_> = times.try_iter().collect();
    assert_eq!((times.len(), dropped(&exporter)), (2, 0));
    let waited = times[1] - times[0];
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
}
