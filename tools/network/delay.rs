//! How long datagrams are under way.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

/// How delay is distributed. Each datagram has a draw of its own, except in [`Delay::Spikes`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Delay {
    /// Always the same.
    Fixed(Duration),
    /// Anything between the two, equally likely.
    Uniform {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
    /// A bell around a mean; what would be negative is zero.
    Normal {
        /// The mean.
        mean: Duration,
        /// The standard deviation.
        deviation: Duration,
    },
    /// Mostly short, with a long tail (Pareto): what wireless links and busy routers do.
    Pareto {
        /// The shortest.
        least: Duration,
        /// The scale of what is added: half of all draws add less than `2^(1/shape) − 1` times this.
        scale: Duration,
        /// How fast the tail falls off; greater is faster. More than 1.
        shape: f64,
        /// The longest.
        most: Duration,
    },
    /// The path stands still now and then and lets go of all that waited at once: delay jumps up by the time
    /// it stood and comes down as time passes.
    Spikes {
        /// Delay between spikes.
        base: Duration,
        /// Mean time from one to the next.
        every: Duration,
        /// How long the path stands still.
        height: Duration,
    },
}

impl Default for Delay {
    fn default() -> Self {
        Self::Fixed(Duration::ZERO)
    }
}

/// What a link remembers of its delays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// When the next spike begins.
    next_spike: Instant,
    /// When the present one ends.
    spike_ends: Instant,
}

impl Memory {
    pub(crate) fn new(start: Instant, delay: &Delay, rng: &mut StdRng) -> Self {
        let until = match delay {
            Delay::Spikes { every, .. } => exponential(*every, rng),
            _ => Duration::ZERO,
        };
        Self {
            next_spike: start + until,
            spike_ends: start,
        }
    }
}

impl Delay {
    /// The delay of a datagram sent now.
    pub(crate) fn draw(&self, now: Instant, memory: &mut Memory, rng: &mut StdRng) -> Duration {
        match *self {
            Self::Fixed(delay) => delay,
            Self::Uniform { least, most } => {
                least + most.saturating_sub(least).mul_f64(rng.random::<f64>())
            }
            Self::Normal { mean, deviation } => {
                let seconds = mean.as_secs_f64() + deviation.as_secs_f64() * bell(rng);
                Duration::from_secs_f64(seconds.max(0.0))
            }
            Self::Pareto {
                least,
                scale,
                shape,
                most,
            } => {
                let tail = open(rng).powf(-1.0 / shape.max(1.001)) - 1.0;
                let longest = most.saturating_sub(least).as_secs_f64();
                least + Duration::from_secs_f64((scale.as_secs_f64() * tail).min(longest))
            }
            Self::Spikes {
                base,
                every,
                height,
            } => {
                while now >= memory.next_spike {
                    memory.spike_ends = memory.next_spike + height;
                    memory.next_spike = memory.spike_ends + exponential(every, rng);
                }
                base + memory.spike_ends.saturating_duration_since(now)
            }
        }
    }
}

/// Between zero and one, never zero.
fn open(rng: &mut StdRng) -> f64 {
    1.0 - rng.random::<f64>()
}

fn exponential(mean: Duration, rng: &mut StdRng) -> Duration {
    mean.mul_f64(-open(rng).ln())
}

/// Standard normal, by Box and Muller.
fn bell(rng: &mut StdRng) -> f64 {
    (-2.0 * open(rng).ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const MS: Duration = Duration::from_millis(1);

    /// Delays in ms of datagrams 20 ms apart.
    fn drawn(delay: Delay) -> Vec<f64> {
        let mut rng = StdRng::seed_from_u64(3);
        let start = Instant::now();
        let mut memory = Memory::new(start, &delay, &mut rng);
        let draw = |n: u32| delay.draw(start + MS * 20 * n, &mut memory, &mut rng);
        (0..50_000)
            .map(draw)
            .map(|d| d.as_secs_f64() * 1e3)
            .collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn uniform_delay_keeps_its_borders_and_its_mean() {
        let all = drawn(Delay::Uniform {
            least: MS * 20,
            most: MS * 60,
        });
        assert!(all.iter().all(|d| (20.0..=60.0).contains(d)));
        assert!((mean(&all) - 40.0).abs() < 0.3, "{}", mean(&all));
    }

    #[test]
    fn normal_delay_has_its_mean_and_deviation() {
        let all = drawn(Delay::Normal {
            mean: MS * 50,
            deviation: MS * 10,
        });
        let middle = mean(&all);
        let squares: Vec<f64> = all.iter().map(|d| (d - middle).powi(2)).collect();
        assert!((middle - 50.0).abs() < 0.3, "{middle}");
        assert!((mean(&squares).sqrt() - 10.0).abs() < 0.2);
    }

    #[test]
    fn pareto_delay_is_mostly_short_and_has_a_tail_with_an_end() {
        let mut all = drawn(Delay::Pareto {
            least: MS * 10,
            scale: MS * 10,
            shape: 2.0,
            most: MS * 200,
        });
        all.sort_by(f64::total_cmp);
        let median = 10.0 + 10.0 * (2_f64.sqrt() - 1.0);
        assert!((all[all.len() / 2] - median).abs() < 0.2);
        assert!(all[all.len() * 99 / 100] > 80.0);
        assert!(all.iter().all(|d| (10.0..=200.0).contains(d)));
    }

    #[test]
    fn a_spike_goes_up_at_once_and_down_with_time() {
        let all = drawn(Delay::Spikes {
            base: MS * 30,
            every: Duration::from_secs(5),
            height: MS * 200,
        });
        let ups = all.windows(2).filter(|w| w[1] > w[0] + 100.0).count();
        // 1000 s, a spike every 5.2 s.
        assert!((150..=240).contains(&ups), "{ups}");
        assert!(all.windows(2).all(|w| w[1] > w[0] - 20.001));
        assert!(all.iter().all(|d| (30.0..=230.0).contains(d)));
    }
}
