//! The subprotocols and extensions that an upgrade request offers, and whether a 101 keeps to them (RFC 6455 §4.1).

use crate::proxy::source::forwarded::join;
use crate::wire::Violation;

const PERMESSAGE_DEFLATE: &[u8] = b"permessage-deflate";
const CLIENT_MAX_WINDOW_BITS: &[u8] = b"client_max_window_bits";

/// An offer, or in a 101 the selection from it. Never recorded: offers carry tokens.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Offer {
    /// Lists as the headers have them; empty without the header.
    subprotocols: Vec<u8>,
    extensions: Vec<u8>,
}

// === impl Offer ===

impl Offer {
    /// The offer of a head with these values of `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions`.
    pub(in crate::proxy) fn of<'h>(
        subprotocols: impl Iterator<Item = &'h [u8]>,
        extensions: impl Iterator<Item = &'h [u8]>,
    ) -> Self {
        Self { subprotocols: join(subprotocols), extensions: join(extensions) }
    }

    /// The rules that a 101 with this selection breaks.
    pub(in crate::proxy) fn contradictions(&self, selected: &Self) -> Vec<Violation> {
        let subprotocol = (!self.allows_subprotocol(&selected.subprotocols)).then_some(Violation::Subprotocol);
        let extension = (!self.allows_extensions(&selected.extensions)).then_some(Violation::Extension);
        [subprotocol, extension].into_iter().flatten().collect()
    }

    /// One of those offered; browsers insist on one if any is.
    fn allows_subprotocol(&self, selected: &[u8]) -> bool {
        let selected = selected.trim_ascii();
        let mut offered = parts(&self.subprotocols, b',');
        if selected.is_empty() { offered.next().is_none() } else { offered.any(|offered| offered == selected) }
    }

    /// Each once, with parameters that its offer admits.
    fn allows_extensions(&self, selected: &[u8]) -> bool {
        let selected: Vec<_> = parts(selected, b',').map(Extension::of).collect();
        selected.iter().enumerate().all(|(nth, extension)| {
            let is_repeated = selected[..nth].iter().any(|before| before.name.eq_ignore_ascii_case(extension.name));
            let offers = || parts(&self.extensions, b',').map(Extension::of);
            let mut offers = offers().filter(|offer| offer.name.eq_ignore_ascii_case(extension.name));
            let Some(first) = offers.next() else { return false };
            let may_limit_client = first.has(CLIENT_MAX_WINDOW_BITS) || offers.any(|it| it.has(CLIENT_MAX_WINDOW_BITS));
            let is_deflate = extension.name.eq_ignore_ascii_case(PERMESSAGE_DEFLATE);
            !is_repeated && (!is_deflate || extension.is_deflate_answer(may_limit_client))
        })
    }
}

/// An extension and its parameters.
struct Extension<'h> {
    name: &'h [u8],
    parameters: Vec<(&'h [u8], Option<&'h [u8]>)>,
}

// === impl Extension ===

impl<'h> Extension<'h> {
    fn of(text: &'h [u8]) -> Self {
        let mut parts = parts(text, b';');
        let name = parts.next().unwrap_or_default();
        let parameter = |text: &'h [u8]| match text.iter().position(|byte| *byte == b'=') {
            Some(at) => (text[..at].trim_ascii(), Some(unquoted(text[at + 1..].trim_ascii()))),
            None => (text, None),
        };
        Self { name, parameters: parts.map(parameter).collect() }
    }

    fn has(&self, parameter: &[u8]) -> bool {
        self.parameters.iter().any(|(name, _)| *name == parameter)
    }

    /// Whether these are parameters of an answer (RFC 7692 §7.1): known ones, each once, with a value where one belongs.
    fn is_deflate_answer(&self, may_limit_client: bool) -> bool {
        self.parameters.iter().enumerate().all(|(nth, (name, value))| {
            let is_repeated = self.parameters[..nth].iter().any(|(before, _)| before == name);
            let is_known = match (*name, *value) {
                (b"server_no_context_takeover" | b"client_no_context_takeover", None) => true,
                (b"server_max_window_bits", Some(bits)) => is_window_bits(bits),
                (CLIENT_MAX_WINDOW_BITS, Some(bits)) => may_limit_client && is_window_bits(bits),
                (_, _) => false,
            };
            is_known && !is_repeated
        })
    }
}

/// 8 to 15, without a zero in front.
const fn is_window_bits(value: &[u8]) -> bool {
    matches!(value, [b'8' | b'9'] | [b'1', b'0'..=b'5'])
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// The parts of a list that are not empty.
fn parts(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    list.split(move |byte| *byte == separator).map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(subprotocols: &str, extensions: &str) -> Offer {
        Offer { subprotocols: subprotocols.into(), extensions: extensions.into() }
    }

    #[test]
    fn a_subprotocol_is_one_of_those_offered() {
        for (offered, selected, allowed) in [
            ("", "", true),
            ("graphql-ws", "graphql-ws", true),
            ("graphql-transport-ws, graphql-ws", "graphql-ws", true),
            ("chat,  superchat", " superchat ", true),
            // Compared by case, and browsers insist on one.
            ("chat", "Chat", false),
            ("chat", "", false),
            ("", "chat", false),
            ("chat, superchat", "chat, superchat", false),
            ("chat", "mqtt", false),
        ] {
            let broken = offer(offered, "").contradictions(&offer(selected, ""));
            let expected = if allowed { vec![] } else { vec![Violation::Subprotocol] };
            assert_eq!(broken, expected, "{offered:?} {selected:?}");
        }
    }

    #[test]
    fn an_extension_is_one_of_those_offered_with_parameters_that_it_admits() {
        let chromium = "permessage-deflate; client_max_window_bits";
        for (offered, selected, allowed) in [
            ("", "", true),
            (chromium, "", true),
            (chromium, "permessage-deflate", true),
            (chromium, "Permessage-Deflate; server_no_context_takeover; client_no_context_takeover", true),
            (chromium, "permessage-deflate; server_max_window_bits=12; client_max_window_bits=15", true),
            (chromium, "permessage-deflate;client_max_window_bits=\"8\"", true),
            ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate; server_max_window_bits=10", true),
            ("foo; a=1, bar", "bar; b", true),
            ("", "permessage-deflate", false),
            ("foo", "permessage-deflate", false),
            ("permessage-deflate", "permessage-deflate; client_max_window_bits=12", false),
            (chromium, "permessage-deflate; client_max_window_bits", false),
            (chromium, "permessage-deflate; server_max_window_bits=7", false),
            (chromium, "permessage-deflate; server_max_window_bits=16", false),
            (chromium, "permessage-deflate; server_max_window_bits=08", false),
            (chromium, "permessage-deflate; server_no_context_takeover=1", false),
            (chromium, "permessage-deflate; server_no_context_takeover; server_no_context_takeover", false),
            (chromium, "permessage-deflate; level=9", false),
            (chromium, "permessage-deflate, permessage-deflate", false),
        ] {
            let broken = offer("", offered).contradictions(&offer("", selected));
            let expected = if allowed { vec![] } else { vec![Violation::Extension] };
            assert_eq!(broken, expected, "{offered:?} {selected:?}");
        }
    }

    #[test]
    fn both_may_be_broken_at_once() {
        let chat = offer("chat, , superchat,", "");
        let selected = offer("mqtt", "permessage-deflate");
        assert_eq!(chat.contradictions(&selected), [Violation::Subprotocol, Violation::Extension]);
    }
}
