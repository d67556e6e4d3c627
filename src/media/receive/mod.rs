//! What arrives: extended sequence numbers, duplicates, loss, jitter, keys pressed.
//!
//! [`Reception`] watches one incoming stream of a leg through every change of its SSRC. NACK and feedback
//! for bandwidth estimation (TWCC) will be fed from here too: both start from the extended sequence number.

mod jitter;
mod keys;
mod source;
mod tones;

use std::time::{Duration, Instant};

pub use jitter::Jitter;
pub use keys::{EventPacket, KeyReader};
use source::Source;
pub use tones::ToneReader;

use crate::measure::bursts::{BurstFigures, Bursts, Fate};

/// The reception of one stream: which source it has, and what became of its packets.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    source: Option<Source>,
    /// SSRC and next sequence number of a source that would take over.
    candidate: Option<(u32, u16)>,
    jitter: Jitter,
    lost_before: i64,
    received_before: u64,
    settled: Settled,
    last_report: Option<(u32, Instant)>,
}

/// A packet that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Extended sequence number; grows through restarts and changes of SSRC.
    pub sequence: u64,
    /// The stream starts anew here (first packet, another SSRC, or a jump): buffers must not join it to
    /// what was before.
    pub restarted: bool,
    /// Packets between this one and the highest before it are missing (they may yet come).
    pub gap: bool,
    /// This packet is the newest so far.
    pub newest: bool,
}

/// Why a packet was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAccepted {
    /// Its sequence number was seen before.
    Duplicate,
    /// It jumps, or has another SSRC; the next packet decides (RFC 3550 A.1).
    OnProbation,
}

/// Loss in an interval, after every consumer has had its say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Loss {
    /// Packets that should have come.
    pub expected: u64,
    /// Packets that did not come, or too late to be played, and that no copy stood in for.
    pub lost: u64,
    /// Runs of consecutive lost packets.
    pub bursts: u64,
}

/// Packets whose fate is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    /// Since the last sample.
    interval: Loss,
    /// Since the leg began.
    whole: Loss,
    bursts: Bursts,
    in_burst: bool,
}

impl Settled {
    /// Takes note of the next packet, in the order of sequence numbers.
    fn packet(&mut self, fate: Fate) {
        let missing = fate != Fate::Played;
        for loss in [&mut self.interval, &mut self.whole] {
            loss.expected += 1;
            loss.lost += u64::from(missing);
            loss.bursts += u64::from(missing && !self.in_burst);
        }
        self.in_burst = missing;
        self.bursts.packet(fate);
    }

    /// What follows is another stream: no burst goes on into it.
    fn restart(&mut self) {
        self.in_burst = false;
    }
}

/// The figures of an RTCP report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReportFigures {
    /// The source reported on.
    pub ssrc: u32,
    /// Fraction lost since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since this source began, held to 24 signed bits.
    pub cumulative_lost: i32,
    /// Extended highest sequence number.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle bits of the NTP timestamp of the last sender report; 0 if none came.
    pub last_sender_report: u32,
    /// Time since that report in 1/65536 s; 0 if none came.
    pub delay_since: u32,
}

impl Reception {
    /// Takes note of one authentic packet.
    ///
    /// A second source is refused as long as the present one sends; when the present one has fallen silent,
    /// two packets in sequence hand over.
    ///
    /// # Errors
    /// [`NotAccepted`] tells why the packet must not be used.
    pub fn packet(&mut self, ssrc: u32, sequence: u16) -> Result<Arrival, NotAccepted> {
        match &mut self.source {
            Some(source) if source.ssrc() == ssrc => {
                self.candidate = None;
                source.packet(sequence, &mut self.settled)
            }
            Some(_) if self.candidate != Some((ssrc, sequence)) => {
                self.candidate = Some((ssrc, sequence.wrapping_add(1)));
                Err(NotAccepted::OnProbation)
            }
            _ => Ok(self.begin(ssrc, sequence)),
        }
    }

    /// Takes note of the media time of a packet that was accepted (not of telephone events, whose timestamps
    /// stand still).
    pub fn media_time(&mut self, now: Instant, timestamp: u32, clock: u32) {
        self.jitter.packet(now, timestamp, clock);
    }

    /// Takes note that an accepted packet came too late to be of use.
    pub fn too_late(&mut self, sequence: u64) {
        if let Some(source) = &mut self.source {
            source.too_late(sequence);
        }
    }

    /// Takes note that a packet which did not come, or not yet, was replaced by a copy of it in good time.
    pub fn recovered(&mut self, sequence: u64) {
        if let Some(source) = &mut self.source {
            source.recovered(sequence);
        }
    }

    /// Takes note of a sender report: the middle 32 bits of its NTP timestamp.
    pub fn sender_report(&mut self, now: Instant, ntp_middle: u32) {
        self.last_report = Some((ntp_middle, now));
    }

    /// The present SSRC.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(Source::ssrc)
    }

    /// Packets accepted since the leg began.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received_before + self.source.as_ref().map_or(0, Source::received)
    }

    /// Packets lost since the leg began, over all its sources; `None` before the first packet.
    #[must_use]
    pub fn lost(&self) -> Option<i64> {
        let source = self.source.as_ref()?;
        Some(self.lost_before + source.lost())
    }

    /// What the next receiver report says about this stream; `None` before the first packet.
    pub fn report(&mut self, now: Instant) -> Option<ReportFigures> {
        let source = self.source.as_mut()?;
        let (last_sender_report, delay_since) = match self.last_report {
            Some((ntp, at)) => (ntp, in_65536ths(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        Some(ReportFigures {
            ssrc: source.ssrc(),
            fraction_lost: source.fraction_lost(),
            cumulative_lost: source.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: source.highest_reported(),
            jitter: self.jitter.units(),
            last_sender_report,
            delay_since,
        })
    }

    /// Mean jitter of the interval in microseconds, and a new interval; `None` if nothing was measured.
    pub fn take_jitter_us(&mut self) -> Option<u64> {
        self.jitter.take_mean_us()
    }

    /// Loss of the interval, and a new interval. The newest [`SETTLING`] packets, of which some may still be
    /// on their way, belong to the next interval unless this is the last.
    pub fn take_loss(&mut self, last: bool) -> Loss {
        if last && let Some(source) = &mut self.source {
            source.settle_all(&mut self.settled);
        }
        std::mem::take(&mut self.settled.interval)
    }

    /// Loss since the leg began, late packets included, but for the newest [`SETTLING`] packets.
    #[must_use]
    pub fn loss_of_all(&self) -> Loss {
        self.settled.whole
    }

    /// Loss, discards and their bursts since the leg began, but for the newest [`SETTLING`] packets.
    #[must_use]
    pub fn bursts(&self) -> BurstFigures {
        self.settled.bursts.figures()
    }

    fn begin(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        let mut floor = 0;
        if let Some(old) = &mut self.source {
            old.settle_all(&mut self.settled);
            self.settled.restart();
            self.lost_before += old.lost();
            self.received_before += old.received();
            floor = old.next_era();
        }
        let source = Source::new(ssrc, sequence, floor);
        let arrival = source.first_arrival();
        self.source = Some(source);
        self.candidate = None;
        self.last_report = None;
        self.jitter.restart();
        arrival
    }
}

/// How many packets may follow a missing one before it counts as lost in [`Loss`].
pub const SETTLING: u64 = 64;

fn in_65536ths(time: Duration) -> u32 {
    u32::try_from((time.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(reception: &mut Reception, ssrc: u32, sequences: impl IntoIterator<Item = u16>) {
        for sequence in sequences {
            let _ = reception.packet(ssrc, sequence);
        }
    }

    #[test]
    fn a_reordered_packet_is_not_lost_and_a_duplicate_hides_no_loss() {
        let mut reception = Reception::default();
        feed(&mut reception, 1, [10, 12, 11, 14]);
        assert_eq!(reception.lost(), Some(1));
        assert_eq!(reception.packet(1, 14), Err(NotAccepted::Duplicate));
        assert_eq!(reception.packet(1, 12), Err(NotAccepted::Duplicate));
        assert_eq!(reception.lost(), Some(1));
        assert_eq!(reception.received(), 4);
    }

    #[test]
    fn loss_is_counted_on_through_a_wrap_and_a_change_of_source() {
        let mut reception = Reception::default();
        feed(&mut reception, 1, [65_533, 65_535, 1, 2]);
        assert_eq!(reception.lost(), Some(2));
        assert_eq!(reception.packet(2, 500), Err(NotAccepted::OnProbation));
        let arrival = reception.packet(2, 501).unwrap();
        assert!(arrival.restarted);
        feed(&mut reception, 2, [503]);
        assert_eq!(reception.lost(), Some(3));
        assert_eq!(reception.ssrc(), Some(2));
    }

    #[test]
    fn a_second_source_is_refused_while_the_first_sends() {
        let mut reception = Reception::default();
        for sequence in 0..50 {
            assert!(reception.packet(1, sequence).is_ok());
            assert_eq!(reception.packet(2, sequence), Err(NotAccepted::OnProbation));
        }
    }

    #[test]
    fn extended_numbers_grow_through_restarts() {
        let mut reception = Reception::default();
        let mut last = reception.packet(1, 60_000).unwrap().sequence;
        for (ssrc, sequence) in [
            (1, 60_001),
            (1, 20_000),
            (1, 20_001),
            (9, 5),
            (9, 6),
            (9, 7),
        ] {
            if let Ok(arrival) = reception.packet(ssrc, sequence) {
                assert!(arrival.sequence > last, "{ssrc} {sequence}");
                last = arrival.sequence;
            }
        }
        assert_eq!(reception.lost(), Some(0));
    }

    #[test]
    fn late_packets_count_as_lost_after_the_jitter_buffer_but_not_in_the_loss_on_the_way() {
        let mut reception = Reception::default();
        for sequence in 0..100_u16 {
            if (20..24).contains(&sequence) {
                continue;
            }
            let arrival = reception.packet(1, sequence).unwrap();
            if sequence == 50 {
                reception.too_late(arrival.sequence);
            }
        }
        assert_eq!(reception.lost(), Some(4));
        let loss = reception.take_loss(true);
        assert_eq!(
            loss,
            Loss {
                expected: 100,
                lost: 5,
                bursts: 2
            }
        );
        assert_eq!(reception.take_loss(true), Loss::default());
    }

    #[test]
    fn a_recovered_packet_is_lost_on_the_way_but_not_after_the_jitter_buffer() {
        let mut reception = Reception::default();
        for sequence in (0..100_u16).filter(|n| !(20..24).contains(n)) {
            let arrival = reception.packet(1, sequence).unwrap();
            if sequence == 24 {
                for back in 1..=3 {
                    reception.recovered(arrival.sequence - back);
                }
            }
        }
        assert_eq!(reception.lost(), Some(4));
        let loss = reception.take_loss(true);
        assert_eq!((loss.expected, loss.lost, loss.bursts), (100, 1, 1));
    }

    #[test]
    fn the_report_block_has_the_figures_of_rfc_3550() {
        let start = Instant::now();
        let mut reception = Reception::default();
        assert_eq!(reception.report(start), None);
        feed(&mut reception, 7, (0..100).filter(|n| n % 4 != 3));
        reception.sender_report(start, 0x1234_5678);
        let report = reception
            .report(start + Duration::from_millis(500))
            .unwrap();
        assert_eq!(report.ssrc, 7);
        assert_eq!(report.highest_sequence, 98);
        assert_eq!(report.cumulative_lost, 24);
        assert_eq!(report.fraction_lost, (24 * 256 / 99) as u8);
        assert_eq!(report.last_sender_report, 0x1234_5678);
        assert_eq!(report.delay_since, 32_768);
        feed(&mut reception, 7, 100..200);
        let next = reception.report(start + Duration::from_secs(1)).unwrap();
        assert_eq!(next.cumulative_lost, 25);
        assert_eq!(next.fraction_lost, (256 / 101) as u8);
    }
}
