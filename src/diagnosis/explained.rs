//! Mechanisms in plain words, for people who meet one as a hint or in a finding; with them the other words of a record.

use super::finding::Mechanism;
use crate::close::catalog::{self, Word};

/// The field of a record that has the mechanism.
const FIELD: &str = "hint";

/// Every word of a record with an explanation: causes, classes, outcomes of handshakes, hints.
pub fn words() -> impl Iterator<Item = Word> {
    let hints = Mechanism::ALL.iter().map(|mechanism| {
        let [meaning, seen_when, action] = of(*mechanism);
        Word { field: FIELD, word: mechanism.as_str(), meaning, seen_when, action }
    });
    catalog::words().chain(hints)
}

/// The explanations of `word`: several, where a word stands in more than one field.
pub fn explained(word: &str) -> Vec<Word> {
    words().filter(|known| known.word == word).collect()
}

/// Meaning, situations and advice.
#[expect(clippy::too_many_lines, reason = "a table")]
const fn of(mechanism: Mechanism) -> [&'static str; 3] {
    match mechanism {
        Mechanism::IdleCut => [
            "A box or a program ended sessions after one certain time of silence.",
            "The idle timeout of a balancer, an ingress, a proxy or a firewall: 60 s of nginx and AWS ALB, 350 s of AWS NLB, \
             100 s of Cloudflare. idle_ms of these sessions clusters at that value.",
            "Send pings more often than the limit, from the application or the server, or raise the limit of the box that the \
             finding names.",
        ],
        Mechanism::MaxLifetime => [
            "A box or a program ended sessions at one certain age, however busy they were.",
            "A cap on the age of connections in an ingress, a mesh, a cloud gateway or the server itself. duration_ms clusters \
             at that value.",
            "Raise the cap, or let clients reconnect before it.",
        ],
        Mechanism::SilentDrop => [
            "A box forgot the flow during a silence and told nobody; the next packet met a reset or nothing.",
            "NAT, connection tracking or a stateful firewall whose table entry expired. silence_before_last_ms is long, and \
             idle_ms is not.",
            "Send pings more often than that limit, or raise the table's timeout for established flows.",
        ],
        Mechanism::Crash => [
            "The upstream fell over, and all of its sessions ended at one instant.",
            "A panic, an out-of-memory kill, a failed liveness probe, a host that went away.",
            "Read the upstream's log and exit code at that time.",
        ],
        Mechanism::CrashLoop => [
            "The upstream fell over again and again, at much the same interval.",
            "A process that is restarted and fails at the same place: a probe, a memory limit, a poisoned job.",
            "Read the upstream's log of two such times, and compare them.",
        ],
        Mechanism::BadInstance => [
            "One instance of the upstream fails far more often than its siblings.",
            "A half-finished rollout, a bad host, a corrupt local state.",
            "Take the instance out, and compare its version, host and log with a sibling's.",
        ],
        Mechanism::HandlerError => [
            "The upstream failed while it handled a message.",
            "1011 or a cut soon behind a message of the client: an exception that nobody catches.",
            "Look for exceptions in the upstream's log at the times of the examples.",
        ],
        Mechanism::KeepaliveTimeout => [
            "A peer left pings unanswered, and the other side gave it up.",
            "A client whose device sleeps or whose network is gone; a server whose event loop is blocked.",
            "See why that side did not answer before you raise the timeout.",
        ],
        Mechanism::HeartbeatTimeout => [
            "A peer left heartbeats of the application unanswered, and the other side gave it up.",
            "Socket.IO, SignalR, Phoenix and MQTT have heartbeats of their own, above those of WebSocket.",
            "See why that side did not answer: a blocked event loop, a sleeping program, a lost network.",
        ],
        Mechanism::MessageTooBig => [
            "A message was larger than the other side takes.",
            "1009, or a reason that says so: most libraries have a limit of 64 KiB to 16 MiB.",
            "Send smaller messages, or raise the receiver's limit.",
        ],
        Mechanism::AuthExpired => [
            "A credential or a session of the application expired while the connection was open.",
            "A token with a lifetime that the server checks in open sessions. If duration_ms clusters, that is the lifetime.",
            "Renew the credential in the open session, or reconnect before it expires.",
        ],
        Mechanism::PolicyRejected => [
            "One side refused the other in an open session.",
            "1008, 3000, 3003 or a code of the application: credentials, permissions, rates.",
            "Read the reason of the examples.",
        ],
        Mechanism::ProtocolError => [
            "One side broke RFC 6455, by what closewatch saw or by what the other side says.",
            "A faulty library, or a hop that alters frames.",
            "Look at the violations in the record, and at the library and version of that side.",
        ],
        Mechanism::CompressionError => [
            "Compressed messages could not be read by the side that got them.",
            "permessage-deflate between two libraries that disagree about its parameters, or a hop that alters them.",
            "Switch permessage-deflate off on one side, and compare versions.",
        ],
        Mechanism::BadHandshake => [
            "The 101 selected a subprotocol or an extension that the request does not allow.",
            "Browsers then fail the connection at once, with 1006 and without a message.",
            "Make the server select what was offered.",
        ],
        Mechanism::PeerVanished => [
            "A peer's host stopped answering at all: no FIN, no reset, no acknowledgement.",
            "A pulled cable, a lost mobile network, a host that lost power, a firewall that drops packets.",
            "Look for hosts or links that went away on that side.",
        ],
        Mechanism::SlowConsumer => [
            "A peer did not take what was sent to it, and the other side ended the session.",
            "A client on a slow network or in a paused tab; a server that is behind. stalled_at_end_ms has the time.",
            "Send less, or drop messages for slow readers; see why that side does not read.",
        ],
        Mechanism::ReconnectStorm => [
            "Clients came back at once, again and again, and were turned away.",
            "Behind a restart: clients without a back-off, and an upstream that cannot take them all.",
            "Give clients a random back-off, and the upstream room to take them back.",
        ],
        Mechanism::HandshakesRefused => [
            "Upgrades were refused, or nobody could be reached to answer them.",
            "The upstream is down or overloaded, or does not accept the clients' credentials.",
            "Read outcome and status of the failed handshakes.",
        ],
        Mechanism::CertificateRejected => [
            "A certificate was rejected, by a client or by closewatch.",
            "It has expired, is for another name, or comes from an authority that the other side does not know.",
            "Check its dates, names and chain, and who trusts it.",
        ],
        Mechanism::RandomResets => [
            "Connections of one side were reset at any age, without a pattern in time.",
            "A hop that restarts or sheds connections, a network that loses packets, a program that exits with unread data.",
            "Look for the hop that resets: host, network, firewall.",
        ],
        Mechanism::Overload => [
            "The upstream had more to do than it could.",
            "1013, late answers to upgrades, reasons that say so.",
            "Give the upstream more room, or shed load earlier, at the handshake.",
        ],
        Mechanism::UnannouncedRestart => [
            "The upstream, or a box in front, restarted without sending a Close.",
            "A deployment whose server does not end its WebSocket sessions when it stops.",
            "Let it close sessions with 1001 or 1012 before it stops.",
        ],
        Mechanism::InternalError => [
            "closewatch itself failed.",
            "A bug.",
            "Report it with the records of the examples and closewatch's own log.",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_a_sentence_and_every_mechanism_has_one() {
        for Word { word, meaning, seen_when, action, .. } in words() {
            for text in [meaning, seen_when, action] {
                assert!(text.ends_with('.') && text.len() <= 300 && !text.contains("  "), "{word}: {text:?}");
            }
        }
        let hints = words().filter(|known| known.field == FIELD).count();
        assert_eq!(hints, Mechanism::ALL.len());
    }

    #[test]
    fn a_word_of_two_fields_has_two_explanations() {
        let fields = |word| explained(word).iter().map(|known| known.field).collect::<Vec<_>>();
        assert_eq!(fields("idle_cut"), ["hint"]);
        assert_eq!(fields("upstream_reset"), ["cause"]);
        assert_eq!(fields("unknown"), ["cause", "class"]);
        assert_eq!(fields("dial_failed"), ["outcome"]);
        assert_eq!(fields("overload"), ["class", "hint"]);
        assert!(explained("1006").is_empty());
    }
}
