//! Voice connectors in JSON.

use serde_json::{Value, json};

use super::accounts::done;
use super::dispatch::{Call, failures, present, time};
use super::model::MODEL;
use crate::control::Refusal;
use crate::control::connectors::Setting;
use crate::store::{NewVoiceConnector, Secret, VoiceConnector, VoiceConnectorGroup};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    if let Some(answer) = setting(call).await? {
        return Ok(answer);
    }
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let id = input.required("VoiceConnectorId");
    match call.name {
        "CreateVoiceConnector" => {
            let made = control.create_connector(caller, asked(call)?).await?;
            Ok(json!({"VoiceConnector": shape(call, &made)}))
        }
        "GetVoiceConnector" => {
            let found = control.connector(caller, id).await?;
            Ok(json!({"VoiceConnector": shape(call, &found)}))
        }
        "ListVoiceConnectors" => {
            let listed = control.connectors(caller, &call.page()?).await?;
            Ok(call.listed("VoiceConnectors", &listed, |connector| {
                shape(call, connector)
            }))
        }
        "UpdateVoiceConnector" => {
            let encrypted = input.flag("RequireEncryption").unwrap_or(true);
            let updated = control
                .update_connector(caller, id, input.required("Name"), encrypted)
                .await?;
            Ok(json!({"VoiceConnector": shape(call, &updated)}))
        }
        "DeleteVoiceConnector" => done(control.delete_connector(caller, id).await),
        "ListAvailableVoiceConnectorRegions" => Ok(json!({"VoiceConnectorRegions": regions()})),
        "GetVoiceConnectorTerminationHealth" => {
            control.connector(caller, id).await?;
            // The health is told by the OPTIONS that a trunk's other end sends, and none is led here yet.
            Err(Refusal::NotFound("the termination's health"))
        }
        "PutVoiceConnectorTerminationCredentials" => {
            let mut credentials = Vec::new();
            for (at, item) in input.list("Credentials").enumerate() {
                match (item.text("Username"), item.text("Password")) {
                    (Some(name), Some(password)) if !name.is_empty() && !password.is_empty() => {
                        credentials.push((name.to_owned(), Secret::new(password.to_owned())));
                    }
                    _ => {
                        return Err(Refusal::invalid(
                            format!("Credentials.{}", at + 1),
                            "must have a Username and a Password",
                        ));
                    }
                }
            }
            done(control.put_credentials(caller, id, &credentials).await)
        }
        "ListVoiceConnectorTerminationCredentials" => {
            let names = control.credential_names(caller, id).await?;
            Ok(json!({"Usernames": names}))
        }
        "DeleteVoiceConnectorTerminationCredentials" => {
            let names = input.texts("Usernames");
            done(control.delete_credentials(caller, id, &names).await)
        }
        "AssociatePhoneNumbersWithVoiceConnector"
        | "DisassociatePhoneNumbersFromVoiceConnector" => {
            let connector = control.connector(caller, id).await?;
            trunk(call, "VoiceConnectorId", &connector.voice_connector_id).await
        }
        _ => group(call).await,
    }
}

/// Voice connector groups.
async fn group(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let id = input.required("VoiceConnectorGroupId");
    match call.name {
        "CreateVoiceConnectorGroup" | "UpdateVoiceConnectorGroup" => {
            let none = json!([]);
            let items = input.value("VoiceConnectorItems").unwrap_or(&none);
            let known = (call.name == "UpdateVoiceConnectorGroup").then_some(id);
            let distribution = input.text("CallDistributionType");
            let made = control
                .put_group(caller, known, input.required("Name"), items, distribution)
                .await?;
            Ok(json!({"VoiceConnectorGroup": group_shape(call, &made)}))
        }
        "GetVoiceConnectorGroup" => {
            let found = control.group(caller, id).await?;
            Ok(json!({"VoiceConnectorGroup": group_shape(call, &found)}))
        }
        "ListVoiceConnectorGroups" => {
            let listed = control.groups(caller, &call.page()?).await?;
            Ok(call.listed("VoiceConnectorGroups", &listed, |group| {
                group_shape(call, group)
            }))
        }
        "DeleteVoiceConnectorGroup" => done(control.delete_group(caller, id).await),
        "AssociatePhoneNumbersWithVoiceConnectorGroup"
        | "DisassociatePhoneNumbersFromVoiceConnectorGroup" => {
            let group = control.group(caller, id).await?;
            trunk(
                call,
                "VoiceConnectorGroupId",
                &group.voice_connector_group_id,
            )
            .await
        }
        _ => call.missing(),
    }
}

/// Numbers put on a trunk, or taken off it.
async fn trunk(call: &Call<'_>, to: &'static str, value: &str) -> Result<Value, Refusal> {
    let force = call.input.flag("ForceAssociate").unwrap_or(false);
    let mut results = Vec::new();
    for number in call.input.texts("E164PhoneNumbers") {
        let result = if call.name.starts_with("Associate") {
            call.control
                .assign_to_trunk(call.caller, to, value, &number, force)
                .await
        } else {
            call.control
                .unassign_from_trunk(call.caller, to, value, &number)
                .await
        };
        results.push((number, result));
    }
    Ok(json!({"PhoneNumberErrors": failures("PhoneNumberId", results)}))
}

/// What is set for a connector: `Put…`, `Get…` and `Delete…` of the same name, all alike. `None` for other operations.
async fn setting(call: &Call<'_>) -> Result<Option<Value>, Refusal> {
    let Some((verb, name)) = call.name.split_once("VoiceConnector") else {
        return Ok(None);
    };
    let setting = match name {
        "Termination" => Setting::Termination,
        "Origination" => Setting::Origination,
        "LoggingConfiguration" => Setting::LoggingConfiguration,
        "StreamingConfiguration" => Setting::StreamingConfiguration,
        "EmergencyCallingConfiguration" => Setting::EmergencyCallingConfiguration,
        "ExternalSystemsConfiguration" => Setting::ExternalSystemsConfiguration,
        _ => return Ok(None),
    };
    let id = call.input.required("VoiceConnectorId");
    let answer = |document: Value| json!({setting.name(): document});
    Ok(Some(match verb {
        "Put" => {
            let document = match call.input.value(setting.name()) {
                Some(document) => document.clone(),
                // This one alone has its members in the request itself.
                None => call
                    .input
                    .map()
                    .into_iter()
                    .flatten()
                    .filter(|(name, _)| *name != "VoiceConnectorId")
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            };
            let put = call
                .control
                .put_connector_setting(call.caller, id, setting, &document);
            answer(put.await?)
        }
        "Get" => answer(
            call.control
                .connector_setting(call.caller, id, setting)
                .await?,
        ),
        "Delete" => {
            call.control
                .delete_connector_setting(call.caller, id, setting)
                .await?;
            json!({})
        }
        _ => return Ok(None),
    }))
}

/// The regions that the API knows for voice connectors.
fn regions() -> &'static [String] {
    MODEL
        .shape("VoiceConnectorAwsRegion")
        .map_or(&[], |shape| shape.words.as_slice())
}

fn asked(call: &Call<'_>) -> Result<NewVoiceConnector, Refusal> {
    let input = &call.input;
    let ours = call.control.place.region.clone();
    Ok(NewVoiceConnector {
        name: input.required("Name").to_owned(),
        aws_region: input.text("AwsRegion").map_or(ours, str::to_owned),
        require_encryption: input.flag("RequireEncryption").unwrap_or(true),
        integration_type: input.text("IntegrationType").map(str::to_owned),
        network_type: input.text("NetworkType").unwrap_or("IPV4_ONLY").to_owned(),
        tags: super::meetings::tags(input)?.to_string(),
    })
}

fn shape(call: &Call<'_>, connector: &VoiceConnector) -> Value {
    let id = &connector.voice_connector_id;
    let place = &call.control.place;
    let domain = place
        .dial
        .rsplit_once(':')
        .map_or(place.dial.as_str(), |(host, _)| host);
    let domain = domain.strip_prefix("meet.").unwrap_or(domain);
    let arn = super::arn(call.control, call.caller, &format!("vc/{id}"));
    present([
        ("VoiceConnectorId", Some(json!(id))),
        ("AwsRegion", Some(json!(connector.aws_region))),
        ("Name", Some(json!(connector.name))),
        (
            "OutboundHostName",
            Some(json!(format!("{id}.voiceconnector.{domain}"))),
        ),
        (
            "RequireEncryption",
            Some(json!(connector.require_encryption == 1)),
        ),
        ("CreatedTimestamp", Some(time(connector.created_ms))),
        ("UpdatedTimestamp", Some(time(connector.updated_ms))),
        ("VoiceConnectorArn", Some(json!(arn))),
        (
            "IntegrationType",
            connector.integration_type.as_ref().map(|kind| json!(kind)),
        ),
        ("NetworkType", Some(json!(connector.network_type))),
    ])
}

fn group_shape(call: &Call<'_>, group: &VoiceConnectorGroup) -> Value {
    let items: Value = serde_json::from_str(&group.items).unwrap_or_else(|_| json!([]));
    let id = &group.voice_connector_group_id;
    let arn = super::arn(call.control, call.caller, &format!("vcg/{id}"));
    json!({
        "VoiceConnectorGroupId": id,
        "Name": group.name,
        "VoiceConnectorItems": items,
        "CreatedTimestamp": time(group.created_ms),
        "UpdatedTimestamp": time(group.updated_ms),
        "VoiceConnectorGroupArn": arn,
        "CallDistributionType": group.distribution,
    })
}
