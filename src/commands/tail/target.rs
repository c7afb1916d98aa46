//! The address to ask.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The operator's address of an instance: `http://host:port`, or `host:port`; a path is a prefix, as of a proxy in between.
#[derive(Clone, Debug)]
pub struct Target(Url);

// === impl Target ===

impl Target {
    /// Host and port, to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        let host = self.0.host_str().unwrap_or_default();
        // A socket address has no brackets around an IPv6 address.
        (host.trim_start_matches('[').trim_end_matches(']'), self.0.port_or_known_default().unwrap_or(80))
    }

    /// The value of `Host`.
    pub(super) fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The path of an endpoint.
    pub(super) fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.0.path().trim_end_matches('/'))
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.map_err(|error| error.to_string())?;
        if url.scheme() == "http" {
            Ok(Self(url))
        } else {
            Err("only http:// is spoken to the admin address".to_owned())
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_no_scheme_and_may_have_a_prefix() {
        for (text, address, host, path) in [
            ("http://127.0.0.1:9464", ("127.0.0.1", 9464), "127.0.0.1:9464", "/closes"),
            ("localhost:9464", ("localhost", 9464), "localhost:9464", "/closes"),
            ("[::1]:9464", ("::1", 9464), "[::1]:9464", "/closes"),
            ("http://gateway/pod-7/", ("gateway", 80), "gateway", "/pod-7/closes"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.address(), &*target.host(), &*target.path("/closes")), (address, host, path), "{text}");
        }
        assert!("https://127.0.0.1:9464".parse::<Target>().unwrap_err().contains("http://"));
        assert!("".parse::<Target>().is_err());
    }
}
