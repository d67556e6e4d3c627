//! Metrics as CloudWatch's clients read them.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::dispatch::Call;
use super::input::Input;
use crate::control::metrics::{Metric, NAMESPACE, Points, Series};
use crate::control::{Refusal, now_ms};
use crate::record::figures::{Figure, KEPT_MS};
use crate::store::Listed;

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    match call.name {
        "ListMetrics" => list(call).await,
        "GetMetricData" => data(call).await,
        "GetMetricStatistics" => statistics(call).await,
        _ => call.missing(),
    }
}

async fn list(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let region = &call.control.place.region;
    let recently = input.text("RecentlyActive").map(|_| {
        let now = u64::try_from(now_ms()).unwrap_or_default();
        now.saturating_sub(RECENTLY_MS)
    });
    let all = call.control.metrics(call.caller, recently).await?;
    let key = |metric: &Metric| format!("{}/{}", metric.connector, metric.name);
    let after = call.pager.page(input.text("NextToken"), None)?.after;
    let wanted = |metric: &Metric| {
        input
            .text("Namespace")
            .is_none_or(|namespace| namespace == NAMESPACE)
            && input
                .text("MetricName")
                .is_none_or(|name| name == metric.name)
            && input.list("Dimensions").all(|dimension| {
                let has = match dimension.required("Name") {
                    "VoiceConnectorId" => &metric.connector,
                    "Region" => region,
                    _ => return false,
                };
                dimension.text("Value").is_none_or(|value| value == has)
            })
            && key(metric) > after
    };
    let mut items: Vec<Metric> = all.into_iter().filter(wanted).collect();
    let more = items.len() > PAGE;
    items.truncate(PAGE);
    let next = items.last().filter(|_| more).map(key);
    let listed = Listed { items, next };
    Ok(call.listed("Metrics", &listed, |metric| {
        json!({
            "Namespace": NAMESPACE,
            "MetricName": metric.name,
            "Dimensions": [
                {"Name": "VoiceConnectorId", "Value": metric.connector},
                {"Name": "Region", "Value": region},
            ],
        })
    }))
}

async fn data(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let (from, to) = kept(range(input)?);
    let queries = queries(call)?;
    let periods = |query: &Query<'_>| to.saturating_sub(from).div_ceil(query.series.period_ms);
    bounded(queries.iter().map(periods).sum(), MOST_POINTS)?;
    let after = match call.pager.page(input.text("NextToken"), None)?.after {
        none if none.is_empty() => None,
        place => Some(place_of(&place)?),
    };
    let descending = input.text("ScanBy") != Some("TimestampAscending");
    let most = input.number("MaxDatapoints").unwrap_or_default();
    let most = usize::try_from(most).ok().filter(|most| *most > 0);
    let most = most.unwrap_or(PAGE_POINTS).min(PAGE_POINTS);
    let series: Vec<Series> = queries.iter().map(|query| query.series.clone()).collect();
    let points = call
        .control
        .figures_of(call.caller, &series, (from, to))
        .await?;
    let (shown, rows): (Vec<&Query<'_>>, Vec<Vec<Point>>) = queries
        .iter()
        .zip(points)
        .filter(|(query, _)| query.shown)
        .map(|(query, points)| {
            let value = |(start, figure): (u64, Figure)| (start, query.statistic.of(figure));
            (query, points.into_iter().map(value).collect())
        })
        .unzip();
    let (pieces, next) = page(rows, descending, after, most);
    let results: Vec<Value> = shown
        .into_iter()
        .zip(pieces)
        .map(|(query, (piece, whole))| {
            json!({
                "Id": query.id,
                "Label": query.label,
                "Timestamps": piece.iter().map(|(start, _)| start / 1000).collect::<Vec<_>>(),
                "Values": piece.iter().map(|(_, value)| value).collect::<Vec<_>>(),
                "StatusCode": if whole { "Complete" } else { "PartialData" },
            })
        })
        .collect();
    let mut answer = json!({"MetricDataResults": results, "Messages": []});
    if let (Some((series, time)), Some(answer)) = (next, answer.as_object_mut()) {
        let next = call.pager.token(&format!("{series}/{time}"));
        answer.insert("NextToken".to_owned(), json!(next));
    }
    Ok(answer)
}

/// What one of `MetricDataQueries` asks for.
struct Query<'a> {
    id: &'a str,
    label: &'a str,
    statistic: Statistic,
    shown: bool,
    series: Series,
}

fn queries<'a>(call: &'a Call<'_>) -> Result<Vec<Query<'a>>, Refusal> {
    let mut ids = HashSet::new();
    let mut queries = Vec::new();
    for (at, query) in (1..).zip(call.input.list("MetricDataQueries")) {
        let field = format!("MetricDataQueries.{at}");
        if at > MOST_QUERIES {
            let rule = format!("must be at most {MOST_QUERIES}");
            return Err(Refusal::invalid("MetricDataQueries", rule));
        }
        let query = read_query(call, query, &field)?;
        if !ids.insert(query.id) {
            return Err(Refusal::invalid(format!("{field}.Id"), "is there twice"));
        }
        queries.push(query);
    }
    Ok(queries)
}

fn read_query<'a>(call: &Call<'_>, query: Input<'a>, field: &str) -> Result<Query<'a>, Refusal> {
    if query.text("Expression").is_some() {
        let text = "metric math and queries are not offered by this server";
        return Err(Refusal::NotOffered(format!("{field}.Expression: {text}")));
    }
    let Some(stat) = query.object("MetricStat") else {
        let field = format!("{field}.MetricStat");
        return Err(Refusal::invalid(field, "is required"));
    };
    let id = query.required("Id");
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    if !id.starts_with(|first: char| first.is_ascii_lowercase()) || !id.bytes().all(is_plain) {
        let rule = "must match [a-z][a-zA-Z0-9_]*";
        return Err(Refusal::invalid(format!("{field}.Id"), rule));
    }
    let asked = stat.required("Stat");
    let statistic =
        statistic(asked).ok_or_else(|| not_offered(&format!("{field}.MetricStat.Stat"), asked))?;
    let period = stat.number("Period").unwrap_or(60);
    let period_ms = period_ms(period, &format!("{field}.MetricStat.Period"))?;
    let metric = stat.object("Metric").unwrap_or(stat);
    Ok(Query {
        id,
        label: query
            .text("Label")
            .unwrap_or_else(|| metric.required("MetricName")),
        statistic,
        shown: query.flag("ReturnData") != Some(false),
        series: Series {
            metric: metric_of(call, metric, stat.text("Unit")),
            period_ms,
        },
    })
}

/// The beginning of a period, ms since the epoch, and what was measured in it.
type Point = (u64, f64);

/// The point that a page ended with: its series, and its time. No position in the row of all points, because the
/// row grows at its new end while its pages are turned.
type Place = (usize, u64);

fn place_of(text: &str) -> Result<Place, Refusal> {
    let place = text.split_once('/');
    let place = place.and_then(|(series, time)| Some((series.parse().ok()?, time.parse().ok()?)));
    place.ok_or_else(|| Refusal::invalid("NextToken", "is none of this list"))
}

/// A page of the points of all series, one series after the other: what it has of each, and whether nothing of it is
/// left; and the place that the next page begins behind, if there is one.
fn page(
    rows: Vec<Vec<Point>>,
    descending: bool,
    after: Option<Place>,
    most: usize,
) -> (Vec<(Vec<Point>, bool)>, Option<Place>) {
    let (mut left, mut last, mut more) = (most, after, false);
    let mut pieces = Vec::new();
    for (at, mut row) in rows.into_iter().enumerate() {
        if descending {
            row.reverse();
        }
        if let Some((series, time)) = after {
            let later = |start: u64| match descending {
                true => start < time,
                false => start > time,
            };
            row.retain(|(start, _)| at > series || at == series && later(*start));
        }
        let whole = row.len() <= left;
        row.truncate(left);
        left -= row.len();
        more |= !whole;
        last = row.last().map(|(start, _)| (at, *start)).or(last);
        pieces.push((row, whole));
    }
    (pieces, last.filter(|_| more))
}

async fn statistics(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let (from, to) = range(input)?;
    let period = period_ms(input.number("Period").unwrap_or(60), "Period")?;
    if input.list("ExtendedStatistics").next().is_some() {
        return Err(not_offered("ExtendedStatistics", "a percentile"));
    }
    let names = input.texts("Statistics");
    if names.is_empty() {
        return Err(Refusal::invalid("Statistics", "is required"));
    }
    bounded((to - from).div_ceil(period), 1440)?;
    let unit = input.text("Unit");
    let series = [Series {
        metric: metric_of(call, *input, unit),
        period_ms: period,
    }];
    let name = input.required("MetricName");
    let points = call
        .control
        .figures_of(call.caller, &series, (from, to))
        .await?;
    let shape = |points: &Points| -> Vec<Value> {
        let shape = |(start, figure): (&u64, &Figure)| {
            let mut point = json!({"Timestamp": start / 1000, "Unit": unit_of(name)});
            for wanted in &names {
                if let (Some(statistic), Some(point)) = (statistic(wanted), point.as_object_mut()) {
                    point.insert(wanted.clone(), json!(statistic.of(*figure)));
                }
            }
            point
        };
        points.iter().map(shape).collect()
    };
    let points: Vec<Value> = points.iter().flat_map(shape).collect();
    Ok(json!({"Label": name, "Datapoints": points}))
}

/// A statistic that can be reckoned from what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
}

impl Statistic {
    #[allow(clippy::cast_precision_loss)] // counts of a period are small
    fn of(self, figure: Figure) -> f64 {
        match self {
            Self::SampleCount => figure.count as f64,
            Self::Sum => figure.sum,
            Self::Average => figure.sum / figure.count.max(1) as f64,
            Self::Minimum => figure.min,
            Self::Maximum => figure.max,
        }
    }
}

fn statistic(name: &str) -> Option<Statistic> {
    Some(match name {
        "SampleCount" => Statistic::SampleCount,
        "Sum" => Statistic::Sum,
        "Average" => Statistic::Average,
        "Minimum" => Statistic::Minimum,
        "Maximum" => Statistic::Maximum,
        _ => return None,
    })
}

/// The metric that is named by all of its dimensions and no other, as CloudWatch finds them.
fn metric_of(call: &Call<'_>, metric: Input<'_>, unit: Option<&str>) -> Option<Metric> {
    let dimensions: Vec<(&str, &str)> = metric
        .list("Dimensions")
        .map(|dimension| (dimension.required("Name"), dimension.required("Value")))
        .collect();
    let value = |name: &str| {
        dimensions
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, v)| *v)
    };
    let name = metric.required("MetricName");
    let is_whole = dimensions.len() == 2
        && value("Region") == Some(call.control.place.region.as_str())
        && metric.text("Namespace") == Some(NAMESPACE)
        && unit.is_none_or(|unit| unit == unit_of(name));
    let connector = value("VoiceConnectorId").filter(|_| is_whole)?;
    Some(Metric {
        connector: connector.to_owned(),
        name: name.to_owned(),
    })
}

fn unit_of(name: &str) -> &'static str {
    match name {
        name if name.starts_with("RTT") || name.ends_with("Jitter") => "Microseconds",
        name if name.starts_with("MOS") => "None",
        _ => "Count",
    }
}

/// `[from, to)` in ms.
fn range(input: &Input<'_>) -> Result<(u64, u64), Refusal> {
    let time = |name: &'static str| {
        let seconds = input.seconds(name)?.unwrap_or_default();
        u64::try_from(seconds)
            .map(|seconds| seconds * 1000)
            .map_err(|_| Refusal::invalid(name, "must not be before 1970"))
    };
    let (from, to) = (time("StartTime")?, time("EndTime")?);
    match from < to {
        true => Ok((from, to)),
        false => Err(Refusal::invalid("StartTime", "must be before EndTime")),
    }
}

/// What of a range there can be figures of.
fn kept((from, to): (u64, u64)) -> (u64, u64) {
    let now = u64::try_from(now_ms()).unwrap_or_default();
    // Some of the future too: a clock may have been set back.
    (
        from.max(now.saturating_sub(KEPT_MS)),
        to.min(now + RECENTLY_MS),
    )
}

fn period_ms(seconds: i64, field: &str) -> Result<u64, Refusal> {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 && seconds % 60 == 0 && seconds <= MOST_PERIOD => {
            Ok(seconds * 1000)
        }
        _ => Err(Refusal::invalid(
            field,
            "must be a multiple of 60 up to 86400",
        )),
    }
}

fn bounded(periods: u64, most: u64) -> Result<(), Refusal> {
    match periods <= most {
        true => Ok(()),
        false => Err(Refusal::LimitExceeded(format!(
            "{periods} periods are more than {most}: ask for longer ones, or for less time"
        ))),
    }
}

fn not_offered(field: &str, what: &str) -> Refusal {
    Refusal::NotOffered(format!("{field}: {what} is not offered by this server"))
}

/// Metrics on a page.
const PAGE: usize = 500;
/// Three hours.
const RECENTLY_MS: u64 = 3 * 3_600_000;
/// Points on a page, as many as CloudWatch's.
const PAGE_POINTS: usize = 100_800;
/// Queries of one request, as many as CloudWatch takes.
const MOST_QUERIES: usize = 500;
/// Periods of all series of a request together: they are in memory at once. CloudWatch gives out as many in a second.
const MOST_POINTS: u64 = 180_000;
/// A day, in seconds.
const MOST_PERIOD: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [Point; 4] = [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)];

    #[test]
    fn a_page_goes_on_behind_the_last_point_though_newer_ones_came_meanwhile() {
        let rows = |first: &[Point]| vec![first.to_vec(), ROW.to_vec()];
        let (pieces, next) = page(rows(&ROW[..3]), true, None, 2);
        assert_eq!(pieces[0], (vec![ROW[2], ROW[1]], false));
        assert_eq!(pieces[1], (Vec::new(), false));
        assert_eq!(next, Some((0, 2)));
        // A minute later.
        let (pieces, next) = page(rows(&ROW), true, next, 2);
        assert_eq!(pieces[0], (vec![ROW[0]], true));
        assert_eq!(pieces[1], (vec![ROW[3]], false));
        let (pieces, next) = page(rows(&ROW), true, next, 9);
        assert_eq!(pieces[0], (Vec::new(), true));
        assert_eq!(pieces[1], (vec![ROW[2], ROW[1], ROW[0]], true));
        assert_eq!(next, None);

        let (_, next) = page(rows(&ROW[..3]), false, None, 3);
        assert_eq!(next, Some((0, 3)));
        let (pieces, next) = page(rows(&ROW), false, next, 9);
        assert_eq!(pieces[0], (vec![ROW[3]], true));
        assert_eq!((&pieces[1], next), (&(ROW.to_vec(), true), None));
        assert_eq!(place_of("12/34").unwrap(), (12, 34));
        assert!(place_of("12").is_err() && place_of("a/b").is_err());
    }
}
