//! The closed sets in which a verdict is expressed. Every one of them is a label value somewhere, so none can grow by
//! anything that a peer chooses.

/// Declares a fieldless enum whose variants have one spelling each, used by labels, JSON and configuration alike.
macro_rules! labels {
    (
        $(#[$meta:meta])* $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $label:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $( $(#[$variant_meta])* $variant ),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// The one spelling of this value.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $label ),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::close::UnknownLabel;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().copied().find(|value| value.as_str() == text);
                known.ok_or_else(|| $crate::close::UnknownLabel::new(text, &[$( $label ),+]))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(crate) use labels;

/// A word that is not in the set it was looked up in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is none of: {allowed}")]
pub struct UnknownLabel {
    given: String,
    allowed: String,
}

// === impl UnknownLabel ===

impl UnknownLabel {
    /// `given` is none of `allowed`.
    pub(crate) fn new(given: &str, allowed: &[&str]) -> Self {
        Self { given: given.to_owned(), allowed: allowed.join(", ") }
    }
}

labels! {
    /// How a closure is to be taken: the one word that alerts select on.
    Class {
        /// Both sides meant it: 1000, 1005, 1001 from the client.
        Clean = "clean",
        /// The service meant it: 1012, 1001 from the upstream, a drain, an idle limit.
        Planned = "planned",
        /// 3000-4999: a meaning agreed between the peers.
        Application = "application",
        /// One side refused the other: 1008, 1009, 3000, 3003.
        Policy = "policy",
        /// One side broke the protocol, or said so of the other.
        Protocol = "protocol",
        /// 1013.
        Overload = "overload",
        /// Nobody meant it: 1006, 1011, 1014.
        Abnormal = "abnormal",
        /// The tap was blind: not known, and not guessed.
        Unknown = "unknown",
    }
}

labels! {
    /// The side that began the end.
    Initiator {
        /// The client.
        Client = "client",
        /// The upstream.
        Upstream = "upstream",
        /// Both sent a Close before either could have seen the other's.
        Both = "both",
        /// closewatch itself.
        Proxy = "proxy",
        /// The tap was blind.
        Unknown = "unknown",
    }
}

labels! {
    /// The kind of event that ended the session.
    Cause {
        /// A Close, and the other peer's Close after it.
        CloseHandshake = "close_handshake",
        /// A Close, and none from the other peer.
        CloseUnanswered = "close_unanswered",
        /// The upstream's Close to a client that owed a pong and had fallen silent.
        ClientUnresponsive = "client_unresponsive",
        /// The client's Close to an upstream that owed a pong and had fallen silent.
        UpstreamUnresponsive = "upstream_unresponsive",
        /// The client's transport ended in order, without a Close.
        ClientEof = "client_eof",
        /// The upstream's transport ended in order, without a Close.
        UpstreamEof = "upstream_eof",
        /// The client's transport was reset.
        ClientReset = "client_reset",
        /// The upstream's transport was reset.
        UpstreamReset = "upstream_reset",
        /// The client's host stopped answering.
        ClientTimeout = "client_timeout",
        /// The upstream's host stopped answering.
        UpstreamTimeout = "upstream_timeout",
        /// closewatch was draining.
        Drain = "drain",
        /// No frame for the configured idle time.
        IdleTimeout = "idle_timeout",
        /// closewatch failed: a bug, worth a report.
        ProxyError = "proxy_error",
        /// The tap was blind.
        Unknown = "unknown",
    }
}

labels! {
    /// How much of the closing handshake (RFC 6455 §7.1.2) was seen.
    Handshake {
        /// Both peers' Closes.
        Complete = "complete",
        /// One.
        Half = "half",
        /// None.
        None = "none",
        /// A direction was blind.
        Unknown = "unknown",
    }
}

labels! {
    /// How the transport of one peer ended.
    End {
        /// Still up when the record was filed.
        Open = "open",
        /// Ended by closewatch.
        Local = "local",
        /// In order: FIN, with TLS after close_notify.
        Fin = "fin",
        /// TCP RST, or a fatal TLS alert. Also what a process leaves that exits with unread input.
        Reset = "reset",
        /// The peer's host answers nothing any more.
        Timeout = "timeout",
        /// FIN without TLS close_notify.
        TlsTruncated = "tls_truncated",
    }
}

labels! {
    /// The result of an upgrade request.
    Outcome {
        /// 101: a session.
        Upgraded = "upgraded",
        /// The upstream said no, in its own words.
        Refused = "refused",
        /// No route takes this host and path.
        NoRoute = "no_route",
        /// Not a valid upgrade (RFC 6455 §4.2.1).
        BadRequest = "bad_request",
        /// One session more than the configuration allows.
        OverLimit = "over_limit",
        /// closewatch is draining.
        Draining = "draining",
        /// The upstream could not be reached.
        DialFailed = "dial_failed",
        /// The upstream could not be reached in time.
        DialTimeout = "dial_timeout",
        /// The upstream hung up before it answered.
        UpstreamClosed = "upstream_closed",
        /// The upstream did not answer in time.
        UpstreamTimeout = "upstream_timeout",
        /// The upstream answered with something that is not HTTP, or with a 101 that is not a valid one.
        BadResponse = "bad_response",
        /// A TLS handshake failed.
        TlsFailed = "tls_failed",
        /// closewatch failed: a bug, worth a report.
        Internal = "internal",
        /// The client went away before it had an answer.
        ClientGone = "client_gone",
    }
}

labels! {
    /// Why a TLS handshake failed: by the alert that came or went, or by the end of the connection.
    TlsFailure {
        /// The certificate of one side has expired.
        CertificateExpired = "certificate_expired",
        /// The certificate of one side is not valid yet.
        CertificateNotYetValid = "certificate_not_yet_valid",
        /// The certificate of one side was revoked.
        CertificateRevoked = "certificate_revoked",
        /// One side does not know the authority that issued the other's certificate.
        UnknownCa = "unknown_ca",
        /// The certificate of one side is for another name, or a name was asked for that is not served.
        WrongName = "wrong_name",
        /// One side refused the other's certificate for another reason.
        BadCertificate = "bad_certificate",
        /// One side asks for a certificate, and the other showed none.
        CertificateRequired = "certificate_required",
        /// The client had closewatch's certificate, and hung up without an alert.
        CertificateUnanswered = "certificate_unanswered",
        /// There is no version of TLS that both sides speak: here 1.2 and 1.3.
        NoCommonVersion = "no_common_version",
        /// There is no cipher, group or signature that both sides know.
        NoCommonCipher = "no_common_cipher",
        /// There is no protocol that both sides speak over TLS (ALPN).
        NoApplicationProtocol = "no_application_protocol",
        /// The peer refused, and did not say why.
        Refused = "refused",
        /// The peer does not speak TLS.
        NotTls = "not_tls",
        /// The peer hung up in the middle of the handshake.
        HungUp = "hung_up",
        /// The handshake took longer than `timeouts.tls`.
        Timeout = "timeout",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// Why a connection was turned away before it said anything.
    Rejection {
        /// One connection more than may be without a session.
        Connections = "connections",
        /// One connection more than a source may have.
        Source = "source",
        /// A trusted source did not begin with a PROXY protocol header, or not in time.
        ProxyProtocol = "proxy_protocol",
        /// No file descriptor is left.
        Descriptors = "descriptors",
        /// No memory or other resource of the system is left.
        Resources = "resources",
    }
}

labels! {
    /// The version of HTTP that a request was made in.
    #[derive(Default)]
    HttpVersion {
        /// There was no request, or none that could be read.
        #[default]
        Unknown = "",
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1: every session's.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
        /// HTTP/3.
        Http3 = "3",
    }
}

labels! {
    /// The version of TLS that a leg speaks, as OpenTelemetry spells it in `tls.protocol.version`.
    TlsVersion {
        /// TLS 1.2.
        Tls12 = "1.2",
        /// TLS 1.3.
        Tls13 = "1.3",
    }
}

impl Class {
    /// The level of a session of this class, its two sides at one: `warn` for what somebody may have to look at.
    pub const fn level(self) -> &'static str {
        match self {
            Self::Abnormal | Self::Overload | Self::Unknown => "warn",
            Self::Clean | Self::Planned | Self::Application | Self::Policy | Self::Protocol => "info",
        }
    }
}
