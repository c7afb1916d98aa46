//! Texts, times and instants as people read them.

/// A peer's text, cut and without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let clean: String =
        text.chars().map(|letter| if crate::close::is_unprintable(letter) { '\u{fffd}' } else { letter }).collect();
    if clean.chars().count() <= MOST { clean } else { clean.chars().take(MOST).chain(['…']).collect() }
}

/// A time, as people say it.
pub(super) fn span(seconds: f64) -> String {
    let round = |value: f64| {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    if seconds < 600.0 {
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
