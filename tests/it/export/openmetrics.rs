//! The exposition as OpenMetrics, beside the text format.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use closewatch::close::{CloseSink, CodeRules, Outcome, SpanId, TraceId, TraceSpan};
use closewatch::export::Exporter;
use serde_json::Value;

use super::metrics::{exposition, silent};
use super::records;

/// Prints what the parser of the Prometheus project makes of standard input; it refuses what is not OpenMetrics.
const PARSER: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        exemplar = sample.exemplar and [sample.exemplar.labels, sample.exemplar.value, float(sample.exemplar.timestamp)]
        print(json.dumps([family.type, sample.name, sample.labels, sample.value, exemplar]))
";

/// An exporter with an abnormal end that is traced, one that is not, and a clean one that is.
fn with_ends() -> Exporter {
    let exporter = silent();
    exporter.declare_route("chat", &CodeRules::default());
    let chat = exporter.route("chat");
    let span = TraceSpan { trace_id: TraceId([0x11; 16]), span_id: SpanId([0x22; 8]), sampled: true, state: "".into() };
    for (mut record, traced) in
        [(records::reset_by_upstream(), true), (records::boom(), false), (records::left_the_page(), true)]
    {
        chat.opened(&record.session);
        record.span = traced.then(|| span.clone());
        exporter.metrics().traced(&record);
        chat.closed(record);
    }
    chat.handshake(&records::handshake(Outcome::Upgraded, Some(101)));
    exporter
}

fn openmetrics(exporter: &Exporter) -> String {
    String::from_utf8(exporter.metrics().encode_openmetrics()).unwrap()
}

#[test]
fn an_abnormal_end_that_is_traced_is_the_exemplar_of_its_counter_until_its_route_is_gone() {
    let exporter = with_ends();
    let text = openmetrics(&exporter);
    let with_exemplar: Vec<_> = text.lines().filter(|line| line.contains(" # {")).collect();
    let [line] = with_exemplar[..] else { panic!("{with_exemplar:?}") };
    let (series, exemplar) = line.split_once(" # ").unwrap();
    assert!(series.starts_with("closewatch_closes_total{") && series.contains("cause=\"upstream_reset\""), "{line}");
    let labels = format!("{{trace_id=\"{}\",span_id=\"{}\"}}", "11".repeat(16), "22".repeat(8));
    assert_eq!(exemplar, format!("{labels} 1 1795176072.400"));
    exporter.metrics().forget_route("chat");
    exporter.declare_route("chat", &CodeRules::default());
    assert!(!openmetrics(&exporter).contains(" # {"));
}

#[test]
fn the_parser_of_the_prometheus_project_reads_the_same_values_in_both_formats() {
    let exporter = with_ends();
    // Of the process itself, which goes on meanwhile, only the names.
    let stable = |line: &&str| !line.starts_with("process_") && !line.starts_with('#');
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".work/python/bin/python");
    let mut parser = Command::new(&python)
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start ({error}): run tests/run first", python.display()));
    parser.stdin.take().unwrap().write_all(openmetrics(&exporter).as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "not OpenMetrics");
    let samples: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = exposition(&exporter);
    let own: Vec<_> = samples.iter().filter(|sample| !sample[1].as_str().unwrap().starts_with("process_")).collect();
    assert_eq!(own.len(), text.lines().filter(stable).count(), "as many series");
    for sample in own {
        let [_, name, labels, value, _] = sample.as_array().unwrap().as_slice() else { panic!("{sample}") };
        let name = name.as_str().unwrap();
        let fits = |line: &str| {
            let labelled = |(key, value): (&String, &Value)| {
                let value = value.as_str().unwrap();
                // The text format writes `le="60"`.
                let value = if key == "le" { value.strip_suffix(".0").unwrap_or(value) } else { value };
                line.contains(&format!("{key}=\"{value}\""))
            };
            let of_name = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            of_name && labels.as_object().unwrap().iter().all(labelled)
        };
        let line = text.lines().filter(stable).find(|line| fits(line)).unwrap_or_else(|| panic!("{sample}"));
        assert_eq!(line.rsplit(' ').next().unwrap().parse::<f64>().ok(), value.as_f64(), "{sample}");
    }
    let exemplars: Vec<_> = samples.iter().filter(|sample| !sample[4].is_null()).collect();
    assert_eq!(exemplars.len(), 1, "{exemplars:?}");
}
