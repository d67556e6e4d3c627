//! NTP time for RTCP, from an instant and the one moment at which both clocks were read.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Turns instants into NTP timestamps (RFC 3550 §4). Wall clock jumps after the epoch are not followed:
/// round-trip times must not see them.
#[derive(Clone, Copy, Debug)]
pub struct NtpClock {
    instant: Instant,
    /// NTP time of `instant`, 32.32 fixed point.
    ntp: u64,
}

impl NtpClock {
    /// A clock from one moment on both clocks.
    #[must_use]
    pub fn new(epoch: (Instant, SystemTime)) -> Self {
        let since_1970 = epoch.1.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self {
            instant: epoch.0,
            ntp: fixed_point(since_1970).wrapping_add(SECONDS_1900_TO_1970 << 32),
        }
    }

    /// The NTP timestamp of an instant: seconds since 1900 above, fractions of 2⁻³² s below.
    #[must_use]
    pub fn ntp(&self, at: Instant) -> u64 {
        match at.checked_duration_since(self.instant) {
            Some(after) => self.ntp.wrapping_add(fixed_point(after)),
            None => self
                .ntp
                .wrapping_sub(fixed_point(self.instant.saturating_duration_since(at))),
        }
    }

    /// The middle 32 bits, as LSR has them: units of 1/65536 s.
    #[must_use]
    pub fn middle(&self, at: Instant) -> u32 {
        (self.ntp(at) >> 16) as u32
    }
}

const SECONDS_1900_TO_1970: u64 = 2_208_988_800;

fn fixed_point(duration: Duration) -> u64 {
    let fraction = (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000;
    duration.as_secs().wrapping_shl(32) | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unix_epoch_is_2208988800_seconds_of_ntp() {
        let start = Instant::now();
        let clock = NtpClock::new((start, UNIX_EPOCH));
        assert_eq!(clock.ntp(start), 2_208_988_800 << 32);
        let later = clock.ntp(start + Duration::from_millis(1500));
        assert_eq!(later, (2_208_988_801 << 32) + (1 << 31));
        assert_eq!(
            clock.middle(start + Duration::from_secs(1)) - clock.middle(start),
            65_536
        );
    }
}
