//! How to look a close code up.

use super::entries::ENTRIES;
use super::entry::Entry;
use crate::close::CloseCode;

// `entry` relies on it: a table with a hole must not compile.
const _: () = assert!(is_complete(ENTRIES), "the entries must cover 0 to 65535 in order, without gap or overlap");

/// The entry that `code` belongs to.
pub fn entry(code: CloseCode) -> &'static Entry {
    // In bounds: the last entry ends at 65535, and the assertion above holds at compile time.
    &ENTRIES[ENTRIES.partition_point(|entry| entry.code.last() < code)]
}

/// Whether IANA's registry has this very code (1004, 1005, 1006 and 1015 included).
pub fn is_registered(code: CloseCode) -> bool {
    entry(code).registered
}

/// Every code of IANA's registry, in order.
pub fn registered() -> impl Iterator<Item = CloseCode> {
    let registered = ENTRIES.iter().filter(|entry| entry.registered);
    registered.flat_map(|entry| (entry.code.first().0..=entry.code.last().0).map(CloseCode))
}

const fn is_complete(entries: &[Entry]) -> bool {
    // A `const fn` has no iterators. `next` is the code that the next entry must begin with.
    let mut next = 0_u32;
    let mut index = 0;
    while index < entries.len() {
        let (first, last) = (entries[index].code.first().0, entries[index].code.last().0);
        if first as u32 != next || last < first {
            return false;
        }
        next = last as u32 + 1;
        index += 1;
    }
    next == u16::MAX as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::super::entries::library;
    use super::*;
    use crate::close::Class;

    fn every_code() -> impl Iterator<Item = CloseCode> {
        (0..=u16::MAX).map(CloseCode)
    }

    #[test]
    fn every_code_has_the_one_entry_that_contains_it() {
        for code in every_code() {
            assert!(entry(code).code.contains(code), "{code}");
            assert_eq!(ENTRIES.iter().filter(|entry| entry.code.contains(code)).count(), 1, "{code}");
        }
        assert_eq!(ENTRIES[0].code.first(), CloseCode(0));
        assert_eq!(ENTRIES[ENTRIES.len() - 1].code.last(), CloseCode(u16::MAX));
    }

    #[test]
    fn a_table_with_a_hole_an_overlap_or_an_early_end_is_not_complete() {
        assert!(is_complete(&[library(0, 9), library(10, u16::MAX)]));
        assert!(!is_complete(&[library(0, 9), library(11, u16::MAX)]));
        assert!(!is_complete(&[library(0, 9), library(9, u16::MAX)]));
        assert!(!is_complete(&[library(1, u16::MAX)]));
        assert!(!is_complete(&[library(0, 9)]));
        assert!(!is_complete(&[]));
    }

    #[test]
    fn on_wire_agrees_with_what_an_endpoint_may_send() {
        for code in every_code() {
            assert_eq!(entry(code).on_wire, code.may_be_sent(), "{code}");
        }
    }

    #[test]
    fn the_registered_codes_are_those_of_the_registry() {
        let registered: Vec<u16> = every_code().filter(|&code| is_registered(code)).map(|code| code.0).collect();
        let expected: Vec<u16> = (1000..=1015).chain([3000, 3003, 3008]).collect();
        assert_eq!(registered, expected);
        assert_eq!(super::registered().map(|code| code.0).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn classes_are_those_of_the_verdict_table() {
        for code in every_code() {
            let expected = match code.0 {
                1000 | 1005 => Class::Clean,
                1001 | 1012 => Class::Planned,
                1008 | 1009 | 3000 | 3003 => Class::Policy,
                1002 | 1003 | 1004 | 1007 | 1010 | 1015 | 0..=999 | 1016..=2999 | 5000.. => Class::Protocol,
                1013 => Class::Overload,
                1006 | 1011 | 1014 => Class::Abnormal,
                3001..=4999 => Class::Application,
            };
            assert_eq!(entry(code).class, expected, "{code}");
        }
    }

    #[test]
    fn what_goes_wrong_in_other_lists_is_right_here() {
        let no_status = entry(CloseCode::NO_STATUS);
        assert!(no_status.meaning.contains("Close was received"), "1005 is a Close without a code, not a lost peer");
        assert_eq!(entry(CloseCode(1010)).name, "Mandatory Extension");
        assert!([1012, 1013, 1014].into_iter().all(|code| is_registered(CloseCode(code))));
    }

    #[test]
    fn texts_are_short_and_whole_sentences() {
        for entry in ENTRIES {
            let Entry { code, name, sent_by, meaning, seen_when, action, .. } = entry;
            assert!(!name.is_empty() && !name.ends_with('.'), "{code}");
            for text in [sent_by, meaning, seen_when, action] {
                assert!(text.ends_with('.'), "{code}: {text:?}");
                assert!(text.len() <= 400, "{code}: {} bytes: {text:?}", text.len());
                assert!(!text.contains("  ") && text.trim() == *text, "{code}: {text:?}");
            }
        }
    }

    #[test]
    fn codes_are_shown_as_a_number_or_a_range() {
        assert_eq!(entry(CloseCode::ABNORMAL).code.to_string(), "1006");
        assert_eq!(entry(CloseCode(4401)).code.to_string(), "4000-4999");
    }
}
