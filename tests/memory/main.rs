//! The memory of the live diagnosis under records that have nothing in common, measured: each case is a process of its own, with the
//! allocator that ships, and what counts is the peak of what the kernel gave it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers as in itself")]

use std::borrow::Cow;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{Cause, Class, Initiator, Outcome};
use closewatch::diagnosis::{Asked, Closed, Event, Left, Observation, Refused, Returns, Watch, room};

#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The case that a process measures: the limit in MiB.
const CASE: &str = "CLOSEWATCH_MEMORY_CASE";
/// Records of a case; a hundred times what the smallest limit keeps.
const RECORDS: u32 = 300_000;
/// Looks are made after so many records.
const LOOK: u32 = 20_000;
const MIB: usize = 1 << 20;
/// Windows as they are without configuration.
const WINDOWS: [Duration; 2] = [Duration::from_mins(15), Duration::from_hours(24)];

#[test]
fn no_variety_of_records_takes_more_memory_than_configured() {
    if let Ok(case) = std::env::var(CASE) {
        let limit: usize = case.parse().unwrap();
        let peak = peak_of(limit * MIB);
        println!("limit {limit} MiB, peak {} KiB", peak / 1024);
        assert!(peak <= limit * MIB, "{peak} bytes at the peak, and {limit} MiB are configured");
        return;
    }
    for limit in ["8", "16", "64"] {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program).arg("--nocapture").env(CASE, limit).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        print!("{}", told.lines().filter(|line| line.starts_with("limit")).collect::<String>() + "\n");
    }
}

/// The memory that a watch of this limit, and what waits for clients, take at the most.
fn peak_of(limit: usize) -> usize {
    give_back_at_once();
    // The code is in memory then, and so is what the allocator has but once.
    feed(8, RECORDS / 10);
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident("VmRSS:");
    feed(room(limit), RECORDS);
    resident("VmHWM:").saturating_sub(before)
}

/// Has the allocator keep nothing: what it could use again is not in use.
#[cfg(target_env = "gnu")]
fn give_back_at_once() {
    use tikv_jemalloc_ctl::{Access, AsName};
    for kind in ["dirty", "muzzy"] {
        // Those to come, and those that are there.
        let arenas = (0..64).map(|arena| format!("arena.{arena}.{kind}_decay_ms\0"));
        for key in arenas.chain([format!("arenas.{kind}_decay_ms\0")]) {
            let _: tikv_jemalloc_ctl::Result<()> = key.as_bytes().name().write(0_isize);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
const fn give_back_at_once() {}

/// Half of the records fill the long window, and half the short one.
fn feed(room: usize, records: u32) {
    let [short, long] = WINDOWS.map(|window| window.as_secs_f64());
    let mut watch = Watch::new(WINDOWS, room);
    let mut returns = Returns::new(room);
    let note = Arc::new(());
    for number in 0..records {
        let part = 2.0 * f64::from(number) / f64::from(records);
        let at = 1.8e9 + if part < 1.0 { part * (long - short) } else { long - short + (part - 1.0) * short };
        watch.add(&record(number, at));
        for visit in 0..4 {
            returns.opened(number.into(), at + f64::from(visit));
            let left = Left { at, lasted: 1.0, class: Class::Abnormal, code: Some(1006), note: Arc::clone(&note) };
            returns.ended(number.into(), left);
        }
        if number % LOOK == LOOK - 1 {
            watch.look(at, true);
        }
    }
    assert!(watch.reports()[1].tables.records > 0);
}

/// A record of which each value is its own.
fn record(number: u32, at: f64) -> Observation<'static> {
    let long = |name: &str, length: usize| Cow::Owned(format!("{name}-{number:x}-{}", "x".repeat(length)));
    let event = if number % 5 == 4 {
        Event::Refused(Refused {
            outcome: Outcome::ALL[number as usize % Outcome::ALL.len()],
            status: u16::try_from(400 + number % 200).ok(),
            tls_error: long("tls", 100),
            duration: f64::from(number % 97),
        })
    } else {
        Event::Closed(Box::new(Closed {
            session: Cow::Owned(format!("01JCXYZ{number:019}")),
            class: Class::ALL[number as usize % Class::ALL.len()],
            code: u16::try_from(1000 + number % 4000).ok(),
            initiator: Initiator::ALL[number as usize % Initiator::ALL.len()],
            cause: Cause::ALL[number as usize % Cause::ALL.len()],
            reason: long("reason", 110),
            duration: f64::from(number) * 1.7,
            idle: f64::from(number % 86_400) * 0.9,
            upstream: Cow::Owned(format!("[2001:db8:9::{number:x}]:9000")),
            ..Closed::default()
        }))
    };
    Observation {
        at,
        instance: long("instance", 100),
        route: Cow::Owned(format!("route-{}", number % 1000)),
        address: Cow::Owned(format!("[2001:db8:{:x}:{:x}::1]:5", number >> 8, number & 0xff)),
        real_address: Cow::Owned(format!("2001:db9:{:x}:{:x}::1", number >> 8, number & 0xff)),
        request: Asked {
            path: long("/path", 250),
            user_agent: long("agent", 400),
            origin: long("https://origin", 250),
            subprotocol: long("protocol", 100),
            extensions: long("extension", 100),
            ..Asked::default()
        },
        event,
        ..Observation::default()
    }
}

/// Bytes of this process, of a kind that the kernel names.
fn resident(kind: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
