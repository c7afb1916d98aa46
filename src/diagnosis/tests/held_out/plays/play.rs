//! A play, and the usual ways to make one.

#![allow(clippy::option_option, reason = "the outer one is a limit that is not judged, the inner one no limit")]

use crate::diagnosis::tests::held_out::chance::pick;
use crate::diagnosis::tests::held_out::day::{Day, Front, Makings};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::{Culprit, Mechanism};

/// A finding that must be there.
pub(in crate::diagnosis::tests::held_out) struct Expected {
    pub(in crate::diagnosis::tests::held_out) mechanisms: &'static [Mechanism],
    pub(in crate::diagnosis::tests::held_out) culprits: &'static [Culprit],
    /// `None` if it is not judged.
    pub(in crate::diagnosis::tests::held_out) limit: Option<Option<f64>>,
}

pub(in crate::diagnosis::tests::held_out) struct Play {
    pub(in crate::diagnosis::tests::held_out) day: Day,
    pub(in crate::diagnosis::tests::held_out) expected: Vec<Expected>,
}

// === impl Play ===

impl Play {
    /// Fewer victims than the floor are a note.
    pub(in crate::diagnosis::tests::held_out) fn is_below_the_floor(&self) -> bool {
        let victims = self.day.sessions.iter().filter(|session| session.victim).count();
        !self.expected.is_empty() && (1..12).contains(&victims)
    }
}

/// Its name, and what makes it of a seed and a number of sessions.
pub(in crate::diagnosis::tests::held_out) type Recipe = (&'static str, fn(u64, usize) -> Play);

pub(super) fn expect(
    mechanism: &'static [Mechanism],
    culprits: &'static [Culprit],
    limit: Option<Option<f64>>,
) -> Expected {
    Expected { mechanisms: mechanism, culprits, limit }
}

pub(super) fn one(day: Day, expected: Expected) -> Play {
    Play { day, expected: vec![expected] }
}

/// The share of the sessions that an incident takes: 20 of 200 must be found, and 3 % of many.
pub(super) fn share(day: &mut Day) -> f64 {
    let few = day.makings.sessions < 500;
    if few { pick(&mut day.rng, &[0.12, 0.2, 0.4]) } else { pick(&mut day.rng, &[0.04, 0.1, 0.25]) }
}

/// The same, of a time.
pub(super) fn part(day: &mut Day) -> (f64, f64) {
    let length = day.length();
    pick(&mut day.rng, &[(0.0, length), (0.3 * length, 0.8 * length)])
}

pub(super) fn limit(seed: u64, of: &[f64]) -> f64 {
    of[(seed % of.len() as u64) as usize]
}

/// A day long enough for sessions of this length.
pub(super) fn long(makings: &mut Makings, life: f64) {
    makings.hours = makings.hours.max(life * 5.0 / 3600.0);
    makings.life = makings.life.min(life);
}

pub(super) fn direct(makings: &mut Makings) {
    makings.front = Front::Direct;
}

pub(super) fn one_place(makings: &mut Makings) {
    (makings.instances, makings.upstreams, makings.routes) = (1, 1, 1);
}

/// Many sessions are open at any time, as where things fall over.
pub(super) fn busy(makings: &mut Makings) {
    // Sixty and more are open at a time, even of few sessions.
    makings.hours = if makings.sessions < 500 { 0.6 } else { 2.0 };
    makings.life = 900.0;
    makings.program = Program::Chat;
}
