//! The headers in which proxies pass the client's address on: `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded`, read
//! and written.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{self, FORWARDED, HeaderMap, HeaderName, HeaderValue};

use super::client::Client;
use crate::close::{Address, Text};
use crate::config::{AddressHeader, Forwarded, XForwarded};

pub(in crate::proxy) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(in crate::proxy) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(in crate::proxy) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The client's own address, as far as trusted sources vouch for it: the last in a chain of trust that begins at the
/// source and goes back through the hops of the header, of which `values` gives the values. `None` if it is the
/// socket's peer.
pub(in crate::proxy) fn real_address<'h>(
    client: &Client,
    forwarded: &Forwarded,
    values: impl FnOnce(&HeaderName) -> Vec<&'h [u8]>,
) -> Option<Address> {
    let proxied = client.proxied.clone();
    if !client.is_trusted(forwarded) {
        return proxied;
    }
    match forwarded.header {
        AddressHeader::XForwardedFor => {
            let values = values(&X_FORWARDED_FOR).into_iter().rev();
            last(proxied, forwarded, values.flat_map(|value| value.rsplit(|byte| *byte == b',')).map(hop))
        }
        AddressHeader::Forwarded => {
            let values = values(&FORWARDED).into_iter().rev();
            last(proxied, forwarded, values.flat_map(|value| elements(value, b',')).map(node))
        }
        AddressHeader::Off => proxied,
    }
}

/// The hops in front by the word of a source that is not trusted, for the record alone: it shows that there is a hop.
pub(in crate::proxy) fn untrusted_hops<'h>(
    client: &Client,
    forwarded: &Forwarded,
    values: impl Fn(&HeaderName) -> Vec<&'h [u8]>,
) -> Option<Box<Text>> {
    if client.is_trusted(forwarded) {
        return None;
    }
    let mut said = [X_FORWARDED_FOR, FORWARDED].into_iter().map(|name| join(values(&name).into_iter()));
    let hops = said.find(|value| !value.is_empty())?;
    warn_of_a_hop(client, forwarded);
    Some(Box::new(Text::from_bytes(&hops)))
}

/// Warns, once in the life of the process, that a session came through a hop in front that is not trusted.
fn warn_of_a_hop(client: &Client, forwarded: &Forwarded) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if forwarded.header == AddressHeader::Off || WARNED.swap(true, Ordering::Relaxed) {
        return;
    }
    tracing::warn!(
        source = %client.source(),
        "a session says that it was forwarded, and its source is not trusted: if that is a proxy of yours, name its network in \
         forwarded.trusted, and records have the client's address as client.real_address"
    );
}

/// Adds the client: its address is appended to `X-Forwarded-For`, `-Proto` and `-Host` are replaced. A trusted source keeps
/// its own values of these two.
pub(in crate::proxy) fn append(headers: &mut HeaderMap, client: &Client, forwarded: &Forwarded, scheme: &'static str) {
    match forwarded.x_forwarded {
        XForwarded::Pass => return,
        XForwarded::Append => {}
    }
    let hops = forwarded_for(headers.get_all(X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes), client);
    // Header values and an address, joined by commas, are a header value.
    if let Ok(hops) = HeaderValue::from_bytes(&hops)
        && !hops.is_empty()
    {
        headers.insert(X_FORWARDED_FOR, hops);
    }
    let keep = |headers: &HeaderMap, name| client.is_trusted(forwarded) && headers.contains_key(name);
    if !keep(headers, X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !keep(headers, X_FORWARDED_HOST) {
        match headers.get(header::HOST).cloned() {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
}

/// The same for a head that is passed on line by line: names and values of the headers that are set, if any is. `hops` is what
/// [`forwarded_for`] gives, and `has` says whether the head has a header.
pub(in crate::proxy) fn appended<'v>(
    hops: &'v [u8],
    client: &Client,
    forwarded: &Forwarded,
    [scheme, host]: [&'v str; 2],
    has: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (&'static str, &'v [u8])> {
    let appends = forwarded.x_forwarded == XForwarded::Append;
    let trusted = client.is_trusted(forwarded);
    let replaced = [("x-forwarded-proto", scheme), ("x-forwarded-host", host)];
    let replaced = replaced.into_iter().filter(move |(name, _)| !(trusted && has(name)));
    let set = std::iter::once(("x-forwarded-for", hops)).chain(replaced.map(|(name, value)| (name, value.as_bytes())));
    set.filter(move |_| appends)
}

/// `X-Forwarded-For`: the hops so far, and the client. Empty if neither is known.
pub(in crate::proxy) fn forwarded_for<'h>(hops: impl Iterator<Item = &'h [u8]>, client: &Client) -> Vec<u8> {
    let mut all = join(hops);
    if let Address::Ip(address) = client.source() {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        Address::push_ip(address.ip().to_canonical(), &mut all);
    }
    all
}

/// The values of a repeated header as one, as RFC 9110 §5.3 allows.
pub(in crate::proxy) fn join<'h>(values: impl Iterator<Item = &'h [u8]>) -> Vec<u8> {
    let mut all = Vec::new();
    for value in values {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(value);
    }
    all
}

/// The last in the chain of trust that goes on from `real` through `hops`, the nearest first. A hop that is not an
/// address ends the chain: "unknown", or a name that only the proxy understands.
fn last(
    mut real: Option<Address>,
    forwarded: &Forwarded,
    hops: impl Iterator<Item = Option<SocketAddr>>,
) -> Option<Address> {
    for hop in hops.map_while(|hop| hop) {
        real = Some(Address::Ip(hop));
        if !forwarded.trusts(hop.ip()) {
            break;
        }
    }
    real
}

/// The elements of a list, the last first; what stands in quotes is not taken apart. They are looked for from the end, where
/// those stand that trusted proxies have written: a quote that a client left open hides none of them.
fn elements(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut at) = (false, list.len());
    list.rsplit(move |byte| {
        at -= 1;
        // Called for quotes only, so no backslash is counted twice and the scan stays linear.
        let escapes = || list[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        quoted ^= *byte == b'"' && escapes() % 2 == 0;
        !quoted && *byte == separator
    })
}

/// A hop of `X-Forwarded-For`: an address, with or without a port.
fn hop(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let alone = |ip: IpAddr| SocketAddr::new(ip.to_canonical(), 0);
    let with_port = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    bare.parse().map(alone).ok().or_else(|| text.parse().map(with_port).ok())
}

/// An element of `Forwarded`: its `for`, of which an address in brackets stands in quotes (RFC 7239 §6).
fn node(element: &[u8]) -> Option<SocketAddr> {
    let value = elements(element, b';').find_map(|pair| {
        let (name, value) = pair.trim_ascii().split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })?;
    hop(value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forwarded(header: AddressHeader) -> Forwarded {
        let trusted = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec();
        Forwarded { trusted, header, ..Forwarded::default() }
    }

    /// The real address by one or more header values, of a client whose socket is at `peer`.
    fn real(peer: &str, proxied: Option<&str>, header: AddressHeader, values: &[&str]) -> Option<String> {
        let ip = |text: &str| Address::Ip(text.parse().unwrap());
        let client = Client { address: ip(peer), proxied: proxied.map(ip), tls: None };
        let values = values.iter().map(|value| value.as_bytes()).collect();
        real_address(&client, &forwarded(header), |_| values).map(|address| address.to_string())
    }

    #[test]
    fn the_last_hop_that_is_not_trusted_is_the_client() {
        for (values, expected) in [
            (&["203.0.113.7"][..], Some("203.0.113.7")),
            (&["6.6.6.6, 203.0.113.7"], Some("203.0.113.7")),
            (&["6.6.6.6", "203.0.113.7, 10.0.0.1"], Some("203.0.113.7")),
            (&["10.0.0.2, 10.0.0.1"], Some("10.0.0.2")),
            (&["203.0.113.7:4711"], Some("203.0.113.7:4711")),
            (&["[2001:db8::1]:4711 "], Some("[2001:db8::1]:4711")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["::ffff:203.0.113.7"], Some("203.0.113.7")),
            // The hops before an unknown one cannot be trusted.
            (&["6.6.6.6, unknown, 10.0.0.1"], Some("10.0.0.1")),
            (&["unknown"], None),
            (&[""], None),
            (&[], None),
            (&["203.0.113.7,"], None),
            (&["203.0.113.7\u{202e}"], None),
            // There are no quotes in this header, and no open one hides what was appended.
            (&["\", 203.0.113.7"], Some("203.0.113.7")),
        ] {
            let found = real("127.0.0.1:1", None, AddressHeader::XForwardedFor, values);
            assert_eq!(found.as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        for (value, expected) in [
            ("for=203.0.113.7", Some("203.0.113.7")),
            ("For=203.0.113.7;proto=https;by=10.0.0.1", Some("203.0.113.7")),
            ("proto=https; for=\"[2001:db8::1]:4711\"", Some("[2001:db8::1]:4711")),
            ("for=6.6.6.6, for=203.0.113.7;host=\"a, for=7.7.7.7\"", Some("203.0.113.7")),
            ("for=203.0.113.7, for=10.0.0.1", Some("203.0.113.7")),
            ("for=\"6.6.6.6, for=203.0.113.7", Some("203.0.113.7")),
            ("for=203.0.113.7;by=\"a\\\", for=7.7.7.7\"", Some("203.0.113.7")),
            ("for=6.6.6.6, for=_hidden", None),
            ("for=unknown", None),
            ("for=\"203.0.113.7", None),
            ("proto=https", None),
            ("for", None),
        ] {
            assert_eq!(real("127.0.0.1:1", None, AddressHeader::Forwarded, &[value]).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn who_is_not_trusted_is_not_asked() {
        let says = &["203.0.113.7"];
        let header = AddressHeader::XForwardedFor;
        assert_eq!(real("192.0.2.1:1", None, header, says), None);
        // Trust in a balancer does not cover the address that it announces.
        assert_eq!(real("127.0.0.1:1", Some("192.0.2.1:2"), header, says).as_deref(), Some("192.0.2.1:2"));
        assert_eq!(real("127.0.0.1:1", Some("10.0.0.1:2"), header, says).as_deref(), Some("203.0.113.7"));
        assert_eq!(real("127.0.0.1:1", None, AddressHeader::Off, says), None);
    }

    proptest! {
        /// The address that a trusted proxy appends is found behind any text that a client sends.
        #[test]
        fn nothing_that_a_client_says_hides_it(said in "[ -~]{0,40}|[\\\\\",;= ]{0,10}", joined: bool) {
            for (header, appended) in [
                (AddressHeader::XForwardedFor, "203.0.113.7"),
                (AddressHeader::Forwarded, "for=203.0.113.7"),
                (AddressHeader::Forwarded, "by=\"[::1]\";for=\"203.0.113.7\";host=\"a, b\""),
            ] {
                let values = if joined { vec![format!("{said}, {appended}")] } else { vec![said.clone(), appended.to_owned()] };
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let found = real("127.0.0.1:1", None, header, &values);
                prop_assert_eq!(found.as_deref(), Some("203.0.113.7"), "{:?}", values);
            }
        }
    }
}
