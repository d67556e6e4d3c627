//! The story of one call, put together from the logs on disk: what `campanile trace` tells.
//!
//! Everything in the logs was masked before it was written; nothing here adds to it. No server need run.

mod describe;
mod ladder;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use wire::capture::{PcapError, PcapWriter};

pub use ladder::Whole;

use super::call_events::{CallEvent, MediaMinute, What};

/// What is known of a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Trace {
    id: String,
    messages: Vec<SipMessage>,
    events: Vec<(u64, What)>,
    minutes: Vec<Minute>,
}

/// One SIP message of the call.
#[derive(Clone, PartialEq, Debug)]
struct SipMessage {
    at_ms: u64,
    text: String,
    /// How it travelled; unknown for what an earlier version wrote down.
    way: Option<Travelled>,
}

#[derive(Clone, PartialEq, Debug)]
struct Travelled {
    incoming: bool,
    transport: Option<String>,
    local: Option<SocketAddr>,
    peer: SocketAddr,
}

/// One line of the metric log, as far as it is shown, and what stands behind it.
#[derive(Clone, PartialEq, Debug)]
struct Minute {
    figures: Figures,
    behind: Option<MediaMinute>,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
struct Figures {
    event_timestamp: u64,
    call_id: String,
    cust2vc_rtp_packets: Option<u64>,
    cust2vc_packets_lost: Option<i64>,
    cust2vc_jitter: Option<u64>,
    vc2cust_rtp_packets: Option<u64>,
    vc2cust_packets_lost: Option<i64>,
    vc2cust_jitter: Option<u64>,
    rtt_btwn_vc_and_cust: Option<u64>,
    mos_btwn_vc_and_cust: Option<f64>,
}

#[derive(Deserialize)]
struct SipLine {
    event_timestamp: u64,
    call_id: Option<String>,
    sip_message: String,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// What was given has not the form of a transaction id.
    #[error(
        "{0:?} is no transaction id: that is the call_id of the logs, such as 0b2f6c5e-7a41-4c53-9d0e-5f6b1a2c3d4e"
    )]
    NoId(String),
    /// There are no logs in the data folder.
    #[error("no logs in {}; name the server's data folder with --data", path.display())]
    NoLogs {
        /// Where they should be.
        path: PathBuf,
    },
    /// The logs know of no such call.
    #[error("the logs in {} know of no call {id}", path.display())]
    Unknown {
        /// The id.
        id: String,
        /// Where was looked.
        path: PathBuf,
    },
    /// A log cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The SIP message log has nothing of the call to put into a capture.
    #[error(
        "no SIP message of the call was recorded (record.sip_messages), so there is nothing to write"
    )]
    NothingCaptured,
    /// The capture cannot be written.
    #[error("cannot write the capture: {0}")]
    Pcap(#[from] PcapError),
}

/// What a capture holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Captured {
    /// SIP messages written.
    pub messages: usize,
    /// SIP messages left out, because it is not known how they travelled or they are too long for a datagram.
    pub left_out: usize,
}

impl Trace {
    /// Reads everything that the logs of a data folder know of a call.
    ///
    /// # Errors
    /// [`TraceError`].
    pub fn read(data: &Path, id: &str) -> Result<Self, TraceError> {
        let id = uuid::Uuid::parse_str(id)
            .map_err(|_| TraceError::NoId(id.to_owned()))?
            .to_string();
        let logs = data.join("logs");
        if !logs.is_dir() {
            return Err(TraceError::NoLogs { path: logs });
        }
        let mut events: Vec<(u64, What)> = lines(&logs.join("campanile/CallEvents"), &id)?
            .into_iter()
            .filter(|line: &CallEvent| line.call_id == id)
            .map(|line| (line.event_timestamp, line.event))
            .collect();
        let (ways, rest) = events
            .into_iter()
            .partition(|(_, what)| matches!(what, What::Sip { .. }));
        events = rest;
        let sip: Vec<SipLine> = lines(&logs.join("aws/ChimeVoiceConnectorSipMessages"), &id)?;
        let messages = join_ways(
            sip.into_iter()
                .filter(|line| line.call_id.as_ref() == Some(&id)),
            ways,
        );
        let figures: Vec<Figures> = lines(&logs.join("aws/ChimeVoiceConnectorLogs"), &id)?;
        let minutes: Vec<Minute> = figures
            .into_iter()
            .filter(|figures| figures.call_id == id)
            .map(|figures| Minute {
                behind: events.iter().find_map(|(at, what)| match what {
                    What::Media(minute) if *at == figures.event_timestamp => {
                        Some(MediaMinute::clone(minute))
                    }
                    _ => None,
                }),
                figures,
            })
            .collect();
        if messages.is_empty() && events.is_empty() && minutes.is_empty() {
            return Err(TraceError::Unknown { id, path: logs });
        }
        Ok(Self {
            id,
            messages,
            events,
            minutes,
        })
    }

    /// Writes the SIP messages, masked as they are, as a capture in libpcap's format.
    ///
    /// # Errors
    /// [`TraceError::NothingCaptured`], [`TraceError::Pcap`].
    pub fn write_pcap(&self, out: impl Write) -> Result<Captured, TraceError> {
        if self.messages.is_empty() {
            return Err(TraceError::NothingCaptured);
        }
        let mut pcap = PcapWriter::new(out)?;
        let mut captured = Captured {
            messages: 0,
            left_out: 0,
        };
        for message in &self.messages {
            let Some(way) = &message.way else {
                captured.left_out += 1;
                continue;
            };
            let unknown = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
            let local = way.local.unwrap_or(unknown);
            let (from, to) = if way.incoming {
                (way.peer, local)
            } else {
                (local, way.peer)
            };
            let body = with_true_length(&with_whole_keys(&message.text));
            match pcap.datagram(message.at_ms * 1000, from, to, body.as_bytes()) {
                Ok(()) => captured.messages += 1,
                Err(PcapError::TooLong(_) | PcapError::MixedFamilies(..)) => captured.left_out += 1,
                Err(error) => return Err(error.into()),
            }
        }
        pcap.finish()?;
        Ok(captured)
    }
}

/// Gives each message of the log its way: those of the same time, in order.
fn join_ways(lines: impl Iterator<Item = SipLine>, ways: Vec<(u64, What)>) -> Vec<SipMessage> {
    let mut ways: VecDeque<(u64, What)> = ways.into();
    lines
        .map(|line| {
            let at = ways.iter().position(|(at, _)| *at == line.event_timestamp);
            let way = at
                .and_then(|at| ways.remove(at))
                .and_then(|(_, what)| match what {
                    What::Sip {
                        incoming,
                        transport,
                        local,
                        peer,
                    } => Some(Travelled {
                        incoming,
                        transport,
                        local,
                        peer,
                    }),
                    _ => None,
                });
            SipMessage {
                at_ms: line.event_timestamp,
                text: line.sip_message,
                way,
            }
        })
        .collect()
}

/// A masked key is shorter than any key; readers that decode it call the whole packet malformed. As many X as the
/// commonest key has characters are as good a mask.
fn with_whole_keys(message: &str) -> String {
    message.replace("inline:XXXX", &format!("inline:{}", "X".repeat(40)))
}

/// Masking makes bodies longer or shorter; a reader of the capture goes by the length that is announced.
fn with_true_length(message: &str) -> String {
    let Some((head, body)) = message.split_once("\r\n\r\n") else {
        return message.to_owned();
    };
    let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
    for line in &mut lines {
        let name = line.split(':').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l") {
            *line = format!("{name}: {}", body.len());
        }
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// The lines of all files below a folder that have the id in them, oldest file first. Half a line at the end of a
/// file (the process was killed) is passed over.
fn lines<T: DeserializeOwned>(folder: &Path, id: &str) -> Result<Vec<T>, TraceError> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let failed = |source| TraceError::Read {
            path: path.clone(),
            source,
        };
        let file = BufReader::new(File::open(&path).map_err(failed)?);
        for line in file.lines() {
            let line = line.map_err(failed)?;
            if line.contains(id)
                && let Ok(value) = serde_json::from_str(&line)
            {
                found.push(value);
            }
        }
    }
    Ok(found)
}

/// Files named by their day, in all folders of a log group.
fn files(folder: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| TraceError::Read {
            path: folder.clone(),
            source,
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // A log that is turned off has no folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "jsonl") {
                files.push(path);
            }
        }
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(files)
}

#[cfg(test)]
mod tests;
