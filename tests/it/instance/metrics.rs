//! A scrape, taken apart.

use std::collections::BTreeSet;

/// Every series of one exposition.
pub(crate) struct Metrics {
    series: Vec<Series>,
    families: BTreeSet<String>,
}

#[derive(Debug)]
struct Series {
    name: String,
    labels: Vec<(String, String)>,
    value: String,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let series = text.lines().filter(|line| !line.starts_with('#')).map(|line| Series::parse(line).unwrap());
        let metrics = Self { families: families.map(str::to_owned).collect(), series: series.collect() };
        assert!(!metrics.series.is_empty(), "an empty scrape");
        metrics
    }

    /// The sum over all series of `name`, a count of something, that have these labels; they must exist.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let found: Vec<_> = self.series.iter().filter(|series| series.name == name && series.has(labels)).collect();
        assert!(!found.is_empty(), "no series {name} with {labels:?}");
        found.iter().map(|series| series.value.parse::<u64>().unwrap()).sum()
    }

    /// The names that the exposition declares.
    pub(crate) const fn families(&self) -> &BTreeSet<String> {
        &self.families
    }

    /// Every session is open or has its record.
    pub(crate) fn assert_balanced(&self) {
        let [opened, closed, active] = ["sessions_opened_total", "closes_total", "sessions_active"]
            .map(|name| self.sum(&format!("closewatch_{name}"), &[]));
        assert!(opened == closed + active, "{opened} opened, {closed} closed, {active} active");
    }
}

impl Series {
    fn parse(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            None => (series, Vec::new()),
            Some((name, labels)) => {
                let pairs = labels.strip_suffix("\"}")?.split("\",");
                let pair = |pair: &str| pair.split_once("=\"").map(|(key, value)| (key.to_owned(), value.to_owned()));
                (name, pairs.map(pair).collect::<Option<_>>()?)
            }
        };
        Some(Self { name: name.to_owned(), labels, value: value.to_owned() })
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|wanted| self.labels.iter().any(|(key, value)| (&**key, &**value) == *wanted))
    }
}
