//! Numbers, voice connectors and people by `campanile admin`, over the socket and by the signed API.

use std::fs;

use serde_json::json;

use crate::access::text;
use crate::admin::{Way, administrator, done, refused, told};
use crate::support::server::Server;

#[test]
fn numbers_connectors_and_people_are_administered_both_ways() {
    let inventory = "[\"+12065550100-+12065550119 US Local Seattle WA\"]";
    let server = Server::start(&[("numbers.inventory", inventory)]);
    let ways = [Way::Socket, administrator(&server)];
    let secret = server.scratch("trunk").join("password");
    fs::write(&secret, "correct-horse-battery\n").unwrap();
    for way in &ways {
        let run = |arguments: &[&str]| done(&server, way, arguments);
        let told = |arguments: &[&str]| told(&server, way, arguments);
        let refused = |arguments: &[&str], why: &str| refused(&server, way, arguments, why);
        let found = told(&["number", "search", "--area-code", "206", "--most", "3"]);
        let numbers: Vec<&str> = found.lines().collect();
        let [one, two, three] = numbers.as_slice() else {
            panic!("{found}");
        };
        let order = run(&[
            "number",
            "order",
            one,
            two,
            three,
            "--product",
            "BusinessCalling",
        ]);
        assert_eq!(text(&order, "/PhoneNumberOrder/Status"), "Successful");
        let order = ["number", "order", one];
        refused(&order, "none of them can be ordered");
        assert!(!told(&["number", "search", "--area-code", "206"]).contains(one));

        // A trunk.
        let made = run(&["connector", "create", "Trunk 1"]);
        let id = text(&made, "/VoiceConnector/VoiceConnectorId");
        assert_eq!(made["VoiceConnector"]["RequireEncryption"], true);
        let list = told(&["connector", "list"]);
        assert!(list.contains(&id) && list.contains("Trunk 1"), "{list}");
        let none = told(&["connector", "show", &id]);
        assert_eq!(none.matches("not set").count(), 2, "{none}");
        let set = [
            "connector",
            "termination",
            "set",
            &id,
            "--country",
            "US",
            "--cps",
            "5",
        ];
        let hosts = ["--cidr", "192.0.2.0/28", "--cidr", "198.51.100.7/32"];
        run(&[&set[..], &hosts].concat());
        let bad = [&set[..], &["--cidr", "everywhere"]].concat();
        refused(&bad, "Termination.CidrAllowedList.1: ");
        let route = ["pbx.test:5061,udp,priority=2,weight=9", "192.0.2.1"];
        let set = [
            "connector",
            "origination",
            "set",
            &id,
            "--route",
            route[0],
            "--route",
            route[1],
        ];
        run(&set);
        let file = secret.to_str().unwrap();
        let set = [
            "connector",
            "credential",
            "set",
            &id,
            "ada",
            "--password-file",
            file,
        ];
        run(&set);
        let shown = run(&["connector", "show", &id]);
        assert_eq!(
            shown["Termination"],
            json!({"CidrAllowedList": ["192.0.2.0/28", "198.51.100.7/32"],
            "CallingRegions": ["US"], "CpsLimit": 5, "Disabled": false})
        );
        let routes = json!([
            {"Host": "pbx.test", "Port": 5061, "Protocol": "UDP", "Priority": 2, "Weight": 9},
            {"Host": "192.0.2.1", "Port": 5060, "Protocol": "TCP", "Priority": 1, "Weight": 1},
        ]);
        assert_eq!(
            shown["Origination"],
            json!({"Routes": routes, "Disabled": false})
        );
        assert_eq!(shown["Usernames"], json!(["ada"]));
        let people = told(&["connector", "show", &id]);
        for word in [&id, "Trunk 1", "198.51.100.7/32", "pbx.test", "ada"] {
            assert!(people.contains(word), "{word} in {people}");
        }
        assert!(!people.contains("correct-horse"));
        run(&["connector", "credential", "remove", &id, "ada"]);
        assert_eq!(told(&["connector", "credential", "list", &id]).trim(), "");
        run(&["connector", "termination", "clear", &id]);
        refused(&["connector", "termination", "show", &id], "was not found");

        // Numbers on it, on a person, in the queue and back.
        let assign = ["number", "assign", one, "--connector", &id];
        refused(&assign, &format!("{one}: "));
        let made = run(&["directory", "create", "Team"]);
        let directory = text(&made, "/Account/AccountId");
        assert!(told(&["directory", "list"]).contains(&directory));
        let made = run(&[
            "person",
            "create",
            &directory,
            "--name",
            "Ada",
            "--email",
            "ada@example.org",
        ]);
        let ada = text(&made, "/User/UserId");
        run(&["person", "invite", &directory, "bob@example.org"]);
        let people = told(&["person", "list", &directory]);
        assert!(
            people.contains("ada@example.org") && people.contains("bob@example.org"),
            "{people}"
        );
        run(&["person", "license", &directory, &ada, "Basic"]);
        run(&["person", "reset-pin", &directory, &ada]);
        let to = ["--person", &ada, "--directory", &directory];
        run(&[&["number", "assign", two], &to[..]].concat());
        let shown = told(&["number", "show", two]);
        assert!(
            shown.contains("Assigned") && shown.contains(&ada),
            "{shown}"
        );
        refused(&["number", "release", two], &format!("{two}: "));
        run(&["number", "unassign", two]);
        refused(&["number", "unassign", two], "is not assigned");
        run(&["number", "release", two, three]);
        let released = told(&["number", "list", "--status", "DeleteInProgress"]);
        assert!(
            released.contains(two) && released.contains(three),
            "{released}"
        );
        assert!(!told(&["number", "list"]).contains(two));
        let restored = told(&["number", "restore", two]);
        assert!(restored.contains("Unassigned"), "{restored}");
        refused(&["number", "restore", one], "");
        let trunk = &told(&["number", "search", "--area-code", "206", "--most", "1"]);
        let trunk = trunk.trim();
        run(&["number", "order", trunk]);
        run(&["number", "assign", trunk, "--connector", &id]);
        refused(&["connector", "delete", &id], "");
        run(&["number", "unassign", trunk]);
        run(&["connector", "delete", &id]);
        refused(&["connector", "show", &id], "was not found");
        refused(&["number", "show", "+19995550100"], "was not found");
        run(&["person", "suspend", &directory, &ada]);
        refused(&["person", "show", &directory, &ada], "was not found");
        let left = run(&["person", "list", &directory]);
        let bob = text(&left, "/Users/0/UserId");
        run(&["person", "suspend", &directory, &bob]);
        run(&["directory", "delete", &directory]);
        refused(&["directory", "show", &directory], "was not found");
    }
    assert!(!server.log().contains("correct-horse"));
}
