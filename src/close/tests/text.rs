//! Text of peers.

use proptest::prelude::*;

use crate::close::{MAX_TEXT, Text, is_unprintable};

#[test]
fn text_is_cut_at_a_character_and_never_shows_the_cut() {
    assert_eq!(Text::from("short").as_str(), "short");
    for (character, kept) in [("x", 256), ("é", 256), ("€", 255), ("🙂", 256)] {
        for shift in ["", "x", "xx", "xxx"] {
            let long = format!("{shift}{}", character.repeat(300));
            let text = Text::from(&*long);
            assert!(long.starts_with(text.as_str()), "{text:?}");
            assert!(text.as_str().len() > kept - 4 && text.as_str().len() <= MAX_TEXT);
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    assert_eq!(Text::from_bytes(b"a\xff\xfeb").as_str(), "a\u{fffd}\u{fffd}b");
    assert_eq!(Text::from_bytes(&[0xff; 1000]).as_str(), "\u{fffd}".repeat(85));
}

#[test]
fn what_steers_a_terminal_or_a_viewer_is_escaped() {
    let text = Text::from("a\u{1b}[31m\u{9b}\u{202e}b\u{200b}\u{2028}\u{feff}\u{e0041}é🙂");
    let escaped = "a\\u{1b}[31m\\u{9b}\\u{202e}b\\u{200b}\\u{2028}\\u{feff}\\u{e0041}é🙂";
    assert_eq!(text.escaped(), escaped);
    assert_eq!(format!("{text:?}"), format!("\"{escaped}\""));
}

proptest! {
    #[test]
    fn any_bytes_become_a_short_text_and_a_printable_one(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let text = Text::from_bytes(&bytes);
        prop_assert!(text.as_str().len() <= MAX_TEXT);
        prop_assert!(String::from_utf8_lossy(&bytes).starts_with(text.as_str()));
        prop_assert!(!text.escaped().chars().any(is_unprintable));
    }
}
