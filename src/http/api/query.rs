//! CloudWatch in the query protocol, for clients from before it spoke JSON and CBOR: parameters in a form, answers in XML.
//!
//! A member of a structure is `Outer.Inner`, one of a list `Outer.member.1`; times are ISO 8601 both ways.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::model::{Kind, MODEL, Operation, Shape};
use super::service::{self, Service};
use super::{ApiError, dispatch};
use crate::control::Control;
use crate::http::Came;
use crate::http::query::{Fault, Named, QueryService, Xml, parameters};

/// As its older clients know it.
pub(crate) const CLOUDWATCH: QueryService = QueryService {
    signing: "monitoring",
    paths: &["/cloudwatch", "/monitoring"],
    version: "2010-08-01",
    namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
    // 500 queries, each of a dozen parameters.
    most_octets: 1 << 20,
    most_parameters: 10_000,
};

/// Answers one.
pub(crate) async fn answer(control: &Control, came: Came<'_>) -> Response {
    // What it is about stands in its body: without that it is nothing.
    let form = match &came.broken {
        None => CLOUDWATCH.form(came.parts, came.body),
        Some(error) => Err(error.clone()),
    };
    let found = match &form {
        Ok(form) => operation(&CLOUDWATCH.named(form)),
        Err(error) => Err(error.clone()),
    };
    let read = |operation: &Operation| Form::read(form?)?.members(operation);
    let answered = service::answered(control, came, found, read).await;
    let done = answered.done.as_ref();
    let result = done.map(|answer| written(Xml::new(), answered.output, answer));
    let done = result.as_ref().map_err(|error| Fault {
        status: error.status,
        code: code(error),
        message: &error.message,
    });
    let response = CLOUDWATCH.response(answered.name, done, &answered.request_id);
    answered.sent(response)
}

/// What a form asks for: the operation's name, and its members as JSON has them.
pub(super) fn understand(form: &[u8]) -> Result<(&'static str, Value), ApiError> {
    let (_, operation) = operation(&CLOUDWATCH.named(form))?;
    let members = Form::read(form)?.members(operation)?;
    Ok((operation.name.as_str(), members))
}

/// The operation of that action and version.
fn operation(named: &Named) -> Result<(Service, &'static Operation), ApiError> {
    let action = named.action.as_deref().unwrap_or_default();
    let version = named.version.as_deref().unwrap_or_default();
    let mut operations = MODEL.operations().iter();
    let found = operations.find(|one| one.service == "cloudwatch" && one.name == action);
    let known = Service::named("cloudwatch").zip(found);
    known
        .filter(|_| version == CLOUDWATCH.version)
        .ok_or_else(|| {
            let why = format!("Could not find operation {action} for version {version}");
            ApiError::new(StatusCode::BAD_REQUEST, "InvalidAction", why)
        })
}

/// What this protocol calls what the others have another name for.
fn code(error: &ApiError) -> &'static str {
    match service::query_code(error) {
        "InvalidSignature" => "SignatureDoesNotMatch",
        "UnrecognizedClient" => "InvalidClientTokenId",
        code => code,
    }
}

/// The parameters by their names.
struct Form(BTreeMap<String, String>);

impl Form {
    fn read(form: &[u8]) -> Result<Self, ApiError> {
        match parameters(form) {
            Ok(all) => Ok(Self(all.into_iter().collect())),
            Err(twice) => Err(wrong(format!("{twice}: is there twice"))),
        }
    }

    /// The operation's members as JSON has them.
    fn members(&self, operation: &Operation) -> Result<Value, ApiError> {
        let mut left: BTreeSet<&str> = self.0.keys().map(String::as_str).collect();
        left.remove("Action");
        left.remove("Version");
        left.retain(|name| !name.starts_with("X-Amz-"));
        let shape = operation.input_shape();
        let said = shape.and_then(|shape| self.value(shape, "", &mut left));
        match left.first() {
            // What is not offered at all is told by its name, not by a parameter of it.
            Some(name) if dispatch::noun(operation).is_some() => Err(wrong(format!(
                "{name}: is no parameter of {}",
                operation.name
            ))),
            _ => Ok(said.unwrap_or_else(|| Map::new().into())),
        }
    }

    /// What stands under that name; what it is made of is taken from `left`. What cannot be read as what it should be
    /// stays text, which the model then refuses.
    fn value(&self, shape: &Shape, at: &str, left: &mut BTreeSet<&str>) -> Option<Value> {
        let inner = |name: &str| match at {
            "" => name.to_owned(),
            at => format!("{at}.{name}"),
        };
        match shape.kind {
            Kind::Structure => {
                let members = shape.members.iter().filter_map(|(name, member)| {
                    let value = self.value(MODEL.shape(&member.shape)?, &inner(name), left)?;
                    Some((name.clone(), value))
                });
                let members: Map<String, Value> = members.collect();
                (!members.is_empty()).then_some(members.into())
            }
            Kind::List => {
                // A list without members is its bare name.
                let empty = left.remove(at);
                let member = MODEL.shape(shape.member.as_deref()?)?;
                let members: Vec<Value> = (1..=self.0.len())
                    .map_while(|number| {
                        self.value(member, &inner(&format!("member.{number}")), left)
                    })
                    .collect();
                (empty || !members.is_empty()).then_some(members.into())
            }
            Kind::Map => None,
            kind => {
                let text = self.0.get(at)?;
                left.remove(at);
                Some(plain(kind, text).unwrap_or_else(|| text.clone().into()))
            }
        }
    }
}

/// A text as what its kind is in JSON.
fn plain(kind: Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::Integer => text.parse::<i64>().ok()?.into(),
        Kind::Float => serde_json::Number::from_f64(text.parse().ok()?)?.into(),
        Kind::Boolean => text.parse::<bool>().ok()?.into(),
        Kind::Timestamp => {
            let time: jiff::Timestamp = text.parse().ok()?;
            match time.subsec_nanosecond() {
                0 => time.as_second().into(),
                _ => time.as_duration().as_secs_f64().into(),
            }
        }
        _ => return None,
    })
}

/// These elements and those of a value of the shape of that name.
fn written(xml: Xml, shape: Option<&str>, value: &Value) -> Xml {
    let Some(members) = value.as_object() else {
        return xml;
    };
    let shape = shape.and_then(|name| MODEL.shape(name));
    members.iter().fold(xml, |xml, (name, value)| {
        let member = shape.and_then(|shape| shape.members.get(name));
        element(xml, name, member.map(|member| member.shape.as_str()), value)
    })
}

/// These elements and one more.
fn element(xml: Xml, name: &str, shape: Option<&str>, value: &Value) -> Xml {
    let known = shape.and_then(|name| MODEL.shape(name));
    match value {
        Value::Null => xml,
        Value::Object(_) => xml.within(name, &written(Xml::new(), shape, value)),
        Value::Array(items) => {
            let member = known.and_then(|shape| shape.member.as_deref());
            let items = items
                .iter()
                .fold(Xml::new(), |xml, item| element(xml, "member", member, item));
            xml.within(name, &items)
        }
        Value::String(text) => xml.leaf(name, text),
        Value::Number(seconds) if known.is_some_and(|shape| shape.kind == Kind::Timestamp) => {
            xml.leaf(name, &time(seconds.as_f64().unwrap_or_default()))
        }
        plain => xml.leaf(name, &plain.to_string()),
    }
}

fn time(seconds: f64) -> String {
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    let time = jiff::Timestamp::from_duration(duration).unwrap_or_default();
    time.to_string()
}

fn wrong(why: String) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "InvalidParameterValueException",
        why,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(form: &str) -> Result<Value, ApiError> {
        let form = form.as_bytes();
        let (_, operation) = operation(&CLOUDWATCH.named(form))?;
        Form::read(form)?.members(operation)
    }

    #[test]
    fn a_form_is_read_by_the_shapes_of_its_operation() {
        let said = read(
            "Action=GetMetricData&Version=2010-08-01&StartTime=2013-03-21T20%3A04%3A00Z&EndTime=2013-03-21T20:04:00.5Z\
             &MetricDataQueries.member.1.Id=a&MetricDataQueries.member.1.ReturnData=true\
             &MetricDataQueries.member.1.MetricStat.Period=60&MetricDataQueries.member.1.MetricStat.Stat=Sum\
             &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name=x\
             &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value=%C3%BC\
             &MetricDataQueries.member.2.Id=b&MetricDataQueries.member.2.MetricStat.Metric.Dimensions=&MaxDatapoints=no",
        );
        let metric = json!({"Dimensions": [{"Name": "x", "Value": "ü"}]});
        let expected = json!({
            "StartTime": 1_363_896_240, "EndTime": 1_363_896_240.5, "MaxDatapoints": "no",
            "MetricDataQueries": [
                {"Id": "a", "ReturnData": true, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": metric}},
                {"Id": "b", "MetricStat": {"Metric": {"Dimensions": []}}},
            ],
        });
        assert_eq!(said.unwrap(), expected);
    }

    #[test]
    fn what_a_form_must_not_say_is_told() {
        for (form, says) in [
            (
                "Action=ListMetrics",
                "Could not find operation ListMetrics for version ",
            ),
            ("Action=CreateUser&Version=2010-08-01", "CreateUser"),
            (
                "Action=ListMetrics&Version=2010-08-01&Colour=red",
                "Colour: is no parameter",
            ),
            (
                "Action=ListMetrics&Version=2010-08-01&Dimensions.member.2.Name=x",
                "Dimensions.member.2.Name",
            ),
            (
                "Action=ListMetrics&Version=2010-08-01&Action=ListMetrics",
                "Action: is there twice",
            ),
        ] {
            let error = read(form).unwrap_err();
            assert!(error.message.contains(says), "{form}: {error:?}");
        }
        let other = read("Action=DeleteAlarms&Version=2010-08-01&AlarmNames.member.1=x");
        assert_eq!(other.unwrap(), json!({}), "refused by its name later");
    }

    #[test]
    fn an_answer_is_written_by_the_shapes_of_its_operation() {
        let point = json!({"Timestamp": 1_363_896_240, "Sum": 3.5, "Unit": "Count"});
        let answer = json!({"Label": "a<b", "Datapoints": [point]});
        let shape = Some("cloudwatch.GetMetricStatisticsOutput");
        assert_eq!(
            written(Xml::new(), shape, &answer).document("R", "urn:x"),
            "<R xmlns=\"urn:x\"><Datapoints><member><Sum>3.5</Sum><Timestamp>2013-03-21T20:04:00Z</Timestamp>\
             <Unit>Count</Unit></member></Datapoints><Label>a&lt;b</Label></R>\n"
        );
    }
}
