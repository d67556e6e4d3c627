"""The audit trail through the real boto3, unmodified. Run by trail.rs: trail.py CASE.

From the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION, ACCOUNT; some cases want USER_KEY, USER_SECRET and
USER_ACCOUNT, the administrator of another account.
"""

import datetime
import functools
import json
import os
import sys
import time
import uuid

from botocore.exceptions import BotoCoreError, ClientError

import clients
from clients import refusal

ACCOUNT, REGION = os.environ["ACCOUNT"], os.environ["REGION"]
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


# The trail tells who asked by what program.
client = functools.partial(clients.client, agent="trail/1")


def stranger(service):
    return client(service, os.environ["USER_KEY"], os.environ["USER_SECRET"])


def number(answer):
    return answer["ResponseMetadata"]["RequestId"]


def look(trail, **wanted):
    pages = trail.get_paginator("lookup_events").paginate(**wanted)
    return [event for page in pages for event in page["Events"]]


def by(name, value):
    return {"LookupAttributes": [{"AttributeKey": name, "AttributeValue": value}]}


def entry(trail, name, request_id):
    """The one entry of a call."""
    found = [json.loads(event["CloudTrailEvent"]) for event in look(trail, **by("EventName", name))]
    found = [event for event in found if event["requestID"] == request_id]
    assert len(found) == 1, (name, request_id, found)
    return found[0]


def entries():
    trail, chime, voice, meetings, sts = map(
        client, ("cloudtrail", "chime", "chime-sdk-voice", "chime-sdk-meetings", "sts"))
    begun = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    made = chime.create_account(Name="Größe & Söhne")
    ident = made["Account"]["AccountId"]
    got = entry(trail, "CreateAccount", number(made))
    assert got["eventVersion"] == "1.08" and got["eventType"] == "AwsApiCall", got
    assert got["eventSource"] == "chime.amazonaws.com" and got["awsRegion"] == REGION
    assert got["managementEvent"] is True and got["eventCategory"] == "Management"
    assert got["recipientAccountId"] == ACCOUNT and got["readOnly"] is False
    assert got["sourceIPAddress"] == "127.0.0.1" and "trail/1" in got["userAgent"]
    assert got["requestParameters"] == {"name": "Größe & Söhne"}
    assert got["responseElements"]["account"]["accountId"] == ident
    assert "errorCode" not in got and uuid.UUID(got["eventID"])
    when = datetime.datetime.strptime(got["eventTime"], "%Y-%m-%dT%H:%M:%S%z")
    assert begun <= when <= datetime.datetime.now(datetime.timezone.utc), got["eventTime"]
    who = got["userIdentity"]
    assert who["type"] == "IAMUser" and who["userName"] == "administrator", who
    assert who["arn"] == f"arn:aws:iam::{ACCOUNT}:user/administrator" and who["accountId"] == ACCOUNT
    assert who["principalId"].startswith("AIDA") and who["accessKeyId"] == os.environ["ACCESS_KEY"]
    assert "sessionContext" not in who

    # A read has no response elements; what it is about is a resource.
    read = chime.get_account(AccountId=ident)
    got = entry(trail, "GetAccount", number(read))
    assert got["readOnly"] is True and got["responseElements"] is None, got
    arn = f"arn:aws:chime:{REGION}:{ACCOUNT}:account/{ident}"
    assert got["resources"] == [{"accountId": ACCOUNT, "type": "AWS::Chime::Account", "ARN": arn}]

    # Refused: what is not there, bad input, no permission, a bad signature, none at all, not offered.
    gone = refusal("NotFoundException", chime.get_account, AccountId=str(uuid.uuid4()))
    got = entry(trail, "GetAccount", number(gone))
    assert got["errorCode"] == "NotFoundException" and got["errorMessage"] == gone["Error"]["Message"]
    bad = refusal("BadRequestException", chime.create_account, Name="x" * 101)
    got = entry(trail, "CreateAccount", number(bad))
    assert got["errorCode"] == "BadRequestException" and got["requestParameters"] == {"name": "x" * 101}
    assert got["responseElements"] is None
    taken = sts.get_federation_token(Name="visitor", Policy=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:Get*", "Resource": "*"}]}))
    credentials = taken["Credentials"]
    visitor = client("chime", credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    denied = refusal("AccessDeniedException", visitor.create_account, Name="denied")
    got = entry(trail, "CreateAccount", number(denied))
    who = got["userIdentity"]
    assert who["type"] == "FederatedUser" and who["principalId"] == f"{ACCOUNT}:visitor", who
    assert who["accessKeyId"] == credentials["AccessKeyId"]
    issuer, attributes = who["sessionContext"]["sessionIssuer"], who["sessionContext"]["attributes"]
    assert issuer["type"] == "IAMUser" and issuer["userName"] == "administrator", issuer
    assert attributes["mfaAuthenticated"] == "false" and attributes["creationDate"].endswith("Z")
    assert got["errorCode"] == "AccessDeniedException" and "is not authorized to perform" in got["errorMessage"]
    for wrong, code, key in [
        (client("chime", secret="wrong" * 8), "InvalidSignatureException", os.environ["ACCESS_KEY"]),
        (client("chime", key="AKIAAAAAAAAAAAAAAAAA"), "UnrecognizedClientException", "AKIAAAAAAAAAAAAAAAAA"),
    ]:
        unproven = refusal(code, wrong.create_account, Name="forged")
        got = entry(trail, "CreateAccount", number(unproven))
        assert got["errorCode"] == code and got["requestParameters"] is None, got
        assert got["userIdentity"] == {
            "type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL", "accessKeyId": key}, got
    missing = refusal("UnsupportedOperationException", client("chime").create_bot, AccountId=ident, DisplayName="b")
    assert entry(trail, "CreateBot", number(missing))["errorCode"] == "UnsupportedOperationException"

    # The token service has its own source; what it gave out is not told.
    got = entry(trail, "GetFederationToken", number(taken))
    assert got["eventSource"] == "sts.amazonaws.com" and got["readOnly"] is True
    assert got["requestParameters"]["name"] == "visitor"
    given = got["responseElements"]["credentials"]
    assert given["accessKeyId"] == credentials["AccessKeyId"] and given["sessionToken"] == HIDDEN
    unknown = refusal("InvalidAction", sts.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")
    assert entry(trail, "GetAccessKeyInfo", number(unknown))["errorCode"] == "InvalidAction"
    # The trail is about itself, too.
    looked = trail.lookup_events(MaxResults=1)
    got = entry(trail, "LookupEvents", number(looked))
    assert got["eventSource"] == "cloudtrail.amazonaws.com" and got["requestParameters"] == {"maxResults": 1}

    # Secrets: of what was asked, of what was answered, and of what was refused.
    secrets = [credentials["SecretAccessKey"], credentials["SessionToken"], os.environ["SECRET_KEY"]]
    connector = voice.create_voice_connector(Name="vc", RequireEncryption=True)["VoiceConnector"]["VoiceConnectorId"]
    for password in ("correct-horse-1", "battery-staple-2" * 100):
        put = {"VoiceConnectorId": connector, "Credentials": [{"Username": "trunkname", "Password": password}]}
        try:
            voice.put_voice_connector_termination_credentials(**put)
        except ClientError:
            pass
        secrets.append(password)
    meeting = meetings.create_meeting_with_attendees(
        ClientRequestToken="very-secret-token", MediaRegion=REGION, ExternalMeetingId="trail-meeting",
        Attendees=[{"ExternalUserId": "ada"}])
    secrets += ["very-secret-token", meeting["Attendees"][0]["JoinToken"]]
    user = chime.create_user(AccountId=ident, Username="ada")["User"]
    pin = chime.reset_personal_pin(AccountId=ident, UserId=user["UserId"])["User"]["PersonalPIN"]
    secrets += [user["PersonalPIN"], pin]
    got = entry(trail, "CreateMeetingWithAttendees", number(meeting))
    assert got["responseElements"]["meeting"]["meetingId"] == meeting["Meeting"]["MeetingId"], got
    everything = json.dumps([event["CloudTrailEvent"] for event in look(trail)])
    for secret in secrets:
        assert secret not in everything, f"{secret} is in the trail"
    assert HIDDEN in everything and "trunkname" not in everything

    # Another account has a trail of its own, and nothing of this one in it.
    theirs = stranger("chime").create_account(Name="elsewhere")
    asked = stranger("cloudtrail")
    assert {event["EventName"] for event in look(asked)} == {"CreateAccount"}
    assert entry(asked, "CreateAccount", number(theirs))["recipientAccountId"] == os.environ["USER_ACCOUNT"]
    assert look(asked, **by("EventName", "GetAccount")) == []
    assert number(theirs) not in json.dumps([event["CloudTrailEvent"] for event in look(trail)])
    # And a user without policies has none at all.
    denied = client("cloudtrail", credentials["AccessKeyId"], credentials["SecretAccessKey"],
                    credentials["SessionToken"])
    said = refusal("AccessDeniedException", denied.lookup_events)["Error"]["Message"]
    assert "is not authorized to perform: cloudtrail:LookupEvents on resource: " in said, said


def lookups():
    trail, chime = client("cloudtrail"), client("chime")
    # Times go over the wire in whole seconds: what was before is another second's, and so is what follows.
    time.sleep(1.1)
    begun = datetime.datetime.now(datetime.timezone.utc)
    time.sleep(1.1)
    account = chime.create_account(Name="lookups")["Account"]["AccountId"]
    made = [chime.create_user(AccountId=account, Username=f"u{at}") for at in range(12)]
    user = made[0]["User"]["UserId"]
    chime.get_user(AccountId=account, UserId=user)
    time.sleep(1.1)
    chime.get_user(AccountId=account, UserId=user)

    # Newest first, in pages, each once.
    wanted = {**by("EventName", "CreateUser"), "StartTime": begun}
    pages = trail.get_paginator("lookup_events").paginate(**wanted, PaginationConfig={"PageSize": 5})
    pages = [page["Events"] for page in pages]
    assert [len(page) for page in pages] == [5, 5, 2], pages
    found = [event for page in pages for event in page]
    assert [event["EventTime"] for event in found] == sorted((e["EventTime"] for e in found), reverse=True)
    numbers = [json.loads(event["CloudTrailEvent"])["requestID"] for event in found]
    assert numbers == [number(answer) for answer in reversed(made)], numbers
    first = found[0]
    assert (first["EventName"], first["ReadOnly"], first["Username"]) == ("CreateUser", "false", "administrator")
    assert first["AccessKeyId"] == os.environ["ACCESS_KEY"] and first["EventSource"] == "chime.amazonaws.com"
    arn = f"arn:aws:chime:{REGION}:{ACCOUNT}:account/{account}"
    assert first["Resources"] == [{"ResourceType": "AWS::Chime::Account", "ResourceName": arn}], first

    # Each attribute, and the times.
    for name, value, some in [
        ("EventId", first["EventId"], 1), ("ResourceName", arn, 12), ("ResourceName", f"{arn}/user/{user}", 2),
        ("ResourceType", "AWS::Chime::User", 2),
    ]:
        got = look(trail, **by(name, value), StartTime=begun)
        assert len(got) == some, (name, value, got)
    for name, value in [("EventSource", "cloudtrail.amazonaws.com"), ("ReadOnly", "true"),
                        ("Username", "administrator"), ("AccessKeyId", os.environ["ACCESS_KEY"])]:
        got = look(trail, **by(name, value))
        assert got, name
        attribute = {"EventSource": "EventSource", "ReadOnly": "ReadOnly", "Username": "Username",
                     "AccessKeyId": "AccessKeyId"}[name]
        assert {event[attribute] for event in got} == {value}
    reads = look(trail, **by("EventName", "GetUser"), StartTime=begun)
    assert len(reads) == 2
    late, early = (event["EventTime"] for event in reads)
    assert late > early
    for window, some in [({"StartTime": late}, 1), ({"EndTime": early}, 1), ({"StartTime": early, "EndTime": late}, 2),
                         ({"EndTime": begun - datetime.timedelta(days=1)}, 0)]:
        got = [e for e in look(trail, **by("ResourceName", f"{arn}/user/{user}"), **window)]
        assert len(got) == some, (window, got)
    assert look(trail, **by("EventName", "Nonsense")) == []
    assert trail.lookup_events(EventCategory="insight")["Events"] == []

    # What is wrong is told by CloudTrail's own names.
    two = by("EventName", "a")["LookupAttributes"] * 2
    for code, wrong in [
        ("InvalidLookupAttributesException", {"LookupAttributes": two}),
        ("InvalidLookupAttributesException", by("Colour", "red")),
        ("InvalidTimeRangeException", {"StartTime": late, "EndTime": begun - datetime.timedelta(days=1)}),
        ("InvalidMaxResultsException", {"MaxResults": 51}),
        ("InvalidNextTokenException", {"NextToken": "AAAA"}),
        ("InvalidEventCategoryException", {"EventCategory": "all"}),
    ]:
        said = refusal(code, trail.lookup_events, **wrong)
        assert said["ResponseMetadata"]["HTTPStatusCode"] == 400
    token = trail.lookup_events(**wanted, MaxResults=1)["NextToken"]
    refusal("InvalidNextTokenException", trail.lookup_events, NextToken=token)
    refusal("InvalidNextTokenException", stranger("cloudtrail").lookup_events, **wanted, NextToken=token)
    refusal("UnsupportedOperationException", trail.list_trails)


def write_until_the_end():
    """Makes users until the server is gone, and tells the number of each request that was acknowledged."""
    chime = client("chime")
    account = chime.list_accounts(Name="writes")["Accounts"] or [chime.create_account(Name="writes")["Account"]]
    print("ready", flush=True)
    try:
        while True:
            print(number(chime.create_user(AccountId=account[0]["AccountId"], Username="somebody")), flush=True)
    except BotoCoreError:
        return


def all_that_was_acknowledged():
    told = sys.stdin.read().split()
    assert len(told) > 10, told
    found = look(client("cloudtrail"), **by("EventName", "CreateUser"))
    found = [json.loads(event["CloudTrailEvent"])["requestID"] for event in found]
    assert len(found) == len(set(found)), "an entry is there twice"
    assert set(told) <= set(found), set(told) - set(found)


def nothing_yet():
    assert client("cloudtrail").lookup_events()["Events"] == []


if __name__ == "__main__":
    globals()[sys.argv[1]]()
