//! Settings for hops in front: which of them are trusted, and which headers are written for the upstream.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::section::{Section, read_fields};
use super::values::{Parsed, show_switch, switch, text};
use super::words::words;

/// The hops in front that are trusted, and the headers added to requests.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Forwarded {
    /// The treatment of `X-Forwarded-For`, `-Proto` and `-Host`. Default `pass`.
    pub x_forwarded: XForwarded,
    /// Sources whose forwarded headers are believed. Default none.
    #[serde(serialize_with = "show_networks")]
    pub trusted: Vec<IpNet>,
    /// The header in which they name the client. Default `x-forwarded-for`.
    pub header: AddressHeader,
    /// Whether connections of trusted sources begin with a PROXY protocol header; then each must. Default off.
    #[serde(serialize_with = "show_switch")]
    pub proxy_protocol: bool,
}

words! {
    /// The treatment of the `X-Forwarded-…` headers.
    XForwarded {
        /// They pass as they came, and none is added: right behind any other proxy, which knows client and scheme.
        Pass = "pass",
        /// closewatch is the first hop: the client's address is appended, scheme and host are set.
        Append = "append",
    }

    /// The header in which trusted sources name the client. Only one is read: a source may pass on the other as its client
    /// wrote it.
    AddressHeader {
        /// The hops of `X-Forwarded-For`.
        XForwardedFor = "x-forwarded-for",
        /// The hops of `Forwarded` (RFC 7239).
        Forwarded = "forwarded",
        /// Nowhere.
        Off = "off",
    }
}

// === impl Forwarded ===

impl Forwarded {
    /// Whether `source` is believed.
    pub fn trusts(&self, source: IpAddr) -> bool {
        // A socket that listens on [::] shows IPv4 as IPv6.
        let source = source.to_canonical();
        self.trusted.iter().any(|network| network.contains(&source))
    }

    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let mut forwarded = Self::default();
        read_fields!(section, forwarded, [x_forwarded], |v| match text(v)? {
            // The word of earlier versions.
            "off" => Ok(XForwarded::Pass),
            word => XForwarded::parse(word),
        });
        read_fields!(section, forwarded, [header], |v| AddressHeader::parse(text(v)?));
        read_fields!(section, forwarded, [proxy_protocol], |v| switch(text(v)?));
        let given = section.list("trusted");
        for item in &given {
            match text(item.value).and_then(network) {
                Ok(network) => forwarded.trusted.push(network),
                Err(message) => section.wrong(item.line, "trusted", message),
            }
        }
        if forwarded.proxy_protocol
            && given.is_empty()
            && let Some(line) = section.line_of("proxy_protocol")
        {
            let message = "is for nobody: name the sources that speak it in trusted".to_owned();
            section.wrong(line, "proxy_protocol", message);
        }
        section.finish();
        forwarded
    }
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Parsed<IpNet> {
    let wrong = || format!("{text:?} is not a network: an address with or without a length, as in \"10.0.0.0/8\"");
    let network: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| wrong())?;
    match network.trunc() {
        first if first.addr() == network.addr() => Ok(network),
        first => Err(format!("{text:?} is an address within a network: write \"{first}\" for all of it")),
    }
}

pub(super) fn show_networks<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(networks.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_with_or_without_a_length() {
        for text in ["10.0.0.0/8", "192.0.2.7", "192.0.2.7/32", "0.0.0.0/0", "2001:db8::/32", "::1"] {
            assert!(network(text).is_ok(), "{text}");
        }
        for text in ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "localhost", "*", "10.0.0.0/8 ", "[::1]", "::/129"] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn trust_is_by_network_and_ipv4_is_ipv4_however_it_is_shown() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"].map(|text| network(text).unwrap()).to_vec();
        let forwarded = Forwarded { trusted, ..Forwarded::default() };
        for text in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
            assert!(forwarded.trusts(text.parse().unwrap()), "{text}");
        }
        for text in ["11.0.0.1", "::ffff:11.0.0.1", "::10.1.2.3", "2001:db9::1"] {
            assert!(!forwarded.trusts(text.parse().unwrap()), "{text}");
        }
        assert!(!Forwarded::default().trusts("127.0.0.1".parse().unwrap()));
    }
}
