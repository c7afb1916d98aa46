//! `closewatch explain 1006 [1011]`: what a code means, and what to do; of two codes, the difference.
//!
//! Also the other words of a record: causes, classes, outcomes of handshakes, hints.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::{USAGE, report};
use crate::close::catalog::{self, Explanation, HIGHEST_CODE, Word};
use crate::close::{Class, CloseCode};
use crate::config;
use crate::diagnosis;

/// Text is not wrapped to more than this, however wide the terminal: longer lines are hard to read.
const WIDEST: usize = 110;

/// The width where there is no terminal.
const USUAL_WIDTH: usize = 100;

/// The arguments of `explain`.
#[expect(clippy::doc_markdown, reason = "this is the text of --help, which would show the backticks")]
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A code from 0 to 4999, or a cause, class, outcome or hint: 1006, upstream_reset, abnormal, dial_failed, idle_cut
    #[arg(value_name = "CODE")]
    pub one: String,
    /// A second code: the difference between the two
    #[arg(value_name = "CODE2")]
    pub other: Option<String>,
    /// Say which class each route of this configuration gives the code
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// The question of the command line.
enum Question {
    Code(CloseCode),
    Codes(CloseCode, CloseCode),
    Words(Vec<Word>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum BadQuestion {
    #[error("{0}: close codes go from 0 to {HIGHEST_CODE} (RFC 6455 section 7.4.2)")]
    OutOfRange(String),
    #[error("{0:?} is neither a close code (0 to {HIGHEST_CODE}) nor one of: {words}", words = known_words())]
    UnknownWord(String),
    #[error("{0:?}: only codes can be compared")]
    NotACode(String),
    #[error("--config goes with one code")]
    Config,
}

/// Prints the explanation. Exit code 64 for a number or word that has none, or a configuration with a mistake.
pub fn execute(args: &Args) -> ExitCode {
    let question = match Question::parse(&args.one, args.other.as_deref()) {
        Ok(question) => question,
        Err(error) => return refuse(&error),
    };
    let classes = match (&args.config, &question) {
        (None, _) => None,
        (Some(file), Question::Code(code)) => match config::read(file) {
            Ok(config) => Some(classes(*code, &config.routes)),
            Err(error) => return refuse(&error),
        },
        (Some(_), Question::Codes(..) | Question::Words(_)) => return refuse(&BadQuestion::Config),
    };
    let text = if args.json {
        question.json(classes.as_deref())
    } else {
        let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0));
        question.text(width.min(WIDEST)) + &classes.map(by_route).unwrap_or_default()
    };
    // A reader that has gone away has seen enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn refuse(error: &dyn std::error::Error) -> ExitCode {
    report(error);
    ExitCode::from(USAGE)
}

fn known_words() -> String {
    let mut words: Vec<_> = diagnosis::explained_words().map(|word| word.word).collect();
    words.sort_unstable();
    words.dedup();
    words.join(", ")
}

/// The class that each route gives a code.
fn classes(code: CloseCode, routes: &[config::Route]) -> Vec<(String, Class)> {
    routes.iter().map(|route| (route.name.clone(), route.codes.class_of(code))).collect()
}

fn by_route(classes: Vec<(String, Class)>) -> String {
    let mut text = String::from("\nClass by route\n");
    for (route, class) in classes {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {route:<20} {class}");
    }
    text
}

// === impl Question ===

impl Question {
    fn parse(one: &str, other: Option<&str>) -> Result<Self, BadQuestion> {
        match (code(one), other) {
            (Some(one), None) => Ok(Self::Code(one?)),
            (Some(one), Some(other)) => {
                let other = code(other).ok_or_else(|| BadQuestion::NotACode(other.to_owned()))?;
                Ok(Self::Codes(one?, other?))
            }
            (None, Some(_)) => Err(BadQuestion::NotACode(one.to_owned())),
            (None, None) => {
                let words = diagnosis::explained(one);
                if words.is_empty() { Err(BadQuestion::UnknownWord(one.to_owned())) } else { Ok(Self::Words(words)) }
            }
        }
    }

    fn text(&self, width: usize) -> String {
        let mut page = Page { text: String::new(), width };
        match self {
            Self::Code(code) => page.code(&catalog::explanation(*code)),
            Self::Codes(one, other) => page.codes(*one, *other),
            Self::Words(words) => {
                for word in words {
                    page.word(word);
                }
            }
        }
        page.text
    }

    /// With the classes that a configuration gives the code, if there is one.
    fn json(&self, classes: Option<&[(String, Class)]>) -> String {
        let json = match self {
            Self::Code(code) => {
                let mut json = serde_json::json!(catalog::explanation(*code));
                if let Some(classes) = classes {
                    let class =
                        |(route, class): &(String, Class)| serde_json::json!({ "route": route, "class": class });
                    json["classes"] = classes.iter().map(class).collect();
                }
                json
            }
            Self::Codes(one, other) => {
                let pair = catalog::pair(*one, *other);
                serde_json::json!({
                    "difference": pair.map(|pair| pair.difference),
                    "choice": pair.map(|pair| pair.choice),
                    "codes": [catalog::explanation(*one), catalog::explanation(*other)],
                })
            }
            Self::Words(words) => serde_json::json!(words),
        };
        format!("{json:#}\n")
    }
}

/// A close code, if `text` is a number at all.
fn code(text: &str) -> Option<Result<CloseCode, BadQuestion>> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = text.parse().ok().filter(|number| *number <= HIGHEST_CODE);
    Some(number.map(CloseCode).ok_or_else(|| BadQuestion::OutOfRange(text.to_owned())))
}

/// Text for a person, in lines of a width.
struct Page {
    text: String,
    width: usize,
}

// === impl Page ===

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A heading, and text beside it.
    fn field(&mut self, name: &str, text: &str) {
        const MARGIN: usize = 11;
        let first = format!("{name:<MARGIN$}");
        let rest = " ".repeat(MARGIN);
        let options =
            textwrap::Options::new(self.width.max(2 * MARGIN)).initial_indent(&first).subsequent_indent(&rest);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    fn heading(&mut self, code: CloseCode, name: &str, class: Class) {
        self.line(&format!("{code} {name} ({class})"));
    }

    fn code(&mut self, known: &Explanation) {
        self.heading(known.code, known.name, known.class);
        let sent = if known.may_be_sent { "May be sent in a Close frame." } else { "Must not be in a Close frame." };
        let registered = if known.registered { "Registered with IANA." } else { "Not in IANA's registry as such." };
        let range = if known.codes == known.code.to_string() {
            String::new()
        } else {
            format!(" One of {}, which share this reading.", known.codes)
        };
        for line in textwrap::wrap(&format!("{sent} {registered}{range}"), self.width) {
            self.line(&line);
        }
        self.line("");
        for (name, text) in known.texts() {
            self.field(name, text);
        }
        for preset in &known.presets {
            let text = format!("{} ({}, {}): {}", preset.name, preset.preset, preset.class, preset.meaning);
            self.field("Preset", &text);
        }
        for known in &known.products {
            self.field(known.product, known.meaning);
        }
        self.line("");
        self.line("What each API reports");
        let widest = known.reports.iter().map(|report| report.api.len()).max().unwrap_or_default();
        for report in &known.reports {
            let first = format!("  {:<widest$}  ", report.api);
            let rest = " ".repeat(first.len());
            let width = self.width.max(first.len() + 20);
            let options = textwrap::Options::new(width).initial_indent(&first).subsequent_indent(&rest);
            for line in textwrap::wrap(&report.report, options) {
                self.line(&line);
            }
        }
    }

    fn codes(&mut self, one: CloseCode, other: CloseCode) {
        let both = [one, other].map(catalog::explanation);
        for known in &both {
            self.heading(known.code, known.name, known.class);
            self.field("  Meaning", known.meaning);
            self.field("  Sent by", known.sent_by);
        }
        self.line("");
        if let Some(pair) = catalog::pair(one, other) {
            self.field("Difference", pair.difference);
            self.field("Which", pair.choice);
        } else {
            let [one, other] = &both;
            let sent =
                |known: &Explanation| if known.may_be_sent { "may be in a Close" } else { "must not be in a Close" };
            let text = format!(
                "{} {}, class {}; {} {}, class {}.",
                one.code,
                sent(one),
                one.class,
                other.code,
                sent(other),
                other.class
            );
            self.field("Difference", &text);
        }
    }

    fn word(&mut self, word: &Word) {
        if !self.text.is_empty() {
            self.line("");
        }
        self.line(&format!("{} ({})", word.word, word.field));
        self.line("");
        for (name, text) in [("Meaning", word.meaning), ("Seen when", word.seen_when), ("Operator", word.action)] {
            self.field(name, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(one: &str, other: Option<&str>, width: usize) -> String {
        Question::parse(one, other).unwrap_or_else(|error| panic!("{error}")).text(width)
    }

    #[test]
    fn every_number_up_to_4999_has_an_answer_that_fits_80_columns() {
        for code in 0..=HIGHEST_CODE {
            let text = text(&code.to_string(), None, 80);
            assert!(text.starts_with(&format!("{code} ")), "{text}");
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(80), "{code}: {widest:?}\n{text}");
        }
    }

    #[test]
    fn every_word_of_a_record_has_an_answer() {
        for word in diagnosis::explained_words() {
            assert!(text(word.word, None, 80).contains(word.meaning.split(' ').next().unwrap()), "{}", word.word);
        }
        // It is a cause and a class.
        assert_eq!(text("unknown", None, 80).matches("unknown (").count(), 2);
    }

    #[test]
    fn two_codes_are_told_apart_in_either_order() {
        let difference = |text: String| text.split("Difference").nth(1).map(str::to_owned).unwrap();
        assert_eq!(difference(text("1006", Some("1005"), 80)), difference(text("1005", Some("1006"), 80)));
        let unlike = text("1006", Some("4999"), 200);
        assert!(unlike.contains("1006 must not be in a Close, class abnormal; 4999 may be in a Close"), "{unlike}");
    }

    #[test]
    fn what_is_no_code_and_no_word_is_refused_with_what_is_allowed() {
        let refused = |one, other| Question::parse(one, other).err().unwrap().to_string();
        assert!(refused("5000", None).contains("0 to 4999"));
        assert!(refused("99999999999", None).contains("0 to 4999"));
        assert!(refused("upstream_rst", None).contains("upstream_reset"));
        assert!(refused("1000", Some("upstream_reset")).contains("only codes"));
        assert!(refused("upstream_reset", Some("1000")).contains("only codes"));
    }
}
