//! The process in the metrics: descriptors, memory, processor time, threads.
//!
//! The files behind them stay open. The collector of the crate `prometheus` opens them for each scrape, so it falls silent when
//! no descriptor is left, which is when their number is looked at.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge, Opts};
use rustix::fs::Dir;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

const VALID: &str = "names and helps are constants, and valid";

/// The series of this process.
pub(super) struct Process {
    files: Mutex<Files>,
    cpu: Counter,
    start: IntGauge,
    open_descriptors: IntGauge,
    most_descriptors: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    threads: IntGauge,
}

/// The kernel's files about this process, open since the start.
struct Files {
    stat: File,
    descriptors: Dir,
}

/// `/proc/self/stat`, as far as it is shown (`proc_pid_stat(5)`).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// In ticks of the clock, as `started`.
    cpu: u64,
    threads: i64,
    /// Since the machine booted.
    started: u64,
    virtual_memory: i64,
    resident_pages: i64,
}

// === impl Process ===

impl Process {
    pub(super) fn new() -> io::Result<Self> {
        let stat = File::open("/proc/self/stat")?;
        let descriptors = Dir::new(File::open("/proc/self/fd")?)?;
        let started = Stat::read(&stat)?.started / clock_ticks_per_second();
        let gauge = |name, help| IntGauge::with_opts(Opts::new(name, help)).expect(VALID);
        let process = Self {
            files: Mutex::new(Files { stat, descriptors }),
            cpu: Counter::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")
                .expect(VALID),
            start: gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
            open_descriptors: gauge("process_open_fds", "Number of open file descriptors."),
            most_descriptors: gauge("process_max_fds", "Maximum number of open file descriptors."),
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
            resident_memory: gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
            threads: gauge("process_threads", "Number of OS threads in the process."),
        };
        process.start.set((boot_time()? + started) as i64);
        Ok(process)
    }

    fn collectors(&self) -> [&dyn Collector; 7] {
        let Self { cpu, start, open_descriptors, most_descriptors, virtual_memory, resident_memory, threads, .. } =
            self;
        [cpu, start, open_descriptors, most_descriptors, virtual_memory, resident_memory, threads]
    }

    /// Takes the present figures. What the kernel does not tell stays as it was.
    fn look(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(stat) = Stat::read(&files.stat) {
            let seconds = Duration::from_millis(stat.cpu * 1000 / clock_ticks_per_second()).as_secs_f64();
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
            self.threads.set(stat.threads);
            self.virtual_memory.set(stat.virtual_memory);
            self.resident_memory.set(stat.resident_pages * page_size() as i64);
        }
        if let Some(open) = open_descriptors(&mut files.descriptors) {
            self.open_descriptors.set(open);
        }
        self.most_descriptors.set(getrlimit(Resource::Nofile).current.map_or(i64::MAX, |most| most as i64));
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.collectors().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.look();
        self.collectors().into_iter().flat_map(Collector::collect).collect()
    }
}

/// The entries of `/proc/self/fd`. The kernel tells their number as its size since Linux 6.2, and going through them took 14 ms
/// with 18,000.
fn open_descriptors(folder: &mut Dir) -> Option<i64> {
    match folder.stat().ok()?.st_size {
        0 => Some(counted(folder)),
        size => Some(size),
    }
}

/// The same for older kernels.
fn counted(folder: &mut Dir) -> i64 {
    folder.rewind();
    // `.` and `..` are none.
    let open = folder.by_ref().flatten().filter(|entry| entry.file_name() != c"." && entry.file_name() != c"..");
    open.count() as i64
}

// === impl Stat ===

impl Stat {
    fn read(file: &File) -> io::Result<Self> {
        let mut text = [0; 1024];
        let length = file.read_at(&mut text, 0)?;
        std::str::from_utf8(&text[..length]).ok().and_then(Self::parse).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(text: &str) -> Option<Self> {
        // The name of the program may have spaces and brackets of its own. Field 3 is the first behind it.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let ticks = |number| field(number)?.parse::<u64>().ok();
        let count = |number| field(number)?.parse::<i64>().ok();
        Some(Self {
            cpu: ticks(14)? + ticks(15)?,
            threads: count(20)?,
            started: ticks(22)?,
            virtual_memory: count(23)?,
            resident_pages: count(24)?,
        })
    }
}

/// When the machine booted, in seconds since the epoch.
fn boot_time() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    let time = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    time.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 11 22 0 0 20 0 5 0 4711 1000 250 18446744073709551615 1";
        let expected = Stat { cpu: 33, threads: 5, started: 4711, virtual_memory: 1000, resident_pages: 250 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn figures_are_of_this_process_and_of_now() {
        let process = Process::new().unwrap();
        process.look();
        let before = process.open_descriptors.get();
        let more: Vec<_> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        process.look();
        // Other tests open and close files meanwhile.
        let opened = process.open_descriptors.get() - before;
        assert!(opened > 0 && before > 2, "{opened} more than {before}");
        assert!(process.threads.get() >= 1 && process.resident_memory.get() > 1_000_000);
        let mut folder = Dir::new(File::open("/proc/self/fd").unwrap()).unwrap();
        let (told, counted) = (open_descriptors(&mut folder).unwrap(), counted(&mut folder));
        assert!(counted > 50 && (told - counted).abs() < 50, "{told} are told, {counted} counted");
        let age = jiff::Timestamp::now().as_second() - process.start.get();
        assert!((0..86_400).contains(&age), "started {age} s ago");
        drop(more);
    }
}
