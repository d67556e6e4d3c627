//! `campanile admin number`: from the inventory to a trunk or a person, and back.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{AdminError, Client, path, query};
use super::table::{details, text};
use super::{Output, Told, all_done};

#[derive(Subcommand, Debug)]
pub(super) enum NumberVerb {
    /// Search the numbers that can be ordered.
    Search {
        /// Two letters, such as US.
        #[arg(long)]
        country: Option<String>,
        /// A state, such as WA.
        #[arg(long)]
        state: Option<String>,
        /// A city.
        #[arg(long)]
        city: Option<String>,
        /// An area code, such as 206.
        #[arg(long)]
        area_code: Option<String>,
        /// The prefix of toll-free ones, such as 844.
        #[arg(long)]
        toll_free: Option<String>,
        /// How many, at most 500.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        most: u16,
    },
    /// Order numbers.
    Order {
        /// Numbers in E.164, such as +12065550100.
        #[arg(required = true)]
        numbers: Vec<String>,
        /// What for: VoiceConnector, BusinessCalling or SipMediaApplicationDialIn.
        #[arg(long, default_value = "VoiceConnector")]
        product: String,
        /// Your own name for them.
        #[arg(long)]
        name: Option<String>,
    },
    /// List numbers; those that were released only with --status DeleteInProgress.
    List {
        /// Assigned, Unassigned or DeleteInProgress.
        #[arg(long)]
        status: Option<String>,
        /// Only those for this product.
        #[arg(long)]
        product: Option<String>,
    },
    /// Print all about a number.
    Show {
        /// The number.
        number: String,
    },
    /// Assign numbers.
    Assign {
        /// The numbers.
        #[arg(required = true)]
        numbers: Vec<String>,
        #[command(flatten)]
        to: To,
        /// Take them from the trunk that has them.
        #[arg(long, conflicts_with = "person")]
        force: bool,
    },
    /// Take numbers from whatever has them.
    Unassign {
        /// The numbers.
        #[arg(required = true)]
        numbers: Vec<String>,
    },
    /// Give numbers back: after seven days they can be ordered by anybody.
    Release {
        /// The numbers, which must be unassigned.
        #[arg(required = true)]
        numbers: Vec<String>,
    },
    /// Take a number back within its seven days.
    Restore {
        /// The number.
        number: String,
    },
}

/// Whom numbers are assigned to.
#[derive(Args, Debug)]
pub(super) struct To {
    #[command(flatten)]
    what: What,
    /// The person's directory account.
    #[arg(long, value_name = "ACCOUNT", requires = "person")]
    directory: Option<String>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// A voice connector.
    #[arg(long, value_name = "ID")]
    connector: Option<String>,
    /// A group of voice connectors.
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// A person, by `UserId`.
    #[arg(long, value_name = "USER", requires = "directory")]
    person: Option<String>,
}

pub(super) fn number(verb: &NumberVerb, client: &Client) -> Told {
    match verb {
        NumberVerb::Search {
            country,
            state,
            city,
            area_code,
            toll_free,
            most,
        } => {
            let most = most.to_string();
            let asked = query(&[
                ("type", Some("phone-numbers")),
                ("country", country.as_deref()),
                ("state", state.as_deref()),
                ("city", city.as_deref()),
                ("area-code", area_code.as_deref()),
                ("toll-free-prefix", toll_free.as_deref()),
                ("max-results", Some(&most)),
            ]);
            let found = client.get(&format!("/search{asked}"))?;
            let told = text(&found, "E164PhoneNumbers").replace(' ', "\n");
            Ok(Output::new(found, told))
        }
        NumberVerb::Order {
            numbers,
            product,
            name,
        } => {
            let asked = json!({"E164PhoneNumbers": numbers, "ProductType": product, "Name": name});
            let made = client.post("/phone-number-orders", asked)?;
            let order = made.get("PhoneNumberOrder").unwrap_or(&Value::Null);
            let columns = ["E164PhoneNumber", "Status"];
            let ordered = super::table(&columns, order.get("OrderedPhoneNumbers"));
            let told = format!(
                "order {}: {}\n{ordered}",
                text(order, "PhoneNumberOrderId"),
                text(order, "Status")
            );
            match text(order, "Status").as_str() {
                "Failed" => Err(AdminError::Refused(format!(
                    "none of them can be ordered: {}",
                    numbers.join(" ")
                ))),
                _ => Ok(Output::new(made, told)),
            }
        }
        NumberVerb::List { status, product } => {
            let asked = query(&[
                ("status", status.as_deref()),
                ("product-type", product.as_deref()),
            ]);
            let found = client.all(&format!("/phone-numbers{asked}"), "PhoneNumbers")?;
            let columns = ["E164PhoneNumber", "ProductType", "Status", "Type", "Name"];
            Ok(Output::table(found, "PhoneNumbers", &columns))
        }
        NumberVerb::Show { number } => Ok(shown(client.get(&place(number))?)),
        NumberVerb::Assign { numbers, to, force } => assign(client, numbers, to, *force),
        NumberVerb::Unassign { numbers } => {
            for number in numbers {
                unassign(client, number)?;
            }
            let told = format!("{} unassigned", numbers.join(" "));
            Ok(Output::new(json!({"PhoneNumbers": numbers}), told))
        }
        NumberVerb::Release { numbers } => {
            let asked = json!({"PhoneNumberIds": numbers});
            let done = client.post("/phone-numbers?operation=batch-delete", asked)?;
            all_done(&done, "PhoneNumberErrors", "PhoneNumberId")?;
            let told = format!("{} released; restore within seven days", numbers.join(" "));
            Ok(Output::new(done, told))
        }
        NumberVerb::Restore { number } => {
            let done = client.post(&(place(number) + "?operation=restore"), json!({}))?;
            Ok(shown(done))
        }
    }
}

fn assign(client: &Client, numbers: &[String], to: &To, force: bool) -> Told {
    let told = |to: &str| format!("{} assigned to {to}", numbers.join(" "));
    let trunk = match (&to.what.connector, &to.what.group) {
        (Some(connector), _) => Some(("voice-connectors", connector)),
        (None, Some(group)) => Some(("voice-connector-groups", group)),
        (None, None) => None,
    };
    if let Some((kind, id)) = trunk {
        let place = path(&[kind, id]) + "?operation=associate-phone-numbers";
        let asked = json!({"E164PhoneNumbers": numbers, "ForceAssociate": force});
        let done = client.post(&place, asked)?;
        all_done(&done, "PhoneNumberErrors", "PhoneNumberId")?;
        return Ok(Output::new(done, told(id)));
    }
    let (Some(person), Some(directory), [number]) = (&to.what.person, &to.directory, numbers)
    else {
        return Err(AdminError::Usage("a person has one number".to_owned()));
    };
    let place =
        path(&["accounts", directory, "users", person]) + "?operation=associate-phone-number";
    let done = client.post(&place, json!({"E164PhoneNumber": number}))?;
    Ok(Output::new(done, told(person)))
}

fn unassign(client: &Client, number: &str) -> Result<(), AdminError> {
    let found = client.get(&place(number))?;
    let associations = found.pointer("/PhoneNumber/Associations");
    let associations = associations.and_then(Value::as_array);
    let value = |name: &str| {
        let mut of_name = associations.into_iter().flatten();
        let found = of_name.find(|one| text(one, "Name") == name)?;
        Some(text(found, "Value"))
    };
    let trunk = value("VoiceConnectorId").map(|id| ("voice-connectors", id));
    let trunk = trunk.or_else(|| Some(("voice-connector-groups", value("VoiceConnectorGroupId")?)));
    if let Some((kind, id)) = trunk {
        let place = path(&[kind, &id]) + "?operation=disassociate-phone-numbers";
        let done = client.post(&place, json!({"E164PhoneNumbers": [number]}))?;
        return all_done(&done, "PhoneNumberErrors", "PhoneNumberId");
    }
    match (value("AccountId"), value("UserId")) {
        (Some(account), Some(user)) => {
            let place = path(&["accounts", &account, "users", &user]);
            let place = place + "?operation=disassociate-phone-number";
            client.post(&place, json!({})).map(drop)
        }
        _ => Err(AdminError::Refused(format!("{number} is not assigned"))),
    }
}

fn place(number: &str) -> String {
    path(&["phone-numbers", number])
}

fn shown(found: Value) -> Output {
    let number = found.get("PhoneNumber").unwrap_or(&Value::Null);
    let fields = [
        "E164PhoneNumber",
        "Status",
        "ProductType",
        "Type",
        "Country",
        "Name",
        "CallingName",
        "CreatedTimestamp",
        "DeletionTimestamp",
    ];
    let mut told = details(number, &fields);
    let associations = number.get("Associations").and_then(Value::as_array);
    for association in associations.into_iter().flatten() {
        let name = text(association, "Name");
        told.push_str(&format!("\n{name:<26}{}", text(association, "Value")));
    }
    Output::new(found, told)
}
