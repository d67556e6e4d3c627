//! Metrics as CloudWatch's clients read them.

use serde_json::{Value, json};

use super::dispatch::Call;
use super::input::Input;
use crate::control::metrics::{Metric, NAMESPACE, Points, Series};
use crate::control::{Refusal, now_ms};
use crate::record::figures::Figure;
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
    let (from, to) = range(input)?;
    let mut series = Vec::new();
    let mut asked: Vec<(&str, &str, Statistic, bool)> = Vec::new();
    for (at, query) in (1..).zip(input.list("MetricDataQueries")) {
        let field = format!("MetricDataQueries.{at}");
        if query.text("Expression").is_some() {
            let text = "metric math and queries are not offered by this server";
            return Err(Refusal::NotOffered(format!("{field}.Expression: {text}")));
        }
        let Some(stat) = query.object("MetricStat") else {
            return Err(Refusal::invalid(
                format!("{field}.MetricStat"),
                "is required",
            ));
        };
        let id = query.required("Id");
        if !id.starts_with(|first: char| first.is_ascii_lowercase())
            || !id
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
        {
            return Err(Refusal::invalid(
                format!("{field}.Id"),
                "must match [a-z][a-zA-Z0-9_]*",
            ));
        }
        if asked.iter().any(|(known, ..)| *known == id) {
            return Err(Refusal::invalid(format!("{field}.Id"), "is there twice"));
        }
        let statistic = statistic(stat.required("Stat")).ok_or_else(|| {
            not_offered(&format!("{field}.MetricStat.Stat"), stat.required("Stat"))
        })?;
        let period = stat.number("Period").unwrap_or(60);
        let period = period_ms(period, &format!("{field}.MetricStat.Period"))?;
        let metric = stat.object("Metric").unwrap_or(stat);
        let name = metric.required("MetricName");
        series.push(Series {
            metric: metric_of(call, metric, stat.text("Unit")),
            period_ms: period,
        });
        let label = query.text("Label").unwrap_or(name);
        asked.push((
            id,
            label,
            statistic,
            query.flag("ReturnData") != Some(false),
        ));
    }
    let least = series
        .iter()
        .map(|series| series.period_ms)
        .min()
        .unwrap_or(60_000);
    bounded((to - from) / least, MOST_PERIODS)?;
    let points = call
        .control
        .figures_of(call.caller, &series, (from, to))
        .await?;
    let descending = input.text("ScanBy") != Some("TimestampAscending");
    // All points of all series in a row: a page is a piece of that row.
    let skipped = call.pager.page(input.text("NextToken"), None)?.after;
    let skipped: usize = skipped.parse().unwrap_or(0);
    let most = input
        .number("MaxDatapoints")
        .and_then(|most| usize::try_from(most).ok());
    let most = most
        .filter(|most| *most > 0)
        .unwrap_or(MOST_POINTS)
        .min(MOST_POINTS);
    let (mut at, mut results) = (0, Vec::new());
    for ((id, label, statistic, shown), points) in asked.into_iter().zip(&points) {
        if !shown {
            continue;
        }
        let mut row: Vec<(u64, f64)> = points
            .iter()
            .map(|(start, figure)| (*start, statistic.of(*figure)))
            .collect();
        if descending {
            row.reverse();
        }
        let begin = at;
        at += row.len();
        let kept: Vec<(u64, f64)> = (begin..)
            .zip(row)
            .filter(|(at, _)| (skipped..skipped + most).contains(at))
            .map(|(_, point)| point)
            .collect();
        let status = if at > skipped + most {
            "PartialData"
        } else {
            "Complete"
        };
        results.push(json!({
            "Id": id,
            "Label": label,
            "Timestamps": kept.iter().map(|(start, _)| start / 1000).collect::<Vec<_>>(),
            "Values": kept.iter().map(|(_, value)| value).collect::<Vec<_>>(),
            "StatusCode": status,
        }));
    }
    let mut answer = json!({"MetricDataResults": results, "Messages": []});
    if at > skipped + most
        && let Some(answer) = answer.as_object_mut()
    {
        let next = call.pager.token(&(skipped + most).to_string());
        answer.insert("NextToken".to_owned(), json!(next));
    }
    Ok(answer)
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
/// Of all series of an answer together.
const MOST_POINTS: usize = 100_800;
/// Of one series: 15 months of minutes are fewer.
const MOST_PERIODS: u64 = 1_000_000;
/// A day, in seconds.
const MOST_PERIOD: u64 = 86_400;
