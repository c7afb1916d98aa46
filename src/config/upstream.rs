//! Where a route's sessions go.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use http::uri::Authority;
use rustls::pki_types::ServerName;
use serde::{Serialize, Serializer};
use url::Url;

/// The longest path that fits into a Unix socket's address on Linux: `sun_path` has 108 bytes, the last is NUL.
const LONGEST_SOCKET_PATH: usize = 107;

const ALLOWED: &str = "http://host:port, http://host (port 80), https:// for TLS (port 443), or unix:/path/to.sock";

/// An upstream as it was configured, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The address to dial.
    pub target: Target,
    /// The server name to verify if the upstream speaks TLS: the host.
    pub tls: Option<ServerName<'static>>,
    /// The value of `Host` where closewatch has to fill it in: host and, unless it is that of the scheme, port.
    /// `localhost` for a Unix socket.
    pub authority: Authority,
    written: String,
}

/// The address to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// TCP.
    Tcp {
        /// A name, to be resolved at each dial, or an IP address without brackets.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
    },
}

/// Not an upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UpstreamError(String);

// === impl Upstream ===

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let parsed = match text.strip_prefix("unix:") {
            Some(path) => unix(path).map(|target| (target, None, Authority::from_static("localhost"))),
            None => tcp(text),
        };
        let (target, tls, authority) = parsed.map_err(|why| refused(text, &why))?;
        Ok(Self { target, tls, authority, written: text.to_owned() })
    }
}

/// As it was written.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Serialize for Upstream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

fn refused(text: &str, why: &str) -> UpstreamError {
    // A password must not reach the log by way of the error that refuses it.
    let shown = if text.contains('@') { "the URL".to_owned() } else { format!("{text:?}") };
    UpstreamError(format!("{shown} {why}; allowed: {ALLOWED}"))
}

fn unix(path: &str) -> Result<Target, String> {
    // `unix:///run/x.sock`, the URL form, means `/run/x.sock`; in `unix://run/x.sock` `run` would be a host.
    let path = match path.strip_prefix("//") {
        Some(rest) => rest,
        None => path,
    };
    if !path.starts_with('/') {
        return Err("has no absolute path".to_owned());
    }
    if path.ends_with('/') || path.contains('\0') {
        return Err("does not name a socket".to_owned());
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return Err(format!("is longer than a socket's path may be ({LONGEST_SOCKET_PATH} bytes)"));
    }
    Ok(Target::Unix { path: path.into() })
}

fn tcp(text: &str) -> Result<(Target, Option<ServerName<'static>>, Authority), String> {
    // The URL standard drops tabs, newlines and outer spaces in silence; a configuration should not.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("contains a space or control character".to_owned());
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Err("has no scheme".to_owned()) };
    let with_tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        "ws" => return Err("should begin with http://, which WebSocket begins as".to_owned()),
        "wss" => return Err("should begin with https://, which WebSocket begins as".to_owned()),
        _ => return Err("has an unknown scheme".to_owned()),
    };
    if rest.contains('@') {
        return Err("contains a user name or password, which would end up in logs".to_owned());
    }
    if rest.contains(['?', '#', '\\']) || rest.find('/').is_some_and(|slash| slash + 1 < rest.len()) {
        return Err("has a path or query: requests keep the path they came with".to_owned());
    }
    let bare = rest.trim_end_matches('/');
    if !bare.starts_with('[') && bare.matches(':').count() > 1 {
        let address = bare.parse::<Ipv6Addr>().map(|ip| format!("[{ip}]")).ok();
        let with_port = bare.rsplit_once(':').filter(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok());
        let meant = with_port.map(|(ip, port)| format!("[{ip}]:{port}")).or(address);
        let meant = meant.unwrap_or_else(|| "[::1]:9000".to_owned());
        return Err(format!("has an IPv6 address without brackets: \"{scheme}://{meant}\""));
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    let port = url.port_or_known_default().unwrap_or(80);
    if port == 0 {
        return Err("has port 0".to_owned());
    }
    let host = match url.host() {
        Some(url::Host::Domain(name)) => name.to_owned(),
        Some(url::Host::Ipv4(ip)) => ip.to_string(),
        Some(url::Host::Ipv6(ip)) => ip.to_string(),
        None => return Err("has no host".to_owned()),
    };
    let authority = url.authority().parse().map_err(|_| "has a host that cannot stand in a request".to_owned())?;
    let tls = if with_tls {
        Some(
            ServerName::try_from(host.clone())
                .map_err(|_| "has a host that cannot stand in a certificate".to_owned())?,
        )
    } else {
        None
    };
    Ok((Target::Tcp { host, port }, tls, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(text: &str) -> Upstream {
        text.parse().unwrap()
    }

    fn target(host: &str, port: u16) -> Target {
        Target::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn an_http_url_gives_host_port_and_authority() {
        for (text, expected, authority) in [
            ("http://127.0.0.1:9000", target("127.0.0.1", 9000), "127.0.0.1:9000"),
            ("http://chat.internal", target("chat.internal", 80), "chat.internal"),
            ("http://chat.internal:80/", target("chat.internal", 80), "chat.internal"),
            ("HTTP://Chat.Internal:9000", target("chat.internal", 9000), "chat.internal:9000"),
            ("http://[::1]:9000", target("::1", 9000), "[::1]:9000"),
            ("https://chat.internal", target("chat.internal", 443), "chat.internal"),
            ("https://chat.internal:443", target("chat.internal", 443), "chat.internal"),
            ("https://[::1]:9443", target("::1", 9443), "[::1]:9443"),
        ] {
            let upstream = upstream(text);
            assert_eq!(upstream.target, expected, "{text}");
            assert_eq!(upstream.authority, authority, "{text}");
            assert_eq!(upstream.tls.is_some(), text.starts_with("https"), "{text}");
            assert_eq!(upstream.to_string(), text, "kept as written");
        }
    }

    #[test]
    fn a_unix_url_gives_a_path() {
        for text in ["unix:/run/chat.sock", "unix:///run/chat.sock"] {
            assert_eq!(upstream(text).target, Target::Unix { path: "/run/chat.sock".into() });
            assert_eq!(upstream(text).authority, "localhost");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "no scheme"),
            ("127.0.0.1:9000", "no scheme"),
            ("localhost:9000", "no scheme"),
            ("wss://chat.internal", "https://"),
            ("https://host:0", "port 0"),
            ("ws://chat.internal", "http://"),
            ("ftp://chat.internal", "unknown scheme"),
            ("http://", "not a URL"),
            ("http://:9000", "not a URL"),
            ("http://::1:9000", "brackets: \"http://[::1]:9000\""),
            ("http://2001:db8::7", "brackets: \"http://["),
            ("https://a:b:c", "brackets"),
            ("http://host:0", "port 0"),
            ("http://host:65536", "not a URL"),
            ("http://host/path", "path or query"),
            ("http://host//", "path or query"),
            ("http://host?x", "path or query"),
            ("http://host/?x", "path or query"),
            ("http://host#x", "path or query"),
            ("http://user:secret@host", "user name or password"),
            ("http://ho st", "space"),
            (" http://host", "space"),
            ("unix:", "no absolute path"),
            ("unix:chat.sock", "no absolute path"),
            ("unix://run/chat.sock", "no absolute path"),
            ("unix:/run/", "name a socket"),
        ] {
            let error = text.parse::<Upstream>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(format!("unix:/{}", "x".repeat(107)).parse::<Upstream>().is_err(), "does not fit into an address");
    }
}
