//! The plays: incidents with what must be found, and harmless days.

mod falls;
mod harmless;
mod mixed;
mod said;
mod timers;

use super::recipe::Recipe;

/// All harmless days.
pub(super) const HARMLESS: &[Recipe] = harmless::DAYS;

/// All incidents.
pub(super) const INCIDENTS: [&[Recipe]; 4] = [timers::TIMERS, falls::FALLS, said::SAID, mixed::MIXED];
