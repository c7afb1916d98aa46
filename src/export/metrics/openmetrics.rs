//! The exposition as OpenMetrics 1.0 has it, for scrapers that ask for it: the crate `prometheus` writes only its own format.
//!
//! It differs in the names of counters (a family has no `_total`, its series have), in how numbers are spelt, in its last line, and
//! in exemplars. Creation times are left out: OpenMetrics does not ask for them.

use std::fmt::Write as _;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{Exemplar, Exemplars};
use super::names;

/// The media type of [`encode`].
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The suffix of a counter's series.
const TOTAL: &str = "_total";

/// Writes all families.
pub(super) fn encode(families: &[MetricFamily], exemplars: &Exemplars) -> String {
    let mut text = String::new();
    for family in families {
        write_family(family, exemplars, &mut text);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(family: &MetricFamily, exemplars: &Exemplars, text: &mut String) {
    let (kind, name) = match family.get_field_type() {
        MetricType::COUNTER => ("counter", family.name().strip_suffix(TOTAL).unwrap_or(family.name())),
        MetricType::GAUGE => ("gauge", family.name()),
        MetricType::HISTOGRAM => ("histogram", family.name()),
        // None of ours.
        MetricType::SUMMARY | MetricType::UNTYPED => return,
    };
    // Writing to a string does not fail, here and below.
    let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {}", escaped(family.help()));
    for metric in family.get_metric() {
        let mut series = Series { name, metric, text };
        match family.get_field_type() {
            MetricType::COUNTER => {
                let exemplar = (family.name() == names::CLOSES.name).then(|| exemplar_of(metric, exemplars)).flatten();
                series.write(TOTAL, None, metric.get_counter().get_value(), exemplar);
            }
            MetricType::GAUGE => series.write("", None, metric.get_gauge().get_value(), None),
            MetricType::HISTOGRAM => series.histogram(),
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

fn exemplar_of(metric: &Metric, exemplars: &Exemplars) -> Option<Exemplar> {
    let value = |name: &&str| metric.get_label().iter().find(|label| label.name() == *name).map(LabelPair::value);
    let labels: Option<Vec<_>> = names::CLOSES.labels.iter().map(value).collect();
    exemplars.of(&labels?)
}

/// The lines of one set of labels.
struct Series<'a> {
    name: &'a str,
    metric: &'a Metric,
    text: &'a mut String,
}

// === impl Series ===

impl Series<'_> {
    #[expect(clippy::cast_precision_loss, reason = "counts, exact up to 2^53")]
    fn histogram(&mut self) {
        let histogram = self.metric.get_histogram();
        let count = histogram.get_sample_count() as f64;
        for bucket in histogram.get_bucket() {
            if bucket.upper_bound().is_finite() {
                self.write("_bucket", Some(bucket.upper_bound()), bucket.cumulative_count() as f64, None);
            }
        }
        self.write("_bucket", Some(f64::INFINITY), count, None);
        self.write("_sum", None, histogram.get_sample_sum(), None);
        self.write("_count", None, count, None);
    }

    fn write(&mut self, suffix: &str, bound: Option<f64>, value: f64, exemplar: Option<Exemplar>) {
        let text = &mut *self.text;
        let _ = write!(text, "{}{suffix}", self.name);
        let bound = bound.map(|bound| ("le", number(bound)));
        let own = self.metric.get_label().iter().map(|label| (label.name(), escaped(label.value())));
        let mut before = '{';
        for (name, value) in own.chain(bound) {
            let _ = write!(text, "{before}{name}=\"{value}\"");
            before = ',';
        }
        text.push_str(if before == ',' { "} " } else { " " });
        text.push_str(&plain(value));
        if let Some(Exemplar { trace_id, span_id, time }) = exemplar {
            let _ =
                write!(text, " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} 1 {}", unix(time.as_millisecond()));
        }
        text.push('\n');
    }
}

/// A value: whole numbers without a point.
fn plain(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { number(value) }
}

/// A number in OpenMetrics' canonical form, which the bounds of buckets must have: `1.0`, `0.001`, `+Inf`.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ if value.is_nan() => "NaN".to_owned(),
        _ => format!("{value:?}"),
    }
}

/// Seconds since 1970, to the millisecond.
fn unix(millis: i64) -> String {
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_canonical() {
        for (value, expected) in
            [(1.0, "1.0"), (0.0005, "0.0005"), (259_200.0, "259200.0"), (f64::INFINITY, "+Inf"), (14.5, "14.5")]
        {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn an_instant_has_its_milliseconds() {
        assert_eq!(unix(1_764_400_000_045), "1764400000.045");
        assert_eq!(unix(-1), "-1.999");
    }

    #[test]
    fn what_would_end_a_label_or_a_line_is_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), r#"a\\b\"c\nd"#);
    }
}
