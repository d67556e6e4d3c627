//! When to try again what the other side could not take just now: 491 and 500 to a request within a dialog.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use wire::sip::{Message, Name};

/// The back-off after 491 (RFC 3261 §14.1): who made the Call-ID waits 2.1 to 4 s, the other side up to 2 s, both in
/// steps of 10 ms. So one of two whose offers crossed is always first.
pub fn back_off(owns_call_id: bool, random: &mut StdRng) -> Duration {
    let steps = if owns_call_id {
        random.random_range(210..=400)
    } else {
        random.random_range(0..=200)
    };
    Duration::from_millis(steps * 10)
}

/// The seconds of a 500 for a request that overlaps another, 0 to 10 (RFC 3261 §14.2, RFC 3311 §5.2).
pub fn retry_after(random: &mut StdRng) -> u32 {
    random.random_range(0..=10)
}

/// When a refused request may be tried again, if the refusal says so; at most a minute is waited.
#[must_use]
pub fn may_retry_after(response: &Message) -> Option<Duration> {
    let seconds = response.headers.number(Name::RetryAfter).ok().flatten()?;
    Some(Duration::from_secs(seconds.min(60)))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_two_sides_back_off_for_times_that_never_meet() {
        let mut random = StdRng::from_seed([1; 32]);
        for _ in 0..1000 {
            let owner = back_off(true, &mut random).as_millis();
            let other = back_off(false, &mut random).as_millis();
            assert!(
                (2100..=4000).contains(&owner) && owner.is_multiple_of(10),
                "{owner}"
            );
            assert!(other <= 2000 && other.is_multiple_of(10), "{other}");
            assert!(retry_after(&mut random) <= 10);
        }
    }

    #[test]
    fn retry_after_is_read_with_its_comment_and_parameters() {
        let mut response = Message::response_to(
            &Message::request(wire::sip::Method::Update, "sip:a@b"),
            500,
            "x",
        );
        assert_eq!(may_retry_after(&response), None);
        response
            .headers
            .push(Name::RetryAfter, "7 (busy);duration=60");
        assert_eq!(may_retry_after(&response), Some(Duration::from_secs(7)));
        response.headers.replace(Name::RetryAfter, "86400");
        assert_eq!(may_retry_after(&response), Some(Duration::from_secs(60)));
    }
}
