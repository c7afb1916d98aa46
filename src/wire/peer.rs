//! The two ends of a session.

/// One of the two peers of a session, as closewatch stands between them.
///
/// A direction is named after the peer that sends in it: [`Peer::direction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The one that sent the upgrade request. Its frames are masked (RFC 6455 §5.1).
    Client,
    /// The one that answered it with 101. Its frames are not masked.
    Upstream,
}

// === impl Peer ===

impl Peer {
    /// Both peers, in the order of the labels.
    pub const ALL: [Self; 2] = [Self::Client, Self::Upstream];

    /// The peer at the other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Upstream,
            Self::Upstream => Self::Client,
        }
    }

    /// The value of the label `peer` and of `initiator`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
        }
    }

    /// The value of the label `direction` for what this peer sends.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Client => "from_client",
            Self::Upstream => "from_upstream",
        }
    }

    /// 0 or 1, to index an array of two.
    pub const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Upstream => 1,
        }
    }
}
