//! `closewatch drain`: begin the drain of the running instance.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use url::Url;

/// The arguments of `drain`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The running instance's admin listener: http://host:port, or an address as the instance was given
    #[arg(long, value_name = "URL", env = "CLOSEWATCH_ADMIN", default_value = "http://127.0.0.1:9464", value_parser = admin_url)]
    pub admin: Url,

    /// Return when the instance has drained, not when it has begun to
    #[arg(long)]
    pub wait: bool,

    /// Give up waiting after this long, as in "30s" [default: never]
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = timeout)]
    pub timeout: Option<Duration>,
}

/// The instance and the command that drains it often share one environment, where `CLOSEWATCH_ADMIN` is the address to
/// bind: so an address will do, and the unspecified one stands for this host.
fn admin_url(text: &str) -> Result<Url, String> {
    if text == "off" {
        return Err("the admin listener is off, so nothing can be asked of the instance".to_owned());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        let address = SocketAddr::new(ip, address.port());
        return Url::parse(&format!("http://{address}")).map_err(|error| error.to_string());
    }
    let url = Url::parse(text).map_err(|error| format!("neither http://host:port nor IP:port ({error})"))?;
    if url.scheme() == "http" && url.has_host() {
        Ok(url)
    } else {
        Err("neither http://host:port nor IP:port".to_owned())
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    SpanParser::new().parse_unsigned_duration(text).map_err(|_| "not a duration, as in \"30s\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_was_bound_leads_back_to_the_instance() {
        for (text, expected) in [
            ("http://127.0.0.1:9464", "http://127.0.0.1:9464/"),
            ("http://pod-7:9464", "http://pod-7:9464/"),
            ("10.0.0.7:9464", "http://10.0.0.7:9464/"),
            ("0.0.0.0:9464", "http://127.0.0.1:9464/"),
            ("[::]:9464", "http://[::1]:9464/"),
        ] {
            assert_eq!(admin_url(text).unwrap().as_str(), expected, "{text}");
        }
        for text in ["", "off", "9464", "pod-7:9464", "https://127.0.0.1:9464", "unix:/run/x"] {
            assert!(admin_url(text).is_err(), "{text}");
        }
    }
}
