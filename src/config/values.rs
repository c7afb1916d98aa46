//! Values at the edge: text with units in, types out; and back, for the effective configuration.
//!
//! An error here says what is wrong and what is allowed. Where it stands is the caller's to add.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use serde::Serializer;
use toml::de::DeValue;

/// The longest duration that is accepted: a year. Deadlines are sums, and a sum must not overflow.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// A parsed value, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

// === TOML to text and numbers ===

/// A string.
pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Parsed<&'v str> {
    value.as_str().ok_or_else(|| format!("expected a string in quotes, not {}", described(value)))
}

/// A string, or a number as it is written: for values where a bare number can be told apart later.
pub(super) fn text_or_number<'v>(value: &'v DeValue<'_>) -> Parsed<Cow<'v, str>> {
    match (value.as_str(), value.as_integer()) {
        (Some(text), _) => Ok(text.into()),
        (None, Some(_)) => integer(value).map(|number| number.to_string().into()),
        (None, None) => Err(format!("expected a string in quotes, not {}", described(value))),
    }
}

/// A whole number within `allowed`.
pub(super) fn number(value: &DeValue<'_>, allowed: std::ops::RangeInclusive<usize>) -> Parsed<usize> {
    let number = integer(value)?;
    in_range(usize::try_from(number).ok(), &number.to_string(), &allowed)
}

/// As [`number`], from a flag.
pub(super) fn number_from_text(text: &str, allowed: std::ops::RangeInclusive<usize>) -> Parsed<usize> {
    in_range(text.parse().ok(), &format!("{text:?}"), &allowed)
}

/// A share, from 0 to 1.
pub(super) fn ratio(value: &DeValue<'_>) -> Parsed<f64> {
    let digits = match (value.as_float(), value.as_integer()) {
        (Some(float), _) => float.as_str().to_owned(),
        (None, Some(_)) => integer(value)?.to_string(),
        (None, None) => return Err(format!("expected a number from 0 to 1, not {}", described(value))),
    };
    ratio_from_text(&digits)
}

/// As [`ratio`], from the environment.
pub(super) fn ratio_from_text(text: &str) -> Parsed<f64> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text} is not a number from 0 to 1"))
}

/// The type of a value, for a message: `a boolean`, `an array`.
pub(super) fn described(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {name}")
}

fn integer(value: &DeValue<'_>) -> Parsed<i64> {
    let digits = value.as_integer().ok_or_else(|| format!("expected a whole number, not {}", described(value)))?;
    i64::from_str_radix(digits.as_str(), digits.radix()).map_err(|_| format!("{digits} is too large"))
}

fn in_range(number: Option<usize>, given: &str, allowed: &std::ops::RangeInclusive<usize>) -> Parsed<usize> {
    number.filter(|number| allowed.contains(number)).ok_or_else(|| match *allowed.end() {
        usize::MAX => format!("{given} is not a whole number of {} or more", allowed.start()),
        end => format!("{given} is not a whole number from {} to {end}", allowed.start()),
    })
}

// === text to types ===

/// `IP:port`. A port alone, `:8080`, is one on all IPv4 addresses; `localhost` is the IPv4 address of that name.
pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    let address = match text.rsplit_once(':') {
        Some(("", port)) => port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        Some(("localhost", port)) => port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => text.parse().ok(),
    };
    address.ok_or_else(|| {
        format!("{text:?} is not an address: IP:port, as in \"0.0.0.0:8080\", \"[::]:8080\", \":8080\" or \"localhost:8080\"")
    })
}

/// `IP:port`, or none: empty or `off`.
pub(super) fn optional_address(text: &str) -> Parsed<Option<SocketAddr>> {
    match text {
        "" | "off" => Ok(None),
        _ => address(text).map(Some).map_err(|error| format!("{error}, or \"off\"")),
    }
}

/// An absolute path, or `off`.
pub(super) fn optional_path(text: &str) -> Parsed<Option<PathBuf>> {
    match text {
        "off" => Ok(None),
        path if path.starts_with('/') => Ok(Some(path.into())),
        _ => Err(format!("{text:?} is not an absolute path, nor \"off\"")),
    }
}

/// A duration with its unit; `0` needs none.
pub(super) fn duration(text: &str) -> Parsed<Duration> {
    let allowed = "a number with its unit, as in \"5s\", \"250ms\", \"1m 30s\", or \"0\"";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.parse::<f64>().is_ok_and(|number| number > 0.0) {
        return Err(format!("{text} has no unit: a duration is {allowed}"));
    }
    let duration = SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| format!("{text:?} is not a duration: {allowed}"))?;
    if duration > LONGEST { Err(format!("{text:?} is more than a year (8760h)")) } else { Ok(duration) }
}

/// A duration that must not be 0.
pub(super) fn positive(text: &str) -> Parsed<Duration> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than 0: nothing would ever be in time".to_owned()),
        duration => Ok(duration),
    }
}

/// A duration where 0 means never.
pub(super) fn limit(text: &str) -> Parsed<Option<Duration>> {
    duration(text).map(|duration| (!duration.is_zero()).then_some(duration))
}

/// A number of bytes within `allowed`.
pub(super) fn size(text: &str, allowed: std::ops::RangeInclusive<u64>) -> Parsed<usize> {
    let show = |bytes: u64| ByteSize::b(bytes).display().iec().to_string();
    let ByteSize(bytes) = text.parse().map_err(|_| {
        format!("{text:?} is not a size: a number with its unit, as in \"64KiB\", \"1MiB\" or \"65536B\"")
    })?;
    if !allowed.contains(&bytes) {
        return Err(format!("{text:?} is not between {} and {}", show(*allowed.start()), show(*allowed.end())));
    }
    usize::try_from(bytes).map_err(|_| format!("{text:?} is too large for this machine"))
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Parsed<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{text:?} is neither \"on\" nor \"off\"")),
    }
}

// === types to text ===

/// Writes a duration as it would be configured.
pub(super) fn show_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&duration_text(*duration))
}

/// Writes a limit as it would be configured: never is `0`.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn show_limit<S: Serializer>(limit: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&duration_text(limit.unwrap_or_default()))
}

/// Writes an address as it would be configured: none is `off`.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn show_address<S: Serializer>(address: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_str("off"),
    }
}

/// Writes a path as it would be configured: none is `off`.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn show_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.collect_str(&path.display()),
        None => serializer.serialize_str("off"),
    }
}

/// Writes a file's path as it would be configured: none is empty.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn show_file<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.collect_str(&path.display()),
        None => serializer.serialize_str(""),
    }
}

/// Writes `on` or `off`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
pub(super) fn show_switch<S: Serializer>(on: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *on { "on" } else { "off" })
}

/// Writes an optional number; none is `0`.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn show_count<N: Copy + Default + serde::Serialize, S: Serializer>(
    count: &Option<N>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    count.unwrap_or_default().serialize(serializer)
}

pub(super) fn duration_text(duration: Duration) -> String {
    if duration.is_zero() { "0".to_owned() } else { SpanPrinter::new().unsigned_duration_to_string(&duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        for (text, expected) in [
            ("5s", Duration::from_secs(5)),
            ("250ms", Duration::from_millis(250)),
            ("1m 30s", Duration::from_secs(90)),
            ("1m30s", Duration::from_secs(90)),
            ("2h", Duration::from_hours(2)),
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
            ("8760h", LONGEST),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn durations_are_neither_bare_nor_negative_nor_endless() {
        for text in [
            "30",
            "1.5",
            "-5s",
            "5s ago",
            "",
            " ",
            "s",
            "five seconds",
            "8761h",
            "99999999999999999999s",
            "inf",
            "PT5S",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for seconds in [0, 1, 59, 60, 90, 3600, 3661, 86_400, 31_536_000] {
            let written = duration_text(Duration::from_secs(seconds));
            assert_eq!(duration(&written), Ok(Duration::from_secs(seconds)), "{written}");
        }
        assert_eq!(duration_text(Duration::from_millis(250)), "250ms");
    }

    #[test]
    fn sizes_carry_their_unit_and_stay_in_range() {
        assert_eq!(size("64KiB", 0..=1 << 20), Ok(65_536));
        assert_eq!(size("64 kib", 0..=1 << 20), Ok(65_536));
        assert_eq!(size("8192", 8192..=9000), Ok(8192));
        for text in ["", "-1", "-1KiB", "64 parsecs", "KiB", "1GiB", "1", "NaN", "99999999999999999999999GiB"] {
            assert!(size(text, 8192..=1 << 20).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_an_ip_and_a_port() {
        for text in ["0.0.0.0:8080", "[::]:8080", "127.0.0.1:0", ":8080", "localhost:8080"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "8080",
            ":",
            ":x",
            "localhost",
            "localhost:",
            "chat.example.com:8080",
            "127.0.0.1",
            "127.0.0.1:65536",
            "::1:80",
            "http://1.1.1.1:1",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
        assert_eq!(address(":8080"), address("0.0.0.0:8080"));
        assert_eq!(address("localhost:8080"), address("127.0.0.1:8080"));
        assert_eq!(optional_address(""), Ok(None));
        assert_eq!(optional_address("off"), Ok(None));
        assert!(optional_address("on").is_err());
    }
}
