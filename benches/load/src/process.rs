//! The kernel's figures of the proxy's processes.

use std::fs;
use std::io;
use std::time::Duration;

/// The processes of one proxy.
pub(crate) struct Processes(pub(crate) Vec<u32>);

/// Memory of processes, in bytes.
pub(crate) struct Memory {
    /// Resident.
    pub(crate) rss: u64,
    /// Resident, with what several processes share counted once.
    pub(crate) pss: u64,
}

impl Processes {
    /// CPU time of all threads so far, in user and kernel mode.
    ///
    /// From `schedstat`, which has nanoseconds; `stat` has hundredths of a second. Loopback's network work is done in the
    /// sender's own time, so it is in here.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for pid in &self.0 {
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                let stat = fs::read_to_string(task?.path().join("schedstat"))?;
                let on_cpu = stat.split(' ').next().and_then(|field| field.parse::<u64>().ok());
                nanoseconds += on_cpu.ok_or_else(|| io::Error::other("schedstat cannot be read"))?;
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Memory of all processes now.
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let mut memory = Memory { rss: 0, pss: 0 };
        for pid in &self.0 {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let of = |name: &str| {
                let line = rollup.lines().find_map(|line| line.strip_prefix(name));
                let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
                kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("smaps_rollup cannot be read"))
            };
            memory.rss += of("Rss:")?;
            memory.pss += of("Pss:")?;
        }
        Ok(memory)
    }
}
