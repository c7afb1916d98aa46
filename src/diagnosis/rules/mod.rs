//! The rules: each looks for one family of causes among the rows that no earlier rule has explained.
//!
//! The order is the order of precedence; `docs/diagnosis.md` has it as a table.

mod aftermath;
mod bursts;
mod cause;
mod clusters;
mod handshakes;
mod instances;
mod loops;
mod resets;
mod said;
mod silent;
mod timer;

use super::finding::Note;
use super::log::Log;

pub(super) use cause::{CLIENTS, Cause};

/// All causes, and what is notable besides.
pub(super) fn apply(log: &Log<'_>) -> (Vec<Cause>, Vec<Note>) {
    let mut notes = loops::notes(log);
    let mut causes = vec![];
    causes.extend(instances::causes(log));
    causes.extend(silent::causes(log));
    clusters::causes(log, &mut causes, &mut notes);
    bursts::causes(log, &mut causes, &mut notes);
    said::causes(log, &mut causes);
    causes.extend(handshakes::causes(log));
    causes.extend(resets::causes(log));
    (causes, notes)
}
