//! Clients, told apart by keyed hashes: whoever reads the memory of this process learns neither addresses nor cookies from
//! them, and nobody can make two clients look like one.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::num::NonZeroU32;

use super::known::Known;
use crate::close::{Address, RequestHeaders, Session, Text};
use crate::config::Visitor;

/// The keys of this process.
#[derive(Debug)]
pub(super) struct Clients {
    key: RandomState,
    /// The header or cookie that tells clients apart.
    visitor: Option<Visitor>,
}

// === impl Clients ===

impl Clients {
    pub(super) fn new(visitor: Option<Visitor>) -> Self {
        Self { key: RandomState::new(), visitor }
    }

    /// The hash of the header or cookie in an upgrade request. It is no longer than the gap in a session's memory.
    pub(super) fn visitor(&self, headers: &dyn RequestHeaders) -> Option<NonZeroU32> {
        let value = match self.visitor.as_ref()? {
            Visitor::Header(name) => headers.value(name)?,
            Visitor::Cookie(name) => cookie(headers.value("cookie")?, name)?,
        };
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash are as good as any others")]
        NonZeroU32::new(self.key.hash_one(value) as u32)
    }

    /// The client of a session on its route; `None` if many may be behind the address.
    pub(super) fn of(&self, session: &Session, known: &Known) -> Option<u64> {
        let request = &session.request;
        let mut hash = self.key.build_hasher();
        session.route.name.hash(&mut hash);
        if let Some(visitor) = request.visitor {
            visitor.hash(&mut hash);
            return Some(hash.finish());
        }
        let address = match &request.real_address {
            Some(address) => address,
            None if known.is_hop(&session.client) => return None,
            None => &session.client,
        };
        match address {
            Address::Ip(address) => address.ip().to_canonical().hash(&mut hash),
            Address::Unix(path) => path.hash(&mut hash),
        }
        request.user_agent.as_ref().map(Text::as_str).hash(&mut hash);
        Some(hash.finish())
    }
}

/// The value of a cookie in a `Cookie` header (RFC 6265 §5.4).
fn cookie<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(each, _)| *each == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str, &'static str);

    impl RequestHeaders for One {
        fn value(&self, name: &str) -> Option<&str> {
            (self.0 == name).then_some(self.1)
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let header = "theme=dark; sid=abc=; xsid=no";
        assert_eq!(cookie(header, "sid"), Some("abc="));
        assert_eq!(cookie(header, "id"), None);
        assert_eq!(cookie("", "sid"), None);
    }

    #[test]
    fn a_visitor_is_known_by_what_the_configuration_names_and_in_this_process_only() {
        let clients = Clients::new(Some(Visitor::Cookie("sid".into())));
        let of = |clients: &Clients, value| clients.visitor(&One("cookie", value));
        assert_eq!(of(&clients, "sid=a; t=1"), of(&clients, "t=2; sid=a"));
        assert_ne!(of(&clients, "sid=a"), of(&clients, "sid=b"));
        assert_ne!(of(&clients, "sid=a"), of(&Clients::new(Some(Visitor::Cookie("sid".into()))), "sid=a"));
        assert_eq!(clients.visitor(&One("x-device", "a")), None);
        let by_header = Clients::new(Some(Visitor::Header("x-device".into())));
        assert!(by_header.visitor(&One("x-device", "a")).is_some());
        assert_eq!(Clients::new(None).visitor(&One("cookie", "sid=a")), None);
    }
}
