//! Objects for `campanile admin object`: the buckets, what is in them, and one of them opened.

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, answer};
use crate::control::Refusal;
use crate::objects::{ObjectError, Stored};

/// Which objects of a bucket.
#[derive(Deserialize)]
pub(super) struct Asked {
    bucket: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    after: String,
}

/// Which object.
#[derive(Deserialize)]
pub(super) struct One {
    bucket: String,
    key: String,
}

pub(super) async fn buckets(State(shared): State<Shared>) -> Json<Value> {
    let names = shared.control.objects.names();
    let listed: Vec<Value> = names.map(|name| json!({"Name": name})).collect();
    Json(json!({"Buckets": listed}))
}

/// A page of them; `NextAfter` says where the next one begins.
pub(super) async fn list(State(shared): State<Shared>, Query(asked): Query<Asked>) -> Response {
    let Asked {
        bucket,
        prefix,
        after,
    } = asked;
    let objects = &shared.control.objects;
    let found = objects.list(&bucket, &prefix, &after, PAGE).await;
    answer(found.map_err(refusal).map(|found| {
        let next = found.last().filter(|_| found.len() == PAGE);
        json!({
            "NextAfter": next.map(|stored| &stored.key),
            "Objects": found.iter().map(shape).collect::<Vec<_>>(),
        })
    }))
}

/// Its octets. What goes wrong after the first of them breaks the connection off.
pub(super) async fn get(State(shared): State<Shared>, Query(one): Query<One>) -> Response {
    let objects = &shared.control.objects;
    let begun = async {
        let mut reader = objects.reader(&one.bucket, &one.key, false).await?;
        let first = reader.next().await?;
        Ok((first, reader))
    };
    let (first, reader) = match begun.await {
        Ok(begun) => begun,
        Err(error) => return answer(Err(refusal(error))),
    };
    let rest = futures_util::stream::try_unfold((first, reader), async |(now, mut reader)| {
        let Some(octets) = now else {
            return Ok::<_, ObjectError>(None);
        };
        let next = reader.next().await?;
        Ok(Some((octets, (next, reader))))
    });
    let kind = (header::CONTENT_TYPE, "application/octet-stream");
    (StatusCode::OK, [kind], Body::from_stream(rest)).into_response()
}

fn shape(stored: &Stored) -> Value {
    let modified = jiff::Timestamp::from_millisecond(stored.modified_ms).unwrap_or_default();
    json!({
        "Key": stored.key,
        "Size": stored.size.to_string(),
        "LastModified": modified.to_string(),
    })
}

/// Whoever asks here is the administrator, and may know what is wrong.
fn refusal(error: ObjectError) -> Refusal {
    match error {
        ObjectError::UnknownBucket(_) => Refusal::NotFound("the bucket"),
        ObjectError::NotFound(_) => Refusal::NotFound("the object"),
        ObjectError::NoKey => Refusal::invalid("Key", "must not be empty"),
        ObjectError::Envelope(_) => Refusal::Unprocessable(error.to_string()),
        other => Refusal::Failed(other.to_string()),
    }
}

/// Objects in one answer.
const PAGE: usize = 1000;
