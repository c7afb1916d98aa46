//! One connection to `/closes/stream`.

use std::io;
use std::time::Duration;

use http::header::{ACCEPT, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::target::Target;

/// For the instance to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Without a byte for this long, a connection is lost: the stream says something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// An event is some two kilobytes; whoever sends more than this is no instance.
const LONGEST: usize = 1024 * 1024;

/// An open stream.
pub(super) struct Feed {
    body: Incoming,
    /// Bytes that have come and were not read yet.
    buffer: Vec<u8>,
}

/// One entry of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Where the next connection would go on, before anything has come.
    Place(String),
    /// A line of the close log.
    Record { id: Option<String>, line: String },
    /// So many were missed.
    Missed(u64),
    /// Of so many, some are shown.
    Sampled { shown: u64, of: u64 },
}

/// Why there is no stream, or not any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error("nothing answers at {address}")]
    Connect { address: String, source: io::Error },
    #[error("{address} does not answer within {PATIENCE:?}")]
    Slow { address: String },
    #[error("{address} does not speak HTTP as expected")]
    Http { address: String, source: hyper::Error },
    #[error("{0}")]
    Query(String),
    #[error("{address} answers {status}: {text}")]
    Refused { address: String, status: StatusCode, text: String },
    #[error("the instance has ended the stream")]
    Ended,
    #[error("the connection is lost")]
    Lost,
    #[error("what comes is no stream of events")]
    NoEvents,
}

// === impl Feed ===

impl Feed {
    /// Asks for the stream behind the event `last`.
    pub(super) async fn open(target: &Target, query: &str, last: Option<&str>) -> Result<Self, FeedError> {
        let address = target.to_string();
        let asked = timeout(PATIENCE, Self::ask(target, query, last)).await;
        asked.unwrap_or(Err(FeedError::Slow { address }))
    }

    async fn ask(target: &Target, query: &str, last: Option<&str>) -> Result<Self, FeedError> {
        let address = target.to_string();
        let failed = |source| FeedError::Http { address: address.clone(), source };
        let stream = TcpStream::connect(target.address())
            .await
            .map_err(|source| FeedError::Connect { address: address.clone(), source })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // Its end is the body's.
        tokio::spawn(connection);
        let mut request = Request::get(format!("{}?{query}", target.path("/closes/stream")))
            .header(HOST, target.host())
            .header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| FeedError::NoEvents)?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(Self { body: response.into_body(), buffer: Vec::new() });
        }
        // A refusal is a line or two; no more than that is read.
        let mut body = response.into_body();
        let text = match body.frame().await {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(_)) | None => Bytes::new(),
        };
        let text = String::from_utf8_lossy(&text[..text.len().min(1000)]).trim().to_owned();
        Err(if status == StatusCode::BAD_REQUEST {
            FeedError::Query(text)
        } else {
            FeedError::Refused { address, status, text }
        })
    }

    /// The next entry.
    pub(super) async fn next(&mut self) -> Result<Sent, FeedError> {
        loop {
            while let Some(event) = self.event() {
                if let Some(sent) = entry(&event)? {
                    return Ok(sent);
                }
            }
            if self.buffer.len() > LONGEST {
                return Err(FeedError::NoEvents);
            }
            match timeout(SILENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Ok(None) => return Err(FeedError::Ended),
                Ok(Some(Err(_))) | Err(_) => return Err(FeedError::Lost),
            }
        }
    }

    /// Takes the next event out of the buffer: its lines, up to the empty one.
    fn event(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|two| two == b"\n\n")?;
        let event = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 2);
        Some(event)
    }
}

/// The content of an event; `None` for a comment.
fn entry(event: &str) -> Result<Option<Sent>, FeedError> {
    let (mut id, mut kind, mut data) = (None, "message", None);
    for line in event.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("event", value)) => kind = value,
            Some(("data", value)) => data = Some(value),
            Some(_) | None => {}
        }
    }
    let Some(data) = data else { return Ok(id.map(Sent::Place)) };
    let number = |key: &str| {
        let data: Option<serde_json::Value> = serde_json::from_str(data).ok();
        data.and_then(|data| data[key].as_u64()).ok_or(FeedError::NoEvents)
    };
    match kind {
        "message" => Ok(Some(Sent::Record { id, line: data.to_owned() })),
        "missed" => Ok(Some(Sent::Missed(number("missed")?))),
        "sampled" => Ok(Some(Sent::Sampled { shown: number("shown")?, of: number("of")? })),
        // A later version may say more.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_by_its_kind() {
        let entry = |event| entry(event).unwrap();
        assert_eq!(entry(":"), None);
        assert_eq!(entry("retry: 2000\nid: a-1"), Some(Sent::Place("a-1".to_owned())));
        let record = Sent::Record { id: Some("a-2".to_owned()), line: "{\"a\": \"id: 3\"}".to_owned() };
        assert_eq!(entry("id: a-2\ndata: {\"a\": \"id: 3\"}"), Some(record));
        assert_eq!(entry("event: missed\ndata: {\"missed\":7}"), Some(Sent::Missed(7)));
        assert_eq!(entry("event: sampled\ndata: {\"shown\":1,\"of\":2}"), Some(Sent::Sampled { shown: 1, of: 2 }));
        assert_eq!(entry("event: later\ndata: {}"), None);
        assert!(super::entry("event: missed\ndata: {}").is_err());
    }
}
