//! Causes, classes and outcomes of handshakes, explained: the words of a record that are not codes.

use serde::Serialize;

use crate::close::{Cause, Class, Outcome};

/// The explanation of one word.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Word {
    /// The field of the record that has it.
    pub field: &'static str,
    /// The word.
    pub word: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
    /// In which situations it shows up.
    pub seen_when: &'static str,
    /// Advice for the operator.
    pub action: &'static str,
}

/// Every word with an explanation, field by field.
pub fn words() -> impl Iterator<Item = Word> {
    let causes = Cause::ALL.iter().map(|cause| ("cause", cause.as_str(), of_cause(*cause)));
    let classes = Class::ALL.iter().map(|class| ("class", class.as_str(), of_class(*class)));
    let outcomes = Outcome::ALL.iter().map(|outcome| ("outcome", outcome.as_str(), of_outcome(*outcome)));
    causes.chain(classes).chain(outcomes).map(|(field, word, [meaning, seen_when, action])| Word {
        field,
        word,
        meaning,
        seen_when,
        action,
    })
}

/// Meaning, situations and advice.
type Texts = [&'static str; 3];

const fn of_cause(cause: Cause) -> Texts {
    match cause {
        Cause::CloseHandshake => [
            "A Close, and the other peer's Close after it: the closing handshake of RFC 6455 section 7 is whole.",
            "Every orderly end, whatever its code says.",
            "Read the code: the cause only says that both peers took part.",
        ],
        Cause::CloseUnanswered => [
            "A Close, and none from the other peer.",
            "The sender ended its connection right behind its Close (Safari, bun, a server that exits), or the other peer \
             was gone or too slow to answer.",
            "With 1000, 1001 or 1005 usually nothing. Otherwise look at which peer's end came first, and at its stalled_ms.",
        ],
        Cause::ClientUnresponsive => [
            "The upstream sent a Close to a client that owed it a pong and had been silent since the ping.",
            "A server's keepalive gave up: \"keepalive ping timeout\" of Python websockets. The client's device sleeps, its \
             network is gone, or its event loop is blocked.",
            "Look at client.unanswered_pings and client.last_frame_at_ms. One client: its network. Many at once: a hop in \
             front of closewatch.",
        ],
        Cause::UpstreamUnresponsive => [
            "The client sent a Close to an upstream that owed it a pong and had been silent since the ping.",
            "A backend that is stuck: a blocked event loop, a long pause for garbage collection, an overloaded host.",
            "Look at the upstream's CPU and logs around ended_at.",
        ],
        Cause::ClientEof => [
            "The client's connection ended in order (FIN), without a Close.",
            "A closed laptop, a phone that sleeps, an app that was killed, or a balancer in front whose idle timeout struck.",
            "Everyday traffic in small numbers. If idle_ms clusters at one value, a hop in front of closewatch has that \
             timeout: ping more often, or raise it.",
        ],
        Cause::UpstreamEof => [
            "The upstream's connection ended in order (FIN), without a Close.",
            "The backend's process exited or dropped the session, or a proxy behind closewatch cut it (nginx \
             proxy_read_timeout, 60 s unless set). Some servers never send a Close: mosquitto, an MQTT broker.",
            "Many in one second: a crash or restart. Clustered idle_ms: an idle timeout behind closewatch.",
        ],
        Cause::ClientReset => [
            "The client's connection was reset (TCP RST, or a fatal TLS alert).",
            "A client that exits with unread data, a firewall or NAT that forgot the connection, a balancer that rejects it.",
            "If silence_before_last_ms is long in most of them, something in front forgets idle connections: ping more often.",
        ],
        Cause::UpstreamReset => [
            "The upstream's connection was reset (TCP RST, or a fatal TLS alert).",
            "A backend that was killed, or that closed its socket with unread data; a box behind closewatch that forgot the \
             connection.",
            "Many in one second: a crash. Read client.stalled_at_end_ms too: a backend may cut a client that does not read.",
        ],
        Cause::ClientTimeout => [
            "The client's host acknowledged nothing any more, and was given up.",
            "A lost network, a pulled cable, a device out of range, a firewall that drops packets without a word.",
            "One by one: mobile clients. Many at once: the network in front of closewatch.",
        ],
        Cause::UpstreamTimeout => [
            "The upstream's host acknowledged nothing any more, and was given up.",
            "The backend's host or its network is gone, or a firewall between drops packets.",
            "Check the host behind upstream.address, and the network between.",
        ],
        Cause::Drain => [
            "closewatch was stopping, and ended the session.",
            "A deployment or a scale-down of the pod that closewatch runs in.",
            "Expected. If clients come back in one wave, set timeouts.drain_jitter.",
        ],
        Cause::IdleTimeout => [
            "No frame but a Close passed for the route's idle limit, and closewatch ended the session.",
            "A route with idle set, and peers that send nothing and do not ping.",
            "Expected where it is configured. Raise idle, or have one peer ping.",
        ],
        Cause::ProxyError => [
            "closewatch itself failed while the session was open.",
            "A bug.",
            "Report it with the record and closewatch's own log.",
        ],
        Cause::Unknown => [
            "A direction could not be read as WebSocket frames, so the cause is not known, and not guessed.",
            "A peer that does not speak RFC 6455 behind the 101.",
            "Look at violations and blind in the record, and at which software the peer is.",
        ],
    }
}

const fn of_class(class: Class) -> Texts {
    match class {
        Class::Clean => [
            "Both sides meant it: 1000, 1005, or 1001 from the client.",
            "Users who leave, jobs that are done.",
            "Nothing.",
        ],
        Class::Planned => [
            "The service meant it: 1012, 1001 from the upstream, a drain or an idle limit of closewatch.",
            "Deployments, restarts, scale-downs.",
            "Outside a deployment look for restarts, evictions and idle limits.",
        ],
        Class::Application => [
            "A code of 3000 to 4999 that the catalog and the configuration give no class of its own.",
            "Whatever client and server agreed on.",
            "Name the codes of your application in the configuration, or use a preset, so that they get a class.",
        ],
        Class::Policy => [
            "One side refused the other: 1008, 1009, 3000, 3003, and codes that a preset says are refusals.",
            "Expired tokens, quotas, messages that are too large.",
            "Read the reason. A sudden rise is often an expired key or a changed limit.",
        ],
        Class::Protocol => [
            "One side broke the protocol, or says so of the other: 1002, 1003, 1007, 1010, or an illegal Close.",
            "Mismatched compression, a hop that alters frames, a faulty library.",
            "Look at the violations of both peers in the record: closewatch reads the same frames.",
        ],
        Class::Overload => [
            "1013: the service asks clients to stay away for now.",
            "Load shedding and connection limits.",
            "Add capacity, or shed load earlier; check that clients wait before they reconnect.",
        ],
        Class::Abnormal => [
            "Nobody meant it: 1006, 1011, 1014.",
            "Crashes, lost networks, idle timeouts on the way, exceptions in a handler.",
            "Read cause and initiator first; they say which side it was.",
        ],
        Class::Unknown => [
            "A direction could not be read as WebSocket frames before the end.",
            "A peer that does not speak RFC 6455 behind the 101.",
            "Look at blind and violations in the record.",
        ],
    }
}

const fn of_outcome(outcome: Outcome) -> Texts {
    match outcome {
        Outcome::Upgraded => {
            ["The upgrade was answered with 101: a session is open.", "Every session begins so.", "Nothing."]
        }
        Outcome::Refused => [
            "The upstream answered with something other than 101, and the client was given that answer whole.",
            "401 and 403 for missing or expired credentials, 404 for a wrong path, 429 or 503 under load.",
            "Read the status; the backend's log has the reason. A browser reports 1006.",
        ],
        Outcome::NoRoute => [
            "No route takes this host and path; the client was given 404.",
            "A wrong URL in the client, or a route that is missing in the configuration.",
            "Compare request.host and request.path with the routes.",
        ],
        Outcome::BadRequest => [
            "The request is no valid upgrade (RFC 6455 section 4.2.1), or can be read in two ways; the client was given 400.",
            "Scanners, clients with a faulty library, a hop in front that removes headers.",
            "The record's detail says what is wrong. If real users are hit, compare the headers before and behind that hop.",
        ],
        Outcome::OverLimit => [
            "limits.sessions is reached; the client was given 503 with Retry-After.",
            "More clients than planned, or sessions that nobody ends.",
            "Raise the limit if memory allows (docs/capacity.md), or add instances.",
        ],
        Outcome::Draining => [
            "closewatch is stopping; the client was given 503 with Retry-After.",
            "A deployment or a scale-down.",
            "Expected. The balancer should have left this instance before: check its readiness probe and timeouts.unready.",
        ],
        Outcome::DialFailed => [
            "The upstream could not be reached: refused, unreachable, or its name does not resolve; the client was given 502.",
            "The backend is down or not up yet, or a wrong port.",
            "Check the backend and the route's upstream.",
        ],
        Outcome::DialTimeout => [
            "No connection to the upstream within timeouts.dial; the client was given 504.",
            "The backend's host is gone or drops packets, or its accept queue is full.",
            "Check host, firewall and the backend's backlog.",
        ],
        Outcome::UpstreamClosed => [
            "The upstream hung up before it answered; the client was given 502.",
            "A backend that crashed, restarts, or does not speak HTTP on this port.",
            "Read the backend's log around that time.",
        ],
        Outcome::UpstreamTimeout => [
            "The upstream did not answer within timeouts.handshake; the client was given 504.",
            "A backend that is overloaded or waits for something, such as a database.",
            "Look at the backend's load. If it may take so long, raise timeouts.handshake.",
        ],
        Outcome::BadResponse => [
            "The upstream answered with something that is not HTTP, or with a 101 that is no valid handshake; the client was \
             given 502.",
            "A wrong port, or a backend whose Sec-WebSocket-Accept is wrong.",
            "Ask the backend directly, with curl, and compare.",
        ],
        Outcome::TlsFailed => [
            "A TLS handshake failed, with the client or with the upstream.",
            "An expired or unknown certificate, no common version, plain HTTP on a TLS port, a port scan.",
            "The record's detail says which. From many clients at once: look at the certificate.",
        ],
        Outcome::Internal => {
            ["closewatch itself failed.", "A bug.", "Report it with the record and closewatch's own log."]
        }
        Outcome::ClientGone => [
            "The client went away before it had an answer.",
            "Users who navigate away, clients whose own timeout is shorter than the backend's answer takes.",
            "If duration_ms clusters at one value, that is the clients' timeout: make the upgrade faster.",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_a_sentence() {
        for Word { word, meaning, seen_when, action, .. } in words() {
            for text in [meaning, seen_when, action] {
                assert!(text.ends_with('.') && text.len() <= 300 && !text.contains("  "), "{word}: {text:?}");
            }
        }
    }
}
