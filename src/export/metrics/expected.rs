//! The ends and answers that a route has series for before any session had them.

use crate::close::{Cause, Class, CloseCode, CodeLabel, CodeRules, Initiator, Outcome, Verdict, catalog};

/// At most this many series of ends are made for a route before they happened: with the other families of a route, of
/// which the histograms of a session's length are the largest, it comes to some 420 at the start, however many codes the
/// configuration names.
pub(super) const MAX_EXPECTED: usize = 100;

/// The labels of one series of `closes_total`, the route aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpectedEnd {
    pub(super) label: CodeLabel,
    pub(super) class: Class,
    pub(super) initiator: Initiator,
    pub(super) cause: Cause,
}

/// Every answer of closewatch's own, with the status that goes with it.
pub(super) const EXPECTED_HANDSHAKES: &[(Outcome, Option<u16>)] = &[
    (Outcome::Upgraded, Some(101)),
    (Outcome::BadRequest, Some(400)),
    (Outcome::OverLimit, Some(503)),
    (Outcome::Draining, Some(503)),
    (Outcome::DialFailed, Some(502)),
    (Outcome::DialTimeout, Some(504)),
    (Outcome::UpstreamClosed, Some(502)),
    (Outcome::UpstreamTimeout, Some(504)),
    (Outcome::BadResponse, Some(502)),
    (Outcome::TlsFailed, Some(502)),
    (Outcome::Internal, Some(500)),
    (Outcome::ClientGone, None),
];

/// The ends to expect of a route, with the class that the verdict gives them: 1006 with each of its transport causes,
/// closewatch's own ends with each of `own_codes`, a Close without a code and with every code that may be on the wire
/// and has a label of its own.
pub(super) fn expected_ends(rules: &CodeRules, own_codes: &[CloseCode]) -> Vec<ExpectedEnd> {
    let end = |code: CloseCode, initiator, cause| ExpectedEnd {
        label: rules.label(code),
        class: Verdict::class_of(cause, code, initiator, rules),
        initiator,
        cause,
    };
    let transports = [
        (Initiator::Client, [Cause::ClientEof, Cause::ClientReset, Cause::ClientTimeout]),
        (Initiator::Upstream, [Cause::UpstreamEof, Cause::UpstreamReset, Cause::UpstreamTimeout]),
    ];
    let transports = transports
        .into_iter()
        .flat_map(|(peer, causes)| causes.into_iter().map(move |cause| end(CloseCode::ABNORMAL, peer, cause)));
    let own_codes = [CloseCode::ABNORMAL].into_iter().chain(own_codes.iter().copied());
    let own =
        own_codes.flat_map(|code| [Cause::Drain, Cause::IdleTimeout].map(|cause| end(code, Initiator::Proxy, cause)));
    let registered = catalog::registered().filter(|code| code.may_be_sent());
    let closes = [CloseCode::NO_STATUS].into_iter().chain(registered).chain(rules.named_codes());
    let closes = closes.flat_map(|code| {
        [Initiator::Client, Initiator::Upstream].into_iter().flat_map(move |peer| {
            [Cause::CloseHandshake, Cause::CloseUnanswered].into_iter().map(move |cause| end(code, peer, cause))
        })
    });
    transports.chain(own).chain(closes).take(MAX_EXPECTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_every_registered_code_and_every_transport_cause_is_expected() {
        let ends = expected_ends(&CodeRules::default(), &[CloseCode::GOING_AWAY]);
        let with = |cause| ends.iter().filter(|end| end.cause == cause).count();
        assert_eq!(with(Cause::CloseHandshake), 2 * (15 + 1), "15 codes that may be sent, and none");
        assert_eq!(with(Cause::CloseUnanswered), 2 * (15 + 1));
        for cause in [
            Cause::ClientEof,
            Cause::ClientReset,
            Cause::ClientTimeout,
            Cause::UpstreamEof,
            Cause::UpstreamReset,
            Cause::UpstreamTimeout,
        ] {
            assert_eq!(with(cause), 1, "{cause}");
        }
        assert_eq!((with(Cause::Drain), with(Cause::IdleTimeout)), (2, 2));
        for (index, end) in ends.iter().enumerate() {
            assert!(!ends[..index].contains(end), "{end:?} twice");
        }
    }

    #[test]
    fn classes_are_those_of_the_verdict() {
        let mut rules = CodeRules::default();
        rules.set_class("1008".parse().unwrap(), Class::Abnormal);
        let ends = expected_ends(&rules, &[CloseCode::GOING_AWAY]);
        let class = |code, initiator, cause| {
            let label = CodeLabel::Code(code);
            ends.iter()
                .find(|end| end.label == label && end.initiator == initiator && end.cause == cause)
                .map(|end| end.class)
        };
        assert_eq!(class(1001, Initiator::Client, Cause::CloseHandshake), Some(Class::Clean));
        assert_eq!(class(1001, Initiator::Upstream, Cause::CloseHandshake), Some(Class::Planned));
        assert_eq!(class(1006, Initiator::Upstream, Cause::UpstreamReset), Some(Class::Abnormal));
        assert_eq!(class(1006, Initiator::Proxy, Cause::Drain), Some(Class::Planned));
        assert_eq!(class(1008, Initiator::Upstream, Cause::CloseUnanswered), Some(Class::Abnormal), "overridden");
        assert_eq!(class(1013, Initiator::Upstream, Cause::CloseHandshake), Some(Class::Overload));
    }

    #[test]
    fn named_codes_are_expected_too_as_far_as_the_bound_allows() {
        let mut rules = CodeRules::default();
        rules.name_code(4401);
        let ends = expected_ends(&rules, &[]);
        assert_eq!(ends.iter().filter(|end| end.label == CodeLabel::Code(4401)).count(), 4);
        for code in 4000..=4999 {
            rules.name_code(code);
        }
        assert_eq!(expected_ends(&rules, &[]).len(), MAX_EXPECTED);
    }
}
