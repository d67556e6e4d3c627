//! The two client machines: INVITE (RFC 3261 §17.1.1 as changed by RFC 6026 §7.2) and all others (§17.1.2).
//!
//! Pure: an event goes in, acts come out. [`super::Transactions`] holds messages, keys and deadlines.

use std::time::Duration;

use super::timer::{GIVE_UP, T1, T2, T4, Timer};

/// What happens to a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// It begins.
    Start,
    /// A response with this status.
    Response(u16),
    /// A timer ran out.
    Due(Timer),
}

/// What a client transaction wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// Send the request.
    Send,
    /// Acknowledge a failure response (RFC 3261 §17.1.1.3).
    Ack,
    /// Hand the response to the user.
    Tell,
    /// Start a timer.
    Arm(Timer, Duration),
    /// Stop a timer.
    Disarm(Timer),
    /// Tell the user that nothing came back.
    TimedOut,
    /// Forget the transaction.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Calling for INVITE, Trying for others.
    Calling,
    Proceeding,
    Accepted,
    Completed,
}

/// One client transaction's state.
#[derive(Debug)]
pub(super) struct Client {
    invite: bool,
    reliable: bool,
    state: State,
    interval: Duration,
}

impl Client {
    pub(super) fn new(invite: bool, reliable: bool) -> Self {
        Self {
            invite,
            reliable,
            state: State::Calling,
            interval: T1,
        }
    }

    /// Whether a final response came.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.state, State::Accepted | State::Completed)
    }

    pub(super) fn on(&mut self, event: Event, acts: &mut Vec<Act>) {
        if self.invite {
            self.on_invite(event, acts);
        } else {
            self.on_other(event, acts);
        }
    }

    fn on_invite(&mut self, event: Event, acts: &mut Vec<Act>) {
        match (self.state, event) {
            (State::Calling, Event::Start) => {
                acts.extend([Act::Send, Act::Arm(Timer::B, GIVE_UP)]);
                if !self.reliable {
                    acts.push(Act::Arm(Timer::A, self.interval));
                }
            }
            (State::Calling, Event::Due(Timer::A)) => {
                self.interval *= 2;
                acts.extend([Act::Send, Act::Arm(Timer::A, self.interval)]);
            }
            (State::Calling, Event::Due(Timer::B)) => acts.extend([Act::TimedOut, Act::End]),
            (State::Calling | State::Proceeding, Event::Response(status)) => {
                acts.extend([Act::Disarm(Timer::A), Act::Disarm(Timer::B)]);
                match status {
                    100..200 => {
                        self.state = State::Proceeding;
                        acts.push(Act::Tell);
                    }
                    200..300 => {
                        self.state = State::Accepted;
                        acts.extend([Act::Tell, Act::Arm(Timer::M, GIVE_UP)]);
                    }
                    _ => {
                        self.state = State::Completed;
                        acts.extend([Act::Ack, Act::Tell]);
                        acts.push(if self.reliable {
                            Act::End
                        } else {
                            Act::Arm(Timer::D, GIVE_UP)
                        });
                    }
                }
            }
            (State::Completed, Event::Response(300..)) => acts.push(Act::Ack),
            (State::Completed, Event::Due(Timer::D)) => acts.push(Act::End),
            (State::Accepted, Event::Response(200..300)) => acts.push(Act::Tell),
            (State::Accepted, Event::Due(Timer::M)) => acts.push(Act::End),
            _ => {}
        }
    }

    fn on_other(&mut self, event: Event, acts: &mut Vec<Act>) {
        match (self.state, event) {
            (State::Calling, Event::Start) => {
                acts.extend([Act::Send, Act::Arm(Timer::F, GIVE_UP)]);
                if !self.reliable {
                    acts.push(Act::Arm(Timer::E, self.interval));
                }
            }
            (State::Calling, Event::Due(Timer::E)) => {
                self.interval = (self.interval * 2).min(T2);
                acts.extend([Act::Send, Act::Arm(Timer::E, self.interval)]);
            }
            (State::Proceeding, Event::Due(Timer::E)) => {
                acts.extend([Act::Send, Act::Arm(Timer::E, T2)]);
            }
            (State::Calling | State::Proceeding, Event::Due(Timer::F)) => {
                acts.extend([Act::TimedOut, Act::End]);
            }
            (State::Calling | State::Proceeding, Event::Response(100..200)) => {
                self.state = State::Proceeding;
                acts.push(Act::Tell);
            }
            (State::Calling | State::Proceeding, Event::Response(_)) => {
                self.state = State::Completed;
                acts.extend([Act::Disarm(Timer::E), Act::Disarm(Timer::F), Act::Tell]);
                acts.push(if self.reliable {
                    Act::End
                } else {
                    Act::Arm(Timer::K, T4)
                });
            }
            (State::Completed, Event::Due(Timer::K)) => acts.push(Act::End),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(client: &mut Client, event: Event) -> Vec<Act> {
        let mut acts = Vec::new();
        client.on(event, &mut acts);
        acts
    }

    #[test]
    fn an_unanswered_invite_is_sent_seven_times_in_all_and_fails() {
        let mut client = Client::new(true, false);
        let mut sent = 0;
        let mut at = Duration::ZERO;
        let mut acts = run(&mut client, Event::Start);
        loop {
            sent += acts.iter().filter(|&&act| act == Act::Send).count();
            let Some(interval) = acts.iter().find_map(|act| match act {
                Act::Arm(Timer::A, interval) => Some(*interval),
                _ => None,
            }) else {
                panic!("no further copy");
            };
            at += interval;
            if at >= GIVE_UP {
                break;
            }
            acts = run(&mut client, Event::Due(Timer::A));
        }
        assert_eq!(sent, 7);
        assert_eq!(
            run(&mut client, Event::Due(Timer::B)),
            [Act::TimedOut, Act::End]
        );
    }

    #[test]
    fn a_provisional_response_stops_the_copies_of_an_invite() {
        let mut client = Client::new(true, false);
        run(&mut client, Event::Start);
        assert_eq!(
            run(&mut client, Event::Response(100)),
            [Act::Disarm(Timer::A), Act::Disarm(Timer::B), Act::Tell]
        );
    }

    #[test]
    fn each_copy_of_a_failure_response_is_acknowledged_but_told_once() {
        let mut client = Client::new(true, false);
        run(&mut client, Event::Start);
        let first = run(&mut client, Event::Response(404));
        assert!(first.contains(&Act::Ack) && first.contains(&Act::Tell));
        assert_eq!(run(&mut client, Event::Response(404)), [Act::Ack]);
        assert_eq!(run(&mut client, Event::Response(200)), []);
        assert_eq!(run(&mut client, Event::Due(Timer::D)), [Act::End]);
    }

    #[test]
    fn each_copy_of_a_success_is_told_because_its_ack_is_the_users_affair() {
        let mut client = Client::new(true, false);
        run(&mut client, Event::Start);
        let first = run(&mut client, Event::Response(200));
        assert!(first.contains(&Act::Tell) && first.contains(&Act::Arm(Timer::M, GIVE_UP)));
        assert_eq!(run(&mut client, Event::Response(200)), [Act::Tell]);
        assert_eq!(run(&mut client, Event::Due(Timer::M)), [Act::End]);
    }

    #[test]
    fn a_bye_is_repeated_at_doubling_intervals_up_to_t2() {
        let mut client = Client::new(false, false);
        run(&mut client, Event::Start);
        let mut intervals = Vec::new();
        for _ in 0..5 {
            match run(&mut client, Event::Due(Timer::E)).as_slice() {
                [Act::Send, Act::Arm(Timer::E, next)] => intervals.push(next.as_millis()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(intervals, [1000, 2000, 4000, 4000, 4000]);
        assert_eq!(
            run(&mut client, Event::Due(Timer::F)),
            [Act::TimedOut, Act::End]
        );
    }

    #[test]
    fn over_a_stream_nothing_is_sent_twice() {
        for invite in [true, false] {
            let mut client = Client::new(invite, true);
            let acts = run(&mut client, Event::Start);
            assert!(
                !acts
                    .iter()
                    .any(|act| matches!(act, Act::Arm(Timer::A | Timer::E, _)))
            );
        }
    }
}
