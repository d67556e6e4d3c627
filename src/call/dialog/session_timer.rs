//! Session timers (RFC 4028), both roles: how long a session lives without a refresh, and who refreshes it.
//!
//! Headers go in and out as messages pass; [`SessionTimer::due`] says when to refresh and when to give the call up.
//! The request that refreshes is the user's: UPDATE or re-INVITE.

use std::time::{Duration, Instant};

use wire::sip::{Message, Name};

/// The option tag (RFC 4028 §3).
pub const TIMER: &str = "timer";

/// The smallest session interval where no `Min-SE` says otherwise (RFC 4028 §5).
const LEAST: Duration = Duration::from_secs(90);

/// The longest time before its end at which a session without refresh is given up (RFC 4028 §10).
const MARGIN: Duration = Duration::from_secs(32);

/// What we ask for and accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The session interval that we ask for, and the longest that we agree to.
    pub expires: Duration,
    /// The shortest that we agree to, at least 90 s.
    pub least: Duration,
}

impl Default for Policy {
    /// RFC 4028 §4 recommends 1800 s.
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(1800),
            least: LEAST,
        }
    }
}

/// The session interval of a request is below ours: 422 with this `Min-SE` in seconds (RFC 4028 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the session interval is below {min_se} s")]
pub struct TooSmall {
    /// Seconds.
    pub min_se: u64,
}

/// What a running timer wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Due {
    /// Send a refresh; tell what becomes of it.
    Refresh,
    /// No refresh succeeded in time: end the call.
    Expired,
}

/// The session timer of one dialog.
#[derive(Clone, Debug)]
pub struct SessionTimer {
    policy: Policy,
    /// The highest `Min-SE` that the other side demanded.
    min_se: Duration,
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    interval: Duration,
    we_refresh: bool,
    refresh_at: Option<Instant>,
    ends_at: Instant,
}

impl SessionTimer {
    /// Not running yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            min_se: LEAST,
            running: None,
        }
    }

    /// The interval agreed on, while the timer runs.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.running.map(|running| running.interval)
    }

    /// Whether refreshing is our part.
    #[must_use]
    pub fn we_refresh(&self) -> bool {
        self.running.is_some_and(|running| running.we_refresh)
    }

    /// Looks at an INVITE or UPDATE of the other side before it is answered.
    ///
    /// # Errors
    /// [`TooSmall`]; only who knows the extension can mend that (RFC 4028 §9).
    pub fn check(&self, request: &Message) -> Result<(), TooSmall> {
        let least = self.policy.least.max(LEAST);
        match asked(request) {
            Some(interval) if interval < least && knows_timer(request) => Err(TooSmall {
                min_se: least.as_secs(),
            }),
            _ => Ok(()),
        }
    }

    /// Agrees to an INVITE or UPDATE of the other side in its 2xx, and starts anew.
    ///
    /// Who does not know the extension is refreshed by us: so a party that has vanished is noticed even on hold.
    pub fn accept(&mut self, now: Instant, request: &Message, response: &mut Message) {
        let knows = knows_timer(request);
        let floor = self
            .policy
            .least
            .max(min_se(request).unwrap_or(LEAST))
            .max(LEAST);
        // A proxy may ask for a device that cannot read our 422; too short a time counts as none.
        let asked = asked(request).filter(|interval| *interval >= LEAST);
        let interval = match asked {
            // Never above what was asked for (RFC 4028 §9).
            Some(asked) => asked.min(self.policy.expires.max(floor)),
            None => self.policy.expires.max(floor),
        };
        let we_refresh = !knows
            || match refresher(request).as_deref() {
                Some("uas") => true,
                Some("uac") => false,
                _ => match self.running {
                    Some(running) => running.we_refresh,
                    None => asked.is_none(),
                },
            };
        let role = if we_refresh { "uas" } else { "uac" };
        response.headers.replace(
            Name::SessionExpires,
            format!("{};refresher={role}", interval.as_secs()),
        );
        if knows {
            response.headers.push(Name::Require, TIMER);
        }
        self.start(now, interval, we_refresh);
    }

    /// Asks for a session timer in an INVITE or UPDATE of ours.
    pub fn ask(&self, request: &mut Message) {
        let interval = self
            .running
            .map_or(self.policy.expires, |running| running.interval)
            .max(self.min_se);
        // The first request leaves the choice to the other side (RFC 4028 §7.1); later ones keep the roles (§7.4).
        let role = match self.running {
            None => "",
            Some(running) if running.we_refresh => ";refresher=uac",
            Some(_) => ";refresher=uas",
        };
        let value = format!("{}{role}", interval.as_secs());
        request.headers.replace(Name::SessionExpires, value);
        if self.min_se > LEAST {
            let least = self.min_se.as_secs();
            request.headers.replace(Name::MinSe, least);
        }
    }

    /// Takes the 2xx to an INVITE or UPDATE of ours (RFC 4028 §7.2).
    pub fn take_response(&mut self, now: Instant, response: &Message) {
        match (asked(response), self.running) {
            (Some(interval), _) => {
                let we_refresh = refresher(response).as_deref() != Some("uas");
                // Below that nobody may go; who does would have us refresh without end.
                self.start(now, interval.max(LEAST), we_refresh);
            }
            // Who never knew the extension answers our refresh without a word of it: it is there, all the same.
            (_, Some(running)) if running.we_refresh && !knows_timer(response) => {
                self.start(now, running.interval, true);
            }
            _ => self.running = None,
        }
    }

    /// A request of ours was refused with 422. Tells whether asking again, with a longer interval, makes sense.
    pub fn too_small(&mut self, response: &Message) -> bool {
        match min_se(response) {
            Some(least) if least > self.min_se && least <= LONGEST => {
                self.min_se = least;
                if let Some(running) = &mut self.running {
                    running.interval = running.interval.max(least);
                }
                true
            }
            _ => false,
        }
    }

    /// A refresh of ours failed in a way that leaves the call alive: half of what is left is waited before the next.
    pub fn try_later(&mut self, now: Instant) {
        if let Some(running) = &mut self.running {
            let left = running.ends_at.saturating_duration_since(now);
            running.refresh_at = running.we_refresh.then(|| now + left / 2);
        }
    }

    /// When [`SessionTimer::due`] has something to say.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let running = self.running?;
        Some(
            running
                .refresh_at
                .map_or(running.ends_at, |at| at.min(running.ends_at)),
        )
    }

    /// What is due; each once.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        let running = self.running.as_mut()?;
        if running.ends_at <= now {
            self.running = None;
            return Some(Due::Expired);
        }
        if running.refresh_at.is_some_and(|at| at <= now) {
            running.refresh_at = None;
            return Some(Due::Refresh);
        }
        None
    }

    /// The call is over.
    pub fn stop(&mut self) {
        self.running = None;
    }

    fn start(&mut self, now: Instant, interval: Duration, we_refresh: bool) {
        self.running = Some(Running {
            interval,
            we_refresh,
            refresh_at: we_refresh.then(|| now + interval / 2),
            ends_at: now + (interval - MARGIN.min(interval / 3)),
        });
    }
}

/// The longest `Min-SE` that we follow: a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// `Session-Expires`; a value that is no number, or beyond reason, counts as absent.
fn asked(message: &Message) -> Option<Duration> {
    seconds(message, Name::SessionExpires)
}

fn min_se(message: &Message) -> Option<Duration> {
    seconds(message, Name::MinSe)
}

fn seconds(message: &Message, name: Name<'static>) -> Option<Duration> {
    let number = message.headers.number(name).ok().flatten()?;
    Some(Duration::from_secs(number.min(u64::from(u32::MAX))))
}

/// The parameter `refresher` in lower case.
fn refresher(message: &Message) -> Option<String> {
    let params = message.headers.params(Name::SessionExpires)?;
    params.get("refresher").map(str::to_ascii_lowercase)
}

/// Whether the sender knows session timers.
fn knows_timer(message: &Message) -> bool {
    message.headers.lists(Name::Supported, TIMER) || message.headers.lists(Name::Require, TIMER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::virtual_time::start;

    fn timer() -> SessionTimer {
        SessionTimer::new(Policy::default())
    }

    fn request(headers: &str) -> Message {
        let text = format!(
            "UPDATE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
             From: <sip:a@192.0.2.2>;tag=a\r\nTo: <sip:b@192.0.2.1>;tag=b\r\nCall-ID: c\r\nCSeq: 2 UPDATE\r\n\
             {headers}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn response(status: u16, headers: &[(Name<'static>, &str)]) -> Message {
        let mut response = Message::response_to(&request(""), status, "x");
        for (name, value) in headers {
            response.headers.push(*name, value);
        }
        response
    }

    /// What we answer: the value of Session-Expires, and whether Require names the extension.
    fn answered(timer: &mut SessionTimer, headers: &str) -> (String, bool) {
        let request = request(headers);
        let mut response = Message::response_to(&request, 200, "OK");
        timer.accept(start(), &request, &mut response);
        let value = response.headers.text(Name::SessionExpires).unwrap();
        (
            value.into_owned(),
            response.headers.lists(Name::Require, TIMER),
        )
    }

    #[test]
    fn the_callee_agrees_by_the_table_of_rfc_4028_section_9() {
        for (headers, value, require) in [
            ("", "1800;refresher=uas", false),
            ("Supported: timer\r\n", "1800;refresher=uas", true),
            (
                "Supported: timer\r\nSession-Expires: 600\r\n",
                "600;refresher=uac",
                true,
            ),
            (
                "Supported: timer\r\nx: 600;refresher=uas\r\n",
                "600;refresher=uas",
                true,
            ),
            (
                "Supported: timer\r\nx: 4000;refresher=UAC\r\n",
                "1800;refresher=uac",
                true,
            ),
            (
                "Supported: timer\r\nSession-Expires: 4000\r\nMin-SE: 3600\r\n",
                "3600;refresher=uac",
                true,
            ),
            // A proxy asked for it on behalf of a device that knows nothing of it.
            ("Session-Expires: 600\r\n", "600;refresher=uas", false),
            (
                "Session-Expires: 600;refresher=uac\r\n",
                "600;refresher=uas",
                false,
            ),
            ("Session-Expires: soon\r\n", "1800;refresher=uas", false),
        ] {
            let expected = (value.to_owned(), require);
            assert_eq!(answered(&mut timer(), headers), expected, "{headers}");
        }
    }

    #[test]
    fn a_later_request_without_a_choice_keeps_the_refresher() {
        let mut timer = timer();
        answered(
            &mut timer,
            "Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n",
        );
        let (value, _) = answered(&mut timer, "Supported: timer\r\nSession-Expires: 600\r\n");
        assert_eq!(value, "600;refresher=uas");
    }

    #[test]
    fn an_interval_below_ours_is_refused_where_the_sender_can_mend_it() {
        let timer = timer();
        let short = "Session-Expires: 89\r\n";
        assert_eq!(timer.check(&request(short)), Ok(()));
        let known = format!("Supported: timer\r\n{short}");
        assert_eq!(timer.check(&request(&known)), Err(TooSmall { min_se: 90 }));
        let enough = "Supported: timer\r\nSession-Expires: 90\r\n";
        assert_eq!(timer.check(&request(enough)), Ok(()));
    }

    #[test]
    fn the_refresher_is_due_at_half_the_interval_and_gives_up_32_seconds_before_its_end() {
        let mut timer = timer();
        let now = start();
        let asked = request("");
        timer.accept(now, &asked, &mut response(200, &[]));
        let half = now + Duration::from_secs(900);
        assert_eq!(timer.next_timeout(), Some(half));
        assert_eq!(timer.due(half - Duration::from_millis(1)), None);
        assert_eq!(timer.due(half), Some(Due::Refresh));
        assert_eq!(timer.due(half), None);
        let end = now + Duration::from_secs(1800 - 32);
        assert_eq!(timer.next_timeout(), Some(end));
        assert_eq!(timer.due(end), Some(Due::Expired));
        assert_eq!(timer.next_timeout(), None);
    }

    #[test]
    fn of_a_short_interval_a_third_is_left_when_it_is_given_up() {
        let mut timer = timer();
        let now = start();
        timer.take_response(
            now,
            &response(200, &[(Name::SessionExpires, "90;refresher=uas")]),
        );
        assert!(!timer.we_refresh());
        assert_eq!(timer.next_timeout(), Some(now + Duration::from_secs(60)));
    }

    #[test]
    fn the_caller_asks_without_a_refresher_first_and_keeps_the_roles_later() {
        let mut timer = timer();
        let mut invite = request("");
        timer.ask(&mut invite);
        let value = |message: &Message| {
            let value = message.headers.text(Name::SessionExpires).unwrap();
            value.into_owned()
        };
        assert_eq!(value(&invite), "1800");
        assert!(!invite.headers.has(Name::MinSe));
        for (granted, later) in [
            ("300;refresher=uac", "300;refresher=uac"),
            ("300;refresher=uas", "300;refresher=uas"),
            ("300", "300;refresher=uac"),
        ] {
            timer.take_response(start(), &response(200, &[(Name::SessionExpires, granted)]));
            let mut refresh = request("");
            timer.ask(&mut refresh);
            assert_eq!(value(&refresh), later);
        }
    }

    #[test]
    fn after_422_the_caller_asks_for_as_much_as_was_demanded_and_says_so() {
        let mut timer = SessionTimer::new(Policy {
            expires: Duration::from_secs(120),
            ..Policy::default()
        });
        let refusal = response(422, &[(Name::MinSe, "600")]);
        assert!(timer.too_small(&refusal));
        let mut invite = request("");
        timer.ask(&mut invite);
        assert_eq!(invite.headers.text(Name::SessionExpires).unwrap(), "600");
        assert_eq!(invite.headers.text(Name::MinSe).unwrap(), "600");
        // The same demand again would go round for ever.
        assert!(!timer.too_small(&refusal));
        assert!(!timer.too_small(&response(422, &[])));
    }

    #[test]
    fn an_answer_without_session_expires_turns_the_timer_off_unless_we_probe_a_device_without_it() {
        let mut timer = timer();
        let now = start();
        timer.take_response(now, &response(200, &[]));
        assert_eq!(timer.next_timeout(), None);
        timer.accept(now, &request(""), &mut response(200, &[]));
        timer.take_response(now, &response(200, &[]));
        assert!(timer.we_refresh());
        timer.take_response(now, &response(200, &[(Name::Supported, "timer")]));
        assert_eq!(timer.next_timeout(), None);
    }

    #[test]
    fn a_refresh_that_failed_is_tried_again_before_the_end() {
        let mut timer = timer();
        let now = start();
        timer.accept(now, &request(""), &mut response(200, &[]));
        let half = now + Duration::from_secs(900);
        assert_eq!(timer.due(half), Some(Due::Refresh));
        timer.try_later(half);
        let next = timer.next_timeout().unwrap();
        assert!(half < next && next < now + Duration::from_secs(1768));
        assert_eq!(timer.due(next), Some(Due::Refresh));
    }
}
