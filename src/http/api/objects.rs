//! Objects that are kept: the buckets, what is in them, and one of them opened. They are of all accounts, and so the
//! business of the deployment's own account alone.

use axum::body::Body;
use serde_json::{Value, json};

use super::dispatch::{Call, time};
use crate::control::Refusal;
use crate::objects::{ObjectError, Stored};
use crate::store::Listed;

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let objects = &call.control.objects;
    match call.name {
        "ListBuckets" => {
            let listed: Vec<Value> = objects.names().map(|name| json!({"Name": name})).collect();
            Ok(json!({"Buckets": listed}))
        }
        "ListObjects" => {
            let bucket = call.input.required("BucketName");
            let prefix = call.input.text("Prefix").unwrap_or_default();
            let page = call.page()?;
            let most = usize::try_from(page.most).unwrap_or(usize::MAX);
            let found = objects.list(bucket, prefix, &page.after, most).await;
            let found = found.map_err(refusal)?;
            let last = found.last().filter(|_| found.len() == most);
            let next = last.map(|last| last.key.clone());
            let listed = Listed { items: found, next };
            Ok(call.listed("Objects", &listed, shape))
        }
        _ => call.missing(),
    }
}

/// An object's octets. What goes wrong after the first of them breaks the connection off.
pub(super) async fn octets(call: &Call<'_>) -> Result<Body, Refusal> {
    let objects = &call.control.objects;
    let (bucket, key) = (
        call.input.required("BucketName"),
        call.input.required("Key"),
    );
    let mut reader = objects.reader(bucket, key, false).await.map_err(refusal)?;
    let first = reader.next().await.map_err(refusal)?;
    let rest = futures_util::stream::try_unfold((first, reader), async |(now, mut reader)| {
        let Some(octets) = now else {
            return Ok::<_, ObjectError>(None);
        };
        let next = reader.next().await?;
        Ok(Some((octets, (next, reader))))
    });
    Ok(Body::from_stream(rest))
}

fn shape(stored: &Stored) -> Value {
    json!({
        "Key": stored.key,
        "Size": stored.size.to_string(),
        "LastModified": time(stored.modified_ms),
    })
}

/// Whoever may ask here administers the deployment, and may know what is wrong.
fn refusal(error: ObjectError) -> Refusal {
    match error {
        ObjectError::UnknownBucket(_) => Refusal::NotFound("the bucket"),
        ObjectError::NotFound(_) => Refusal::NotFound("the object"),
        ObjectError::NoKey => Refusal::invalid("Key", "must not be empty"),
        ObjectError::BadKey(_) => Refusal::invalid("Key", error.to_string()),
        ObjectError::Envelope(_) => Refusal::Unprocessable(error.to_string()),
        other => Refusal::Failed(other.to_string()),
    }
}
