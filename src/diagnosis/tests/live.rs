//! The live half: findings come and go without flapping, and the records behind a finding bear its mechanism.

use std::time::Duration;

use super::incidents::{cut_idle, says, some};
use super::recipe::{Play, any, both, one, play, silent};
use super::stage::{Ends, Stage};
use crate::diagnosis::address;
use crate::diagnosis::hint::named;
use crate::diagnosis::names;
use crate::diagnosis::pattern::Look;
use crate::diagnosis::sign::Sign;
use crate::diagnosis::watch::{QUIET, Watch};
use crate::diagnosis::{Active, Culprit, Event, Mechanism, Observation};
use crate::wire::Peer;

const WINDOWS: [Duration; 2] = [Duration::from_mins(15), Duration::from_hours(24)];
const ROOM: usize = 20_000;

/// The hint of a record, as the exporter would make it.
fn hint(seen: &Observation<'_>, active: &[Active]) -> Option<Mechanism> {
    let Event::Closed(closed) = &seen.event else { return None };
    let request = &seen.request;
    let sign =
        Sign::of(closed, request.subprotocols_offered, !request.subprotocol.is_empty(), !request.extensions.is_empty());
    let of_route: Vec<Active> = active.iter().filter(|active| active.is_of(&seen.route)).cloned().collect();
    let client = if seen.real_address.is_empty() { &seen.address } else { &seen.real_address };
    named(
        &of_route,
        &Look {
            closed,
            sign,
            at: seen.at,
            client_tls: seen.client_tls,
            user_agent: &request.user_agent,
            client: &|| address::read(client),
            upstream: &|| names::key(&closed.upstream),
        },
    )
}

/// Plays a log as it happens, with a look every five minutes. Gives the hints of the records that came while the finding was there,
/// each with whether it is one that the play affected.
fn live(play: &Play, is_affected: impl Fn(&Observation<'_>) -> bool) -> (Watch, Vec<(bool, Option<Mechanism>)>) {
    let mut watch = Watch::new(WINDOWS, ROOM);
    let mut hints = vec![];
    let mut next = f64::NEG_INFINITY;
    for seen in play.stage.log() {
        if seen.at >= next {
            watch.look(seen.at, false);
            next = seen.at + 300.0;
        }
        if watch.going_on().iter().any(|it| it.finding.mechanism == play.expected[0].mechanism) {
            hints.push((is_affected(&seen), hint(&seen, &watch.active())));
        }
        watch.add(&seen);
    }
    watch.look(next, true);
    (watch, hints)
}

fn idle_cut_in_front(limit: f64) -> Play {
    let mut stage = Stage::new(11, silent(limit));
    cut_idle(&mut stage, Peer::Client, both, |_, _| limit, any);
    play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxFront, Some(limit)))
}

fn is_cut(seen: &Observation<'_>, limit: f64) -> bool {
    let Event::Closed(closed) = &seen.event else { return false };
    let by_client = matches!(closed.cause, crate::close::Cause::ClientEof | crate::close::Cause::ClientReset);
    by_client && (limit..limit + 0.2).contains(&closed.idle)
}

#[test]
fn nine_of_ten_records_behind_an_idle_cut_bear_its_hint_and_no_other_does() {
    for limit in [60.0, 230.0] {
        let (watch, hints) = live(&idle_cut_in_front(limit), |seen| is_cut(seen, limit));
        let found = watch.reports()[1].findings.first().unwrap();
        assert_eq!(found.mechanism, Mechanism::IdleCut);
        assert!((found.limit_s.unwrap() - limit).abs() < 0.06 * limit, "{found:?}");
        let of = |affected| {
            let hints: Vec<_> = hints.iter().filter(|(it, _)| *it == affected).map(|(_, hint)| *hint).collect();
            let named = hints.iter().filter(|hint| **hint == Some(Mechanism::IdleCut)).count();
            (named as f64, hints.len() as f64)
        };
        let (named, all) = of(true);
        assert!(all >= 50.0 && named >= 0.9 * all, "{named} of {all}");
        let (blamed, others) = of(false);
        assert!(others >= 50.0 && blamed <= 0.02 * others, "{blamed} of {others}");
    }
}

#[test]
fn facts_alone_make_hints_of_what_needs_no_company() {
    let mut stage = Stage::new(5, |_| {});
    let length = stage.length();
    some(&mut stage, 0.05, (0.0, length), any, |stage, at| {
        stage.sessions[at].ends = says(Peer::Upstream, 1009, "");
    });
    let hints = stage.log().iter().filter(|seen| hint(seen, &[]) == Some(Mechanism::MessageTooBig)).count();
    assert_eq!(hints, stage.sessions.iter().filter(|session| session.hit_by_1009()).count());
    assert!(hints > 10);
}

impl super::stage::Session {
    fn hit_by_1009(&self) -> bool {
        matches!(self.ends, Ends::Close { code: Some(1009), .. })
    }
}

#[test]
fn a_finding_is_over_after_its_window_and_a_quiet_time() {
    let play = idle_cut_in_front(60.0);
    let mut watch = Watch::new(WINDOWS, ROOM);
    let log = play.stage.log();
    let mut last = 0.0;
    for seen in &log {
        watch.add(seen);
        last = seen.at;
    }
    watch.look(last, true);
    let found = watch.going_on().iter().find(|it| it.finding.mechanism == Mechanism::IdleCut);
    let last = found.map(|it| it.finding.ended()).unwrap();
    let window = WINDOWS[0].as_secs_f64();
    let gone = (0..1000).map(|step| last + window * 0.8 + f64::from(step) * 30.0).find(|now| {
        watch.look(*now, true);
        watch.going_on().is_empty()
    });
    let took = gone.unwrap() - last;
    // One slot more than the window, and the quiet time, to the next look.
    let latest = window * 7.0 / 6.0 + QUIET.as_secs_f64() + 60.0;
    assert!((window..=latest).contains(&took), "{took}");
    // The long window still has it, as history.
    assert!(watch.reports()[1].findings.iter().any(|finding| finding.mechanism == Mechanism::IdleCut));
    assert!(watch.active().is_empty());
}

#[test]
fn memory_is_bounded_and_a_sample_still_finds_it() {
    let play = idle_cut_in_front(60.0);
    let mut watch = Watch::new(WINDOWS, 1200);
    let log = play.stage.log();
    assert!(log.len() > 1200);
    for seen in &log {
        watch.add(seen);
    }
    watch.look(log.last().unwrap().at, true);
    let found = &watch.reports()[1].findings;
    assert!(found.iter().any(|finding| finding.mechanism == Mechanism::IdleCut), "{found:?}");
}

#[test]
fn nothing_is_found_where_nothing_ended() {
    let mut watch = Watch::new(WINDOWS, ROOM);
    watch.look(1e9, true);
    assert!(watch.is_idle() && watch.going_on().is_empty() && watch.reports()[1].findings.is_empty());
}
