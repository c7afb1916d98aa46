//! Why a TLS handshake failed or a connection ended, in the words of the record.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use super::refusal::Refusal;
use super::stream::TlsError;
use crate::close::{TlsAlert, TlsFailure};
use crate::config::is_webpki;

/// The failure of TLS that `error` is, or was caused by; `None` if it is no failure of TLS.
pub(in crate::proxy) fn failure_of(error: &(dyn Error + 'static)) -> Option<TlsFailure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let refusal = inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref());
        if let Some(Refusal { error, .. }) = refusal {
            return Some(of_rustls(error));
        }
        match error.downcast_ref() {
            Some(TlsError::HungUp | TlsError::Broken(_)) => return Some(TlsFailure::HungUp),
            Some(TlsError::Unanswered) => return Some(TlsFailure::CertificateUnanswered),
            Some(TlsError::Timeout(_)) => return Some(TlsFailure::Timeout),
            // Its source tells more.
            Some(TlsError::Refused(_)) | None => cause = error.source(),
        }
    }
    None
}

/// The alert that ended a connection, received or sent, if `error` is one of a TLS connection.
pub(in crate::proxy) fn alert_of(error: &io::Error) -> Option<TlsAlert> {
    use rustls::Error::{AlertReceived, DecryptError, InvalidMessage, PeerSentOversizedRecord};
    let Refusal { error, .. } = error.get_ref()?.downcast_ref()?;
    let alert = if let AlertReceived(alert) = error {
        *alert
    } else if let DecryptError = error {
        AlertDescription::BadRecordMac
    } else if let PeerSentOversizedRecord = error {
        AlertDescription::RecordOverflow
    } else if let InvalidMessage(_) = error {
        AlertDescription::DecodeError
    } else {
        AlertDescription::UnexpectedMessage
    };
    Some(TlsAlert(alert.into()))
}

/// Whether `error` or one of its causes is a failure of TLS itself.
pub(in crate::proxy) fn is_tls_failure(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (**error).source()).any(|error| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.and_then(|inner| inner.downcast_ref::<Refusal>()).is_some()
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add errors, and few have a word of their own")]
fn of_rustls(error: &rustls::Error) -> TlsFailure {
    match error {
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::NoCertificatesPresented => TlsFailure::CertificateRequired,
        rustls::Error::PeerIncompatible(reason) => of_incompatible(reason),
        rustls::Error::InvalidMessage(_) => TlsFailure::NotTls,
        rustls::Error::NoApplicationProtocol => TlsFailure::NoApplicationProtocol,
        _ => TlsFailure::Other,
    }
}

/// The peer's word for what it does not like (RFC 8446 §6.2).
#[expect(clippy::wildcard_enum_match_arm, reason = "the registry of alerts is open")]
const fn of_alert(alert: AlertDescription) -> TlsFailure {
    match alert {
        AlertDescription::CertificateExpired => TlsFailure::CertificateExpired,
        AlertDescription::CertificateRevoked => TlsFailure::CertificateRevoked,
        AlertDescription::UnknownCA => TlsFailure::UnknownCa,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => TlsFailure::BadCertificate,
        AlertDescription::CertificateRequired => TlsFailure::CertificateRequired,
        AlertDescription::ProtocolVersion => TlsFailure::NoCommonVersion,
        AlertDescription::InsufficientSecurity => TlsFailure::NoCommonCipher,
        AlertDescription::HandshakeFailure | AlertDescription::AccessDenied => TlsFailure::Refused,
        AlertDescription::UnrecognisedName => TlsFailure::WrongName,
        AlertDescription::NoApplicationProtocol => TlsFailure::NoApplicationProtocol,
        _ => TlsFailure::Other,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add reasons: a certificate that is refused is bad")]
fn of_certificate(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::CertificateNotYetValid
        }
        CertificateError::Revoked => TlsFailure::CertificateRevoked,
        CertificateError::UnknownIssuer => TlsFailure::UnknownCa,
        // Its own authority, and none of those that are known.
        error if is_webpki(error, "CaUsedAsEndEntity") => TlsFailure::UnknownCa,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFailure::WrongName,
        _ => TlsFailure::BadCertificate,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add reasons")]
const fn of_incompatible(reason: &PeerIncompatible) -> TlsFailure {
    match reason {
        // Without that extension it is TLS 1.1 or older, or of its age (RFC 5246 §7.4.1.4.1).
        PeerIncompatible::SignatureAlgorithmsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => TlsFailure::NoCommonVersion,
        PeerIncompatible::NoCipherSuitesInCommon
        | PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => TlsFailure::NoCommonCipher,
        _ => TlsFailure::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::InvalidMessage;

    use super::*;
    use crate::wire::Peer;

    fn of_client(error: rustls::Error) -> Refusal {
        Refusal { with: Peer::Client, error }
    }

    #[test]
    fn every_failure_has_a_word_of_a_closed_set() {
        let refused = |error| failure_of(&TlsError::Refused(of_client(error))).unwrap().as_str();
        for (error, word) in [
            (rustls::Error::AlertReceived(AlertDescription::CertificateExpired), "certificate_expired"),
            (rustls::Error::InvalidCertificate(CertificateError::Expired), "certificate_expired"),
            (rustls::Error::InvalidCertificate(CertificateError::NotValidYet), "certificate_not_yet_valid"),
            (rustls::Error::AlertReceived(AlertDescription::UnknownCA), "unknown_ca"),
            (rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer), "unknown_ca"),
            (rustls::Error::InvalidCertificate(CertificateError::BadSignature), "bad_certificate"),
            (rustls::Error::InvalidCertificate(CertificateError::NotValidForName), "wrong_name"),
            (rustls::Error::AlertReceived(AlertDescription::UnrecognisedName), "wrong_name"),
            (rustls::Error::AlertReceived(AlertDescription::ProtocolVersion), "no_common_version"),
            (rustls::Error::PeerIncompatible(PeerIncompatible::Tls12NotOfferedOrEnabled), "no_common_version"),
            (
                rustls::Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired),
                "no_common_version",
            ),
            (rustls::Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon), "no_common_cipher"),
            (rustls::Error::AlertReceived(AlertDescription::HandshakeFailure), "refused"),
            (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), "certificate_required"),
            (rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), "not_tls"),
            (rustls::Error::AlertReceived(AlertDescription::UserCanceled), "other"),
            (rustls::Error::General("new".to_owned()), "other"),
        ] {
            assert_eq!(refused(error.clone()), word, "{error}");
        }
        assert_eq!(failure_of(&TlsError::HungUp), Some(TlsFailure::HungUp));
        assert_eq!(failure_of(&TlsError::Unanswered), Some(TlsFailure::CertificateUnanswered));
        assert_eq!(failure_of(&TlsError::Timeout(Duration::ZERO)), Some(TlsFailure::Timeout));
    }

    #[test]
    fn a_failure_is_found_behind_whatever_it_caused() {
        let alert = of_client(rustls::Error::AlertReceived(AlertDescription::UnknownCA));
        let broken = TlsError::Broken(io::Error::other(alert.clone()));
        assert_eq!(failure_of(&broken), Some(TlsFailure::HungUp), "the connection broke first");
        assert_eq!(failure_of(&io::Error::other(alert)), Some(TlsFailure::UnknownCa));
        assert_eq!(failure_of(&io::Error::other("no route to host")), None);
    }
}
