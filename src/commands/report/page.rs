//! The report as text: findings first, then the tables.

use std::fmt::Write as _;

use crate::diagnosis::{Advised, BackOff, Bars, Evidence, Finding, Mechanism, Part, Quantile, Report, counted, span};

/// Text in lines of a width.
pub(super) struct Page {
    text: String,
    width: usize,
    markdown: bool,
}

/// Rows of a table that are shown.
const ROWS: usize = 12;
/// The longest bar.
const BAR: u64 = 40;

// === impl Page ===

impl Page {
    pub(super) const fn new(width: usize, markdown: bool) -> Self {
        Self { text: String::new(), width, markdown }
    }

    /// The whole report.
    pub(super) fn of(mut self, report: &Report) -> String {
        self.head(report);
        self.findings(report);
        self.endings(report);
        self.bars("Lifetimes", &report.tables.lifetimes, &limits(report, Mechanism::MaxLifetime));
        let cuts = [limits(report, Mechanism::IdleCut), limits(report, Mechanism::SilentDrop)].concat();
        self.bars("Silence before the end", &report.tables.idle, &cuts);
        self.moments(report);
        self.parts("Clients", &report.tables.clients);
        self.parts("Upstreams", &report.tables.upstreams);
        self.parts("Instances", &report.tables.instances);
        self.rest(report);
        self.text
    }

    fn head(&mut self, report: &Report) {
        let tables = &report.tables;
        let time = match (&tables.from, &tables.to) {
            (Some(from), Some(to)) => format!(", {}", between(from, to)),
            _ => String::new(),
        };
        let unread = match report.unread_lines {
            0 => String::new(),
            1 => ". 1 line is no record".to_owned(),
            lines => format!(". {lines} lines are no records"),
        };
        let (sessions, handshakes) = (counted(tables.records, "session"), counted(tables.handshakes, "handshake"));
        self.wrapped("", &format!("{sessions} ended, {handshakes} failed{time}{unread}."));
    }

    fn findings(&mut self, report: &Report) {
        self.heading(&format!("Findings: {}", report.findings.len()));
        if report.findings.is_empty() {
            self.wrapped("  ", "No cause stands out.");
        }
        for (number, finding) in report.findings.iter().enumerate() {
            if number > 0 {
                self.line("");
            }
            self.finding(number + 1, finding);
        }
        if !report.findings.is_empty() && !report.notes.is_empty() {
            self.line("");
        }
        for note in &report.notes {
            self.wrapped("  ", &format!("Note, {}: {}", note.mechanism, note.sentence));
        }
    }

    fn finding(&mut self, number: usize, finding: &Finding) {
        let title = format!("{number}. {} by {}", finding.mechanism.as_str(), finding.culprit.as_str());
        let or: Vec<&str> = finding.or.iter().map(|culprit| culprit.as_str()).collect();
        let or = if or.is_empty() { String::new() } else { format!(" (or {})", or.join(", ")) };
        let sure = format!("{:.0} % sure", finding.confidence * 100.0);
        let title = format!("{title}{or}, {sure}");
        if self.markdown {
            self.line(&format!("### {title}\n"));
        } else {
            self.wrapped("", &title);
        }
        self.wrapped("   ", &finding.sentence);
        self.wrapped("   ", &format!("To do: {}", finding.action));
        let time = between(&finding.first_at, &finding.last_at);
        self.wrapped("   ", &format!("When: {time}; {} of all that ended then.", percent(finding.share)));
        if !finding.consequences.is_empty() {
            let all: Vec<&str> = finding.consequences.iter().map(|effect| effect.as_str()).collect();
            self.wrapped("   ", &format!("It also caused: {}.", all.join(", ")));
        }
        let facts: Vec<String> = finding.evidence.iter().map(fact).collect();
        if !facts.is_empty() {
            self.wrapped("   ", &format!("Evidence: {}.", facts.join("; ")));
        }
        if !finding.examples.is_empty() {
            self.wrapped("   ", &format!("Examples: {}", finding.examples.join(" ")));
        }
        // The whole address is wider than a terminal; in a ticket it is a link.
        let page = finding.runbook.find("docs/").filter(|_| !self.markdown).unwrap_or(0);
        let word = finding.mechanism.as_str();
        self.wrapped("   ", &format!("More: closewatch explain {word}, or {}", &finding.runbook[page..]));
    }

    fn endings(&mut self, report: &Report) {
        let rows = report.tables.endings.iter().map(|each| {
            let code = each.code.map_or_else(|| "-".to_owned(), |code| code.to_string());
            [
                each.count.to_string(),
                each.class.as_str().to_owned(),
                code,
                each.initiator.as_str().to_owned(),
                each.cause.as_str().to_owned(),
                each.route.clone(),
            ]
        });
        self.table("Endings", ["sessions", "class", "code", "initiator", "cause", "route"], rows.collect());
    }

    fn moments(&mut self, report: &Report) {
        let rows = report
            .tables
            .busiest
            .iter()
            .map(|each| [moment(&each.at, MINUTE), each.ends.to_string(), each.abnormal.to_string()]);
        let rows: Vec<_> = rows.collect();
        if rows.len() > 1 {
            self.table("Busiest moments", ["from", "ends", "abnormal"], rows);
        }
    }

    fn parts(&mut self, title: &str, parts: &[Part]) {
        if parts.iter().all(|part| part.abnormal == 0) {
            return;
        }
        let rows = parts.iter().filter(|part| part.abnormal > 0).map(|part| {
            [
                part.abnormal.to_string(),
                part.sessions.to_string(),
                format!("{} %", part.abnormal * 100 / part.sessions.max(1)),
                part.name.clone(),
            ]
        });
        self.table(&format!("{title} by abnormal ends"), ["abnormal", "sessions", "share", "name"], rows.collect());
    }

    fn rest(&mut self, report: &Report) {
        let code = |code: u16| code.to_string();
        let tables = &report.tables;
        let rows = tables.mismatches.iter();
        let rows = rows.map(|each| [each.count.to_string(), code(each.client_saw), code(each.upstream_saw)]).collect();
        self.table("The two sides saw different codes", ["sessions", "client", "upstream"], rows);
        let rows = tables.handshake_failures.iter().map(|each| {
            let status = each.status.map_or_else(|| "-".to_owned(), code);
            [each.count.to_string(), each.outcome.as_str().to_owned(), status, each.route.clone()]
        });
        self.table("Failed handshakes", ["handshakes", "outcome", "status", "route"], rows.collect());
        let rows = report.reconnects.iter().map(|each| {
            let after = each.median_s.map_or_else(|| "-".to_owned(), span);
            let never = format!("{} %", (100 * each.never_returned + each.ended / 2) / each.ended.max(1));
            [each.class.as_str().to_owned(), each.ended.to_string(), each.came_back.to_string(), never, after]
        });
        self.table(
            "Reconnects, by how the session before ended",
            ["class", "ended", "came back", "never", "median"],
            rows.collect(),
        );
        self.back_off(&report.back_off);
    }

    /// Whether clients waited before they came back, in a sentence each.
    fn back_off(&mut self, back_off: &BackOff) {
        if back_off.without > 0 {
            let clients = counted(back_off.clients, "client");
            self.wrapped("  ", &format!("{} of {clients} came back without back-off.", back_off.without));
        }
        for Advised { code, came_back, too_soon } in &back_off.advised {
            if *came_back > 0 {
                let returns = counted(*came_back, "return");
                let text = format!("After {code}, {too_soon} of {returns} came within 5 s, sooner than it asks.");
                self.wrapped("  ", &text);
            }
        }
    }

    /// A histogram; a bar in which a finding's limit lies is marked.
    fn bars(&mut self, title: &str, bars: &Bars, limits: &[f64]) {
        let most = bars.counts.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return;
        }
        self.heading(title);
        let room = BAR.min(self.width.saturating_sub(40) as u64);
        let mut lower = 0.0;
        let used = |at: &usize| bars.counts[*at] > 0;
        let (first, last) = ((0..bars.counts.len()).find(used), (0..bars.counts.len()).rfind(used));
        let mut lines = vec![];
        for (at, count) in bars.counts.iter().enumerate() {
            let upper = bars.edges_s.get(at).copied().unwrap_or(f64::INFINITY);
            if first.is_some_and(|first| at >= first) && last.is_some_and(|last| at <= last) {
                let length = (*count * room).div_ceil(most) as usize;
                let mark = limits.iter().find(|limit| (lower..upper).contains(*limit));
                let mark = mark.map_or_else(String::new, |limit| format!("  < limit at {}", span(*limit)));
                let label =
                    if upper.is_finite() { format!("to {}", span(upper)) } else { format!("over {}", span(lower)) };
                lines.push(format!("  {label:<12} {count:>8} {}{mark}", "#".repeat(length)));
            }
            lower = upper;
        }
        let quantile = |each: &Quantile| format!("{} by {}", percent(each.share), span(each.seconds));
        let quantiles: Vec<String> = bars.quantiles.iter().map(quantile).collect();
        lines.push(format!("  {}", quantiles.join(", ")));
        self.block(&lines);
    }

    fn table<const N: usize>(&mut self, title: &str, head: [&str; N], rows: Vec<[String; N]>) {
        if rows.is_empty() {
            return;
        }
        self.heading(title);
        let more = rows.len().saturating_sub(ROWS);
        let rows: Vec<_> = rows.into_iter().take(ROWS).collect();
        if self.markdown {
            self.line(&format!("| {} |", head.join(" | ")));
            self.line(&format!("|{}", "---|".repeat(N)));
            for row in &rows {
                let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
                self.line(&format!("| {} |", cells.join(" | ")));
            }
        } else {
            let widths: [usize; N] = std::array::from_fn(|at| {
                rows.iter().map(|row| row[at].chars().count()).chain([head[at].len()]).max().unwrap_or(0)
            });
            for row in std::iter::once(&head.map(str::to_owned)).chain(&rows) {
                let mut line = String::from("  ");
                for (cell, width) in row.iter().zip(widths) {
                    let _ = write!(line, "{cell:<width$}  ");
                }
                self.line(&cut(&line, self.width));
            }
        }
        if more > 0 {
            self.line(&format!("  and {more} more"));
        }
    }

    fn heading(&mut self, title: &str) {
        if self.markdown {
            let _ = write!(self.text, "\n## {title}\n\n");
        } else {
            let _ = write!(self.text, "\n{title}\n");
        }
    }

    /// Lines whose columns matter.
    fn block(&mut self, lines: &[String]) {
        if self.markdown {
            self.line("```");
        }
        for line in lines {
            let line = cut(line, self.width);
            self.line(&line);
        }
        if self.markdown {
            self.line("```");
        }
    }

    /// Words in lines of the width, each behind `indent`; markdown is wrapped where it is read.
    fn wrapped(&mut self, indent: &str, words: &str) {
        if self.markdown {
            let item = if indent.is_empty() { "" } else { "- " };
            self.line(&format!("{item}{}", plain(words)));
            return;
        }
        let mut line = indent.to_owned();
        for word in words.split(' ') {
            if line.chars().count() + word.chars().count() > self.width && line.trim() != "" {
                self.line(line.trim_end());
                indent.clone_into(&mut line);
            }
            line.push_str(word);
            line.push(' ');
        }
        self.line(line.trim_end());
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// Limits of the findings of a mechanism.
fn limits(report: &Report, mechanism: Mechanism) -> Vec<f64> {
    report
        .findings
        .iter()
        .filter(|finding| finding.mechanism == mechanism)
        .filter_map(|finding| finding.limit_s)
        .collect()
}

/// A fact with its number, in the unit that its name says.
fn fact(each: &Evidence) -> String {
    let Evidence { fact, value } = each;
    match fact.strip_suffix(", s") {
        Some(fact) => format!("{fact}: {}", span(*value)),
        None if fact.starts_with("share ") => format!("{fact}: {}", percent(*value)),
        None => format!("{fact}: {value}"),
    }
}

/// A share of one.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// Letters of an instant up to its minute, and to its second.
const MINUTE: usize = "2026-11-20T08:00".len();
const SECOND: usize = "2026-11-20T08:00:00".len();

/// An instant as people write it, up to so many letters.
fn moment(instant: &str, letters: usize) -> String {
    instant.get(..letters).unwrap_or(instant).replace('T', " ")
}

/// A span of time: to the second, and of one day the day once.
fn between(from: &str, to: &str) -> String {
    let (from, to) = (moment(from, SECOND), moment(to, SECOND));
    let day = "2026-11-20 ".len();
    match to.get(day..) {
        _ if from == to => format!("{from} UTC"),
        Some(time) if from.get(..day) == to.get(..day) => format!("{from} to {time} UTC"),
        Some(_) | None => format!("{from} to {to} UTC"),
    }
}

/// Text that stays text in markdown: what peers wrote makes no link, no image and no markup in a ticket.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '&' | '~') {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

fn cut(line: &str, width: usize) -> String {
    if line.trim_end().chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
