//! Recipes: a play, its expectation, and what recipes have in common.

use super::stage::{Session, Setting, Stage};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer;

/// One play.
pub(super) struct Play {
    /// The finding that must be there, and no other.
    pub(super) expected: Vec<Expected>,
    pub(super) stage: Stage,
}

/// A finding that must be there.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) mechanism: Mechanism,
    pub(super) culprit: Culprit,
    pub(super) limit: Option<f64>,
}

pub(super) fn one(mechanism: Mechanism, culprit: Culprit, limit: Option<f64>) -> Vec<Expected> {
    vec![Expected { mechanism, culprit, limit }]
}

/// A play's recipe.
pub(super) type Recipe = (&'static str, fn(u64) -> Play);

pub(super) fn any(_: &Stage, _: &Session) -> bool {
    true
}

pub(super) fn both(_: Peer) -> bool {
    true
}

pub(super) fn quiet(stage: Stage) -> Play {
    Play { expected: vec![], stage }
}

/// Silences longer than `limit` occur.
pub(super) fn silent(limit: f64) -> impl FnOnce(&mut Setting) {
    move |setting| {
        setting.talk = limit * 0.5;
        setting.pings = None;
        setting.life = (limit * 4.0).max(120.0);
        setting.hours = (limit / 60.0).clamp(3.0, 60.0);
    }
}

/// Many sessions are open at any time.
pub(super) fn busy(setting: &mut Setting) {
    setting.hours = 3.0;
    setting.life = 900.0;
    setting.sessions = 1500;
}

pub(super) fn pick(seed: u64, of: &[f64]) -> f64 {
    of[(seed % of.len() as u64) as usize]
}

/// A time in the middle of the day.
pub(super) fn noon(stage: &mut Stage) -> f64 {
    stage.length() * (0.25 + 0.4 * stage.rng.f64())
}

pub(super) fn hour(stage: &mut Stage) -> (f64, f64) {
    let start = noon(stage);
    (start, start + stage.length() * 0.25)
}

pub(super) const LIMITS: [f64; 9] = [60.0, 5.0, 50.0, 55.0, 100.0, 230.0, 300.0, 350.0, 42.0];

pub(super) fn play(stage: Stage, expected: Vec<Expected>) -> Play {
    Play { expected, stage }
}
