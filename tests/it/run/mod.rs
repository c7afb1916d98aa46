//! The program as a whole, from its arguments to its exit code.

mod activated;
mod admin;
mod lines;
mod log;
mod returns;
mod service_manager;
mod signals;
mod start;
