//! The words of findings and notes: each is one plain sentence, a finding with advice and with numbers.

use crate::diagnosis::{Finding, Mechanism, Report, explained_words};

const FINDINGS: &str = include_str!("../../../docs/findings.md");

/// The mistake in a text, if there is one.
fn fault(text: &str) -> Option<&'static str> {
    let numbers = text.split(' ').find(|word| *word == "NaN" || *word == "inf" || word.starts_with("-0"));
    match text {
        _ if !text.ends_with('.') => Some("no full stop"),
        _ if text.contains("  ") || text.contains(" .") || text.contains(" ,") => Some("a gap"),
        _ if text.contains("()") || text.contains("..") => Some("something is missing"),
        _ if numbers.is_some() => Some("no number"),
        _ if text.chars().count() > 300 => Some("too long"),
        _ => None,
    }
}

fn reads_well(finding: &Finding) {
    let sentence = &finding.sentence;
    assert_eq!(fault(sentence), None, "{sentence}");
    assert!(!sentence.trim_end_matches('.').contains(". "), "more than one sentence: {sentence}");
    assert_eq!(fault(&finding.action), None, "{}", finding.action);
    assert!(!finding.evidence.is_empty(), "no evidence: {sentence}");
    for each in &finding.evidence {
        assert!(each.value.is_finite() && each.value.is_sign_positive(), "{}: {} {}", sentence, each.fact, each.value);
    }
    assert!((0.8..=1.0).contains(&finding.confidence), "what is less sure is a note: {sentence}");
    let (must, may) = has_limit(finding.mechanism);
    assert!(finding.limit_s.map_or(!must, |limit| may && limit > 0.0), "{:?}: {sentence}", finding.limit_s);
}

/// Whether a mechanism must have a parameter, and whether it may.
fn has_limit(mechanism: Mechanism) -> (bool, bool) {
    match mechanism {
        Mechanism::IdleCut | Mechanism::MaxLifetime | Mechanism::CrashLoop => (true, true),
        // A box may forget at a moment, and a credential at no certain age; of a ping only those that it left tell.
        Mechanism::SilentDrop | Mechanism::AuthExpired | Mechanism::KeepaliveTimeout | Mechanism::HeartbeatTimeout => {
            (false, true)
        }
        Mechanism::Crash
        | Mechanism::BadInstance
        | Mechanism::HandlerError
        | Mechanism::MessageTooBig
        | Mechanism::PolicyRejected
        | Mechanism::ProtocolError
        | Mechanism::CompressionError
        | Mechanism::BadHandshake
        | Mechanism::PeerVanished
        | Mechanism::SlowConsumer
        | Mechanism::ReconnectStorm
        | Mechanism::HandshakesRefused
        | Mechanism::CertificateRejected
        | Mechanism::RandomResets
        | Mechanism::Overload
        | Mechanism::UnannouncedRestart
        | Mechanism::InternalError => (false, false),
    }
}

/// Fails if a text of the report reads badly.
pub(super) fn read_well(report: &Report) {
    report.findings.iter().for_each(reads_well);
    let weight = |finding: &Finding| (finding.sessions + finding.handshakes) as f64 * finding.confidence;
    assert!(report.findings.is_sorted_by(|a, b| weight(a) >= 0.99 * weight(b)), "the weightiest comes first");
    for note in &report.notes {
        assert_eq!(fault(&note.sentence), None, "{}: {}", note.mechanism, note.sentence);
    }
}

#[test]
fn the_runbook_of_each_mechanism_is_a_section_that_says_what_explain_says() {
    for mechanism in Mechanism::ALL {
        let word = mechanism.as_str();
        let section = FINDINGS.split("\n## ").find(|section| section.lines().next() == Some(word));
        let section = section.unwrap_or_else(|| panic!("docs/findings.md has no section {word}")).replace('\n', " ");
        let explained = explained_words().find(|known| known.field == "hint" && known.word == word).unwrap();
        for text in [explained.meaning, explained.seen_when, explained.action] {
            assert!(section.contains(text), "{word} does not say: {text}");
        }
    }
}
