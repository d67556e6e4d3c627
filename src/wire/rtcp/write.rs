//! Puts RTCP compounds together in a borrowed buffer, without allocating.

use super::extended::{ExtendedBlock, write_block};
use super::packet::{FirRequest, ReceptionReport, RtcpError, SenderInfo};
use super::read::{BYE, FIR, NACK, PLI, PSFB, RR, RTPFB, SDES, SR, XR};

/// Writes packets one behind the other. A packet that finds no room leaves nothing behind.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts an empty compound.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Octets written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nothing written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an SR with at most 31 reports.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`], [`RtcpError::TooMany`].
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        reports: &[ReceptionReport],
    ) -> Result<(), RtcpError> {
        self.packet(SR, count(reports.len())?, |w| {
            w.put(&ssrc.to_be_bytes())?;
            w.put(&info.ntp.to_be_bytes())?;
            w.put(&info.rtp.to_be_bytes())?;
            w.put(&info.packets.to_be_bytes())?;
            w.put(&info.octets.to_be_bytes())?;
            w.reports(reports)
        })
    }

    /// Appends an RR with at most 31 reports.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`], [`RtcpError::TooMany`].
    pub fn receiver_report(
        &mut self,
        ssrc: u32,
        reports: &[ReceptionReport],
    ) -> Result<(), RtcpError> {
        self.packet(RR, count(reports.len())?, |w| {
            w.put(&ssrc.to_be_bytes())?;
            w.reports(reports)
        })
    }

    /// Appends an SDES with the CNAME of one source; at most 255 octets of it.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`], [`RtcpError::TooMany`].
    pub fn cname(&mut self, ssrc: u32, cname: &str) -> Result<(), RtcpError> {
        let len = u8::try_from(cname.len()).map_err(|_| RtcpError::TooMany)?;
        self.packet(SDES, 1, |w| {
            w.put(&ssrc.to_be_bytes())?;
            w.put(&[1, len])?;
            w.put(cname.as_bytes())?;
            // At least one zero ends the list; more fill up to the border.
            w.put(&[0])?;
            while w.len % 4 != 0 {
                w.put(&[0])?;
            }
            Ok(())
        })
    }

    /// Appends a BYE for at most 31 sources.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`], [`RtcpError::TooMany`].
    pub fn bye(&mut self, ssrcs: &[u32]) -> Result<(), RtcpError> {
        self.packet(BYE, count(ssrcs.len())?, |w| {
            ssrcs.iter().try_for_each(|s| w.put(&s.to_be_bytes()))
        })
    }

    /// Appends a picture loss indication.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`].
    pub fn pli(&mut self, sender: u32, media: u32) -> Result<(), RtcpError> {
        self.packet(PSFB, PLI, |w| {
            w.put(&sender.to_be_bytes())?;
            w.put(&media.to_be_bytes())
        })
    }

    /// Appends a full intra request.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`].
    pub fn fir(&mut self, sender: u32, requests: &[FirRequest]) -> Result<(), RtcpError> {
        self.packet(PSFB, FIR, |w| {
            w.put(&sender.to_be_bytes())?;
            w.put(&[0; 4])?;
            requests.iter().try_for_each(|request| {
                w.put(&request.ssrc.to_be_bytes())?;
                w.put(&[request.sequence, 0, 0, 0])
            })
        })
    }

    /// Appends a generic NACK. `lost` in ascending order (across the wrap) packs best; any order is right.
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`].
    pub fn nack(&mut self, sender: u32, media: u32, lost: &[u16]) -> Result<(), RtcpError> {
        self.packet(RTPFB, NACK, |w| {
            w.put(&sender.to_be_bytes())?;
            w.put(&media.to_be_bytes())?;
            let mut rest = lost.iter().copied().peekable();
            while let Some(first) = rest.next() {
                let mut following = 0u16;
                while let Some(next) = rest.peek() {
                    match next.wrapping_sub(first) {
                        0 => {}
                        near @ 1..=16 => following |= 1 << (near - 1),
                        _ => break,
                    }
                    rest.next();
                }
                w.put(&first.to_be_bytes())?;
                w.put(&following.to_be_bytes())?;
            }
            Ok(())
        })
    }

    /// Appends an extended report (RFC 3611 §3).
    ///
    /// # Errors
    /// [`RtcpError::NoRoom`], [`RtcpError::TooMany`].
    pub fn extended(&mut self, ssrc: u32, blocks: &[ExtendedBlock]) -> Result<(), RtcpError> {
        self.packet(XR, 0, |w| {
            w.put(&ssrc.to_be_bytes())?;
            blocks
                .iter()
                .try_for_each(|block| write_block(block, |octets| w.put(octets)))
        })
    }

    fn reports(&mut self, reports: &[ReceptionReport]) -> Result<(), RtcpError> {
        for report in reports {
            let lost = report.total_lost.clamp(-0x80_0000, 0x7f_ffff);
            let [_, l0, l1, l2] = lost.to_be_bytes();
            self.put(&report.ssrc.to_be_bytes())?;
            self.put(&[report.fraction_lost, l0, l1, l2])?;
            self.put(&report.highest_sequence.to_be_bytes())?;
            self.put(&report.jitter.to_be_bytes())?;
            self.put(&report.last_sr.to_be_bytes())?;
            self.put(&report.delay_since_last_sr.to_be_bytes())?;
        }
        Ok(())
    }

    /// Writes head, body, and then the length into the head; takes everything back on an error.
    fn packet(
        &mut self,
        packet_type: u8,
        format: u8,
        body: impl FnOnce(&mut Self) -> Result<(), RtcpError>,
    ) -> Result<(), RtcpError> {
        let start = self.len;
        let written = self
            .put(&[0x80 | format, packet_type, 0, 0])
            .and_then(|()| body(self))
            .and_then(|()| {
                let words = (self.len - start) / 4 - 1;
                let words = u16::try_from(words).map_err(|_| RtcpError::TooMany)?;
                let place = self.out.get_mut(start + 2..start + 4);
                place
                    .ok_or(RtcpError::NoRoom)?
                    .copy_from_slice(&words.to_be_bytes());
                Ok(())
            });
        if written.is_err() {
            self.len = start;
        }
        written
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RtcpError> {
        let end = self.len + bytes.len();
        let place = self.out.get_mut(self.len..end);
        place.ok_or(RtcpError::NoRoom)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}

fn count(items: usize) -> Result<u8, RtcpError> {
    u8::try_from(items)
        .ok()
        .filter(|n| *n < 32)
        .ok_or(RtcpError::TooMany)
}
