//! Addresses of clients, as numbers.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address without its port: IPv4 as IPv6 maps it; 0 for none, or one that cannot be read.
pub(super) type Ip = u128;

/// Reads `10.1.2.3`, `10.1.2.3:55555`, `[2001:db8::1]:5` and `2001:db8::1`.
pub(super) fn read(text: &str) -> Ip {
    // Most records have no second address.
    if text.is_empty() {
        return 0;
    }
    if let Some(ip) = usual(text.as_bytes()) {
        return of_ip(ip.into());
    }
    any(text)
}

/// Of IPv4, with a port: so the record has most of them.
fn usual(text: &[u8]) -> Option<Ipv4Addr> {
    let mut rest = text;
    // A number of at most so many digits, without needless zeros, and the byte behind it.
    let mut number = |digits: usize, behind: Option<u8>| {
        let (mut number, mut count) = (0, 0);
        let found = loop {
            let byte = rest.get(count).copied();
            let Some(digit) = byte.map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) else { break byte };
            number = number * 10 + u32::from(digit);
            count += 1;
            if count > digits {
                return None;
            }
        };
        if count == 0 || count > 1 && rest[0] == b'0' || found != behind {
            return None;
        }
        rest = rest.get(count + 1..).unwrap_or_default();
        Some(number)
    };
    let dot = Some(b'.');
    let parts = [number(3, dot)?, number(3, dot)?, number(3, dot)?, number(3, Some(b':'))?];
    u16::try_from(number(5, None)?).ok()?;
    let [a, b, c, d] = parts.map(u8::try_from);
    Some(Ipv4Addr::new(a.ok()?, b.ok()?, c.ok()?, d.ok()?))
}

fn any(text: &str) -> Ip {
    let ip = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse::<IpAddr>());
    ip.map_or(0, of_ip)
}

/// An address as a number.
pub(super) fn of_ip(ip: IpAddr) -> Ip {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The first address that `X-Forwarded-For` or `Forwarded` names.
pub(super) fn forwarded(header: &str) -> Ip {
    let first = header.split([',', ';']).next().unwrap_or("").trim();
    let first = first.get(..4).filter(|name| name.eq_ignore_ascii_case("for=")).map_or(first, |_| &first[4..]);
    let first = first.trim_matches('"');
    read(first.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(first))
}

/// Whether it is one that only one host can have: 127.0.0.0/8 and ::1.
pub(super) fn is_loopback(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    text.starts_with("unix:") || host.starts_with("127.") || host == "[::1]" || host == "localhost"
}

/// The same of a number.
pub(super) fn is_local(ip: Ip) -> bool {
    let ip = Ipv6Addr::from_bits(ip);
    ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
}

/// Its subnet, /24 or /48.
pub(super) fn subnet(ip: Ip) -> Ip {
    if Ipv6Addr::from_bits(ip).to_ipv4_mapped().is_some() { ip & !0xff } else { ip & !((1 << 80) - 1) }
}

/// An address, as it is written.
pub(super) fn show(ip: Ip) -> String {
    let ip = Ipv6Addr::from_bits(ip);
    ip.to_ipv4_mapped().map_or_else(|| ip.to_string(), |ip| ip.to_string())
}

/// A subnet, as it is written.
pub(super) fn show_subnet(subnet: Ip) -> String {
    let mut text = show(subnet);
    let bits = if Ipv6Addr::from_bits(subnet).to_ipv4_mapped().is_some() { 24 } else { 48 };
    let _ = write!(text, "/{bits}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_ports_are_the_same_by_either_way() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut read = 0;
        for _ in 0..20_000 {
            let part = |random: &mut fastrand::Rng| random.u32(..300) % random.u32(1..=300);
            let zero = if random.u8(..40) == 0 { "0" } else { "" };
            let behind = random.u32(..70_000) % random.u32(1..=70_000);
            let [a, b, c, d] = std::array::from_fn(|_| part(&mut random));
            let mut text = format!("{a}.{zero}{b}.{c}.{d}:{behind}");
            if random.u8(..20) == 0 {
                text.insert(random.usize(..text.len()), *random.choice(b".:0a ").unwrap() as char);
            }
            let usual = usual(text.as_bytes()).map(|ip| of_ip(ip.into()));
            assert!(usual.is_none_or(|ip| ip == any(&text)), "{text}");
            read += usize::from(usual.is_some());
        }
        assert!(read > 10_000, "{read}");
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        let v4 = read("198.51.100.7");
        for text in ["198.51.100.7:4711", "::ffff:198.51.100.7"] {
            assert_eq!(read(text), v4, "{text}");
        }
        for header in
            ["198.51.100.7, 10.0.0.1", "for=198.51.100.7;proto=https", "For=\"198.51.100.7:80\", for=10.0.0.1"]
        {
            assert_eq!(forwarded(header), v4, "{header}");
        }
        assert_eq!(forwarded("for=\"[2001:db8::1]\""), read("[2001:db8::1]:9"));
        assert_eq!((read("unix:/run/a"), forwarded("for=_hidden"), forwarded("")), (0, 0, 0));
        assert_eq!((show(v4), show_subnet(subnet(v4))), ("198.51.100.7".to_owned(), "198.51.100.0/24".to_owned()));
        assert_eq!(show_subnet(subnet(read("2001:db8:1:2::3"))), "2001:db8:1::/48");
    }
}
