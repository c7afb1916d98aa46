//! Every client stack with every server stack.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::endings::{DEVIATIONS, Deviation, Ending};
use super::secrets::Secrets;
use super::stacks::{Client, Closewatch, Reports, Server, Stack};

macro_rules! pairs {
    ($($name:ident: $client:ident, $server:ident, $between:ident;)+) => {$(
        mod $name {
            use super::*;

            static PAIR: Pair = Pair {
                client: Stack::$client,
                server: Stack::$server,
                between: Between::$between,
                direct: OnceLock::new(),
            };

            #[test]
            fn sessions_end_as_asked_without_closewatch() {
                PAIR.check_direct();
            }

            #[test]
            fn closewatch_changes_nothing_and_records_what_both_report() {
                PAIR.check_through_closewatch();
            }
        }
    )+};
}

pairs! {
    node_to_node: Node, Node, Plain;
    node_to_python: Node, Python, Plain;
    python_to_node: Python, Node, Plain;
    python_to_python: Python, Python, Plain;
    browser_to_node: Browser, Node, Plain;
    browser_to_python: Browser, Python, Plain;
    node_to_python_over_tls: Node, Python, Tls;
    python_to_node_over_tls: Python, Node, Tls;
    browser_to_node_over_tls: Browser, Node, Tls;
}

/// A client stack and a server stack; what they report of each ending when nothing is between them is asked once.
struct Pair {
    client: Stack,
    server: Stack,
    between: Between,
    direct: OnceLock<Vec<Reports>>,
}

/// The scheme of the connections between them.
#[derive(PartialEq, Eq)]
enum Between {
    Plain,
    Tls,
}

/// Something that is not as it should be, by its name, with the details.
struct Finding {
    id: String,
    detail: String,
}

// === impl Pair ===

impl Pair {
    fn endings(&self) -> impl Iterator<Item = &'static Ending> {
        Ending::between(self.client, self.server)
    }

    fn direct(&self) -> &[Reports] {
        self.direct.get_or_init(|| {
            let secrets = self.secrets();
            let server = Server::start(self.server, secrets.as_ref());
            let mut client = Client::start(self.client, secrets.as_ref());
            self.endings().map(|ending| client.meet(&server, server.address, ending)).collect()
        })
    }

    /// The table of endings is right about the libraries: a server that closes with 4401 is seen to by both, and so on.
    fn check_direct(&self) {
        let mut findings = Vec::new();
        for (ending, reports) in self.endings().zip(self.direct()) {
            let expected = json!([ending.code, ending.reason, ending.is_clean()]);
            for (side, report) in [("client", &reports.client), ("server", &reports.server)] {
                if let Some(report) = report {
                    let reported = json!([report["code"], report["reason"], report["clean"]]);
                    self.compare(&mut findings, ending, &format!("{side} report"), &expected, &reported);
                }
            }
        }
        self.judge(&findings, &[], "");
    }

    fn check_through_closewatch(&self) {
        let mut findings = Vec::new();
        let secrets = self.secrets();
        let server = Server::start(self.server, secrets.as_ref());
        let closewatch = Closewatch::start(server.address, secrets.as_ref());
        let mut client = Client::start(self.client, secrets.as_ref());

        for (ending, direct) in self.endings().zip(self.direct()) {
            let reports = client.meet(&server, closewatch.address, ending);
            let record = closewatch.record();
            let mut compare = |what: &str, expected: &Value, found: &Value| {
                self.compare(&mut findings, ending, what, expected, found);
            };

            compare(
                "client report",
                &comparable(&reports, direct.client.as_ref()),
                &comparable(&reports, reports.client.as_ref()),
            );
            compare(
                "server report",
                &comparable(&reports, direct.server.as_ref()),
                &comparable(&reports, reports.server.as_ref()),
            );
            for (peer, report) in [("client", &reports.client), ("upstream", &reports.server)] {
                if let Some(report) = report {
                    compare(&format!("{peer}.saw.code"), &report["code"], &record[peer]["saw"]["code"]);
                }
            }
            compare("request.path", &json!(ending.path), &record["request"]["path"]);
            compare("code", &json!(ending.code), &record["code"]);
            compare("reason", &json!(ending.reason), &record["reason"]);
            compare("initiator", &json!(ending.initiator), &record["initiator"]);
            compare("class", &json!(ending.class), &record["class"]);
            if !ending.causes.iter().any(|cause| record["cause"] == *cause) {
                compare("cause", &json!(ending.causes), &record["cause"]);
            }
        }

        let transcripts = [&client.transcript(), &server.process.transcript(), &closewatch.process.transcript()]
            .map(String::as_str)
            .join("\n");
        self.judge(&findings, DEVIATIONS, &transcripts);
    }

    fn compare(&self, findings: &mut Vec<Finding>, ending: &Ending, what: &str, expected: &Value, found: &Value) {
        if expected != found {
            let id = format!("{}{}: {what}", self.prefix(), ending.id);
            findings.push(Finding { id, detail: format!("expected {expected}, found {found}") });
        }
    }

    fn judge(&self, findings: &[Finding], listed: &[Deviation], transcripts: &str) {
        let verdict = unexplained(findings, listed, &self.prefix());
        assert!(verdict.is_empty(), "\n{verdict}\n{transcripts}");
    }

    fn secrets(&self) -> Option<Secrets> {
        (self.between == Between::Tls).then(Secrets::new)
    }

    fn prefix(&self) -> String {
        let tls = if self.between == Between::Tls { "tls/" } else { "" };
        format!("{tls}{}/{}/", self.client.name(), self.server.name())
    }
}

/// A report as it can be compared with that of another run. When the page goes, whether the browser's kernel still meets
/// the server's Close with a RST is a race, so then what became of the transport is left out.
fn comparable(reports: &Reports, report: Option<&Value>) -> Value {
    let mut report = report.cloned().unwrap_or_default();
    if reports.client.is_none()
        && let Some(fields) = report.as_object_mut()
    {
        fields.remove("error");
    }
    report
}

/// Findings that no listed deviation explains, and deviations listed under `prefix` that were not found; one a line.
fn unexplained(findings: &[Finding], listed: &[Deviation], prefix: &str) -> String {
    let found: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    let mut text = String::new();
    for Finding { id, detail } in findings {
        if !listed.iter().any(|deviation| deviation.id == id) {
            writeln!(text, "{id}: {detail}").expect("a String takes everything");
        }
    }
    for Deviation { id, reason } in listed {
        if id.starts_with(prefix) && !found.contains(id) {
            writeln!(text, "{id}: listed as a deviation ({reason}), but it does not occur").expect("as above");
        }
    }
    text
}

#[test]
fn a_deviation_must_be_listed_and_must_occur() {
    let finding = |id: &str| Finding { id: id.to_owned(), detail: "expected 1, found 2".to_owned() };
    let listed = [Deviation { id: "node/python/a: code", reason: "so it is" }];

    assert_eq!(unexplained(&[finding("node/python/a: code")], &listed, "node/python/"), "");
    assert!(unexplained(&[finding("node/python/b: code")], &listed, "node/python/").contains("b: code: expected 1"));
    assert!(unexplained(&[], &listed, "node/python/").contains("does not occur"));
    assert_eq!(unexplained(&[], &listed, "python/node/"), "", "the deviation of another pair");
}
