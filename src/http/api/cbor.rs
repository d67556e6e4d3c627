//! Services in CBOR (Smithy RPC v2): everything is a POST whose path names service and operation, the body has all members.

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use ciborium::Value as Cbor;
use ciborium::value::Integer;
use serde_json::{Map, Value, json};

use super::model::{Kind, MODEL};
use super::{ApiError, service};
use crate::control::Control;
use crate::http::Came;

/// Whether a request is one of these.
pub(crate) fn is_meant(parts: &Parts) -> bool {
    let protocol = parts.headers.get(PROTOCOL);
    parts.method == Method::POST && protocol.is_some_and(|protocol| protocol == NAME)
}

/// Answers one.
pub(crate) async fn answer(control: &Control, came: Came<'_>) -> Response {
    let (path, body) = (came.parts.uri.path(), came.body);
    let found = target(path).and_then(|target| service::find(&target));
    let found = found.ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "UnknownOperationException",
            "the path names no operation of this API",
        )
    });
    let answered = service::answered(control, came, found, |_| read(body)).await;
    let (status, body) = answered.body();
    let shape = answered.output.filter(|_| answered.done.is_ok());
    let octets = octets(shape, &body);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/cbor")),
        (PROTOCOL, HeaderValue::from_static(NAME)),
    ];
    answered.sent((status, headers, octets).into_response())
}

/// `…/service/<service>/operation/<operation>` as a target.
fn target(path: &str) -> Option<String> {
    let mut parts = path.rsplit('/');
    let operation = parts.next()?;
    if parts.next()? != "operation" {
        return None;
    }
    let service = parts.next()?;
    (parts.next()? == "service").then(|| format!("{service}.{operation}"))
}

/// A value of the shape of that name, written.
pub(super) fn octets(shape: Option<&str>, value: &Value) -> Vec<u8> {
    let mut octets = Vec::new();
    if let Err(error) = ciborium::into_writer(&written(shape, value), &mut octets) {
        tracing::error!(%error, "an answer cannot be written");
    }
    octets
}

/// A body as JSON.
pub(super) fn read(body: &[u8]) -> Result<Value, ApiError> {
    let wrong = |why: String| ApiError::new(StatusCode::BAD_REQUEST, "SerializationException", why);
    if body.is_empty() {
        return Ok(json!({}));
    }
    let mut rest = body;
    let value: Cbor = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEEPEST)
        .map_err(|error| wrong(format!("the body is not CBOR: {error}")))?;
    if !rest.is_empty() {
        return Err(wrong("something follows the body's value".to_owned()));
    }
    plain(value).ok_or_else(|| wrong("the body has a value of no kind that is known".to_owned()))
}

/// As JSON: what the model is checked against. Times are numbers there.
fn plain(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Integer(number) => match i64::try_from(number) {
            Ok(number) => json!(number),
            Err(_) => json!(u64::try_from(number).ok()?),
        },
        Cbor::Float(number) => Value::Number(serde_json::Number::from_f64(number)?),
        Cbor::Text(text) => Value::String(text),
        Cbor::Array(items) => items
            .into_iter()
            .map(plain)
            .collect::<Option<Vec<_>>>()?
            .into(),
        Cbor::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| match key {
                Cbor::Text(key) => Some((key, plain(value)?)),
                _ => None,
            });
            entries.collect::<Option<Map<_, _>>>()?.into()
        }
        // RFC 8949 §3.4.2: seconds since the epoch.
        Cbor::Tag(1, time) if matches!(*time, Cbor::Integer(_) | Cbor::Float(_)) => plain(*time)?,
        _ => return None,
    })
}

/// A value of the shape of that name.
fn written(shape: Option<&str>, value: &Value) -> Cbor {
    let known = shape.and_then(|name| MODEL.shape(name));
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Number(number) => {
            let kind = known.map(|shape| shape.kind);
            let whole = number.as_i64().map(Integer::from);
            let whole = whole.or_else(|| number.as_u64().map(Integer::from));
            let written = match whole {
                Some(whole) if kind != Some(Kind::Float) => Cbor::Integer(whole),
                _ => Cbor::Float(number.as_f64().unwrap_or(f64::NAN)),
            };
            match kind {
                Some(Kind::Timestamp) => Cbor::Tag(1, Box::new(written)),
                _ => written,
            }
        }
        Value::Array(items) => {
            let inner = known.and_then(|shape| shape.member.as_deref());
            Cbor::Array(items.iter().map(|item| written(inner, item)).collect())
        }
        Value::Object(object) => {
            let inner = |name: &str| {
                let member = known?.members.get(name);
                member
                    .map(|member| member.shape.as_str())
                    .or(known?.value.as_deref())
            };
            let entries = object
                .iter()
                .map(|(name, value)| (Cbor::Text(name.clone()), written(inner(name), value)));
            Cbor::Map(entries.collect())
        }
    }
}

const PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const NAME: &str = "rpc-v2-cbor";
/// Values within values.
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_service_and_operation_whatever_stands_before() {
        let target = |path| target(path);
        assert_eq!(target("/service/S1/operation/Op").as_deref(), Some("S1.Op"));
        assert_eq!(
            target("/cloudwatch/service/S1/operation/Op").as_deref(),
            Some("S1.Op")
        );
        for path in [
            "/",
            "/service/S1/Op",
            "/operation/Op",
            "/service/S1/operations/Op",
        ] {
            assert_eq!(target(path), None, "{path}");
        }
    }

    /// Octets by RFC 8949, appendix A.
    #[test]
    fn values_are_read_as_the_rfc_writes_them() {
        let read = |octets: &[u8]| read(octets).ok();
        assert_eq!(read(b"\xa1\x61a\x01"), Some(json!({"a": 1})));
        assert_eq!(read(b"\xbf\x61a\x9f\x02\xff\xff"), Some(json!({"a": [2]})));
        assert_eq!(
            read(b"\xa1\x61t\xc1\x1a\x51\x4b\x67\xb0"),
            Some(json!({"t": 1_363_896_240}))
        );
        assert_eq!(
            read(b"\xa1\x61t\xc1\xfb\x41\xd4\x52\xd9\xec\x20\x00\x00"),
            Some(json!({"t": 1_363_896_240.5}))
        );
        assert_eq!(read(b""), Some(json!({})));
        for wrong in [
            &b"\xa1"[..],
            b"\xa1\x01\x01",
            b"\xa0\x00",
            b"\xa1\x61a\x41\x00",
            b"\xa1\x61t\xc1\x61x",
        ] {
            assert_eq!(read(wrong), None, "{wrong:x?}");
        }
        let deep = [&[0x81; 10_000][..], &[0]].concat();
        assert_eq!(read(&deep), None);
    }

    #[test]
    fn figures_are_floats_and_times_are_tagged() {
        let answer = json!({"Label": "x", "Datapoints": [{"Timestamp": 1_363_896_240, "Sum": 3}]});
        let Cbor::Map(written) = written(Some("cloudwatch.GetMetricStatisticsOutput"), &answer)
        else {
            panic!()
        };
        let points = written
            .iter()
            .find(|(name, _)| *name == Cbor::Text("Datapoints".into()));
        let point = Cbor::Map(vec![
            (Cbor::Text("Sum".into()), Cbor::Float(3.0)),
            (
                Cbor::Text("Timestamp".into()),
                Cbor::Tag(1, Box::new(Cbor::Integer(1_363_896_240.into()))),
            ),
        ]);
        assert_eq!(points.unwrap().1, Cbor::Array(vec![point]));
    }
}
