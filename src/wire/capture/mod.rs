//! Captures for other programs to read.

mod pcap;

pub use pcap::{PcapError, PcapWriter};
