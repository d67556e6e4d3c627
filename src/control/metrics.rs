//! The connectors' metrics as their readers see them: which there are, and their figures over periods.

use std::collections::{BTreeMap, BTreeSet};

use super::kept::read;
use super::{Caller, Control, Refusal, now_ms};
use crate::record::figures::{Figure, Figures};

/// The only namespace there is.
pub const NAMESPACE: &str = "AWS/ChimeVoiceConnector";

/// A metric of a connector.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Metric {
    /// The connector.
    pub connector: String,
    /// Such as `InboundCallAttempts`.
    pub name: String,
}

/// A metric over time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// Which; `None` for one that cannot be.
    pub metric: Option<Metric>,
    /// ms of a period, whole minutes.
    pub period_ms: u64,
}

/// Figures by the beginnings of their periods, ms since the epoch.
pub type Points = BTreeMap<u64, Figure>;

impl Control {
    /// The metrics of the caller's account that had a figure in the last two weeks, or since `from_ms`.
    ///
    /// # Errors
    /// The files or the store.
    pub async fn metrics(
        &self,
        caller: &Caller,
        from_ms: Option<u64>,
    ) -> Result<Vec<Metric>, Refusal> {
        let now = u64::try_from(now_ms()).unwrap_or_default();
        let range = (from_ms.unwrap_or(now.saturating_sub(LISTED_MS)), u64::MAX);
        let mut metrics = Vec::new();
        let own = self.connectors_of(caller).await?;
        let mut connectors = read(&self.figures, Figures::connectors).await?;
        connectors.retain(|connector| own.contains(connector));
        for connector in connectors {
            let named = connector.clone();
            let turn = self.figures.turn().await;
            let names = read(&self.figures, move |figures| {
                // Until it is read, whether or not anybody still waits for it.
                let _turn = turn;
                let mut names = BTreeSet::new();
                figures.read(&named, range, |_, name, _| {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                    names.len() < MOST_NAMES
                })?;
                Ok(names)
            })
            .await?;
            metrics.extend(names.into_iter().map(|name| Metric {
                connector: connector.clone(),
                name,
            }));
        }
        metrics.sort();
        Ok(metrics)
    }

    /// The figures of some series in `[from_ms, to_ms)`, in their order. Another account's series are empty.
    ///
    /// # Errors
    /// The files or the store.
    pub async fn figures_of(
        &self,
        caller: &Caller,
        series: &[Series],
        (from_ms, to_ms): (u64, u64),
    ) -> Result<Vec<Points>, Refusal> {
        let mut points: Vec<Points> = vec![Points::new(); series.len()];
        let of = |series: &Series| series.metric.as_ref().map(|m| m.connector.clone());
        let connectors: BTreeSet<String> = series.iter().filter_map(of).collect();
        for connector in connectors {
            if !self.has_connector(caller, &connector).await? {
                continue;
            }
            // Those of this connector by name, each file being read once for all of them.
            let mut wanted: BTreeMap<String, Vec<(usize, u64)>> = BTreeMap::new();
            let mut begin = from_ms;
            for (at, series) in series.iter().enumerate() {
                if let Some(metric) = series.metric.as_ref().filter(|m| m.connector == connector) {
                    let place = (at, series.period_ms);
                    wanted.entry(metric.name.clone()).or_default().push(place);
                    // A period that has begun is shown whole.
                    begin = begin.min(from_ms - from_ms % series.period_ms);
                }
            }
            let count = series.len();
            let turn = self.figures.turn().await;
            let found = read(&self.figures, move |figures| {
                let _turn = turn;
                let mut found: Vec<Points> = vec![Points::new(); count];
                figures.read(&connector, (begin, to_ms), |minute, name, figure| {
                    for (at, period) in wanted.get(name).into_iter().flatten() {
                        let start = minute - minute % period;
                        if start >= from_ms - from_ms % period
                            && let Some(points) = found.get_mut(*at)
                        {
                            let entry = points.entry(start);
                            entry
                                .and_modify(|known| *known = known.and(figure))
                                .or_insert(figure);
                        }
                    }
                    true
                })?;
                Ok(found)
            })
            .await?;
            for (points, found) in points.iter_mut().zip(found) {
                points.extend(found);
            }
        }
        Ok(points)
    }
}

/// How long a metric without figures is listed.
const LISTED_MS: u64 = 14 * 86_400_000;
/// Names of one connector: those of `spec.md` §4.
const MOST_NAMES: usize = 43;
