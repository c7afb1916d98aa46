//! The way out of a whole process: by signals, and by `closewatch drain`.

mod listeners;
mod signals;
mod streams;
