//! An instant as text, in seconds of Unix time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Days from the first of March of the year 0 to 1970.
const TO_1970: u32 = 719_468;
/// Days of 400 years.
const DAYS: u32 = 146_097;

/// Reads an instant as the record spells it; a database leaves out the zone, which is UTC.
pub(super) fn read(text: &str) -> Option<f64> {
    usual(text.as_bytes()).or_else(|| any(text))
}

/// One as closewatch writes it, `2026-11-13T00:00:00.000400Z`. Any other form, and the last days of a month, are left to [`any`].
fn usual(text: &[u8]) -> Option<f64> {
    let text: &[u8; 27] = text.try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let two = |at: usize| {
        let [tens, ones] = [text[at], text[at + 1]].map(|digit| digit.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
    };
    let year = two(0)? * 100 + two(2)?;
    let (month, day) = (two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let micros = (two(20)? * 100 + two(22)?) * 100 + two(24)?;
    let is_usual = (1970..9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=28).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_usual {
        return None;
    }
    // A year begins with March here, so that a leap day is its last; then a month's first day is a line of 153 days in 5 months.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let days = era * DAYS + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - TO_1970;
    let seconds = u64::from(days) * 86_400 + u64::from((hour * 60 + minute) * 60 + second);
    Some(seconds as f64 + f64::from(micros * 1000) / 1e9)
}

fn any(text: &str) -> Option<f64> {
    let at = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>()?.to_zoned(TimeZone::UTC).map(|at| at.timestamp()));
    Some(at.ok()?.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_as_closewatch_writes_them_are_the_same_by_either_way() {
        for day in (0..2_900_000_i64).step_by(13) {
            let micros = day * 86_400_000_000 + day * 997_331 % 86_400_000_000;
            let text = format!("{:.6}", Timestamp::from_microsecond(micros).unwrap());
            let (usual, any) = (usual(text.as_bytes()), any(&text).unwrap());
            let day: u32 = text[8..10].parse().unwrap();
            assert_eq!(usual.map(f64::to_bits), (day <= 28).then_some(any.to_bits()), "{text}");
        }
    }

    #[test]
    fn nothing_that_is_no_instant_is_read_as_one() {
        for text in [
            "2026-13-01T00:00:00.000000Z",
            "2026-00-01T00:00:00.000000Z",
            "2026-02-30T00:00:00.000000Z",
            "2026-02-00T00:00:00.000000Z",
            "2026-02-01T24:00:00.000000Z",
            "2026-02-01T00:60:00.000000Z",
            "2026-02-01T00:00:00.00000/Z",
            "2026-02-01T00:00:0:.000000Z",
            "2026/02/01T00:00:00.000000Z",
        ] {
            assert_eq!(usual(text.as_bytes()), None, "{text}");
            assert_eq!(read(text), any(text), "{text}");
        }
        assert_eq!(read("1970-01-01T00:00:01.500000Z"), Some(1.5));
        assert_eq!(read("2024-02-29T00:00:00.000000Z"), Some(1_709_164_800.0));
        assert_eq!(read("2024-02-29 00:00:00.5"), Some(1_709_164_800.5));
    }
}
