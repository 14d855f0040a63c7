//! The least that an HTTP/1.1 client of one thread costs: an epoll loop that sends one canned
//! request and parses nothing.
//!
//! `bare_client ADDRESS PATH CONNECTIONS SECONDS` sends on each connection as soon as it was
//! answered. With a further argument, the requests per second, it sends evenly spaced requests on
//! whichever connection is free. An answer is complete once 1 KiB of it has arrived, as from the
//! rehearsal target's `/plain`. The program prints how many requests were answered.
//! `benches/peers.sh` compares it with tollgate and others. It runs on Linux only.
#![expect(clippy::print_stdout, reason = "an example prints what it found")]
#![allow(
    clippy::disallowed_methods,
    reason = "it reads the clock and does not wait for one that is advanced"
)]

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::Error;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|word| word.parse::<u64>().ok());
    let (Some(address), Some(path), Some(connections), Some(seconds)) =
        (arguments.first(), arguments.get(1), number(2), number(3))
    else {
        return Err(Error::other("usage: bare_client ADDRESS PATH CONNECTIONS SECONDS [RATE]"));
    };
    let client = linux::Client::connect(address, path, connections)?;
    let answered = client.run(seconds, number(4))?;
    println!("{answered} requests");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::io::Result<()> {
    Err(std::io::Error::other("bare_client runs on Linux only"))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::VecDeque;
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
    use rustix::fd::OwnedFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    /// The event of the timer; each connection has its index.
    const TIMER: u64 = u64::MAX;

    /// The least length of an answer.
    const ANSWER: usize = 1 << 10;

    struct Connection {
        stream: TcpStream,
        /// Bytes of the current answer so far.
        received: usize,
    }

    pub(crate) struct Client {
        epoll: OwnedFd,
        connections: Vec<Connection>,
        request: Vec<u8>,
        buffer: Vec<u8>,
    }

    /// What a client still has to send.
    struct Load {
        /// In the order of their last answers: a connection that idles for long is closed.
        free: VecDeque<usize>,
        end: Instant,
        spacing: Option<Duration>,
        due: Instant,
    }

    fn read_ticks(timer: &OwnedFd) -> io::Result<()> {
        rustix::io::read(timer, &mut [0_u8; 8])?;
        Ok(())
    }

    impl Client {
        pub(crate) fn connect(address: &str, path: &str, connections: u64) -> io::Result<Self> {
            let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
            let epoll = epoll::create(CreateFlags::CLOEXEC)?;
            let mut all = Vec::new();
            for index in 0..connections {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let flags = EventFlags::IN | EventFlags::ET;
                epoll::add(&epoll, &stream, EventData::new_u64(index), flags)?;
                all.push(Connection { stream, received: 0 });
            }
            Ok(Self { epoll, connections: all, request, buffer: vec![0; 1 << 16] })
        }

        /// Sends for some seconds; returns how many requests were answered.
        pub(crate) fn run(mut self, seconds: u64, rate: Option<u64>) -> io::Result<u64> {
            let start = Instant::now();
            let mut load = Load {
                free: (0..self.connections.len()).collect(),
                end: start + Duration::from_secs(seconds),
                spacing: rate.map(|rate| Duration::from_nanos(1_000_000_000 / rate)),
                due: start,
            };
            let timer = load.spacing.map(|spacing| self.tick(spacing)).transpose()?;
            let mut answered = 0;
            let mut events = Vec::with_capacity(64);
            let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
            while self.send_what_is_due(&mut load)? {
                events.clear();
                epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
                for event in &events {
                    let Event { data, .. } = *event;
                    if data.u64() == TIMER {
                        // Only a timer that is read ticks on.
                        timer.iter().try_for_each(read_ticks)?;
                    } else if let Ok(index) = usize::try_from(data.u64())
                        && self.is_answered(index)?
                    {
                        answered += 1;
                        load.free.push_back(index);
                    }
                }
            }
            Ok(answered)
        }

        /// A timer that wakes the loop when a request is due.
        fn tick(&self, spacing: Duration) -> io::Result<OwnedFd> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let spacing = Timespec::try_from(spacing).map_err(io::Error::other)?;
            let ticks = Itimerspec { it_interval: spacing, it_value: spacing };
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &ticks)?;
            let flags = EventFlags::IN | EventFlags::ET;
            epoll::add(&self.epoll, &timer, EventData::new_u64(TIMER), flags)?;
            Ok(timer)
        }

        /// Returns false at the end of the load.
        fn send_what_is_due(&mut self, load: &mut Load) -> io::Result<bool> {
            let now = Instant::now();
            while load.spacing.is_none() || load.due <= now {
                let Some(index) = load.free.pop_front() else { break };
                self.connections[index].stream.write_all(&self.request)?;
                load.due += load.spacing.unwrap_or_default();
            }
            Ok(now < load.end)
        }

        /// Reads what arrived; returns whether the answer is complete.
        fn is_answered(&mut self, index: usize) -> io::Result<bool> {
            let connection = &mut self.connections[index];
            match connection.stream.read(&mut self.buffer) {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    connection.received += read;
                    let is_complete = connection.received >= ANSWER;
                    if is_complete {
                        connection.received = 0;
                    }
                    Ok(is_complete)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(error),
            }
        }
    }
}
