//! tshark as an independent judge: records a port of the loopback, and says what RTP it saw.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::peers::{missing, peer};
use super::running::Running;
use super::wait_for;

/// A capture that runs.
pub(crate) struct Capture {
    process: Running,
    file: PathBuf,
}

/// What tshark says of one RTP stream.
#[derive(Clone, Debug)]
pub(crate) struct RtpStream {
    pub(crate) packets: u64,
    pub(crate) lost: i64,
    pub(crate) mean_jitter_ms: f64,
}

impl Capture {
    /// Records what the filter (in libpcap's words) lets through. `None` after a loud line when tshark is missing, or
    /// we may not capture.
    pub(crate) fn start(folder: &Path, filter: &str) -> Option<Self> {
        let program = peer("tshark")?;
        let file = folder.join("capture.pcapng");
        let mut process = Running::start(
            "tshark",
            Command::new(program)
                .args(["-i", "lo", "-q", "-f", filter, "-w"])
                .arg(&file),
            &folder.join("tshark.log"),
        );
        let captures = wait_for("a capture", Duration::from_secs(20), || {
            let said = process.output();
            let ended = process.ended().is_some();
            (ended || said.contains("Capturing on")).then_some(!ended)
        });
        if !captures {
            let said = process.output();
            assert!(said.contains("permission"), "tshark: {said}");
            return missing("the right to capture on lo (root has it)");
        }
        // It says so a moment before the kernel's filter stands.
        std::thread::sleep(Duration::from_millis(500));
        Some(Self { process, file })
    }

    /// Stops and returns the file.
    pub(crate) fn stop(mut self) -> PathBuf {
        // What the kernel holds is written in blocks.
        std::thread::sleep(Duration::from_secs(1));
        self.process.signal("INT");
        self.process.wait(Duration::from_secs(20));
        self.file.clone()
    }
}

/// Runs tshark on a file; returns what it prints. `None` after a loud line when it is missing.
pub(crate) fn tshark(file: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(peer("tshark")?)
        .arg("-r")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "tshark: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The RTP streams to and from a port, and tshark's own table of them.
pub(crate) fn rtp_streams(file: &Path, port: u16) -> Option<(Vec<RtpStream>, String)> {
    let decode = format!("udp.port=={port},rtp");
    let table = tshark(file, &["-d", &decode, "-q", "-z", "rtp,streams"])?;
    Some((table.lines().filter_map(stream).collect(), table))
}

/// One row: times, addresses and ports, SSRC, payload, packets, "lost (share %)", deltas, jitters (least, mean, most).
fn stream(line: &str) -> Option<RtpStream> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ssrc = words.iter().position(|word| word.starts_with("0x"))?;
    let share = words.iter().position(|word| word.ends_with("%)"))?;
    // The name of the payload may have several words; the share follows packets and loss.
    let mean_jitter_ms = words.get(share + 5)?.parse().ok()?;
    let packets = words.get(share - 2)?.parse().ok()?;
    let lost = words.get(share - 1)?.parse().ok()?;
    (ssrc < share).then_some(RtpStream {
        packets,
        lost,
        mean_jitter_ms,
    })
}
