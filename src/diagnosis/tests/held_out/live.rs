//! The same plays as they happen: what the live half names, which records bear a hint, and what comes and goes.

use std::fmt::Write as _;
use std::time::Duration;

use super::day::Logged;
use super::plays::{HARMLESS, INCIDENTS, Play, Recipe};
use super::{is, right, wanted};
use crate::diagnosis::{Active, Finding, Mechanism, Watch, hint};

const WINDOWS: [Duration; 2] = [Duration::from_mins(15), Duration::from_hours(24)];
const ROOM: usize = 32_000;
/// Looks at one play.
const LOOKS: f64 = 60.0;

/// The result of a play.
#[derive(Default)]
struct Lived {
    /// The report of the long window in the end.
    found: Vec<Finding>,
    /// Findings that went on at some look, and how often each came.
    came: Vec<(Mechanism, Option<String>, usize)>,
    /// Victims that were filed while a right finding went on, and those of them that bear its hint.
    affected: usize,
    hinted: usize,
}

fn relive(play: &Play, log: &[Logged]) -> Lived {
    let mut watch = Watch::new(WINDOWS, ROOM);
    let mut lived = Lived::default();
    let (Some(first), Some(last)) = (log.first(), log.last()) else { return lived };
    let step = ((last.filed() - first.filed()) / LOOKS).max(5.0);
    let mut next = first.filed() + step;
    let mut going_on: Vec<(Mechanism, Option<String>)> = vec![];
    let mut active: Vec<Active> = vec![];
    let mut named: Vec<Mechanism> = vec![];
    for logged in log {
        while logged.filed() >= next {
            watch.look(next, false);
            let now: Vec<_> = watch.going_on().map(|finding| (finding.mechanism, finding.route.clone())).collect();
            for it in now.iter().filter(|it| !going_on.contains(it)) {
                match lived.came.iter_mut().find(|(mechanism, route, _)| (*mechanism, route) == (it.0, &it.1)) {
                    Some((_, _, count)) => *count += 1,
                    None => lived.came.push((it.0, it.1.clone(), 1)),
                }
            }
            let is_right = |found: &&Finding| play.expected.iter().any(|expected| is(found, expected));
            named = watch.going_on().filter(is_right).map(|finding| finding.mechanism).collect();
            active = watch.active();
            going_on = now;
            next += step;
        }
        if let Logged::Closed { record, victim: true, .. } = logged
            && !named.is_empty()
        {
            let here: Vec<_> =
                active.iter().filter(|active| active.is_of(&record.session.route.name)).cloned().collect();
            lived.affected += 1;
            lived.hinted += usize::from(hint(record, &here).is_some_and(|hint| named.contains(&hint)));
        }
        watch.add(&logged.seen());
    }
    watch.look(last.filed(), true);
    lived.found.clone_from(&watch.reports()[1].findings);
    lived
}

fn replayed(recipes: &[Recipe]) -> (usize, usize, usize, usize, String) {
    let only = std::env::var("CLOSEWATCH_PLAY").unwrap_or_default();
    let (sizes, seeds) = (wanted("CLOSEWATCH_PLAY_SIZES", "200"), wanted("CLOSEWATCH_PLAY_SEEDS", "1")[0]);
    let base = wanted("CLOSEWATCH_PLAY_BASE", "0")[0];
    let (mut plays, mut good, mut affected, mut hinted, mut table) = (0, 0, 0, 0, String::new());
    // A part of them, unless sizes are given: looks cost more than the plays.
    let each = if std::env::var("CLOSEWATCH_PLAY_SIZES").is_ok() { 1 } else { 3 };
    for (name, build) in recipes.iter().step_by(each).filter(|(name, _)| name.contains(&only)) {
        for (seed, size) in (0..seeds).flat_map(|seed| sizes.iter().map(move |size| (base + seed, *size))) {
            let mut play = build(seed, size as usize);
            if play.is_below_the_floor() {
                continue;
            }
            let log = play.day.log();
            let lived = relive(&play, &log);
            plays += 1;
            if play.expected.len() == 1 {
                affected += lived.affected;
                hinted += lived.hinted;
            }
            let beyond_window = play.day.makings.hours > 23.0;
            let strangers: Vec<_> = lived.came.iter().filter(|(mechanism, ..)| !play.names(*mechanism)).collect();
            // Of two causes, victims of the one are filed while only the other is known.
            let hints = lived.hinted * 10 >= lived.affected * 9 || play.expected.len() > 1;
            let ok = (beyond_window || right(&lived.found, &play.expected)) && hints;
            let calm = !play.expected.is_empty() || lived.came.is_empty();
            good += usize::from(ok && calm);
            if !ok || !calm || !strangers.is_empty() {
                let found: Vec<_> = lived.found.iter().map(|finding| finding.mechanism.as_str()).collect();
                let _ = writeln!(
                    table,
                    "{name}, size {size}, seed {seed}: {} in the end {found:?}, came {:?}, hinted {} of {}",
                    if ok && calm { "strangers" } else { "WRONG" },
                    lived.came,
                    lived.hinted,
                    lived.affected
                );
            }
        }
    }
    (plays, good, affected, hinted, table)
}

#[test]
fn held_out_incidents_are_named_as_they_happen() {
    let (all, good, affected, hinted, table) = replayed(&INCIDENTS.concat());
    println!("{table}\n{good} of {all}; {hinted} of {affected} records bear the hint");
    assert!(good * 100 >= all * 95, "{good} of {all}");
    assert!(affected > 300 && hinted * 10 >= affected * 9, "{hinted} of {affected}");
}

#[test]
fn held_out_harmless_days_raise_no_live_finding() {
    let (all, good, _, _, table) = replayed(HARMLESS);
    println!("{table}\n{good} of {all}");
    assert_eq!(good, all, "{table}");
}
