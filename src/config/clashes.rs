//! Addresses that cannot work together: two listeners on one address, or an upstream that is a listener of closewatch itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::draft::{Places, RouteDraft};
use super::error::Mistake;
use super::given::Given;
use super::settings::Config;
use super::upstream::Target;

/// A listener: its key, its address, and where that is given.
struct Listener<'a> {
    key: &'static str,
    address: SocketAddr,
    place: Option<&'a Given<()>>,
}

/// Notes every clash.
pub(super) fn find(config: &Config, places: &Places, routes: &[RouteDraft], mistakes: &mut Vec<Mistake>) {
    let listeners: Vec<_> = [
        ("listen", Some(config.listen), &places.listen),
        ("admin.listen", config.admin.listen, &places.admin),
        ("metrics.listen", config.metrics.listen, &places.metrics),
    ]
    .into_iter()
    .filter_map(|(key, address, place)| Some(Listener { key, address: address?, place: place.as_ref() }))
    .collect();
    for (at, listener) in listeners.iter().enumerate() {
        let Some(other) = listeners[..at].iter().find(|other| collide(listener.address, other.address)) else {
            continue;
        };
        // A default stands nowhere in the configuration, so the mistake is at the other one.
        let (wrong, other) = if listener.place.is_some() { (listener, other) } else { (other, listener) };
        if let Some(place) = wrong.place {
            let message = format!("is taken already: {} is {}", other.key, other.address);
            mistakes.push(place.mistake(message));
        }
    }
    for (route, draft) in config.routes.iter().zip(routes) {
        let Target::Tcp { host, port } = &route.upstream.target else { continue };
        let own = listeners.iter().find(|own| addresses(host).iter().any(|ip| reaches(*ip, *port, own.address)));
        if let Some(own) = own {
            let message = format!("leads back to closewatch itself: {} is {}", own.key, own.address);
            mistakes.push(draft.upstream.mistake(message));
        }
    }
}

/// Whether two listeners cannot both have their address. The system chooses port 0 anew for each.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0 && one.port() == other.port() && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}

/// Whether a connection to this address reaches a listener. Of a listener on all addresses only loopback is considered.
fn reaches(ip: IpAddr, port: u16, listener: SocketAddr) -> bool {
    port == listener.port() && (ip == listener.ip() || ip.is_loopback() && covers(listener.ip(), ip))
}

/// Whether a listener on one address takes connections to the other: `0.0.0.0` is all of IPv4, `[::]` is all.
fn covers(listener: IpAddr, ip: IpAddr) -> bool {
    listener == ip || listener.is_unspecified() && (listener.is_ipv6() || ip.is_ipv4())
}

/// The addresses that a host surely has, without a look-up.
fn addresses(host: &str) -> Vec<IpAddr> {
    let localhost = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    match host.parse::<IpAddr>() {
        // Dialling it reaches this host.
        Ok(ip) if ip.is_unspecified() => localhost.to_vec(),
        Ok(ip) => vec![ip],
        Err(_) if host.eq_ignore_ascii_case("localhost") => localhost.to_vec(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn two_listeners_collide_on_one_port_of_addresses_that_overlap() {
        for (one, other) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("[::]:80", "0.0.0.0:80"),
        ] {
            assert!(collide(address(one), address(other)) && collide(address(other), address(one)), "{one} {other}");
        }
        for (one, other) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:80", "127.0.0.2:80"),
            ("0.0.0.0:80", "[::1]:80"),
        ] {
            assert!(!collide(address(one), address(other)) && !collide(address(other), address(one)), "{one} {other}");
        }
    }

    #[test]
    fn an_upstream_that_is_the_listener_is_known_by_what_needs_no_look_up() {
        let is_own =
            |host: &str, port, listener| addresses(host).iter().any(|ip| reaches(*ip, port, address(listener)));
        for (host, listener) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("127.0.0.1", "0.0.0.0:80"),
            ("localhost", "0.0.0.0:80"),
            ("LOCALHOST", "[::1]:80"),
            ("::1", "[::]:80"),
            ("0.0.0.0", "0.0.0.0:80"),
            ("192.0.2.1", "192.0.2.1:80"),
        ] {
            assert!(is_own(host, 80, listener), "{host} {listener}");
            assert!(!is_own(host, 81, listener), "{host} {listener}");
        }
        for (host, listener) in
            [("127.0.0.1", "192.0.2.1:80"), ("192.0.2.1", "0.0.0.0:80"), ("chat", "0.0.0.0:80"), ("::1", "0.0.0.0:80")]
        {
            assert!(!is_own(host, 80, listener), "{host} {listener}");
        }
    }
}
