//! A failure of TLS as a sentence that says what to do.

use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use crate::config::is_webpki;
use crate::wire::Peer;

/// One side of a TLS connection does not want the other's TLS. It reads as a sentence for an operator.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Refusal {
    /// The peer with which closewatch speaks TLS.
    pub(super) with: Peer,
    pub(super) error: rustls::Error,
}

impl Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { with, error } = self;
        match with {
            Peer::Client => of_client(error, f),
            Peer::Upstream => of_upstream(error, f),
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add errors, and has words of its own for each")]
fn of_client(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match error {
        rustls::Error::AlertReceived(alert) => match *alert {
            AlertDescription::UnknownCA => {
                "the client does not know the authority behind tls.cert: put the intermediate certificates behind it in \
                 that file, or give the client the root (alert UnknownCA)"
            }
            AlertDescription::CertificateExpired => {
                "for the client tls.cert has expired: renew it, or set the client's clock (alert CertificateExpired)"
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate => {
                return write!(
                    f,
                    "the client does not accept tls.cert: it must be for the name that the client asks for, and its issuer \
                     known to the client (alert {alert:?})"
                );
            }
            _ => return write!(f, "the client refuses: alert {alert:?}"),
        },
        // Without that extension a client signs with SHA-1, as TLS 1.1 did (RFC 5246 §7.4.1.4.1).
        rustls::Error::PeerIncompatible(
            PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        ) => "the client speaks TLS 1.1 or older: update it, closewatch speaks TLS 1.2 and 1.3",
        rustls::Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "the client offers no cipher that closewatch has: ECDHE with AES-GCM or ChaCha20-Poly1305 for the kind of key in \
             tls.key"
        }
        rustls::Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            "the client offers no group that closewatch has: X25519, P-256 or P-384"
        }
        rustls::Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon) => {
            "the client cannot check what the kind of key in tls.key signs: give a key of another kind, RSA or P-256"
        }
        rustls::Error::NoApplicationProtocol => {
            "the client speaks no known protocol over TLS (ALPN): closewatch speaks http/1.1"
        }
        rustls::Error::InvalidMessage(_) => {
            return write!(f, "the client does not speak TLS, or something between garbles it ({error})");
        }
        _ => return write!(f, "{error}"),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add errors, and has words of its own for each")]
fn of_upstream(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match error {
        rustls::Error::InvalidCertificate(error) => return of_certificate(error, f),
        rustls::Error::AlertReceived(alert) => match *alert {
            AlertDescription::CertificateRequired => {
                "the upstream asks for a client certificate: give upstream_tls.cert and upstream_tls.key (alert \
                 CertificateRequired)"
            }
            AlertDescription::HandshakeFailure => {
                "the upstream refuses: it asks for a client certificate (upstream_tls.cert), or its own is of a kind that \
                 closewatch cannot check (Ed448), or no cipher is common (alert HandshakeFailure)"
            }
            AlertDescription::ProtocolVersion => return f.write_str(UPSTREAM_TOO_OLD),
            AlertDescription::UnrecognisedName => {
                "the upstream does not serve this name: set upstream_tls.server_name (alert UnrecognisedName)"
            }
            AlertDescription::NoApplicationProtocol => {
                "the upstream does not speak http/1.1 over TLS: enable it there (alert NoApplicationProtocol)"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied => {
                return write!(
                    f,
                    "the upstream does not accept upstream_tls.cert: it must be valid, and of an authority that the \
                     upstream knows (alert {alert:?})"
                );
            }
            _ => return write!(f, "the upstream refuses: alert {alert:?}"),
        },
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => UPSTREAM_TOO_OLD,
        rustls::Error::InvalidMessage(_) => {
            return write!(f, "the upstream does not speak TLS on this port: is it one for http://? ({error})");
        }
        _ => return write!(f, "{error}"),
    })
}

const UPSTREAM_TOO_OLD: &str = "the upstream speaks neither TLS 1.2 nor 1.3: enable one of them there";

/// Why the certificate that an upstream shows is not taken. The upstream chose the names in it, so they come last.
#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add reasons, and has words of its own for each")]
fn of_certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            return write!(f, "the upstream's certificate expired at {}: renew it", Date(*not_after));
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            return write!(
                f,
                "the upstream's certificate is not valid before {}: is the clock of this host right?",
                Date(*not_before)
            );
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            write!(f, "the upstream's certificate is not valid for name \"{expected}\": ")?;
            return match presented.as_slice() {
                [] => write!(f, "it has none; make one with the subjectAltName \"{expected}\""),
                names => write!(f, "set upstream_tls.server_name to one of its own, {}", names.join(", ")),
            };
        }
        CertificateError::UnknownIssuer => {
            "no authority of upstream_tls.ca has issued the upstream's certificate: give the root there, and have the upstream \
             send the intermediate certificates (UnknownIssuer)"
        }
        CertificateError::BadSignature => {
            "a signature of the upstream is wrong, or made by an RSA key of less than 2048 bits: make its key and certificate \
             anew, and look whether upstream_tls.ca is the root that issued it"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the upstream's certificate, or its authority's, is signed in a way that closewatch cannot check (Ed448, SHA-1): \
             use RSA with SHA-256, P-256, P-384, P-521 or Ed25519"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the upstream's certificate is not for servers: make one with the extended key usage serverAuth"
        }
        error if is_webpki(error, "CaUsedAsEndEntity") => {
            "the upstream's certificate is its own authority: to trust it, give that very file as upstream_tls.ca"
        }
        error if is_webpki(error, "UnsupportedCertVersion") => {
            "the upstream's certificate is of X.509 version 1: make one of version 3, with a subjectAltName"
        }
        error => return write!(f, "the upstream's certificate is not accepted: {error}"),
    })
}

/// An instant of a certificate.
struct Date(UnixTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.as_secs()).ok();
        match seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
            Some(date) => date.fmt(f),
            None => f.write_str("a time out of reach"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::InvalidMessage;

    use super::*;
    use crate::close::MAX_TEXT;

    #[test]
    fn a_sentence_fits_into_a_record_and_says_what_to_do() {
        let alert = rustls::Error::AlertReceived;
        let certificate = rustls::Error::InvalidCertificate;
        let incompatible = rustls::Error::PeerIncompatible;
        let name = CertificateError::NotValidForNameContext {
            expected: "chat.internal".try_into().unwrap(),
            presented: vec!["DnsName(\"other.internal\")".to_owned()],
        };
        let nameless =
            CertificateError::NotValidForNameContext { expected: "10.0.0.7".try_into().unwrap(), presented: vec![] };
        let algorithm = CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![6, 8, 42],
            public_key_algorithm_id: vec![6, 7, 42],
        };
        for (with, error, advice) in [
            (Peer::Client, alert(AlertDescription::UnknownCA), "intermediate certificates"),
            (Peer::Client, alert(AlertDescription::CertificateExpired), "renew it"),
            (Peer::Client, alert(AlertDescription::BadCertificate), "for the name that the client asks for"),
            (Peer::Client, incompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired), "update it"),
            (Peer::Client, incompatible(PeerIncompatible::Tls12NotOfferedOrEnabled), "TLS 1.1 or older"),
            (Peer::Client, incompatible(PeerIncompatible::NoCipherSuitesInCommon), "AES-GCM"),
            (Peer::Client, incompatible(PeerIncompatible::NoKxGroupsInCommon), "P-256"),
            (Peer::Client, incompatible(PeerIncompatible::NoSignatureSchemesInCommon), "another kind"),
            (Peer::Client, rustls::Error::NoApplicationProtocol, "http/1.1"),
            (Peer::Client, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), "does not speak TLS"),
            (Peer::Upstream, alert(AlertDescription::CertificateRequired), "give upstream_tls.cert"),
            (Peer::Upstream, alert(AlertDescription::HandshakeFailure), "Ed448"),
            (Peer::Upstream, alert(AlertDescription::ProtocolVersion), "enable one of them there"),
            (Peer::Upstream, alert(AlertDescription::UnknownCA), "an authority that the upstream knows"),
            (Peer::Upstream, alert(AlertDescription::UnrecognisedName), "set upstream_tls.server_name"),
            (Peer::Upstream, alert(AlertDescription::NoApplicationProtocol), "enable it there"),
            (Peer::Upstream, incompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13), "enable one of them there"),
            (Peer::Upstream, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), "http://?"),
            (Peer::Upstream, certificate(CertificateError::UnknownIssuer), "give the root there"),
            (Peer::Upstream, certificate(CertificateError::BadSignature), "2048 bits"),
            (Peer::Upstream, certificate(CertificateError::InvalidPurpose), "serverAuth"),
            (Peer::Upstream, certificate(algorithm), "Ed448"),
            (Peer::Upstream, certificate(name), "set upstream_tls.server_name"),
            (Peer::Upstream, certificate(nameless), "subjectAltName"),
        ] {
            let sentence = Refusal { with, error: error.clone() }.to_string();
            assert!(sentence.contains(advice), "{error}: {sentence}");
            let detail = format!("no TLS with 192.0.2.100:65535: TLS handshake failed: {sentence}");
            assert!(detail.len() <= MAX_TEXT, "{} bytes: {detail}", detail.len());
        }
    }

    #[test]
    fn a_certificates_times_are_dates() {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_600_000_000));
        for (error, date) in [
            (CertificateError::ExpiredContext { time, not_after: time }, "expired at 2020-09-13T12:26:40Z"),
            (CertificateError::NotValidYetContext { time, not_before: time }, "not valid before 2020-09-13T12:26:40Z"),
        ] {
            let sentence = Refusal { with: Peer::Upstream, error: error.into() }.to_string();
            assert!(sentence.contains(date), "{sentence}");
        }
    }
}
