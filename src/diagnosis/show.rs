//! Texts, times and instants as people read them.

/// A peer's text, cut and without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let clean: String =
        text.chars().map(|letter| if crate::close::is_unprintable(letter) { '\u{fffd}' } else { letter }).collect();
    if clean.chars().count() <= MOST { clean } else { clean.chars().take(MOST).chain(['…']).collect() }
}

/// A number and its noun: `1 session`, `2 sessions`. The plural ends in an `s`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A time, as people say it: `0.25 s`, `47 s`, `30 min`, `24 h`.
pub fn span(seconds: f64) -> String {
    let round = |value: f64| {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    if seconds < 10.0 {
        // Three digits, as far as there are any.
        let digits = if seconds < 1.0 { 3 } else { 2 };
        let text = format!("{seconds:.digits$}");
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else if seconds < 600.0 {
        format!("{} s", round(seconds))
    } else if seconds < 7200.0 {
        format!("{} min", round(seconds / 60.0))
    } else {
        format!("{} h", round(seconds / 3600.0))
    }
}

/// An instant as the record spells it.
pub(super) fn instant(at: f64) -> String {
    let at = jiff::SignedDuration::try_from_secs_f64(at).ok().and_then(|at| jiff::Timestamp::from_duration(at).ok());
    at.map_or_else(String::new, |at| format!("{at:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_people_use() {
        for (seconds, said) in [
            (0.0, "0 s"),
            (0.0034, "0.003 s"),
            (0.25, "0.25 s"),
            (5.0, "5 s"),
            (5.5, "5.5 s"),
            (46.96, "47 s"),
            (350.0, "350 s"),
            (600.0, "10 min"),
            (3600.0, "60 min"),
            (7200.0, "2 h"),
            (86_400.0, "24 h"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "session")), ["0 sessions", "1 session", "2 sessions"]);
    }
}
