//! The settings of the rehearsal target: its flags, their help and their checks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Command, FromArgMatches, ValueEnum};
use secrecy::SecretString;

use super::latency::{LatencyDistribution, parse_wait};
use super::page::{HttpSupport, TargetPage};
use super::services::ServiceSettings;
use super::stall::StallWindows;
use super::warmth::{ColdStart, MachineWarmth, WarmingCurve};
use super::{TargetError, faults};
use crate::units::{Ratio, UnitError};

const CONNECTIONS: &str = "Connections";
const TLS: &str = "TLS";
const PAGES: &str = "Tile loader pages";
const TIMES: &str = "Stalls and cold starts";
const FAULTS: &str = "Faults";
const FLY: &str = "Fly";

/// Flags of the rehearsal target.
///
/// Fields that depend on each other are checked by [`super::TargetServer::bind`].
#[derive(Debug, Clone, Args)]
pub struct TargetSettings {
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", help_heading = CONNECTIONS)]
    pub listen: SocketAddr,

    /// Allow --listen to name an address that other machines can reach.
    #[arg(long, help_heading = CONNECTIONS)]
    pub listen_anywhere: bool,

    /// HTTP versions to speak: over TLS the client chooses by ALPN; in plain text its first bytes
    /// decide.
    #[arg(long, value_name = "VERSIONS", value_enum, default_value_t = HttpVersions::Both, help_heading = CONNECTIONS)]
    pub http: HttpVersions,

    /// Maximum number of concurrent exchanges on one connection (HTTP/2).
    #[arg(
        long,
        value_name = "N",
        default_value_t = 128,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = CONNECTIONS
    )]
    pub max_streams: u32,

    /// End each connection after its N-th answer and announce it: `Connection: close`, or a
    /// graceful GOAWAY.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        help_heading = CONNECTIONS
    )]
    pub close_every: Option<u64>,

    /// With --close-every, close the connection without announcing it.
    #[arg(long, requires = "close_every", help_heading = CONNECTIONS)]
    pub close_silently: bool,

    /// Serve HTTPS, with a certificate for localhost and the loopback addresses that is generated
    /// at start.
    #[arg(long, help_heading = TLS)]
    pub tls: bool,

    /// Write the certificate (PEM) of the authority that signed the server's certificate, for a
    /// prober to trust.
    #[arg(long, value_name = "FILE", requires = "tls", help_heading = TLS)]
    pub tls_ca_out: Option<PathBuf>,

    /// Write a client certificate and its key (PEM, one file), and refuse clients that present
    /// neither it nor a certificate of --tls-client-ca.
    #[arg(long, value_name = "FILE", requires = "tls", help_heading = TLS)]
    pub tls_client_out: Option<PathBuf>,

    /// Refuse clients that do not present a certificate signed by an authority in this PEM file.
    #[arg(long, value_name = "FILE", requires = "tls", help_heading = TLS)]
    pub tls_client_ca: Option<PathBuf>,

    /// Break the certificate or the handshake of every connection.
    #[arg(long, value_name = "NAME", value_enum, requires = "tls", help_heading = TLS)]
    pub tls_fault: Option<TlsFault>,

    /// Latency of the sample page, /app?mock=1: constant:20ms, normal:40ms,8ms (mean, deviation),
    /// lognormal:40ms,0.35 (median, sigma) or bimodal:40ms,400ms,5% (fast, slow, share of slow).
    #[arg(long, value_name = "DIST", default_value = "lognormal:40ms,0.25", help_heading = PAGES)]
    pub mock_latency: LatencyDistribution,

    /// Latency of each of the six upstream calls that the live page, /app?mock=0, makes one after
    /// the other; written like --mock-latency.
    #[arg(long, value_name = "DIST", default_value = "lognormal:25ms,0.35", help_heading = PAGES)]
    pub upstream_latency: LatencyDistribution,

    /// Maximum number of tile loader pages that are worked on at the same time; further ones queue
    /// in the order of arrival. With constant:20ms, one worker serves 50 pages a second.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        help_heading = PAGES
    )]
    pub workers: Option<u32>,

    /// Seed of all random draws; the same requests in the same order get the same latencies and
    /// errors.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = PAGES)]
    pub seed: u64,

    /// Hold all answers during the last part of each period: with --stall 1s --every 10s no answer
    /// leaves from 9 s to 10 s after the start, from 19 s to 20 s, and so on; all held answers
    /// leave when the stall ends.
    #[arg(long, value_name = "DURATION", requires = "every", value_parser = parse_wait, help_heading = TIMES)]
    pub stall: Option<Duration>,

    /// Period of the stalls, counted from the start.
    #[arg(long, value_name = "DURATION", requires = "stall", value_parser = parse_wait, help_heading = TIMES)]
    pub every: Option<Duration>,

    /// Go cold when no request arrives for this long; the server also starts cold.
    #[arg(long, value_name = "IDLE", requires = "cold_start", value_parser = parse_wait, help_heading = TIMES)]
    pub cold_after: Option<Duration>,

    /// Boot time of a cold server: requests that arrive while it is cold or booting wait until it
    /// has booted.
    #[arg(long, value_name = "DURATION", requires = "cold_after", value_parser = parse_wait, help_heading = TIMES)]
    pub cold_start: Option<Duration>,

    /// Number of pages after a cold start (or the start) over which latency falls linearly to its
    /// usual value.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = TIMES)]
    pub warming: u64,

    /// Latency of the first page after a cold start, as a multiple of its usual value.
    #[arg(long, value_name = "FACTOR", default_value_t = 3.0, requires = "warming", value_parser = parse_factor, help_heading = TIMES)]
    pub warming_factor: f64,

    /// Share of pages that fail with status 500, such as 0.5%.
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = FAULTS)]
    pub error_rate: Ratio,

    /// Replace the answer of a share of the tile loader's pages by this fault; every fault also has
    /// its own path.
    #[arg(long, value_name = "NAME", value_parser = fault_parser(), help_heading = FAULTS)]
    pub fault: Option<&'static TargetPage>,

    /// Share of pages to which --fault applies.
    #[arg(long, value_name = "SHARE", default_value = "100%", requires = "fault", help_heading = FAULTS)]
    pub fault_rate: Ratio,

    /// Token that a request for the live page must send in the header X-Hotdash-Synthetic.
    #[arg(
        long,
        help_heading = PAGES,
        value_name = "VALUE",
        env = "SYNTHETIC_CHECK_TOKEN",
        default_value = "staging",
        hide_env_values = true
    )]
    pub token: SecretString,

    /// Requests that get the live page; all others are redirected to /auth/login.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = AuthRule::Contract, help_heading = PAGES)]
    pub auth: AuthRule,

    /// State that all six tiles show; the status stays 200.
    #[arg(long, value_name = "STATE", value_enum, default_value_t = TileState::Ok, help_heading = PAGES)]
    pub tile_state: TileState,

    /// Log the arrival time, connection, path, planned delay and HTTP version of every request to
    /// this file.
    #[arg(long, value_name = "FILE", help_heading = CONNECTIONS)]
    pub arrival_log: Option<PathBuf>,

    /// Put simulated Fly machines behind the tile loader, as this TOML file describes them (or the
    /// built-in `demo`): they answer at the speed of their size and state; /v1 is the Machines API
    /// and /prometheus/ORG their metrics.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["cold_after", "warming", "mock_latency", "workers"],
        help_heading = FLY
    )]
    pub fly: Option<PathBuf>,

    /// Flags of the services beside the tile loader.
    #[command(flatten)]
    pub services: ServiceSettings,
}

/// Which versions of HTTP are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HttpVersions {
    /// HTTP/1.1 only.
    #[value(name = "1.1")]
    Http1,
    /// HTTP/2 only.
    #[value(name = "2")]
    Http2,
    /// HTTP/1.1 and HTTP/2.
    Both,
}

/// What is wrong with a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsFault {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for another name.
    WrongName,
    /// The certificate was signed by an authority other than the one written by --tls-ca-out.
    Untrusted,
    /// The server closes the connection during the handshake.
    HandshakeClose,
    /// The server resets the connection during the handshake.
    HandshakeReset,
    /// The server never answers the handshake.
    HandshakeHang,
    /// The server supports nothing newer than TLS 1.0.
    OldVersion,
    /// The server ignores ALPN and speaks HTTP/1.1 (with --http 2: HTTP/2).
    NoAlpn,
    /// The server offers only a protocol that no client speaks.
    OtherAlpn,
}

/// How a connection ends with its last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    Polite,
    Silent,
}

/// Who gets the live page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthRule {
    /// Requests with the synthetic token.
    Contract,
    /// Only requests with a session: today's app does not know the token.
    Today,
}

/// What a tile says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TileState {
    /// `Healthy`.
    Ok,
    /// `Attention needed`.
    Error,
    /// `Configuration required`.
    Unconfigured,
}

impl TargetSettings {
    /// The settings that `flags` ask for, as they would be typed; for use inside a program or a
    /// test.
    ///
    /// The token's environment variable counts here too. An error is what clap would print.
    pub fn from_flags(flags: &[&str]) -> Result<Self, clap::Error> {
        let command = Self::augment_args(Command::new("target").no_binary_name(true));
        Self::from_arg_matches(&command.try_get_matches_from(flags)?)
    }

    pub(super) fn stalls(&self) -> Result<Option<StallWindows>, TargetError> {
        self.stall.zip(self.every).map(|(stall, every)| StallWindows::new(stall, every)).transpose()
    }

    pub(super) fn warmth(&self) -> MachineWarmth {
        let cold_start = self
            .cold_after
            .zip(self.cold_start)
            .map(|(after_idle, boot)| ColdStart { after_idle, boot });
        let warming = (self.warming > 0)
            .then_some(WarmingCurve { requests: self.warming, factor: self.warming_factor });
        MachineWarmth::new(cold_start, warming)
    }

    /// After how many answers a connection ends, and how.
    pub(super) fn connection_end(&self) -> Option<(u64, ConnectionEnd)> {
        let how = if self.close_silently { ConnectionEnd::Silent } else { ConnectionEnd::Polite };
        self.close_every.map(|answers| (answers, how))
    }

    pub(super) fn check_fault(&self) -> Result<(), TargetError> {
        let Some(fault) = self.fault else { return Ok(()) };
        let flag = match (fault.support, self.http) {
            (HttpSupport::Http1, HttpVersions::Http2 | HttpVersions::Both) => "1.1",
            (HttpSupport::Http2, HttpVersions::Http1 | HttpVersions::Both) => "2",
            _ => return Ok(()),
        };
        Err(TargetError::FaultProtocol { fault: fault.name(), over: fault.support, flag })
    }

    pub(super) fn check_listen(&self) -> Result<(), TargetError> {
        if self.listen.ip().is_loopback() || self.listen_anywhere {
            Ok(())
        } else {
            Err(TargetError::NotLoopback(self.listen))
        }
    }
}

fn fault_parser() -> impl TypedValueParser<Value = &'static TargetPage> {
    PossibleValuesParser::new(faults::ALL.iter().map(|fault| fault.name())).try_map(|name| {
        faults::ALL.iter().find(|fault| fault.name() == name).copied().ok_or("no such fault")
    })
}

fn parse_factor(text: &str) -> Result<f64, UnitError> {
    text.parse().ok().filter(|factor| (1.0..=1000.0).contains(factor)).ok_or_else(|| {
        UnitError::new(
            format!("`{text}` is not a warming factor"),
            "write a number from 1 to 1000: `3`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(flags: &[&str]) -> String {
        TargetSettings::from_flags(flags).unwrap_err().to_string()
    }

    #[test]
    fn without_flags_it_listens_on_loopback_and_does_no_harm() {
        let settings = TargetSettings::from_flags(&[]).unwrap();
        assert!(settings.listen.ip().is_loopback() && settings.listen.port() == 0);
        assert_eq!(settings.error_rate, Ratio::ZERO);
        assert_eq!(settings.stalls().unwrap(), None);
    }

    #[test]
    fn flags_that_need_each_other_say_so() {
        assert!(refusal(&["--stall", "1s"]).contains("--every"));
        assert!(refusal(&["--every", "1s"]).contains("--stall"));
        assert!(refusal(&["--cold-after", "1s"]).contains("--cold-start"));
        assert!(refusal(&["--warming-factor", "2"]).contains("--warming"));
        assert!(refusal(&["--tls-ca-out", "ca.pem"]).contains("--tls"));
    }

    #[test]
    fn flags_whose_part_the_simulated_machines_play_are_refused_with_them() {
        for flags in [
            &["--workers", "2"][..],
            &["--mock-latency", "constant:9ms"],
            &["--warming", "9"],
            &["--cold-after", "1s", "--cold-start", "1s"],
        ] {
            let all = [&["--fly", "demo"][..], flags].concat();
            assert!(refusal(&all).contains("cannot be used with"), "{flags:?}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_remedy() {
        assert!(refusal(&["--mock-latency", "20ms"]).contains("write `constant:20ms`"));
        assert!(refusal(&["--stall", "1", "--every", "2s"]).contains("without a unit"));
        assert!(refusal(&["--error-rate", "200%"]).contains("write `0.5%`"));
        assert!(refusal(&["--warming-factor", "0.5", "--warming", "1"]).contains("from 1 to 1000"));
    }

    #[test]
    fn a_remote_address_needs_confirmation() {
        let open = TargetSettings::from_flags(&["--listen", "0.0.0.0:0"]).unwrap();
        let message = open.check_listen().unwrap_err().to_string();
        assert!(message.contains("--listen-anywhere"), "{message}");
        let meant =
            TargetSettings::from_flags(&["--listen", "0.0.0.0:0", "--listen-anywhere"]).unwrap();
        assert!(meant.check_listen().is_ok());
    }

    #[test]
    fn the_token_shows_neither_in_debug_nor_in_help() {
        for flag in [
            "--token",
            "--chatwoot-token",
            "--chatwoot-secret",
            "--supabase-service-key",
            "--occ-log-database",
        ] {
            let settings = TargetSettings::from_flags(&[flag, "a-secret-value"]).unwrap();
            assert!(!format!("{settings:?}").contains("a-secret-value"), "{flag}");
        }
        let help =
            TargetSettings::augment_args(Command::new("target")).render_long_help().to_string();
        assert!(help.contains("[env: SYNTHETIC_CHECK_TOKEN]"), "{help}");
    }
}
