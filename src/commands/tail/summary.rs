//! The last words: how many endings there were, by class.

use std::fmt;

use tokio::time::Instant;

use crate::close::Class;

/// Counts since the start.
pub(super) struct Summary {
    began: Instant,
    /// By class, in the order of [`Class::ALL`].
    closed: Vec<u64>,
    handshakes: u64,
    pub(super) missed: u64,
    pub(super) left_out: u64,
}

// === impl Summary ===

impl Summary {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), closed: vec![0; Class::ALL.len()], handshakes: 0, missed: 0, left_out: 0 }
    }

    /// One more line; without a class it is a failed handshake.
    pub(super) fn count(&mut self, class: Option<Class>) {
        let count = match class {
            Some(class) => Class::ALL.iter().position(|known| *known == class).and_then(|at| self.closed.get_mut(at)),
            None => Some(&mut self.handshakes),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions: u64 = self.closed.iter().sum();
        write!(f, "{} ended in {} s", counted(sessions, "session"), self.began.elapsed().as_secs())?;
        let counts = Class::ALL.iter().zip(&self.closed).filter(|(_, count)| **count > 0);
        for (number, (class, count)) in counts.enumerate() {
            write!(f, "{} {count} {class}", if number == 0 { ":" } else { "," })?;
        }
        if self.handshakes > 0 {
            write!(f, "; {} failed", counted(self.handshakes, "upgrade"))?;
        }
        for (count, what) in
            [(self.missed, "were missed"), (self.left_out, "were left out where too many came at once")]
        {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// `1 session`, `2 sessions`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_by_class_and_says_what_is_not_in_it() {
        let mut summary = Summary::new();
        assert_eq!(summary.to_string(), "0 sessions ended in 0 s");
        for class in [Some(Class::Clean), Some(Class::Abnormal), Some(Class::Clean), None] {
            summary.count(class);
        }
        summary.missed = 7;
        let text = summary.to_string();
        assert!(
            text.starts_with("3 sessions ended in ")
                && text.contains(": 2 clean, 1 abnormal; 1 upgrade failed; 7 were")
        );
    }
}
