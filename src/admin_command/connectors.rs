//! `campanile admin connector`: trunks, from where calls are let in, and where calls are led.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{AdminError, Client, path};
use super::table::{details, table, text};
use super::{Output, Told, read};

#[derive(Subcommand, Debug)]
pub(super) enum ConnectorVerb {
    /// Make a voice connector.
    Create {
        /// What people call it.
        name: String,
        /// Its region, such as us-east-1; else the server's.
        #[arg(long)]
        region: Option<String>,
        /// Let its phone system speak without TLS and SRTP.
        #[arg(long)]
        unencrypted: bool,
    },
    /// List voice connectors.
    List,
    /// Print all about one: whom it lets in, where it leads calls, and its credentials' names.
    Show {
        /// Its `VoiceConnectorId`.
        id: String,
    },
    /// Delete one, which must have no numbers.
    Delete {
        /// Its `VoiceConnectorId`.
        id: String,
    },
    /// Calls from the phone system: where they may come from and go to.
    #[command(subcommand)]
    Termination(TerminationVerb),
    /// Names and passwords with which the phone system calls.
    #[command(subcommand)]
    Credential(CredentialVerb),
    /// Calls to the phone system: where it is.
    #[command(subcommand)]
    Origination(OriginationVerb),
}

#[derive(Subcommand, Debug)]
pub(super) enum TerminationVerb {
    /// Set it, in place of what was set.
    Set {
        /// The connector.
        id: String,
        /// A network that calls may come from, such as 192.0.2.0/28; may be given again.
        #[arg(long = "cidr", value_name = "CIDR")]
        cidrs: Vec<String>,
        /// A country that may be called, two letters; may be given again.
        #[arg(long = "country", value_name = "CODE", required = true)]
        countries: Vec<String>,
        /// Calls per second.
        #[arg(long, value_name = "CALLS")]
        cps: Option<u32>,
        /// The number that is shown where a call names none.
        #[arg(long, value_name = "NUMBER")]
        default_number: Option<String>,
        /// Keep it, but let no call through.
        #[arg(long)]
        disabled: bool,
    },
    /// Print it.
    Show {
        /// The connector.
        id: String,
    },
    /// Take it away.
    Clear {
        /// The connector.
        id: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum CredentialVerb {
    /// Set the password of a name.
    Set {
        /// The connector.
        id: String,
        /// The name.
        name: String,
        /// The file of the password, whose first line it is; "-" reads standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        password_file: PathBuf,
    },
    /// List the names.
    List {
        /// The connector.
        id: String,
    },
    /// Remove names.
    Remove {
        /// The connector.
        id: String,
        /// The names.
        #[arg(required = true)]
        names: Vec<String>,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum OriginationVerb {
    /// Set it, in place of what was set.
    Set {
        /// The connector.
        id: String,
        /// HOST[:PORT][,tcp|udp][,priority=1][,weight=1]; may be given again. The smallest priority goes first.
        #[arg(long = "route", value_name = "ROUTE", required = true)]
        routes: Vec<String>,
        /// Keep it, but lead no call there.
        #[arg(long)]
        disabled: bool,
    },
    /// Print it.
    Show {
        /// The connector.
        id: String,
    },
    /// Take it away.
    Clear {
        /// The connector.
        id: String,
    },
}

const FIELDS: [&str; 7] = [
    "VoiceConnectorId",
    "Name",
    "AwsRegion",
    "OutboundHostName",
    "RequireEncryption",
    "NetworkType",
    "CreatedTimestamp",
];

pub(super) fn connector(verb: &ConnectorVerb, client: &Client) -> Told {
    match verb {
        ConnectorVerb::Create {
            name,
            region,
            unencrypted,
        } => {
            let asked =
                json!({"Name": name, "AwsRegion": region, "RequireEncryption": !unencrypted});
            let made = client.post("/voice-connectors", asked)?;
            let told = details(made.get("VoiceConnector").unwrap_or(&Value::Null), &FIELDS);
            Ok(Output::new(made, told))
        }
        ConnectorVerb::List => {
            let found = client.all("/voice-connectors", "VoiceConnectors")?;
            let columns = ["VoiceConnectorId", "Name", "AwsRegion", "RequireEncryption"];
            Ok(Output::table(found, "VoiceConnectors", &columns))
        }
        ConnectorVerb::Show { id } => show(id, client),
        ConnectorVerb::Delete { id } => {
            client.delete(&place(id, &[]))?;
            let told = format!("connector {id} is gone");
            Ok(Output::new(json!({"VoiceConnectorId": id}), told))
        }
        ConnectorVerb::Termination(verb) => termination(verb, client),
        ConnectorVerb::Credential(verb) => credential(verb, client),
        ConnectorVerb::Origination(verb) => origination(verb, client),
    }
}

/// The connector and what is set for it, as one.
fn show(id: &str, client: &Client) -> Told {
    let mut found = client.get(&place(id, &[]))?;
    let connector = found.get("VoiceConnector").unwrap_or(&Value::Null);
    let mut told = details(connector, &FIELDS);
    for (name, shown) in [
        ("Termination", termination_shown as fn(&Value) -> String),
        ("Origination", origination_shown),
    ] {
        let set = match client.get(&place(id, &[&name.to_lowercase()])) {
            Ok(mut answer) => answer.get_mut(name).map(Value::take),
            // There is the connector: what is not there is the setting.
            Err(AdminError::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        let words = set.as_ref().map_or_else(|| "not set".to_owned(), shown);
        told.push_str(&format!("\n\n{name}\n{words}"));
        found[name] = set.unwrap_or(Value::Null);
    }
    let names = client.get(&place(id, &["termination", "credentials"]))?;
    let listed = text(&names, "Usernames");
    told.push_str(&format!("\n\nCredentials\n{}", or_none(&listed)));
    found["Usernames"] = names.get("Usernames").cloned().unwrap_or_default();
    Ok(Output::new(found, told))
}

fn termination(verb: &TerminationVerb, client: &Client) -> Told {
    let answer = match verb {
        TerminationVerb::Set {
            id,
            cidrs,
            countries,
            cps,
            default_number,
            disabled,
        } => {
            let mut wanted = json!({
                "CidrAllowedList": cidrs, "CallingRegions": countries, "Disabled": disabled,
            });
            if let Some(cps) = cps {
                wanted["CpsLimit"] = json!(cps);
            }
            if let Some(number) = default_number {
                wanted["DefaultPhoneNumber"] = json!(number);
            }
            client.put(&place(id, &["termination"]), json!({"Termination": wanted}))?
        }
        TerminationVerb::Show { id } => client.get(&place(id, &["termination"]))?,
        TerminationVerb::Clear { id } => return clear(client, id, "termination"),
    };
    let told = termination_shown(answer.get("Termination").unwrap_or(&Value::Null));
    Ok(Output::new(answer, told))
}

fn origination(verb: &OriginationVerb, client: &Client) -> Told {
    let answer = match verb {
        OriginationVerb::Set {
            id,
            routes,
            disabled,
        } => {
            let routes: Vec<Value> = routes
                .iter()
                .map(|text| route(text))
                .collect::<Result<_, _>>()?;
            let wanted = json!({"Routes": routes, "Disabled": disabled});
            client.put(&place(id, &["origination"]), json!({"Origination": wanted}))?
        }
        OriginationVerb::Show { id } => client.get(&place(id, &["origination"]))?,
        OriginationVerb::Clear { id } => return clear(client, id, "origination"),
    };
    let told = origination_shown(answer.get("Origination").unwrap_or(&Value::Null));
    Ok(Output::new(answer, told))
}

fn clear(client: &Client, id: &str, setting: &str) -> Told {
    client.delete(&place(id, &[setting]))?;
    let told = format!("the {setting} of {id} is taken away");
    Ok(Output::new(json!({"VoiceConnectorId": id}), told))
}

fn credential(verb: &CredentialVerb, client: &Client) -> Told {
    let folder = |id: &str| place(id, &["termination", "credentials"]);
    match verb {
        CredentialVerb::Set {
            id,
            name,
            password_file,
        } => {
            let text = read(password_file)?;
            let password = text.lines().next().unwrap_or_default();
            let asked = json!({"Credentials": [{"Username": name, "Password": password}]});
            client.post(&(folder(id) + "?operation=put"), asked)?;
            let told = format!("the password of {name} is set");
            Ok(Output::new(json!({"Username": name}), told))
        }
        CredentialVerb::List { id } => {
            let found = client.get(&folder(id))?;
            let told = text(&found, "Usernames").replace(' ', "\n");
            Ok(Output::new(found, told))
        }
        CredentialVerb::Remove { id, names } => {
            let asked = json!({"Usernames": names});
            client.post(&(folder(id) + "?operation=delete"), asked)?;
            let told = format!("{} removed", names.join(" "));
            Ok(Output::new(json!({"Usernames": names}), told))
        }
    }
}

fn place(id: &str, rest: &[&str]) -> String {
    path(&["voice-connectors", id]) + &path(rest)
}

fn termination_shown(set: &Value) -> String {
    let fields = [
        "CidrAllowedList",
        "CallingRegions",
        "CpsLimit",
        "DefaultPhoneNumber",
        "Disabled",
    ];
    details(set, &fields)
}

fn origination_shown(set: &Value) -> String {
    let columns = ["Host", "Port", "Protocol", "Priority", "Weight"];
    let routes = table(&columns, set.get("Routes"));
    format!("{}\n{routes}", details(set, &["Disabled"]))
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// `HOST[:PORT][,tcp|udp][,priority=N][,weight=N]`.
fn route(text: &str) -> Result<Value, AdminError> {
    let wrong = |why: &str| AdminError::Usage(format!("--route {text}: {why}"));
    let mut parts = text.split(',');
    let at = parts.next().unwrap_or_default();
    let (host, port) = match at.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match at.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (at, None),
        },
    };
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    let port = port.map_or(Ok(5060), str::parse::<u16>);
    let port = port.map_err(|_| wrong("its port must be 0 to 65535"))?;
    let (mut protocol, mut priority, mut weight) = ("TCP", 1, 1);
    for part in parts {
        let number = |text: &str| {
            let number = text
                .parse::<u8>()
                .map_err(|_| wrong("has a number that is none"));
            number.map(i64::from)
        };
        match part.split_once('=') {
            None if part.eq_ignore_ascii_case("tcp") => protocol = "TCP",
            None if part.eq_ignore_ascii_case("udp") => protocol = "UDP",
            Some(("priority", text)) => priority = number(text)?,
            Some(("weight", text)) => weight = number(text)?,
            _ => {
                return Err(wrong(
                    "must be HOST[:PORT][,tcp|udp][,priority=1][,weight=1]",
                ));
            }
        }
    }
    Ok(json!({
        "Host": host, "Port": port, "Protocol": protocol, "Priority": priority, "Weight": weight,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_with_its_usual_values() {
        let read = |text: &str| {
            let route = route(text).unwrap();
            ["Host", "Port", "Protocol", "Priority", "Weight"].map(|name| super::text(&route, name))
        };
        assert_eq!(read("pbx.test"), ["pbx.test", "5060", "TCP", "1", "1"]);
        let full = read("192.0.2.1:5061,udp,priority=2,weight=9");
        assert_eq!(full, ["192.0.2.1", "5061", "UDP", "2", "9"]);
        assert_eq!(read("[2001:db8::1]:5070,TCP")[..2], ["2001:db8::1", "5070"]);
        for bad in [
            "",
            ":5060",
            "a:99999",
            "a,sctp",
            "a,weight=x",
            "a,priority=-1",
        ] {
            let refused = route(bad).err().unwrap().to_string();
            assert!(refused.starts_with("--route "), "{refused}");
        }
    }
}
