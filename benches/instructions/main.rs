//! Units of work whose instructions callgrind counts: `benches/compare` builds this, runs it, and reads the counts.
//!
//! `instructions` lists them; `instructions NAME TIMES` does one of them so many times inside of [`counted`].

mod records;
mod session;
mod streams;

use std::hint::black_box;
use std::process::ExitCode;

use closewatch::proxy::fuzzing::verbatim;

use self::records::{Filing, Hints, Lines};

// As in `src/main.rs`: an allocation is a part of most units.
#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Units done before counting begins: the series, the first blocks of the allocator and the linker's work are there then.
const WARM_UP: u32 = 64;

/// The head of a browser's upgrade.
const HEAD: &[u8] = b"GET /chat/rooms/42?token=abc HTTP/1.1\r\nHost: chat.example\r\nConnection: keep-alive, Upgrade\r\n\
    Pragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nUpgrade: websocket\r\n\
    Origin: https://chat.example\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// Does a unit so many times.
type Run = fn(u32);

/// All units, in the order in which a session does them.
const UNITS: [(&str, Run); 10] = [
    ("head", head),
    ("tap", streams::tap),
    ("tap_large", streams::tap_large),
    ("ledger", streams::ledger),
    ("ledger_session", streams::ledger_session),
    ("hint", |times| repeat(times, Hints::new, Hints::give)),
    ("filing", |times| repeat(times, Filing::new, Filing::file)),
    ("json", |times| repeat(times, Lines::new, Lines::write)),
    ("session", session::sessions),
    ("request", session::requests),
];

/// Everything that runs in here is counted, on the thread that calls it; nothing else is.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    // A call that is the last thing here would be a jump, and the end of this function not seen.
    black_box(());
}

/// Does a unit some times to warm up, and then so many times to be counted.
fn repeat<S>(times: u32, state: impl FnOnce() -> S, mut unit: impl FnMut(&mut S)) {
    let mut state = state();
    (0..WARM_UP).for_each(|_| unit(&mut state));
    counted(&mut || (0..times).for_each(|_| unit(&mut state)));
}

fn head(times: u32) {
    repeat(times, || (), |()| assert!(black_box(verbatim(black_box(HEAD))).is_some()));
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let unit = |name: &str| UNITS.iter().find(|(known, _)| *known == name);
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        [] => UNITS.iter().for_each(|(name, _)| println!("{name}")),
        // `cargo bench` gives it to everything that it runs.
        ["--bench"] => println!("counted by benches/compare, not timed"),
        [name, times] => match (unit(name), times.parse()) {
            (Some((_, run)), Ok(times)) => run(times),
            (None, _) | (_, Err(_)) => {
                eprintln!("instructions: no unit '{name}', or '{times}' is no number");
                return ExitCode::from(64);
            }
        },
        _ => {
            eprintln!("usage: instructions [NAME TIMES]");
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}
