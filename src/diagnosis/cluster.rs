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
/// Windows of so many values have much in common with those that follow: a part of them is looked at together.
const MANY: usize = 64;
/// That part.
const TOGETHER: usize = 4;

/// The values from one on that are not above it by more than a width.
#[derive(Clone, Copy)]
struct Window {
    start: usize,
    end: usize,
    /// The end, as a value.
    high: f64,
    width: f64,
}

/// The weightiest cluster of at least `least` values; `values` in order.
pub(super) fn heaviest(values: &[f64], least: usize) -> Option<Cluster> {
    let from = values.partition_point(|value| *value < LEAST);
    let mut best: Option<(f64, Cluster)> = None;
    for relative in WIDTHS {
        let (mut start, mut end, mut beyond, mut next_try) = (from, from, from, from);
        while start < values.len() {
            let window = Window::of(values, start, relative, end);
            let (low, count) = (values[start], window.end - start);
            end = window.end;
            if count >= MANY && start >= next_try {
                let farther = Window::of(values, start + count / TOGETHER, relative, end);
                if are_plain(values, [&window, &farther], &mut beyond) {
                    (start, end) = (farther.start + 1, farther.end);
                    continue;
                }
                // The next ones are hardly different.
                next_try = start + count / TOGETHER / TOGETHER;
            }
            start += 1;
            if count < least || best.as_ref().is_some_and(|(score, _)| count as f64 <= *score) {
                continue;
            }
            if are_plain(values, [&window, &window], &mut beyond) {
                continue;
            }
            let expected = beside(values, &window);
            // Ties go to the narrower: it is tried first, and what a wider one adds must be worth its width.
            let score = (count as f64 - 2.0 * expected) * (1.0 - 0.5 * relative);
            let sure = surprise(count as f64, expected);
            if count as f64 >= TIMES * expected && sure >= SURE && best.as_ref().is_none_or(|(best, _)| score > *best) {
                let center = values[window.start + count / 2];
                let cluster = Cluster { low, high: values[end - 1], center, count, expected };
                best = Some((score, cluster));
            }
        }
    }
    best.map(|(_, cluster)| cluster)
}

/// Whether their neighbours above alone make all windows from `first` to `last` no cluster: so it is for most, and known at once. They
/// begin at `beyond`, which is looked for from where those of the window below begin.
fn are_plain(values: &[f64], [first, last]: [&Window; 2], beyond: &mut usize) -> bool {
    *beyond = point_near(values, *beyond, |value| value < last.high + last.width * GAP);
    let most = (last.end - first.start) as f64 / TIMES - CHANCE;
    let reach = first.high + first.width * (1.0 + GAP);
    values.get(*beyond + most.max(0.0) as usize).is_some_and(|value| *value <= reach)
}

/// How many a window would hold if it were as dense as the denser of its two sides: so the edge of a plateau, and the head of a tail,
/// are no cluster.
fn beside(values: &[f64], window: &Window) -> f64 {
    const REACHES: [f64; 2] = [1.0, 2.5];
    let Window { start, end, high, width } = *window;
    let low = values[start];
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

// === impl Window ===

impl Window {
    /// The one that begins at `start`; its end is looked for from `near` on.
    fn of(values: &[f64], start: usize, relative: f64, near: usize) -> Self {
        let width = values[start] * relative + JITTER;
        let high = values[start] + width;
        Self { start, end: point_near(values, near.max(start), |value| value <= high).max(start), high, width }
    }
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
    let mut places: Vec<i64> = values.map(place).collect();
    places.sort_unstable();
    places.into_iter().map(number_at).collect()
}

/// A whole number that has the place of this one in the order of [`f64::total_cmp`]: it compares at once.
pub(super) fn place(number: f64) -> i64 {
    turned(number.to_bits().cast_signed())
}

/// The number of that place.
fn number_at(place: i64) -> f64 {
    f64::from_bits(turned(place).cast_unsigned())
}

/// Turns all bits of a negative number but its sign.
const fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63) & i64::MAX)
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

    /// Each window by itself.
    fn one_by_one(values: &[f64], least: usize) -> Option<Cluster> {
        let mut best: Option<(f64, Cluster)> = None;
        for relative in WIDTHS {
            for start in values.partition_point(|value| *value < LEAST)..values.len() {
                let window = Window::of(values, start, relative, 0);
                let (end, count) = (window.end, window.end - start);
                let expected = beside(values, &window);
                let score = (count as f64 - 2.0 * expected) * (1.0 - 0.5 * relative);
                let is_one = count >= least
                    && count as f64 >= TIMES * expected
                    && surprise(count as f64, expected) >= SURE
                    && best.is_none_or(|(best, _)| score > best);
                if is_one {
                    let (low, high, center) = (values[start], values[end - 1], values[start + count / 2]);
                    best = Some((score, Cluster { low, high, center, count, expected }));
                }
            }
        }
        best.map(|(_, cluster)| cluster)
    }

    #[test]
    fn the_cluster_is_that_which_a_look_at_each_window_finds() {
        let mut random = fastrand::Rng::with_seed(15);
        let mut found = 0;
        for round in 0..60 {
            let (scale, limit) = (random.f64() * 100.0 + 5.0, random.f64() * 200.0 + 2.0);
            let mut some: Vec<f64> = (0..1500).map(|_| -scale * random.f64().ln()).collect();
            some.extend((0..round * 5).map(|_| limit + random.f64() * limit * 0.05));
            let values = sorted(some.into_iter());
            let cluster = heaviest(&values, 10);
            assert_eq!(cluster, one_by_one(&values, 10), "{scale} {limit}");
            found += usize::from(cluster.is_some());
        }
        assert!((10..60).contains(&found), "{found}");
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
    fn numbers_are_in_the_order_of_their_places() {
        let numbers =
            [f64::NEG_INFINITY, -1e300, -2.5, -1e-300, -0.0, 0.0, 1e-300, 2.5, 1e300, f64::INFINITY, f64::NAN];
        assert!(numbers.is_sorted_by_key(|number| place(*number)));
        let found = sorted(numbers.into_iter().rev());
        assert!(found.into_iter().map(f64::to_bits).eq(numbers.map(f64::to_bits)));
    }

    #[test]
    fn the_mode_is_where_half_of_them_lie_closest() {
        let values = sorted(spread(40.0, 40.2, 60).chain(spread(0.0, 100.0, 30)));
        assert!((mode(&values) - 40.1).abs() < 0.2);
        assert!(mode(&[]).abs() < 1e-9);
        assert!((mode(&[3.0]) - 3.0).abs() < 1e-9);
    }
}
