//! Collected results as a Markdown table.
//!
//! Takes lines of `work TAB proxy TAB round TAB name TAB value`, gives a row for every line of work and a column for every
//! proxy: the median of the rounds, their least and greatest, and for what is not a peer the ratio to the best peer. The
//! ratio is taken within each round, then its median: what else the machine did in that time is in both.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// Proxies that a user could run instead.
const PEERS: [&str; 3] = ["nginx", "haproxy", "envoy"];

/// One row: what was run, the figure taken from it, how it is called, and the greatest ratios to the best peer that are to be
/// reached; of memory it is KiB, not a ratio.
struct Row {
    work: &'static str,
    figure: &'static str,
    title: &'static str,
    digits: usize,
    goal: &'static str,
}

const ROWS: [Row; 44] = [
    Row {
        work: "echo128",
        figure: "cpu_us",
        title: "echo 128 B, µs CPU per round trip",
        digits: 2,
        goal: "×1.10 / ×1.00",
    },
    Row { work: "echo128", figure: "p50_us", title: "its p50, µs", digits: 0, goal: "" },
    Row { work: "echo128", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "×1.10 / ×1.00" },
    Row {
        work: "echo16k",
        figure: "cpu_us",
        title: "echo 16 KiB, µs CPU per round trip",
        digits: 1,
        goal: "×0.55 / ×0.45",
    },
    Row {
        work: "flood1k",
        figure: "cpu_s_per_gib",
        title: "server → client 1 KiB, CPU s per GiB",
        digits: 3,
        goal: "×0.95 / ×0.85",
    },
    Row {
        work: "flood1m",
        figure: "cpu_s_per_gib",
        title: "server → client 1 MiB, CPU s per GiB",
        digits: 3,
        goal: "×0.50 / ×0.35",
    },
    Row {
        work: "churn",
        figure: "cpu_us",
        title: "connect, upgrade, Close, end, µs CPU",
        digits: 1,
        goal: "×1.10 / ×1.00",
    },
    Row { work: "churn", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "" },
    Row {
        work: "churnlogless",
        figure: "cpu_us",
        title: "the same without the close log, µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "churnotlp",
        figure: "cpu_us",
        title: "the same with OTLP to a collector, µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "refused",
        figure: "cpu_us",
        title: "upgrade refused by the upstream (401), µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "refusedhere",
        figure: "cpu_us",
        title: "upgrade refused by the proxy (404), µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "plain128",
        figure: "cpu_us",
        title: "plain request, 128 B on kept connections, µs CPU",
        digits: 2,
        goal: "×1.10",
    },
    Row { work: "plain128", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "" },
    Row { work: "plain64k", figure: "cpu_us", title: "the same with 64 KiB, µs CPU", digits: 2, goal: "×1.00" },
    Row {
        work: "plainnew",
        figure: "cpu_us",
        title: "the same with 128 B and a new connection each, µs CPU",
        digits: 2,
        goal: "",
    },
    Row { work: "idle", figure: "rss_kib", title: "idle session, KiB RSS", digits: 2, goal: "2.5 / 1.8 KiB" },
    Row { work: "idle", figure: "pss_kib", title: "the same, KiB PSS", digits: 2, goal: "" },
    Row {
        work: "tls128",
        figure: "cpu_us",
        title: "TLS in front: echo 128 B, µs CPU per round trip",
        digits: 2,
        goal: "×0.75",
    },
    Row {
        work: "tls16k",
        figure: "cpu_us",
        title: "TLS in front: echo 16 KiB, µs CPU per round trip",
        digits: 1,
        goal: "×0.60",
    },
    Row {
        work: "tls1k",
        figure: "cpu_s_per_gib",
        title: "TLS in front: server → client 1 KiB, CPU s per GiB",
        digits: 3,
        goal: "×0.50",
    },
    Row {
        work: "tls1m",
        figure: "cpu_s_per_gib",
        title: "TLS in front: server → client 1 MiB, CPU s per GiB",
        digits: 3,
        goal: "×0.50",
    },
    Row {
        work: "tlschurn",
        figure: "cpu_us",
        title: "TLS in front, P-256, resumed: session, µs CPU",
        digits: 1,
        goal: "×0.45",
    },
    Row {
        work: "tlsanew",
        figure: "cpu_us",
        title: "TLS in front, P-256, not resumed: session, µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "rsachurn",
        figure: "cpu_us",
        title: "TLS in front, RSA-2048, resumed: session, µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "rsaanew",
        figure: "cpu_us",
        title: "TLS in front, RSA-2048, not resumed: session, µs CPU",
        digits: 1,
        goal: "",
    },
    Row { work: "tlsidle", figure: "rss_kib", title: "TLS in front: idle session, KiB RSS", digits: 2, goal: "5 KiB" },
    Row {
        work: "both128",
        figure: "cpu_us",
        title: "TLS on both legs: echo 128 B, µs CPU per round trip",
        digits: 2,
        goal: "",
    },
    Row {
        work: "both1m",
        figure: "cpu_s_per_gib",
        title: "TLS on both legs: server → client 1 MiB, CPU s per GiB",
        digits: 3,
        goal: "",
    },
    Row {
        work: "bothchurn",
        figure: "cpu_us",
        title: "TLS on both legs, resumed: session, µs CPU",
        digits: 1,
        goal: "",
    },
    Row {
        work: "bothidle",
        figure: "rss_kib",
        title: "TLS on both legs: idle session, KiB RSS",
        digits: 2,
        goal: "9 KiB",
    },
    Row {
        work: "of100",
        figure: "cpu_us",
        title: "echo 128 B by 64 of 100 sessions, µs CPU per round trip",
        digits: 2,
        goal: "",
    },
    Row { work: "of100", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "" },
    Row {
        work: "of1000",
        figure: "cpu_us",
        title: "echo 128 B by 64 of 1,000 sessions, µs CPU per round trip",
        digits: 2,
        goal: "",
    },
    Row { work: "of1000", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "" },
    Row {
        work: "of9000",
        figure: "cpu_us",
        title: "echo 128 B by 64 of 9,000 sessions, µs CPU per round trip",
        digits: 2,
        goal: "",
    },
    Row { work: "of9000", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "" },
    Row {
        work: "scraped9000",
        figure: "cpu_us",
        title: "echo 128 B by 64 of 9,000 sessions, a scrape a second, µs CPU per round trip",
        digits: 2,
        goal: "",
    },
    Row { work: "scraped9000", figure: "p99_us", title: "its p99, µs", digits: 0, goal: "" },
    Row { work: "scraped9000", figure: "scrape_ms", title: "slowest scrape, ms", digits: 1, goal: "" },
    Row {
        work: "storm9000",
        figure: "cpu_us",
        title: "9,000 sessions end at once, µs CPU per session",
        digits: 1,
        goal: "",
    },
    Row {
        work: "storm9000",
        figure: "recorded_s",
        title: "until the last is in the close log, s",
        digits: 2,
        goal: "2 s",
    },
    Row {
        work: "idle9000",
        figure: "rss_kib",
        title: "idle session of 9,000, KiB RSS",
        digits: 2,
        goal: "2.5 / 1.8 KiB",
    },
    Row { work: "idle9000", figure: "pss_kib", title: "the same, KiB PSS", digits: 2, goal: "" },
];

/// By work, figure and proxy: the value of each round.
type Results = BTreeMap<(String, String, String), BTreeMap<u32, f64>>;

pub(crate) fn print(path: &Path) -> io::Result<()> {
    let mut results = Results::new();
    let mut proxies = Vec::new();
    for line in fs::read_to_string(path)?.lines() {
        let bad = || io::Error::other(format!("cannot read the result: {line}"));
        let fields: Vec<_> = line.split('\t').collect();
        let &[work, proxy, round, figure, value] = &*fields else { return Err(bad()) };
        let (round, value) = (round.parse().map_err(|_| bad())?, value.parse().map_err(|_| bad())?);
        results.entry((work.into(), figure.into(), proxy.into())).or_default().insert(round, value);
        if !proxies.contains(&proxy.to_owned()) {
            proxies.push(proxy.to_owned());
        }
    }
    println!("| work | {} | must / stretch |", proxies.join(" | "));
    println!("|---|{}---|", "---|".repeat(proxies.len()));
    for row in &ROWS {
        let of = |proxy: &str| results.get(&(row.work.into(), row.figure.into(), proxy.into()));
        if proxies.iter().all(|proxy| of(proxy).is_none()) {
            continue;
        }
        let best =
            PEERS.iter().filter_map(|peer| of(peer)).min_by(|a, b| median(a.values()).total_cmp(&median(b.values())));
        print!("| {} |", row.title);
        for proxy in &proxies {
            match of(proxy) {
                None => print!(" – |"),
                Some(rounds) => print!(" {} |", cell(row, proxy, rounds, best)),
            }
        }
        println!(" {} |", row.goal);
    }
    Ok(())
}

fn cell(row: &Row, proxy: &str, rounds: &BTreeMap<u32, f64>, best: Option<&BTreeMap<u32, f64>>) -> String {
    let digits = row.digits;
    let least = rounds.values().copied().fold(f64::INFINITY, f64::min);
    let greatest = rounds.values().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut cell = format!("{:.digits$} ({least:.digits$}–{greatest:.digits$})", median(rounds.values()));
    if let Some(best) = best
        && !PEERS.contains(&proxy)
    {
        let ratios: Vec<_> = rounds.iter().filter_map(|(round, value)| Some(value / best.get(round)?)).collect();
        if !ratios.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(cell, " **×{:.2}**", median(&ratios));
        }
    }
    cell
}

fn median<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().copied().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
