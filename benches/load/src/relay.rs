//! The floor: what it costs to copy bytes between two sockets, and nothing else.
//!
//! One thread and one edge-triggered epoll; a buffer or, with `splice`, a pipe for each direction that moved something.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use rustix::pipe::{PipeFlags, SpliceFlags};

/// Read at once.
const BUFFER: usize = 64 * 1024;
/// Moved at once with `splice`.
const PIPE: usize = 1024 * 1024;
/// Events taken at once.
const EVENTS: usize = 256;
/// The listener's event; sessions have their place and side.
const LISTENER: u64 = u64::MAX;

/// One of a session's two connections.
struct Side {
    stream: TcpStream,
    /// It says that it will send no more than what is there.
    hung_up: bool,
    /// Its FIN was read.
    ended: bool,
    /// Bytes still to be written to it.
    pending: Vec<u8>,
    /// The way of its bytes to the other side, and how many are in there.
    pipe: Option<(OwnedFd, OwnedFd)>,
    in_pipe: usize,
}

/// How bytes are moved.
enum Way {
    /// Through the one buffer.
    Buffer(Vec<u8>),
    /// Through pipes.
    Splice,
}

struct Relay {
    epoll: OwnedFd,
    to: SocketAddr,
    way: Way,
    sessions: Vec<Option<[Side; 2]>>,
    free: Vec<usize>,
}

pub(crate) fn run(listen: SocketAddr, to: SocketAddr, splice: bool) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    listener.set_nonblocking(true)?;
    let way = if splice { Way::Splice } else { Way::Buffer(vec![0; BUFFER]) };
    let mut relay = Relay { epoll, to, way, sessions: Vec::new(), free: Vec::new() };
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        events.clear();
        match epoll::wait(&relay.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Err(rustix::io::Errno::INTR) => continue,
            waited => waited?,
        };
        for event in &events {
            let (data, flags) = (event.data.u64(), event.flags);
            if data == LISTENER {
                relay.accept(&listener)?;
            } else {
                relay.move_bytes((data / 2) as usize, (data % 2) as usize, flags);
            }
        }
    }
}

impl Side {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, hung_up: false, ended: false, pending: Vec::new(), pipe: None, in_pipe: 0 })
    }

    /// Writes what waits; whether all of it went.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Relay {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let client = match rustix::net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                accepted => TcpStream::from(accepted?),
            };
            let server = TcpStream::connect(self.to)?;
            server.set_nonblocking(true)?;
            let place = self.free.pop().unwrap_or(self.sessions.len());
            for (side, stream) in [&client, &server].into_iter().enumerate() {
                let data = EventData::new_u64((2 * place + side) as u64);
                epoll::add(
                    &self.epoll,
                    stream,
                    data,
                    EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET,
                )?;
            }
            if place == self.sessions.len() {
                self.sessions.push(None);
            }
            self.sessions[place] = Some([Side::new(client)?, Side::new(server)?]);
        }
    }

    /// Something happened to one side of a session.
    fn move_bytes(&mut self, place: usize, side: usize, flags: EventFlags) {
        let Some([client, server]) = &mut self.sessions[place] else { return };
        let (this, other) = if side == 0 { (client, server) } else { (server, client) };
        this.hung_up |= flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        let mut moved = Ok(());
        // It is nearly always writable: that is news only if something waits for it.
        if flags.contains(EventFlags::OUT) && (!this.pending.is_empty() || other.in_pipe > 0) {
            moved = self.way.pass(other, this);
        }
        if flags.contains(EventFlags::IN) || this.hung_up {
            moved = moved.and(self.way.pass(this, other));
        }
        if moved.is_err() || (this.ended && other.ended) {
            self.sessions[place] = None;
            self.free.push(place);
        }
    }
}

impl Way {
    /// Passes on what there is.
    fn pass(&mut self, from: &mut Side, to: &mut Side) -> io::Result<()> {
        match self {
            Self::Buffer(buffer) => copy(from, to, buffer),
            Self::Splice => splice(from, to),
        }
    }
}

fn copy(from: &mut Side, to: &mut Side, buffer: &mut [u8]) -> io::Result<()> {
    while to.flush()? && !from.ended {
        let read = match from.stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            read => read?,
        };
        if read == 0 {
            from.ended = true;
            return to.stream.shutdown(Shutdown::Write);
        }
        let written = match to.stream.write(&buffer[..read]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written?,
        };
        to.pending.extend_from_slice(&buffer[written..read]);
        if read < buffer.len() && !from.hung_up {
            // The socket is empty: whatever comes next is an event of its own.
            return Ok(());
        }
    }
    Ok(())
}

fn splice(from: &mut Side, to: &mut Side) -> io::Result<()> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    let (read_end, write_end) = match &mut from.pipe {
        Some(pipe) => pipe,
        none => {
            let pipe = rustix::pipe::pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
            // Without the right to a larger one it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(&pipe.1, PIPE);
            none.insert(pipe)
        }
    };
    loop {
        // Only into an empty pipe: a full one and an empty socket give the same error.
        while from.in_pipe > 0 {
            match rustix::pipe::splice(&*read_end, None, &to.stream, None, from.in_pipe, flags) {
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                written => from.in_pipe -= written?,
            }
        }
        if from.ended {
            return Ok(());
        }
        match rustix::pipe::splice(&from.stream, None, &*write_end, None, PIPE, flags) {
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Ok(0) => {
                from.ended = true;
                return to.stream.shutdown(Shutdown::Write);
            }
            read => from.in_pipe = read?,
        }
    }
}
