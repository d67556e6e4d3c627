//! boto3 and the AWS command line client, as scripts use them.

use crate::support::scripts::{aws, script, succeed};
use crate::support::server::Server;

/// One case of `meetings.py`, against a server of its own.
fn boto3(case: &str) {
    run("meetings.py", case, &[]);
}

/// One case of `directory.py`, against a server of its own with a few numbers to order.
fn directory(case: &str) {
    with_numbers("directory.py", case);
}

/// The same of `lists.py`.
fn lists(case: &str) {
    with_numbers("lists.py", case);
}

fn with_numbers(file: &str, case: &str) {
    let inventory =
        "[\"+12065550100-+12065550199 US Local Seattle WA\", \"+18445550100 US TollFree\"]";
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("secret-bucket");
    let buckets = format!("[{{ name = \"secret-bucket\", folder = {bucket:?} }}]");
    let settings = [
        ("numbers.inventory", inventory),
        ("objects.buckets", &buckets),
    ];
    run(file, case, &settings);
}

fn run(file: &str, case: &str, settings: &[(&str, &str)]) {
    let server = Server::start(settings);
    if let Some(mut command) = script(&server, file, &[case]) {
        succeed(&server, &mut command);
    }
}

#[test]
fn a_meeting_is_created_and_found_again() {
    boto3("create_and_get");
}

#[test]
fn the_same_request_token_gives_the_same_meeting() {
    boto3("create_is_idempotent_by_token");
}

#[test]
fn attendees_get_tokens_of_their_own() {
    boto3("attendees");
}

#[test]
fn a_meeting_may_come_with_its_attendees() {
    boto3("meeting_with_attendees");
}

#[test]
fn a_deleted_meeting_is_gone() {
    boto3("delete");
}

#[test]
fn an_unknown_meeting_is_not_found() {
    boto3("unknown_meeting");
}

#[test]
fn a_wrong_secret_is_refused() {
    boto3("wrong_secret");
}

#[test]
fn the_command_line_client_creates_a_meeting() {
    let server = Server::start(&[]);
    let region = server.credentials().region;
    let words = ["chime-sdk-meetings", "create-meeting"];
    let named = ["--external-meeting-id", "cli", "--media-region", &region];
    let token = ["--client-request-token", "the-same"];
    let words = [&words[..], &named, &token].concat();
    let Some(mut command) = aws(&server, &words) else {
        return;
    };
    let told = succeed(&server, &mut command);
    let answer: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(answer["Meeting"]["ExternalMeetingId"], "cli");
}

#[test]
fn accounts_are_made_changed_and_deleted_by_boto3() {
    directory("accounts");
}

#[test]
fn users_are_made_invited_and_suspended_by_boto3() {
    directory("users");
}

#[test]
fn rooms_and_their_members_come_and_go_by_boto3() {
    directory("rooms");
}

#[test]
fn numbers_are_ordered_assigned_deleted_and_restored_by_boto3() {
    directory("numbers");
}

#[test]
fn voice_connectors_are_configured_by_boto3() {
    directory("connectors");
}

#[test]
fn attendees_change_and_things_bear_tags_by_boto3() {
    directory("attendees_and_tags");
}

#[test]
fn every_operation_of_every_service_goes_well_once_by_boto3() {
    directory("boto3");
}

#[test]
fn every_operation_of_every_service_goes_well_once_by_the_command_line() {
    directory("command_line");
}

#[test]
fn every_list_is_read_to_its_last_page_by_boto3() {
    lists("second_pages");
}

#[test]
fn a_thousand_users_are_listed_in_pages_by_boto3() {
    lists("pages");
}

#[test]
fn a_service_may_have_its_own_path_by_boto3() {
    directory("prefixes");
}

#[test]
fn every_operation_wants_a_good_signature() {
    directory("every_operation_wants_a_signature");
}

#[test]
fn every_operation_says_which_member_it_misses() {
    directory("bounds");
}

/// One case of `refusals.py`, against a server of its own.
fn refusals(case: &str, settings: &[(&str, &str)]) {
    let numbers = "[\"+12065550100-+12065550199 US Local Seattle WA\"]";
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("secret-bucket");
    let buckets = format!("[{{ name = \"secret-bucket\", folder = {bucket:?} }}]");
    let always = [
        ("numbers.inventory", numbers),
        ("objects.buckets", buckets.as_str()),
    ];
    run("refusals.py", case, &[&always, settings].concat());
}

#[test]
fn each_bound_of_each_member_is_held_by_boto3() {
    refusals("every_bound", &[("limits.api_requests_per_second", "1000")]);
}

#[test]
fn more_than_may_be_is_refused_by_boto3() {
    refusals("limits", &[]);
}

#[test]
fn who_asks_too_fast_is_told_so_and_tried_again_by_boto3() {
    refusals("throttle", &[("limits.api_requests_per_second", "5")]);
}

#[test]
fn what_is_not_offered_is_said_so_by_boto3() {
    directory("not_offered");
}

#[test]
fn a_url_may_bear_its_signature_by_boto3() {
    directory("presigned");
}
