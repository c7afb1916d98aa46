//! A macro for settings that take one word of a fixed set.

/// Declares a set of words, the first of which is the default.
macro_rules! words {
    ($(
        $(#[$meta:meta])* $name:ident {
            $(#[$first_meta:meta])* $first:ident = $first_word:literal
            $(, $(#[$variant_meta:meta])* $variant:ident = $word:literal )* $(,)?
        }
    )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $(#[$first_meta])* #[default] $first,
            $( $(#[$variant_meta])* $variant, )*
        }

        impl $name {
            /// The word in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self { Self::$first => $first_word, $( Self::$variant => $word, )* }
            }

            pub(super) fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $first_word => Ok(Self::$first),
                    $( $word => Ok(Self::$variant), )*
                    _ => Err(format!("{text:?} is none of: {}", [$first_word, $( $word ),*].join(", "))),
                }
            }
        }

        impl $crate::config::words::Words for $name {
            fn words() -> impl Iterator<Item = &'static str> {
                [$first_word, $( $word ),*].into_iter()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )+ };
}

pub(super) use words;

/// Such a set, as a list of its words.
pub(super) trait Words {
    fn words() -> impl Iterator<Item = &'static str>;
}
