//! The plays, and what each must be found to be.

mod cuts;
mod falls;
mod harmless;
mod play;
mod refusals;
mod said;
pub(super) mod second;
mod several;

pub(super) use harmless::HARMLESS;
pub(super) use play::{Expected, Play, Recipe};

pub(super) const INCIDENTS: [&[Recipe]; 5] = [cuts::PLAYS, falls::PLAYS, said::PLAYS, refusals::PLAYS, several::PLAYS];
