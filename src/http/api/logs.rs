//! Logs in JSON, as the clients of CloudWatch Logs read them.

use serde_json::{Value, json};

use super::dispatch::{Call, present};
use crate::control::Refusal;
use crate::control::logs::{Filtered, Place, Wanted};
use crate::record::logs::pattern::Pattern;
use crate::record::logs::{Line, Stream};
use crate::store::Listed;

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    match call.name {
        "DescribeLogGroups" => describe_groups(call).await,
        "DescribeLogStreams" => describe_streams(call).await,
        "FilterLogEvents" => filter(call).await,
        "GetLogEvents" => get(call).await,
        _ => call.missing(),
    }
}

/// The group that a request is about, by its name or its ARN.
pub(super) fn named(said: &Value) -> Option<&str> {
    let text = |name| said.get(name).and_then(Value::as_str);
    text("logGroupName").or_else(|| text("logGroupIdentifier").map(of_arn))
}

fn of_arn(identifier: &str) -> &str {
    match identifier.split_once(":log-group:") {
        Some((_, name)) => name.strip_suffix(":*").unwrap_or(name),
        None => identifier,
    }
}

async fn describe_groups(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let (prefix, pattern) = (
        input.text("logGroupNamePrefix"),
        input.text("logGroupNamePattern"),
    );
    if prefix.is_some() && pattern.is_some() {
        return Err(both("logGroupNamePrefix", "logGroupNamePattern"));
    }
    let identifiers = input.texts("logGroupIdentifiers");
    let accounts = input.texts("accountIdentifiers");
    let is_wanted = |name: &str| {
        prefix.is_none_or(|prefix| name.starts_with(prefix))
            && pattern.is_none_or(|part| name.to_lowercase().contains(&part.to_lowercase()))
            && (identifiers.is_empty() || identifiers.iter().any(|known| of_arn(known) == name))
            && (accounts.is_empty() || accounts.contains(&call.caller.account_id))
            && input
                .text("logGroupClass")
                .is_none_or(|class| class == "STANDARD")
    };
    let groups = call.control.log_groups(call.caller).await?;
    let wanted = groups.into_iter().filter(|name| is_wanted(name)).collect();
    let listed = paged(call, wanted, String::as_str)?;
    let mut shapes = Vec::new();
    for name in &listed.items {
        let held = call.control.log_group_held(call.caller, name).await?;
        let region = &call.control.place.region;
        let arn = format!(
            "arn:aws:logs:{region}:{}:log-group:{name}",
            call.caller.account_id
        );
        shapes.push(present([
            ("logGroupName", Some(json!(name))),
            ("creationTime", held.first_ms.map(|ms| json!(ms))),
            ("metricFilterCount", Some(json!(0))),
            ("arn", Some(json!(format!("{arn}:*")))),
            ("logGroupArn", Some(json!(arn))),
            ("storedBytes", Some(json!(held.size))),
            ("logGroupClass", Some(json!("STANDARD"))),
        ]));
    }
    Ok(answer(call, "logGroups", &shapes, listed.next.as_deref()))
}

async fn describe_streams(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let group = group(call)?;
    let prefix = input.text("logStreamNamePrefix").map(str::to_owned);
    let by_time = input.text("orderBy") == Some("LastEventTime");
    if by_time && prefix.is_some() {
        return Err(both("orderBy LastEventTime", "logStreamNamePrefix"));
    }
    // A stream is a day: by name or by time, the order is the same.
    let mut names = call.control.log_stream_names(call.caller, &group).await?;
    let descending = input.flag("descending") == Some(true);
    if descending {
        names.reverse();
    }
    let after = after(call)?;
    names.retain(|name| {
        let is_next = match after.as_str() {
            "" => true,
            after if descending => name.as_str() < after,
            after => name.as_str() > after,
        };
        is_next
            && prefix
                .as_deref()
                .is_none_or(|prefix| name.starts_with(prefix))
    });
    // Only those of the page are looked into.
    let most = most(call, 50);
    let more = names.len() > most;
    names.truncate(most);
    let next = names.last().filter(|_| more).cloned();
    let streams = call.control.log_streams(call.caller, &group, names).await?;
    let region = &call.control.place.region;
    let account = &call.caller.account_id;
    let shape = |stream: &Stream| {
        let name = &stream.name;
        let arn = format!("arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{name}");
        let time = |ms: Option<u64>| ms.map(|ms| json!(ms));
        present([
            ("logStreamName", Some(json!(name))),
            ("creationTime", time(stream.first_ms)),
            ("firstEventTimestamp", time(stream.first_ms)),
            ("lastEventTimestamp", time(stream.last_ms)),
            ("lastIngestionTime", time(stream.last_ms)),
            ("arn", Some(json!(arn))),
            ("storedBytes", Some(json!(stream.size))),
        ])
    };
    let shapes: Vec<Value> = streams.iter().map(shape).collect();
    Ok(answer(call, "logStreams", &shapes, next.as_deref()))
}

async fn filter(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let group = group(call)?;
    let (names, prefix) = (
        input.texts("logStreamNames"),
        input.text("logStreamNamePrefix"),
    );
    if !names.is_empty() && prefix.is_some() {
        return Err(both("logStreamNames", "logStreamNamePrefix"));
    }
    if !names.is_empty() {
        let known = call.control.log_stream_names(call.caller, &group).await?;
        if !names.iter().all(|name| known.contains(name)) {
            return Err(Refusal::NotFound("The specified log stream"));
        }
    }
    let prefix = prefix.map(str::to_owned);
    let streams = move |name: &str| {
        (names.is_empty() || names.iter().any(|known| known == name))
            && prefix
                .as_deref()
                .is_none_or(|prefix| name.starts_with(prefix))
    };
    let pattern = Pattern::read(input.text("filterPattern").unwrap_or_default())
        .map_err(|why| Refusal::invalid("filterPattern", why.to_string()))?;
    let wanted = wanted(call, pattern, true)?;
    let from = match after(call)?.as_str() {
        "" => None,
        place => Some(place_of(place)?),
    };
    let found = call.control.filter_logs(
        call.caller,
        &group,
        streams,
        wanted,
        (from, most(call, MOST_LINES)),
    );
    let Filtered { lines, next } = found.await?;
    let events = lines.iter().map(|(stream, line)| {
        let mut event = event(line);
        if let Some(event) = event.as_object_mut() {
            event.insert("logStreamName".to_owned(), json!(stream));
            // Digits, as clients know them, and one for each line.
            let id = format!("{}{:024}", stream.replace('-', ""), line.at);
            event.insert("eventId".to_owned(), json!(id));
        }
        event
    });
    let next = next.map(|(stream, offset)| format!("{stream}:{offset}"));
    let events: Vec<Value> = events.collect();
    let mut answer = answer(call, "events", &events, next.as_deref());
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("searchedLogStreams".to_owned(), json!([]));
    }
    Ok(answer)
}

async fn get(call: &Call<'_>) -> Result<Value, Refusal> {
    let input = &call.input;
    let group = group(call)?;
    let stream = input.required("logStreamName");
    let wanted = wanted(call, Pattern::All, false)?;
    let (forward, from) = match after(call)?.as_str() {
        "" if input.flag("startFromHead") == Some(true) => (true, 0),
        "" => (false, u64::MAX),
        place => match place_of(place)? {
            (way, from) if way == "f" => (true, from),
            (_, from) => (false, from),
        },
    };
    let most = most(call, MOST_LINES);
    let at = (group.as_str(), stream);
    let found = call
        .control
        .log_lines(call.caller, at, (forward, from), wanted, most);
    let found = found.await?;
    // What lies before the first and after the last: at an end a token leads to itself.
    let (first, last) = match (found.lines.first(), found.lines.last()) {
        (Some(first), Some(last)) if forward => (first.at, found.place.max(last.next)),
        (Some(_), Some(last)) => (found.place, last.next),
        _ if forward => (from, found.place),
        _ => (found.place, from.min(found.place)),
    };
    let token = |way: &str, at: u64| call.pager.token(&format!("{way}:{at}"));
    let events: Vec<Value> = found.lines.iter().map(event).collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": token("f", last),
        "nextBackwardToken": token("b", first),
    }))
}

fn event(line: &Line) -> Value {
    // A line is taken in when it is written.
    json!({"timestamp": line.time_ms, "message": line.text, "ingestionTime": line.time_ms})
}

fn group(call: &Call<'_>) -> Result<String, Refusal> {
    let input = &call.input;
    match (input.text("logGroupName"), input.text("logGroupIdentifier")) {
        (Some(_), Some(_)) => Err(both("logGroupName", "logGroupIdentifier")),
        (None, None) => Err(Refusal::invalid("logGroupName", "is required")),
        (Some(name), None) => Ok(name.to_owned()),
        (None, Some(identifier)) => {
            // Another account's group is one that is not here.
            let account = identifier.split(':').nth(4);
            match account.is_none_or(|account| account == call.caller.account_id) {
                true => Ok(of_arn(identifier).to_owned()),
                false => Err(Refusal::NotFound("The specified log group")),
            }
        }
    }
}

fn wanted(call: &Call<'_>, pattern: Pattern, inclusive: bool) -> Result<Wanted, Refusal> {
    let time = |name| {
        call.input
            .number(name)
            .and_then(|ms| u64::try_from(ms).ok())
    };
    let (from, to) = (time("startTime"), time("endTime"));
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Refusal::invalid("startTime", "must not be after endTime"));
    }
    let last = if inclusive { 0 } else { 1 };
    Ok(Wanted {
        from_ms: from.unwrap_or(0),
        to_ms: to.map_or(u64::MAX, |to| to.saturating_sub(last)),
        pattern,
    })
}

fn both(one: &str, other: &str) -> Refusal {
    Refusal::invalid(one, format!("cannot be together with {other}"))
}

fn most(call: &Call<'_>, usual: usize) -> usize {
    let asked = call.input.number("limit");
    asked
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(usual)
}

/// What the token says; nothing on the first page.
fn after(call: &Call<'_>) -> Result<String, Refusal> {
    Ok(call.pager.page(call.input.text("nextToken"), None)?.after)
}

fn place_of(text: &str) -> Result<Place, Refusal> {
    let place = text
        .rsplit_once(':')
        .and_then(|(stream, offset)| Some((stream.to_owned(), offset.parse().ok()?)));
    place.ok_or_else(|| Refusal::invalid("nextToken", "is none of this list"))
}

fn paged<T>(call: &Call<'_>, all: Vec<T>, key: impl Fn(&T) -> &str) -> Result<Listed<T>, Refusal> {
    let after = after(call)?;
    let most = most(call, 50);
    let mut items: Vec<T> = all
        .into_iter()
        .filter(|item| key(item) > after.as_str())
        .collect();
    let more = items.len() > most;
    items.truncate(most);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| key(last).to_owned());
    Ok(Listed { items, next })
}

fn answer(call: &Call<'_>, name: &str, items: &[Value], next: Option<&str>) -> Value {
    let mut answer = json!({name: items});
    if let (Some(next), Some(answer)) = (next, answer.as_object_mut()) {
        answer.insert("nextToken".to_owned(), json!(call.pager.token(next)));
    }
    answer
}

/// Lines of an answer where nothing else is asked for, which is also the most.
const MOST_LINES: usize = 10_000;
