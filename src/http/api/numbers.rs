//! Phone numbers in JSON.

use serde_json::{Value, json};

use super::accounts::done;
use super::dispatch::{Call, failures, present, time};
use super::input::Input;
use crate::control::Refusal;
use crate::control::inventory::Wanted;
use crate::control::numbers::NumberChange;
use crate::store::{NumberFilter, NumberOrder, PhoneNumber};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let id = input.required("PhoneNumberId");
    let text = |name: &str| input.text(name).map(str::to_owned);
    let answer = |number: PhoneNumber| json!({"PhoneNumber": shape(call, &number)});
    match call.name {
        "SearchAvailablePhoneNumbers" => {
            let wanted = Wanted {
                area_code: text("AreaCode"),
                city: text("City"),
                country: text("Country"),
                state: text("State"),
                toll_free_prefix: text("TollFreePrefix"),
                number_type: text("PhoneNumberType"),
            };
            let listed = control.search_numbers(&wanted, &call.page()?).await?;
            Ok(call.listed("E164PhoneNumbers", &listed, |number| json!(number)))
        }
        "ListSupportedPhoneNumberCountries" => {
            let countries: Vec<Value> = control
                .inventory
                .countries()
                .into_iter()
                .map(|(country, kinds)| {
                    json!({"CountryCode": country, "SupportedPhoneNumberTypes": kinds})
                })
                .collect();
            Ok(json!({"PhoneNumberCountries": countries}))
        }
        "CreatePhoneNumberOrder" => {
            let numbers = input.texts("E164PhoneNumbers");
            let made = control
                .order_numbers(
                    caller,
                    input.required("ProductType"),
                    input.text("Name"),
                    &numbers,
                )
                .await?;
            Ok(json!({"PhoneNumberOrder": order(&made)}))
        }
        "GetPhoneNumberOrder" => {
            let found = control
                .number_order(caller, input.required("PhoneNumberOrderId"))
                .await?;
            Ok(json!({"PhoneNumberOrder": order(&found)}))
        }
        "ListPhoneNumberOrders" => {
            let listed = control.number_orders(caller, &call.page()?).await?;
            Ok(call.listed("PhoneNumberOrders", &listed, order))
        }
        "GetPhoneNumber" => Ok(answer(control.number(caller, id).await?)),
        "ListPhoneNumbers" => {
            let Some(filter) = filter(input)? else {
                return Ok(json!({"PhoneNumbers": []}));
            };
            let listed = control.numbers(caller, &filter, &call.page()?).await?;
            Ok(call.listed("PhoneNumbers", &listed, |number| shape(call, number)))
        }
        "UpdatePhoneNumber" => Ok(answer(
            control.update_number(caller, id, &change(input)).await?,
        )),
        "BatchUpdatePhoneNumber" => {
            let mut results = Vec::new();
            for item in input.list("UpdatePhoneNumberRequestItems") {
                let id = item.required("PhoneNumberId");
                let result = control.update_number(caller, id, &change(&item)).await;
                results.push((id.to_owned(), result.map(drop)));
            }
            Ok(json!({"PhoneNumberErrors": failures("PhoneNumberId", results)}))
        }
        "DeletePhoneNumber" => done(control.delete_number(caller, id).await),
        "BatchDeletePhoneNumber" => {
            let mut results = Vec::new();
            for id in input.texts("PhoneNumberIds") {
                let result = control.delete_number(caller, &id).await;
                results.push((id, result));
            }
            Ok(json!({"PhoneNumberErrors": failures("PhoneNumberId", results)}))
        }
        "RestorePhoneNumber" => Ok(answer(control.restore_number(caller, id).await?)),
        "GetPhoneNumberSettings" => {
            let (name, since) = control.calling_name(caller).await?;
            Ok(present([
                ("CallingName", (!name.is_empty()).then(|| json!(name))),
                ("CallingNameUpdatedTimestamp", since.map(time)),
            ]))
        }
        "UpdatePhoneNumberSettings" => done(
            control
                .set_calling_name(caller, input.required("CallingName"))
                .await,
        ),
        _ => call.missing(),
    }
}

fn change(input: &Input<'_>) -> NumberChange {
    let text = |name: &str| input.text(name).map(str::to_owned);
    NumberChange {
        product_type: text("ProductType"),
        calling_name: text("CallingName"),
        name: text("Name"),
    }
}

/// Which numbers are listed; `None` where there can be none of that status.
fn filter(input: &Input<'_>) -> Result<Option<NumberFilter>, Refusal> {
    let mut filter = NumberFilter {
        product_type: input.text("ProductType").map(str::to_owned),
        ..NumberFilter::default()
    };
    match input.text("Status") {
        None => {}
        Some("Assigned") => filter.assigned = Some(true),
        Some("Unassigned") => filter.assigned = Some(false),
        Some("DeleteInProgress") => filter.deleted = true,
        // Orders are carried out at once, so that nothing is on its way.
        Some(_) => return Ok(None),
    }
    match (input.text("FilterName"), input.text("FilterValue")) {
        (None, None) => {}
        (Some(name), Some(value)) => filter.assignment = Some((name.to_owned(), value.to_owned())),
        (Some(_), None) => {
            return Err(Refusal::invalid(
                "FilterValue",
                "is required with FilterName",
            ));
        }
        (None, Some(_)) => {
            return Err(Refusal::invalid(
                "FilterName",
                "is required with FilterValue",
            ));
        }
    }
    Ok(Some(filter))
}

fn order(order: &NumberOrder) -> Value {
    let numbers: Value = serde_json::from_str(&order.numbers).unwrap_or_else(|_| json!([]));
    json!({
        "PhoneNumberOrderId": order.order_id,
        "ProductType": order.product_type,
        "Status": order.status,
        "OrderType": "New",
        "OrderedPhoneNumbers": numbers,
        "CreatedTimestamp": time(order.created_ms),
        "UpdatedTimestamp": time(order.updated_ms),
    })
}

fn shape(call: &Call<'_>, number: &PhoneNumber) -> Value {
    let status = match (&number.assigned_to, number.deleted_ms) {
        (_, Some(_)) => "DeleteInProgress",
        (Some(_), None) => "Assigned",
        (None, None) => "Unassigned",
    };
    let mut associations = Vec::new();
    let mut associated = |name: &str, value: &Option<String>| {
        if let (Some(value), Some(since)) = (value, number.assigned_ms) {
            associations.push(json!({
                "Value": value,
                "Name": name,
                "AssociatedTimestamp": time(since),
            }));
        }
    };
    if let Some(to) = &number.assigned_to {
        associated("AccountId", &number.assigned_account);
        associated(to, &number.assigned_value);
    }
    let arn = format!(
        "arn:aws:chime:{}:{}:phone-number/{}",
        call.control.place.region, number.owner, number.e164
    );
    // Calls go both ways; messages are not carried here.
    let capabilities = json!({
        "InboundCall": true, "OutboundCall": true,
        "InboundSMS": false, "OutboundSMS": false, "InboundMMS": false, "OutboundMMS": false,
    });
    let some = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let calling_name_status = if number.calling_name.is_some() {
        "UpdateSucceeded"
    } else {
        "Unassigned"
    };
    present([
        ("PhoneNumberId", Some(json!(number.e164))),
        ("E164PhoneNumber", Some(json!(number.e164))),
        ("PhoneNumberArn", Some(json!(arn))),
        ("Country", Some(json!(number.country))),
        ("Type", Some(json!(number.number_type))),
        ("ProductType", Some(json!(number.product_type))),
        ("Status", Some(json!(status))),
        ("Capabilities", Some(capabilities)),
        ("Associations", Some(json!(associations))),
        ("CallingName", some(&number.calling_name)),
        ("CallingNameStatus", Some(json!(calling_name_status))),
        ("CreatedTimestamp", Some(time(number.created_ms))),
        ("UpdatedTimestamp", Some(time(number.updated_ms))),
        ("DeletionTimestamp", number.deleted_ms.map(time)),
        ("OrderId", Some(json!(number.order_id))),
        ("Name", some(&number.name)),
    ])
}
