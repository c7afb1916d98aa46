//! Clusters on a line: a value at which far more lie than beside it, whatever the value.

/// Values that lie far denser than their neighbourhood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cluster {
    /// The least of them.
    pub(super) low: f64,
    /// The greatest.
    pub(super) high: f64,
    /// Their median.
    pub(super) center: f64,
    /// How many they are.
    pub(super) count: usize,
    /// How many the neighbourhood would make expect.
    pub(super) expected: f64,
}

/// Widths that are tried, relative to the value: a timer, a timer that is looked at now and then, a limit that drifts.
const WIDTHS: [f64; 6] = [0.004, 0.012, 0.03, 0.07, 0.14, 0.25];
/// Added to each width: no timer of a box is more exact.
const JITTER: f64 = 0.25;
/// A cluster has at least this many times what is expected.
const TIMES: f64 = 3.0;
/// Log-likelihood ratio against chance from which on a cluster is one.
const SURE: f64 = 22.0;
/// Between a window and its neighbours there is so much of its width.
const GAP: f64 = 0.1;
/// Values that may lie anywhere.
const CHANCE: f64 = 0.3;
/// Values below this are no limit of a box: they are answers.
const LEAST: f64 = 1.5;

/// The weightiest cluster of at least `least` values; `values` in order.
pub(super) fn heaviest(values: &[f64], least: usize) -> Option<Cluster> {
    let from = values.partition_point(|value| *value < LEAST);
    let mut best: Option<(f64, Cluster)> = None;
    for relative in WIDTHS {
        let (mut end, mut beyond) = (from, from);
        for start in from..values.len() {
            let low = values[start];
            let width = low * relative + JITTER;
            end = end.max(start);
            while end < values.len() && values[end] <= low + width {
                end += 1;
            }
            let count = end - start;
            if count < least || best.as_ref().is_some_and(|(score, _)| count as f64 <= *score) {
                continue;
            }
            beyond = beyond.max(end);
            if is_plain(values, start, end, width, &mut beyond) {
                continue;
            }
            let expected = beside(values, start, end, width);
            // Ties go to the narrower: it is tried first, and what a wider one adds must be worth its width.
            let score = (count as f64 - 2.0 * expected) * (1.0 - 0.5 * relative);
            let sure = surprise(count as f64, expected);
            if count as f64 >= TIMES * expected && sure >= SURE && best.as_ref().is_none_or(|(best, _)| score > *best) {
                let cluster =
                    Cluster { low, high: values[end - 1], center: values[start + count / 2], count, expected };
                best = Some((score, cluster));
            }
        }
    }
    best.map(|(_, cluster)| cluster)
}

/// Whether its neighbours above alone make a window no cluster: so it is for most, and known at once. They begin at `from`, which is
/// looked for from where those of the window below begin.
fn is_plain(values: &[f64], start: usize, end: usize, width: f64, from: &mut usize) -> bool {
    let high = values[end - 1].max(values[start] + width);
    *from = point_near(values, *from, |value| value < high + width * GAP);
    let most = (end - start) as f64 / TIMES - CHANCE;
    values.get(*from + most.max(0.0) as usize).is_some_and(|value| *value <= high + width * (1.0 + GAP))
}

/// How many a window of `width` would hold if it were as dense as the denser of its two sides: so the edge of a plateau, and
/// the head of a tail, are no cluster.
fn beside(values: &[f64], start: usize, end: usize, width: f64) -> f64 {
    const REACHES: [f64; 2] = [1.0, 2.5];
    let (low, high) = (values[start], values[end - 1].max(values[start] + width));
    let count = |near: usize, from: f64, to: f64| {
        (point_near(values, near, |value| value <= to) - point_near(values, near, |value| value < from)) as f64
    };
    let dense = |reach: f64| {
        let (from, to) = ((low - width * (reach + GAP)).max(0.0), low - width * GAP);
        let left = if to <= 0.0 { 0.0 } else { count(start, from, to) / (to - from).max(width * 0.25) };
        let right = count(end, high + width * GAP, high + width * (reach + GAP)) / (width * reach);
        left.max(right)
    };
    REACHES.into_iter().map(dense).fold(0.0, f64::max) * width + CHANCE
}

/// The partition point of `values`, looked for from `near` on in steps that double: it is not far away.
fn point_near(values: &[f64], near: usize, is_left: impl Fn(f64) -> bool) -> usize {
    let (mut low, mut high, mut step) = (0, values.len(), 1);
    if values.get(near).is_some_and(|value| is_left(*value)) {
        low = near + 1;
        while let Some(value) = values.get(near + step) {
            if !is_left(*value) {
                high = near + step;
                break;
            }
            low = near + step + 1;
            step *= 2;
        }
    } else {
        high = near;
        while let Some(at) = near.checked_sub(step) {
            if is_left(values[at]) {
                low = at + 1;
                break;
            }
            high = at;
            step *= 2;
        }
    }
    low + values[low..high].partition_point(|value| is_left(*value))
}

/// The log-likelihood ratio of `count` against `expected`.
pub(super) fn surprise(count: f64, expected: f64) -> f64 {
    if count <= expected || count <= 0.0 { 0.0 } else { count * (count / expected).ln() - (count - expected) }
}

/// The value `share` of the way through; `values` in order.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// Numbers in order.
pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The middle of the narrowest span that holds half of them; `values` in order.
pub(super) fn mode(values: &[f64]) -> f64 {
    let half = values.len().div_ceil(2);
    let width = |start: &usize| values[start + half - 1] - values[*start];
    let starts = if values.is_empty() { 0..0 } else { 0..values.len() - half + 1 };
    let narrowest = starts.min_by(|a, b| width(a).total_cmp(&width(b)));
    narrowest.map_or(0.0, |start| values[start + half / 2])
}

/// A limit, as somebody would have configured it: a whole number if one is within half a percent.
pub(super) fn tidy(limit: f64) -> f64 {
    let step = if limit >= 600.0 {
        5.0
    } else if limit >= 20.0 {
        1.0
    } else {
        0.5
    };
    let whole = (limit / step).round() * step;
    if (whole - limit).abs() <= limit * 0.008 { whole } else { (limit * 100.0).round() / 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(from: f64, to: f64, count: usize) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| from + (to - from) * (i as f64 + 0.5) / count as f64)
    }

    #[test]
    fn a_cluster_is_found_at_any_value() {
        for limit in [5.0, 50.0, 55.0, 60.0, 230.0, 3600.0, 86_400.0] {
            let values = sorted(spread(0.0, limit * 3.0, 300).chain(spread(limit, limit + 0.4, 30)));
            let found = heaviest(&values, 10).unwrap();
            assert!((found.center - limit).abs() < limit * 0.02 + 0.5, "{limit}: {found:?}");
        }
    }

    #[test]
    fn a_limit_that_drifts_is_one_cluster() {
        let values = sorted(spread(0.0, 300.0, 200).chain(spread(55.0, 65.0, 120)));
        let found = heaviest(&values, 10).unwrap();
        assert!(found.count > 100 && (found.center - 60.0).abs() < 3.0, "{found:?}");
    }

    #[test]
    fn neither_a_plateau_nor_its_edge_is_a_cluster() {
        for values in [
            sorted(spread(0.0, 30.0, 500)),
            sorted(spread(0.0, 30.0, 500).chain(spread(30.0, 600.0, 100))),
            sorted((1..400).map(|i| 20.0 * -(1.0 - f64::from(i) / 400.0).ln())),
        ] {
            assert_eq!(heaviest(&values, 10), None);
        }
    }

    #[test]
    fn a_partition_point_is_the_same_from_wherever_it_is_looked_for() {
        let values = sorted(spread(0.0, 20.0, 41).chain([7.0; 9]));
        for near in 0..=values.len() {
            for bound in [-1.0, 0.0, 0.3, 7.0, 7.1, 19.9, 50.0] {
                let found = point_near(&values, near, |value| value <= bound);
                assert_eq!(found, values.partition_point(|value| *value <= bound), "{bound} from {near}");
            }
        }
    }

    #[test]
    fn the_mode_is_where_half_of_them_lie_closest() {
        let values = sorted(spread(40.0, 40.2, 60).chain(spread(0.0, 100.0, 30)));
        assert!((mode(&values) - 40.1).abs() < 0.2);
        assert!(mode(&[]).abs() < 1e-9);
        assert!((mode(&[3.0]) - 3.0).abs() < 1e-9);
    }
}
