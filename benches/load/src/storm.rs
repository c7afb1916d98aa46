//! All sessions at once come to their end, and every one of them is to be in the close log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::client::{To, failure};
use crate::crowd;
use crate::process::Processes;

/// Payload bytes of the one message that each session had.
const MESSAGE: usize = 128;
/// Between two looks at the close log.
const LOOK: Duration = Duration::from_millis(20);
/// The longest wait for a line to be in it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Half of the sessions are closed, half are cut by a reset; `log` is the proxy's close log, if it has one.
pub(crate) async fn run(to: &To, proxy: Processes, sessions: usize, log: Option<&Path>) -> io::Result<()> {
    let mut records = log.map(Records::open).transpose()?;
    let mut closed = crowd::gather(to, sessions, MESSAGE).await?;
    let cut = closed.split_off(sessions / 2);
    let before = proxy.cpu()?;
    let began = Instant::now();
    for client in cut {
        client.cut()?;
    }
    crowd::close(closed).await?;
    println!("ended_s {:.3}", began.elapsed().as_secs_f64());
    if let Some(records) = &mut records {
        while records.read()? < sessions {
            if began.elapsed() > PATIENCE {
                return Err(failure("records are missing"));
            }
            sleep(LOOK).await;
        }
        println!("recorded_s {:.3}", began.elapsed().as_secs_f64());
    }
    println!("cpu_us {:.3}", proxy.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / sessions as f64);
    println!("total {sessions}");
    Ok(())
}

/// Everything written to a close log from now on.
struct Records {
    log: File,
    bytes: Vec<u8>,
    count: usize,
}

impl Records {
    fn open(path: &Path) -> io::Result<Self> {
        let mut log = File::open(path)?;
        log.seek(SeekFrom::End(0))?;
        Ok(Self { log, bytes: Vec::new(), count: 0 })
    }

    /// How many there are.
    fn read(&mut self) -> io::Result<usize> {
        self.bytes.clear();
        self.log.read_to_end(&mut self.bytes)?;
        self.count += self.bytes.split(|byte| *byte == b'\n').count() - 1;
        Ok(self.count)
    }
}
