use super::*;

fn fits(pattern: &str, line: &str) -> bool {
    Pattern::read(pattern).unwrap().fits(line)
}

#[test]
fn terms_are_all_there_none_of_the_unwanted_and_one_of_any() {
    let line = r#"{"sip_message":"INVITE sip:a@b SIP/2.0"}"#;
    for (pattern, expected) in [
        ("", true),
        ("  ", true),
        ("INVITE", true),
        ("invite", false),
        ("INVITE BYE", false),
        ("INVITE -BYE", true),
        ("INVITE -SIP", false),
        ("\"sip:a@b SIP/2.0\"", true),
        ("\"sip:a@c\"", false),
        ("?BYE ?INVITE", true),
        ("?BYE ?CANCEL", false),
        // With others the question marks do not count.
        ("SIP ?BYE", true),
        ("-\"sip:a@b\"", false),
    ] {
        assert_eq!(fits(pattern, line), expected, "{pattern}");
    }
}

#[test]
fn selectors_compare_texts_numbers_and_what_is_there() {
    let line = r#"{"id":"ab-12","n":5,"f":-0.5,"no":null,"yes":true,"o":{"l":[1,{"x":"y"}]}}"#;
    for (pattern, expected) in [
        ("{ $.id = \"ab-12\" }", true),
        ("{$.id=ab-12}", true),
        ("{ $.id = \"ab*\" }", true),
        ("{ $.id = \"*b*2\" }", true),
        ("{ $.id = \"*b*3\" }", false),
        ("{ $.id = * }", true),
        ("{ $.id != \"ab-12\" }", false),
        ("{ $.id != \"x\" }", true),
        ("{ $.gone != \"x\" }", false),
        ("{ $.n = 5 }", true),
        (
            "{ $.n = 5.0 && $.n >= 5 && $.n <= 5 && $.n > 4 && $.n < 6 }",
            true,
        ),
        ("{ $.n != 5 }", false),
        ("{ $.n > 5 }", false),
        ("{ $.f < 0 }", true),
        ("{ $.f = -0.5 }", true),
        ("{ $.id > 5 }", false),
        ("{ $.no IS NULL }", true),
        ("{ $.n IS NULL }", false),
        ("{ $.gone IS NULL }", false),
        ("{ $.gone NOT EXISTS }", true),
        ("{ $.no NOT EXISTS }", false),
        ("{ $.yes IS TRUE }", true),
        ("{ $.yes IS FALSE }", false),
        ("{ $.o.l[0] = 1 }", true),
        ("{ $.o.l[1].x = \"y\" }", true),
        ("{ $.o.l[2] = 1 }", false),
        ("{ $.n = 1 || $.n = 5 }", true),
        // && binds closer.
        ("{ $.n = 5 || $.n = 1 && $.n = 2 }", true),
        ("{ ($.n = 5 || $.n = 1) && $.n = 2 }", false),
    ] {
        assert_eq!(fits(pattern, line), expected, "{pattern}");
    }
    assert!(!fits("{ $.n = 5 }", "no JSON"));
}

#[test]
fn what_is_no_pattern_is_told_and_never_guessed() {
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(40), ")".repeat(40));
    for pattern in [
        "a-b",
        "\"open",
        "-",
        "[ip, user]",
        "%regex%",
        "{ $.a = %x% }",
        "{",
        "{}",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ a = 1 }",
        "{ $ = 1 }",
        "{ $.a[x] = 1 }",
        "{ $.a[* ] = 1 }",
        "{ $.a..b = 1 }",
        "{ $.a < \"x\" }",
        "{ $.a & $.b }",
        "{ $.a IS SOMETHING }",
        "{ ($.a = 1 }",
        deep.as_str(),
    ] {
        assert!(Pattern::read(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn a_star_behind_a_backslash_is_a_star() {
    let fits = |pattern: &str, text: &str| {
        let pattern = Pattern::read(pattern).unwrap();
        pattern.fits(&serde_json::json!({ "a": text }).to_string())
    };
    assert!(fits(r#"{ $.a = "2\*3" }"#, "2*3"));
    assert!(!fits(r#"{ $.a = "2\*3" }"#, "2 and 3"));
    assert!(fits(r#"{ $.a = "*\*3" }"#, "2*3") && !fits(r#"{ $.a = "*\*3" }"#, "23"));
    assert!(fits(r#"{ $.a != "2\*3" }"#, "2 and 3"));
    assert!(fits(r#"{ $.a = "2*3" }"#, "2 and 3") && fits("{ $.a = 2*3 }", "2 and 3"));
    // A term is no pattern: a star in it is one.
    assert!(fits(r#""2*3""#, "2*3") && !fits(r#""2*3""#, "2 and 3"));
}
