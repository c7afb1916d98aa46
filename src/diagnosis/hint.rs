//! The hint: the mechanism that one record bears, from its own facts and the findings of its route.

use super::address;
use super::finding::Mechanism;
use super::names;
use super::observation::Closed;
use super::pattern::{Look, Pattern};
use super::sign::Sign;
use crate::close::{Address, CloseRecord};

/// A finding that is going on, as far as hints need it.
#[derive(Clone, Debug)]
pub struct Active {
    mechanism: Mechanism,
    pattern: Pattern,
}

/// The mechanism behind the end of a session, if its own facts, or one of the `active` findings of its route, name it.
///
/// Pure, and a third of a microsecond at most (`cargo bench --bench hint`): it stands between the end of a session and its record.
pub fn hint(record: &CloseRecord, active: &[Active]) -> Option<Mechanism> {
    let (session, request) = (&*record.session, &record.session.request);
    let closed = Closed::of_record(record);
    let sign = Sign::of(
        &closed,
        u32::from(request.subprotocols_offered),
        request.subprotocol.is_some(),
        request.extensions.is_some(),
    );
    named(
        active,
        &Look {
            closed: &closed,
            sign,
            at: (session.opened_at + record.verdict.ended).as_duration().as_secs_f64(),
            client_tls: session.client_tls.into(),
            user_agent: request.user_agent.as_ref().map_or("", |agent| agent.as_str()),
            client: &|| match request.real_address.as_deref().unwrap_or(&session.client) {
                Address::Ip(socket) => address::of_ip(socket.ip()),
                Address::Unix(_) => 0,
            },
            upstream: &|| names::key(&session.upstream.to_string()),
        },
    )
}

/// A finding outranks the facts: it was made from the same, and from those of others.
pub(super) fn named(active: &[Active], look: &Look<'_>) -> Option<Mechanism> {
    let found = active.iter().find(|active| active.pattern.fits(look));
    found.map(|active| active.mechanism).or_else(|| look.sign.alone())
}

// === impl Active ===

impl Active {
    pub(super) const fn new(mechanism: Mechanism, pattern: Pattern) -> Self {
        Self { mechanism, pattern }
    }

    /// Whether it is about sessions of this route.
    pub fn is_of(&self, route: &str) -> bool {
        self.pattern.is_of(route)
    }
}

// === impl Sign ===

impl Sign {
    /// The mechanism of which one session is proof enough.
    pub(super) const fn alone(self) -> Option<Mechanism> {
        match self {
            Self::Internal => Some(Mechanism::InternalError),
            Self::BadHandshake => Some(Mechanism::BadHandshake),
            Self::Violated(_) | Self::Protocol(_) => Some(Mechanism::ProtocolError),
            Self::Vanished(_) => Some(Mechanism::PeerVanished),
            Self::Stalled(_) => Some(Mechanism::SlowConsumer),
            Self::Unanswered(_) => Some(Mechanism::KeepaliveTimeout),
            Self::Heartbeat(_) => Some(Mechanism::HeartbeatTimeout),
            Self::Expired(_) => Some(Mechanism::AuthExpired),
            Self::TooBig(_) => Some(Mechanism::MessageTooBig),
            Self::Refused(_) => Some(Mechanism::PolicyRejected),
            Self::Compression(_) => Some(Mechanism::CompressionError),
            Self::Overloaded(_) => Some(Mechanism::Overload),
            Self::Normal
            | Self::Drain
            | Self::OwnIdle
            | Self::Announced
            | Self::Application(_)
            | Self::Failed(_)
            | Self::GaveUp
            | Self::Fin(_)
            | Self::Reset(_)
            | Self::Unknown => None,
        }
    }
}
