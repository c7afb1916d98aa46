//! Mistakes in a configuration, with their places.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is missing, a directory, forbidden, or too large to be a configuration.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It was read, and these things in it (or in flags and environment) are wrong.
    #[error("{}", lines(mistakes))]
    Invalid {
        /// All that was found, never empty; flags first, then the file from its top.
        mistakes: Vec<Mistake>,
    },
}

/// One thing that is wrong: `FILE:LINE: KEY: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// The key with its tables, as in `timeouts.idle`; none where a flag says it, or where the text is not TOML.
    pub key: Option<String>,
    /// The mistake, and the values that are allowed.
    pub message: String,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the command line or in the environment: a flag and its variable have one name and fill the same value. The name is
    /// that of the field in [`Overrides`](super::Overrides).
    Flag(&'static str),
    /// In the environment, under a name that is none of ours.
    Variable(String),
    /// In a file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

// === impl Mistake ===

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

// === impl Place ===

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{} (CLOSEWATCH_{})", name.replace('_', "-"), name.to_uppercase()),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}
