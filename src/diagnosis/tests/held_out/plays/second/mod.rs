//! A second set of plays, written by another hand before it read the rules: other limits, more routes, other words.

mod boxes;
mod calm;
mod doors;
mod hosts;
mod kit;
mod mixed;
mod words;

pub(in crate::diagnosis::tests::held_out) use calm::PLAYS as HARMLESS;

use super::play::Recipe;

pub(in crate::diagnosis::tests::held_out) const INCIDENTS: [&[Recipe]; 5] =
    [boxes::PLAYS, hosts::PLAYS, words::PLAYS, doors::PLAYS, mixed::PLAYS];
