//! Which datagrams are lost.

use rand::RngExt;
use rand::rngs::StdRng;

/// How datagrams are lost.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Loss {
    /// None is.
    #[default]
    Nothing,
    /// Each with this probability, whatever happened to others.
    Random(f64),
    /// The model of Gilbert and Elliott: a good and a bad state, each with a loss of its own.
    GilbertElliott {
        /// Probability, per datagram, to go from good to bad.
        to_bad: f64,
        /// Probability, per datagram, to go from bad to good.
        to_good: f64,
        /// Share lost in the good state.
        good: f64,
        /// Share lost in the bad state.
        bad: f64,
    },
}

impl Loss {
    /// Bursts of a mean length in datagrams (at least 1) that make up a share of all: Gilbert's model, which loses
    /// nothing in the good state and everything in the bad one.
    #[must_use]
    pub fn bursts(share: f64, mean_length: f64) -> Self {
        let share = share.clamp(0.0, 0.99);
        let to_good = 1.0 / mean_length.max(1.0);
        Self::GilbertElliott {
            to_bad: (to_good * share / (1.0 - share)).min(1.0),
            to_good,
            good: 0.0,
            bad: 1.0,
        }
    }

    /// The share that is lost in the long run, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        match *self {
            Self::Nothing => 0.0,
            Self::Random(share) => share,
            Self::GilbertElliott {
                to_bad,
                to_good,
                good,
                bad,
            } => {
                let in_bad = to_bad / (to_bad + to_good);
                in_bad * bad + (1.0 - in_bad) * good
            }
        }
    }

    /// Throws the dice for one datagram. `in_bad` is the state between two datagrams.
    pub(crate) fn takes(&self, in_bad: &mut bool, rng: &mut StdRng) -> bool {
        match *self {
            Self::Nothing => false,
            Self::Random(share) => chance(share, rng),
            Self::GilbertElliott {
                to_bad,
                to_good,
                good,
                bad,
            } => {
                let change = if *in_bad { to_good } else { to_bad };
                if chance(change, rng) {
                    *in_bad = !*in_bad;
                }
                chance(if *in_bad { bad } else { good }, rng)
            }
        }
    }
}

/// True with this probability.
pub(crate) fn chance(probability: f64, rng: &mut StdRng) -> bool {
    rng.random::<f64>() < probability
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Share lost and mean length of bursts among many datagrams.
    fn measured(loss: Loss) -> (f64, f64) {
        let mut rng = StdRng::seed_from_u64(7);
        let (mut in_bad, mut before) = (false, false);
        let (mut lost, mut bursts) = (0.0, 0.0);
        let all = 400_000;
        for _ in 0..all {
            let now = loss.takes(&mut in_bad, &mut rng);
            lost += f64::from(u8::from(now));
            bursts += f64::from(u8::from(now && !before));
            before = now;
        }
        (lost / f64::from(all), lost / bursts)
    }

    #[test]
    fn bursts_have_the_share_and_the_mean_length_that_were_asked_for() {
        for (share, length) in [(0.01, 2.0), (0.05, 3.0), (0.2, 5.0)] {
            let (lost, burst) = measured(Loss::bursts(share, length));
            assert!((lost - share).abs() < 0.05 * share + 0.001, "{lost}");
            assert!((burst - length).abs() < 0.05 * length, "{burst}");
        }
    }

    #[test]
    fn random_loss_comes_in_bursts_of_one_by_one_less_its_share() {
        let (lost, burst) = measured(Loss::Random(0.2));
        assert!((lost - 0.2).abs() < 0.005, "{lost}");
        assert!((burst - 1.25).abs() < 0.02, "{burst}");
    }

    #[test]
    fn elliotts_states_lose_each_their_own_share() {
        let loss = Loss::GilbertElliott {
            to_bad: 0.02,
            to_good: 0.18,
            good: 0.01,
            bad: 0.4,
        };
        assert!((loss.share() - (0.1 * 0.4 + 0.9 * 0.01)).abs() < 1e-12);
        assert!((measured(loss).0 - loss.share()).abs() < 0.003);
    }
}
