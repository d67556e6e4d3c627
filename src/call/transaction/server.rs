//! The two server machines: INVITE (RFC 3261 §17.2.1 as changed by RFC 6026 §7.1) and all others (§17.2.2).
//!
//! Pure: an event goes in, acts come out. [`super::Transactions`] holds messages, keys and deadlines.

use std::time::Duration;

use super::timer::{GIVE_UP, T1, T2, T4, Timer};

/// What happens to a server transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// The request came again.
    Retransmission,
    /// An ACK matched.
    Ack,
    /// Its user answers with this status.
    Respond(u16),
    /// A timer ran out.
    Due(Timer),
}

/// What a server transaction wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// Send the latest response.
    Send,
    /// Start a timer.
    Arm(Timer, Duration),
    /// Stop a timer.
    Disarm(Timer),
    /// Tell the user of an ACK that is its affair, because the response was a 2xx.
    PassAck,
    /// Tell the user that a failure response was never acknowledged.
    NoAck,
    /// Forget the transaction.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Trying,
    Proceeding,
    Accepted,
    Completed,
    Confirmed,
}

/// One server transaction's state.
#[derive(Debug)]
pub(super) struct Server {
    invite: bool,
    reliable: bool,
    state: State,
    interval: Duration,
}

impl Server {
    pub(super) fn new(invite: bool, reliable: bool) -> Self {
        Self {
            invite,
            reliable,
            state: if invite {
                State::Proceeding
            } else {
                State::Trying
            },
            interval: T1,
        }
    }

    /// Whether a final response was given.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self.state, State::Trying | State::Proceeding)
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
            (State::Proceeding, Event::Retransmission) => acts.push(Act::Send),
            (State::Proceeding, Event::Respond(100..200)) => acts.push(Act::Send),
            (State::Proceeding, Event::Respond(200..300)) => {
                self.state = State::Accepted;
                acts.extend([Act::Send, Act::Arm(Timer::L, GIVE_UP)]);
            }
            (State::Proceeding, Event::Respond(_)) => {
                self.state = State::Completed;
                acts.extend([Act::Send, Act::Arm(Timer::H, GIVE_UP)]);
                if !self.reliable {
                    acts.push(Act::Arm(Timer::G, self.interval));
                }
            }
            (State::Completed, Event::Retransmission) => acts.push(Act::Send),
            (State::Completed, Event::Due(Timer::G)) => {
                self.interval = (self.interval * 2).min(T2);
                acts.extend([Act::Send, Act::Arm(Timer::G, self.interval)]);
            }
            (State::Completed, Event::Due(Timer::H)) => acts.extend([Act::NoAck, Act::End]),
            (State::Completed, Event::Ack) => {
                self.state = State::Confirmed;
                acts.extend([Act::Disarm(Timer::G), Act::Disarm(Timer::H)]);
                acts.push(if self.reliable {
                    Act::End
                } else {
                    Act::Arm(Timer::I, T4)
                });
            }
            (State::Confirmed, Event::Due(Timer::I)) => acts.push(Act::End),
            // The 2xx is retransmitted by the user, end to end; the INVITE's copies are absorbed (RFC 6026 §7.1).
            (State::Accepted, Event::Respond(200..300)) => acts.push(Act::Send),
            (State::Accepted, Event::Ack) => acts.push(Act::PassAck),
            (State::Accepted, Event::Due(Timer::L)) => acts.push(Act::End),
            _ => {}
        }
    }

    fn on_other(&mut self, event: Event, acts: &mut Vec<Act>) {
        match (self.state, event) {
            (State::Proceeding | State::Completed, Event::Retransmission) => acts.push(Act::Send),
            (State::Trying | State::Proceeding, Event::Respond(100..200)) => {
                self.state = State::Proceeding;
                acts.push(Act::Send);
            }
            (State::Trying | State::Proceeding, Event::Respond(_)) => {
                self.state = State::Completed;
                acts.push(Act::Send);
                acts.push(if self.reliable {
                    Act::End
                } else {
                    Act::Arm(Timer::J, GIVE_UP)
                });
            }
            (State::Completed, Event::Due(Timer::J)) => acts.push(Act::End),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(server: &mut Server, event: Event) -> Vec<Act> {
        let mut acts = Vec::new();
        server.on(event, &mut acts);
        acts
    }

    #[test]
    fn a_refused_invite_is_refused_again_until_the_ack() {
        let mut server = Server::new(true, false);
        assert_eq!(run(&mut server, Event::Respond(100)), [Act::Send]);
        assert_eq!(
            run(&mut server, Event::Respond(404)),
            [
                Act::Send,
                Act::Arm(Timer::H, GIVE_UP),
                Act::Arm(Timer::G, T1)
            ]
        );
        let mut intervals = Vec::new();
        for _ in 0..5 {
            match run(&mut server, Event::Due(Timer::G)).as_slice() {
                [Act::Send, Act::Arm(Timer::G, next)] => intervals.push(next.as_millis()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(intervals, [1000, 2000, 4000, 4000, 4000]);
        assert_eq!(run(&mut server, Event::Retransmission), [Act::Send]);
        assert_eq!(
            run(&mut server, Event::Ack),
            [
                Act::Disarm(Timer::G),
                Act::Disarm(Timer::H),
                Act::Arm(Timer::I, T4)
            ]
        );
        assert_eq!(run(&mut server, Event::Ack), []);
        assert_eq!(run(&mut server, Event::Retransmission), []);
        assert_eq!(run(&mut server, Event::Due(Timer::I)), [Act::End]);
    }

    #[test]
    fn over_a_stream_a_refusal_is_sent_once_and_forgotten_with_its_ack() {
        let mut server = Server::new(true, true);
        assert_eq!(
            run(&mut server, Event::Respond(486)),
            [Act::Send, Act::Arm(Timer::H, GIVE_UP)]
        );
        assert_eq!(
            run(&mut server, Event::Ack),
            [Act::Disarm(Timer::G), Act::Disarm(Timer::H), Act::End]
        );
    }

    #[test]
    fn a_refusal_without_ack_is_told_and_forgotten() {
        let mut server = Server::new(true, false);
        run(&mut server, Event::Respond(500));
        assert_eq!(
            run(&mut server, Event::Due(Timer::H)),
            [Act::NoAck, Act::End]
        );
    }

    #[test]
    fn an_accepted_invite_absorbs_copies_until_timer_l() {
        let mut server = Server::new(true, false);
        assert_eq!(
            run(&mut server, Event::Respond(200)),
            [Act::Send, Act::Arm(Timer::L, GIVE_UP)]
        );
        assert_eq!(run(&mut server, Event::Retransmission), []);
        assert_eq!(run(&mut server, Event::Respond(200)), [Act::Send]);
        assert_eq!(run(&mut server, Event::Respond(487)), []);
        assert_eq!(run(&mut server, Event::Ack), [Act::PassAck]);
        assert_eq!(run(&mut server, Event::Due(Timer::L)), [Act::End]);
    }

    #[test]
    fn a_bye_is_answered_again_as_long_as_copies_can_come() {
        let mut server = Server::new(false, false);
        assert_eq!(run(&mut server, Event::Retransmission), []);
        assert_eq!(
            run(&mut server, Event::Respond(200)),
            [Act::Send, Act::Arm(Timer::J, GIVE_UP)]
        );
        assert_eq!(run(&mut server, Event::Retransmission), [Act::Send]);
        assert_eq!(run(&mut server, Event::Respond(500)), []);
        assert_eq!(run(&mut server, Event::Due(Timer::J)), [Act::End]);
    }

    #[test]
    fn over_a_stream_a_bye_is_forgotten_when_answered() {
        let mut server = Server::new(false, true);
        assert_eq!(run(&mut server, Event::Respond(200)), [Act::Send, Act::End]);
    }
}
