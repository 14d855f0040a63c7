//! The server that logs arrivals: it stamps each request when it reads it, and answers at once.
//!
//! After `GET /freeze` it withholds its answers from 3 s to 4 s after the next request, but still
//! reads and stamps. `GET /log` returns the stamps and clears them.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::{Nanos, now};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LISTENER: u64 = 0;
const FREEZE_AFTER: Duration = Duration::from_secs(3);
const FREEZE_FOR: Duration = Duration::from_secs(1);

/// Prints the server's address, then serves until the process is killed.
pub(crate) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut server = Server {
        listener,
        epoll,
        connections: HashMap::new(),
        accepted: LISTENER,
        stamps: Vec::new(),
        freeze: Freeze::None,
        held: Vec::new(),
    };
    let mut ready = Vec::with_capacity(64);
    loop {
        ready.clear();
        let timeout = server.until_thaw().map(|left| Timespec::try_from(left).unwrap_or_default());
        epoll::wait(&server.epoll, rustix::buffer::spare_capacity(&mut ready), timeout.as_ref())?;
        for event in &ready {
            match event.data.u64() {
                LISTENER => server.accept()?,
                connection => server.read(connection)?,
            }
        }
        server.thaw();
    }
}

struct Server {
    listener: TcpListener,
    epoll: OwnedFd,
    connections: HashMap<u64, TcpStream>,
    accepted: u64,
    stamps: Vec<Nanos>,
    freeze: Freeze,
    /// Connections with withheld answers, one entry per answer.
    held: Vec<u64>,
}

enum Freeze {
    None,
    /// Begins some time after the next request.
    Armed,
    Between(Nanos, Nanos),
}

impl Server {
    fn accept(&mut self) -> io::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.accepted += 1;
            let id = self.accepted;
            epoll::add(&self.epoll, &stream, EventData::new_u64(id), EventFlags::IN)?;
            self.connections.insert(id, stream);
        }
        Ok(())
    }

    fn read(&mut self, id: u64) -> io::Result<()> {
        let Some(stream) = self.connections.get_mut(&id) else { return Ok(()) };
        let mut bytes = [0; 4096];
        let read = match stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            read => read.unwrap_or(0),
        };
        let stamp = now();
        let message = &bytes[..read];
        if read == 0 {
            self.connections.remove(&id);
        } else if message.starts_with(b"GET /log ") {
            self.send_log(id)?;
        } else if message.starts_with(b"GET /freeze ") {
            self.freeze = Freeze::Armed;
            self.answer(id);
            self.connections.remove(&id);
        } else {
            for _ in message.windows(4).filter(|window| window == b"\r\n\r\n") {
                self.stamp_request(id, stamp);
            }
        }
        Ok(())
    }

    fn stamp_request(&mut self, id: u64, stamp: Nanos) {
        self.stamps.push(stamp);
        if matches!(self.freeze, Freeze::Armed) {
            let from = stamp + FREEZE_AFTER.as_nanos() as Nanos;
            self.freeze = Freeze::Between(from, from + FREEZE_FOR.as_nanos() as Nanos);
        }
        match self.freeze {
            Freeze::Between(from, until) if (from..until).contains(&stamp) => self.held.push(id),
            _ => self.answer(id),
        }
    }

    /// Answers a request. A client that has gone away is not an error.
    fn answer(&mut self, id: u64) {
        if self.connections.get_mut(&id).is_some_and(|stream| stream.write_all(ANSWER).is_err()) {
            self.connections.remove(&id);
        }
    }

    /// Time left of the present freeze.
    fn until_thaw(&self) -> Option<Duration> {
        match self.freeze {
            Freeze::Between(_, until) if !self.held.is_empty() => {
                Some(Duration::from_nanos(until.saturating_sub(now())))
            }
            _ => None,
        }
    }

    fn thaw(&mut self) {
        if self.until_thaw().is_some_and(|left| left.is_zero()) {
            for id in std::mem::take(&mut self.held) {
                self.answer(id);
            }
        }
    }

    /// Sends a line with the start and end of the freeze, then one line per stamp.
    fn send_log(&mut self, id: u64) -> io::Result<()> {
        let Some(mut stream) = self.connections.remove(&id) else { return Ok(()) };
        let (from, until) = match std::mem::replace(&mut self.freeze, Freeze::None) {
            Freeze::Between(from, until) => (from, until),
            Freeze::None | Freeze::Armed => (0, 0),
        };
        let stamps = self.stamps.drain(..).map(|stamp| stamp.to_string());
        let lines: Vec<String> = std::iter::once(format!("{from} {until}")).chain(stamps).collect();
        stream.set_nonblocking(false)?;
        stream.write_all(lines.join("\n").as_bytes())
    }
}
