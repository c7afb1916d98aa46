//! One instance after the other, on the same listening sockets.

use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::instance::{Child, Metrics, Output, Running, Workspace, get, until};
use crate::rig::{Frame, RawPeer, close, text};
use closewatch::wire::Peer;
