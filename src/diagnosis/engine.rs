//! The engine: takes records one by one, in any order, and says what they mean together.

use super::cohort::{LEAST, common, others};
use super::cores::Cores;
use super::finding::{Evidence, Finding, Report};
use super::log::Log;
use super::majority::Majority;
use super::names::{self, Names};
use super::observation::Observation;
use super::pattern::Pattern;
use super::row::Row;
use super::rules::{self, Cause};
use super::sample::Sample;
use super::sentence::Told;
use super::show::instant;
use super::taken::Taken;
use super::tally::Tally;
use super::{advice, merge, notes, reconnects};

/// The records so far, as a sample; bounded, whatever comes.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    sample: Sample,
    names: Names,
    tally: Tally,
    /// As far as sessions are told of when they open.
    taken: Taken,
}

/// The version of a report's fields.
const SCHEMA: u32 = 1;
/// A finding that is less sure is a note.
const SURE: f64 = 0.8;
/// Sessions whose ids are given.
const EXAMPLES: usize = 5;

// === impl Engine ===

impl Engine {
    /// An engine that keeps about so many records at most; of more, a sample. Ten thousand take some ten megabytes.
    pub fn with_room(records: usize) -> Self {
        Self {
            sample: Sample::with_room(records),
            names: Names::with_room(records),
            tally: Tally::with_room(records),
            taken: Taken::default(),
        }
    }

    /// Takes in one record.
    pub fn add(&mut self, seen: &Observation<'_>) {
        let route = self.names.keep(&seen.route);
        self.tally.add(seen, route, &mut self.names);
        let sign = Row::sign_of(seen);
        let rank = Row::rank_of(seen);
        self.sample.add((route, sign), rank, || Row::of(seen, rank, sign, &mut self.names));
    }

    /// An upstream of this address took a session. Its record comes when it is over.
    pub(super) fn opened(&mut self, upstream: &str, at: f64) {
        self.taken.add(names::key(upstream), at);
    }

    /// Takes in what another engine saw.
    pub fn merge(&mut self, other: Self) {
        self.sample.merge(other.sample);
        self.names.merge(other.names);
        self.tally.merge(other.tally);
        self.taken.merge(other.taken);
    }

    /// Gives the records that were kept since the last time to `whole`, which other engines share, and learns which of those to
    /// come it need not keep. Together they keep few more than one engine would; what was counted is merged at the end.
    pub fn hand_over(&mut self, whole: &mut Self) {
        self.sample.hand_over(&mut whole.sample);
    }

    /// Findings and notes. Does not depend on the order in which the records came, nor on which engine they came to first.
    pub fn report(&self) -> Report {
        self.report_on(1)
    }

    /// The same, by so many threads.
    pub fn report_on(&self, threads: usize) -> Report {
        self.report_by(Cores::new(threads)).0
    }

    /// The same by this thread alone, and for each finding what its sessions look like.
    pub(super) fn report_with_patterns(&self) -> (Report, Vec<Pattern>) {
        self.report_by(Cores::ONE)
    }

    fn report_by(&self, cores: Cores) -> (Report, Vec<Pattern>) {
        let log = Log::new(&self.sample, &self.names, &self.taken, cores);
        let (beside, (causes, found)) =
            log.cores.both(|| (reconnects::of(&log), self.tally.tables(&self.names)), || rules::apply(&log));
        let ((reconnects, back_off), tables) = beside;
        let mut report =
            Report { schema: SCHEMA, unread_lines: 0, findings: vec![], notes: found, tables, reconnects, back_off };
        let mut findings = vec![];
        for cause in merge::merged(&log, causes) {
            let finding = finding(&log, &cause);
            if cause.members.len() < LEAST {
                report.notes.push(finding.as_note("too few for a finding"));
            } else if finding.confidence < SURE {
                report.notes.push(finding.as_note("not sure enough for a finding"));
            } else {
                let pattern = Pattern::of(&log, &cause, &finding.common);
                findings.push((finding, pattern));
            }
        }
        let weight = |finding: &Finding| (finding.sessions + finding.handshakes) as f64 * finding.confidence;
        findings.sort_by(|(a, _), (b, _)| weight(b).total_cmp(&weight(a)).then(a.mechanism.cmp(&b.mechanism)));
        let few = notes::few(&log);
        report.notes.extend(few.iter().map(|cause| {
            let why = if cause.members.len() < LEAST { "too few for a finding" } else { "no more than a background" };
            finding(&log, cause).as_note(why)
        }));
        report.notes.extend(notes::of(&log));
        let (findings, patterns) = findings.into_iter().unzip();
        report.findings = findings;
        (report, patterns)
    }
}

fn finding(log: &Log<'_>, cause: &Cause) -> Finding {
    let members = &cause.members;
    let sessions: Vec<usize> = members.iter().copied().filter(|row| log.session(*row).is_some()).collect();
    let handshakes: Vec<usize> = members.iter().copied().filter(|row| log.session(*row).is_none()).collect();
    let mut routes: Vec<_> = members.iter().map(|row| log.rows[*row].route).collect();
    routes.sort_unstable();
    routes.dedup();
    let (from, to) = log.span(members);
    let mut scope: Vec<usize> = routes.iter().flat_map(|route| log.rows_of(Some(*route)).iter().copied()).collect();
    scope.sort_unstable();
    let meanwhile = log.within(&scope, (from, to));
    let common = common(log, members, &others(&scope, members));
    let route = (routes.len() == 1).then(|| log.names.of(routes[0]).to_owned());
    let (of_sessions, of_handshakes) = (log.count(&sessions).round() as u64, log.count(&handshakes).round() as u64);
    let majority = Majority::of(log, members);
    let told = Told {
        cause,
        sessions: of_sessions,
        handshakes: of_handshakes,
        route: route.as_deref(),
        common: &common,
        majority,
    };
    Finding {
        sentence: told.sentence(),
        culprit: cause.culprit,
        or: cause.or.clone(),
        mechanism: cause.mechanism,
        limit_s: cause.limit,
        sessions: of_sessions,
        handshakes: of_handshakes,
        share: round(log.count(members) / log.count(meanwhile).max(1.0)),
        confidence: round(cause.confidence),
        first_at: instant(from),
        last_at: instant(to),
        common,
        evidence: evidence(log, cause, majority),
        examples: examples(log, &sessions),
        consequences: cause.consequences.clone(),
        action: advice::action(cause, majority),
        runbook: advice::runbook(cause.mechanism),
        route,
    }
}

/// The numbers of its rule, and those that every finding has.
fn evidence(log: &Log<'_>, cause: &Cause, majority: Majority) -> Vec<Evidence> {
    let mut evidence = cause.evidence.clone();
    let mut add = |fact, value| evidence.push(Evidence { fact, value });
    if let Some(code) = majority.code.filter(|code| *code != 1006) {
        add("close code of most", f64::from(code));
    }
    if let Some(status) = majority.status {
        add("status of most refusals", f64::from(status));
    }
    add("clients", log.clients(&cause.members) as f64);
    evidence
}

/// Ids of several sessions, of as many instances as there are.
fn examples(log: &Log<'_>, sessions: &[usize]) -> Vec<String> {
    let mut instances = vec![];
    let mut chosen = vec![];
    for fresh in [true, false] {
        for row in sessions {
            let instance = log.rows[*row].instance;
            if chosen.len() < EXAMPLES && fresh != instances.contains(&instance) && !chosen.contains(row) {
                instances.push(instance);
                chosen.push(*row);
            }
        }
    }
    let id = |row: usize| log.session(row).map(|session| session.id.to_string());
    chosen.into_iter().filter_map(id).filter(|id| !id.is_empty()).collect()
}

fn round(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}
