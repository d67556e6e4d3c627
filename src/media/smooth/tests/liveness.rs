//! Whatever a sender and its network did before: who speaks now is heard now.
//!
//! A browser that is muted goes on sending silence, sends less (DTX) or stops; its clock runs or stands; a starved one
//! sends too slowly. Meanwhile its packets may be passed over undecoded. None of that may leave a stall behind.

use proptest::prelude::*;

use super::*;

/// Something that happens to a stream.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// 20 ms of sound in each 20 ms.
    Speak { ms: u32 },
    /// Nothing is sent. The sender's clock runs or stands, its sequence numbers too.
    Pause {
        ms: u32,
        clock_runs: bool,
        numbers_run: bool,
    },
    /// The timestamps move at once, by ms.
    Leap { ms: i32 },
    /// The sender comes too slowly: 20 ms of sound in longer ones.
    Starve { ms: u32, every_ms: u32 },
    /// What waited comes at once.
    Block { ms: u32 },
    /// From here on it is heard, or passed over.
    Listen { on: bool },
}

struct Line {
    codec: AudioCodec,
    playout: PlayOut,
    start: Instant,
    ms: u32,
    ticked: u32,
    sequence: u64,
    timestamp: u32,
    listens: bool,
    payloads: Vec<Vec<u8>>,
    held_back: Vec<(u64, u32)>,
    /// What each tick since `mark` played, and how loud.
    heard: Vec<(Played, f64)>,
}

impl Line {
    fn new(codec: AudioCodec) -> Self {
        let rate = codec.sample_rate();
        let sound = tone(rate, 400.0, 8_000.0, rate as usize);
        Self {
            codec,
            playout: PlayOut::new(&formats()).unwrap(),
            start: start(),
            ms: 0,
            ticked: 13,
            sequence: 70_000,
            timestamp: 1_000,
            listens: true,
            payloads: stream(codec, 20, &sound)
                .into_iter()
                .map(|p| p.payload)
                .collect(),
            held_back: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn pass_time(&mut self, ms: u32) {
        let end = self.ms + ms;
        while self.ticked + 20 <= end {
            self.ticked += 20;
            let now = self.start + Duration::from_millis(u64::from(self.ticked));
            if self.listens {
                let mut frame = [0; FRAME];
                let played = self.playout.tick(now, &mut frame);
                self.heard.push((played, rms(&frame)));
            } else {
                self.playout.skip(now);
            }
        }
        self.ms = end;
    }

    fn ticks(&self, ms: i64) -> u32 {
        (ms * i64::from(self.codec.rtp_clock()) / 1000) as u32
    }

    fn arrive(&mut self, sequence: u64, timestamp: u32) {
        let payload = &self.payloads[sequence as usize % self.payloads.len()];
        let arrived = Arrived {
            sequence,
            timestamp,
            payload_type: payload_type(self.codec),
            marker: false,
            level: Some(20),
            payload,
        };
        let now = self.start + Duration::from_millis(u64::from(self.ms));
        self.playout.put(now, &arrived);
    }

    fn send(&mut self) {
        self.arrive(self.sequence, self.timestamp);
        self.count();
    }

    fn count(&mut self) {
        self.sequence += 1;
        self.timestamp = self.timestamp.wrapping_add(self.ticks(20));
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Speak { ms } => {
                for _ in 0..ms / 20 {
                    self.send();
                    self.pass_time(20);
                }
            }
            Act::Pause {
                ms,
                clock_runs,
                numbers_run,
            } => {
                self.pass_time(ms);
                if clock_runs {
                    self.timestamp = self.timestamp.wrapping_add(self.ticks(i64::from(ms)));
                }
                if numbers_run {
                    self.sequence += u64::from(ms / 20);
                }
            }
            Act::Leap { ms } => {
                self.timestamp = self.timestamp.wrapping_add(self.ticks(i64::from(ms)));
            }
            Act::Starve { ms, every_ms } => {
                for _ in 0..ms / every_ms {
                    self.send();
                    self.pass_time(every_ms);
                }
            }
            Act::Block { ms } => {
                for _ in 0..ms / 20 {
                    self.held_back.push((self.sequence, self.timestamp));
                    self.count();
                    self.pass_time(20);
                }
                for (sequence, timestamp) in std::mem::take(&mut self.held_back) {
                    self.arrive(sequence, timestamp);
                }
            }
            Act::Listen { on } => self.listens = on,
        }
    }
}

/// Ends a play with somebody speaking into an open ear, and says in how many of the last ticks they were heard. The first
/// `settle_ms` do not count.
fn heard_after(codec: AudioCodec, acts: &[Act], settle_ms: u32) -> (usize, usize) {
    let mut line = Line::new(codec);
    line.act(Act::Speak { ms: 1_000 });
    for &act in acts {
        line.act(act);
    }
    line.act(Act::Listen { on: true });
    line.act(Act::Speak { ms: settle_ms });
    line.heard.clear();
    line.act(Act::Speak { ms: 1_000 });
    // 8000 / √2 is what it sends.
    let heard = line
        .heard
        .iter()
        .filter(|(played, rms)| *played == Played::Frame && *rms > 4_000.0);
    let (heard, all) = (heard.count(), line.heard.len());
    if heard < all {
        println!("{codec:?} {acts:?}: {:?}", line.heard);
    }
    (heard, all)
}

const PAUSES_MS: [u32; 7] = [100, 500, 2_000, 2_900, 3_500, 20_000, 90_000];

#[test]
fn after_any_pause_the_first_word_is_heard() {
    for codec in [AudioCodec::Opus, AudioCodec::Pcmu] {
        for ms in PAUSES_MS {
            for (clock_runs, numbers_run) in
                [(true, true), (true, false), (false, false), (false, true)]
            {
                for muted in [false, true] {
                    let acts = [
                        Act::Listen { on: !muted },
                        Act::Pause {
                            ms,
                            clock_runs,
                            numbers_run,
                        },
                    ];
                    let (heard, all) = heard_after(codec, &acts, 420);
                    assert!(heard + 1 >= all, "{codec:?} {acts:?}: {heard} of {all}");
                }
            }
        }
    }
}

#[test]
fn after_a_long_mute_with_everything_that_happens_meanwhile_the_first_word_is_heard() {
    for codec in [AudioCodec::Opus, AudioCodec::Pcmu] {
        for meanwhile in [
            Act::Speak { ms: 60_000 },
            Act::Block { ms: 1_500 },
            Act::Block { ms: 300 },
            Act::Starve {
                ms: 6_000,
                every_ms: 29,
            },
            Act::Starve {
                ms: 20_000,
                every_ms: 40,
            },
        ] {
            let acts = [
                Act::Listen { on: false },
                Act::Speak { ms: 2_000 },
                meanwhile,
            ];
            let (heard, all) = heard_after(codec, &acts, 420);
            assert!(heard + 1 >= all, "{codec:?} {acts:?}: {heard} of {all}");
        }
    }
}

#[test]
fn timestamps_that_leap_either_way_stop_nothing() {
    for codec in [AudioCodec::Opus, AudioCodec::Pcmu] {
        for ms in [
            -100_000, -3_500, -2_500, -300, -60, 60, 300, 2_500, 3_500, 100_000,
        ] {
            for on in [false, true] {
                let acts = [Act::Listen { on }, Act::Leap { ms }];
                let (heard, all) = heard_after(codec, &acts, 420);
                assert!(heard + 1 >= all, "{codec:?} {acts:?}: {heard} of {all}");
            }
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0_u32..3_000).prop_map(|ms| Act::Speak { ms }),
        2 => (0_u32..8_000, any::<bool>(), any::<bool>()).prop_map(|(ms, clock_runs, numbers_run)| Act::Pause { ms, clock_runs, numbers_run }),
        1 => (-5_000_i32..5_000).prop_map(|ms| Act::Leap { ms }),
        1 => (0_u32..5_000, 21_u32..80).prop_map(|(ms, every_ms)| Act::Starve { ms, every_ms }),
        1 => (0_u32..2_000).prop_map(|ms| Act::Block { ms }),
        2 => any::<bool>().prop_map(|on| Act::Listen { on }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_that_happened_keeps_a_speaker_unheard(acts in proptest::collection::vec(act(), 1..12)) {
        // Half a second to find the new line, and the longest delay.
        let (heard, all) = heard_after(AudioCodec::Pcmu, &acts, 800);
        // One tick may be stretched or bridge a last correction.
        prop_assert!(heard + 3 >= all, "{} of {}", heard, all);
    }
}
