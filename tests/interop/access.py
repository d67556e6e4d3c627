"""Access through the real boto3, unmodified. Run by access.rs: access.py CASE.

From the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION, ACCOUNT, DATABASE; some cases want USER_KEY,
USER_SECRET and USER_ACCOUNT.
"""

import functools
import json
import os
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
import uuid

from clients import client
from meetings import new_meeting, refused

ACCOUNT = os.environ["ACCOUNT"]


def temporary(service, credentials):
    return client(
        service, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )


def user(service):
    return client(service, os.environ["USER_KEY"], os.environ["USER_SECRET"])


def forbidden(call, arn, action):
    error = refused(call, "AccessDeniedException")
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    message = error.response["Error"]["Message"]
    assert message.startswith(f"User: {arn} is not authorized to perform: {action} on resource: "), message


def policy(effect, action):
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]}
    )


def identity():
    me = client("sts").get_caller_identity()
    assert me["Account"] == ACCOUNT, me
    assert me["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/administrator", me
    assert me["UserId"].startswith("AIDA"), me
    assert me["ResponseMetadata"]["RequestId"], me


def assumed_role():
    taken = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/meeter", RoleSessionName="ada@example.org", DurationSeconds=900
    )
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/meeter/ada@example.org"
    assert taken["AssumedRoleUser"]["Arn"] == arn, taken
    assert taken["AssumedRoleUser"]["AssumedRoleId"].endswith(":ada@example.org"), taken
    credentials = taken["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA"), credentials
    assert temporary("sts", credentials).get_caller_identity()["Arn"] == arn
    chime = temporary("chime-sdk-meetings", credentials)
    meeting = new_meeting(chime)["MeetingId"]
    forbidden(lambda: chime.get_meeting(MeetingId=meeting), arn, "chime:GetMeeting")
    assert client("chime-sdk-meetings").get_meeting(MeetingId=meeting)
    # A policy of the session narrows what the role may.
    narrow = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/meeter",
        RoleSessionName="narrow",
        Policy=policy("Allow", "chime:Get*"),
    )
    assert narrow["PackedPolicySize"] >= 1, narrow
    narrow = temporary("chime-sdk-meetings", narrow["Credentials"])
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/meeter/narrow"
    forbidden(lambda: new_meeting(narrow), arn, "chime:CreateMeeting")


def federated_user():
    given = client("sts").get_federation_token(Name="visitor", Policy=policy("Allow", "chime:CreateMeeting"))
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/visitor"
    assert given["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:visitor", "Arn": arn}, given
    chime = temporary("chime-sdk-meetings", given["Credentials"])
    meeting = new_meeting(chime)["MeetingId"]
    forbidden(lambda: chime.get_meeting(MeetingId=meeting), arn, "chime:GetMeeting")
    bare = client("sts").get_federation_token(Name="visitor")["Credentials"]
    forbidden(lambda: new_meeting(temporary("chime-sdk-meetings", bare)), arn, "chime:CreateMeeting")
    listed = client("sts").get_federation_token(
        Name="reader", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonChimeReadOnly"}]
    )
    reader = temporary("chime-sdk-meetings", listed["Credentials"])
    assert reader.get_meeting(MeetingId=meeting)["Meeting"]["MeetingId"] == meeting
    refused(lambda: reader.delete_meeting(MeetingId=meeting), "AccessDeniedException")


def own_session():
    credentials = client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    new_meeting(temporary("chime-sdk-meetings", credentials))
    assert temporary("sts", credentials).get_caller_identity()["Arn"].endswith(":user/administrator")
    refused(lambda: temporary("sts", credentials).get_session_token(), "AccessDenied")
    # Without the token, with another one, or with another's.
    key, secret, token = (credentials[part] for part in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    changed = ("B" if token[0] == "A" else "A") + token[1:]
    for wrong in (None, changed, "x"):
        chime = client("chime-sdk-meetings", key, secret, wrong)
        refused(lambda: new_meeting(chime), "UnrecognizedClientException")
        refused(lambda: client("sts", key, secret, wrong).get_caller_identity(), "InvalidClientTokenId")
    refused(lambda: client("sts", token=token).get_caller_identity(), "InvalidClientTokenId")


def wrong_requests():
    sts = client("sts")
    role = f"arn:aws:iam::{ACCOUNT}:role/"
    for call, code in [
        (lambda: sts.assume_role(RoleArn=role + "nobody", RoleSessionName="xx"), "AccessDenied"),
        (lambda: sts.assume_role(RoleArn=role + "meeter", RoleSessionName="a b"), "ValidationError"),
        (lambda: sts.assume_role(RoleArn="x" * 20, RoleSessionName="xx"), "ValidationError"),
        (
            lambda: sts.assume_role(RoleArn=role + "meeter", RoleSessionName="xx", DurationSeconds=3601),
            "ValidationError",
        ),
        (
            lambda: sts.assume_role(
                RoleArn=role + "meeter", RoleSessionName="xx", Tags=[{"Key": "a", "Value": "b"}]
            ),
            "ValidationError",
        ),
        (lambda: sts.get_federation_token(Name="xx", Policy='{"Statement": <&>}'), "MalformedPolicyDocument"),
        (lambda: sts.get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE"), "InvalidAction"),
        (lambda: client("sts", secret="wrong").get_caller_identity(), "SignatureDoesNotMatch"),
        (lambda: client("sts", key="AKIAIOSFODNN7EXAMPLE").get_caller_identity(), "InvalidClientTokenId"),
    ]:
        refused(call, code)


def expired_session():
    credentials = client("sts").get_session_token()["Credentials"]
    new_meeting(temporary("chime-sdk-meetings", credentials))
    # No session is shorter than a quarter of an hour: the test sets its clock forward.
    end_session(credentials["AccessKeyId"])
    refused(lambda: new_meeting(temporary("chime-sdk-meetings", credentials)), "ExpiredTokenException")
    refused(lambda: temporary("sts", credentials).get_caller_identity(), "ExpiredToken")


def end_session(key):
    """As if its time had passed, in the database itself."""
    database = os.environ["DATABASE"]
    change = "UPDATE sessions SET expires_ms = created_ms WHERE access_key_id = "
    if database.startswith("postgres:"):
        change = [f"--command={change}'{key}'", "--tuples-only", "--no-psqlrc"]
        told = subprocess.run(["psql", database, *change], check=True, capture_output=True, text=True).stdout
        assert told.strip() == "UPDATE 1", told
        return
    with sqlite3.connect(database, timeout=10) as database:
        assert database.execute(f"{change}?", (key,)).rowcount == 1


def may_nothing():
    arn = f"arn:aws:iam::{ACCOUNT}:user/ada"
    assert user("sts").get_caller_identity()["Arn"] == arn
    forbidden(lambda: new_meeting(user("chime-sdk-meetings")), arn, "chime:CreateMeeting")
    refused(lambda: user("sts").get_federation_token(Name="visitor"), "AccessDenied")
    role = f"arn:aws:iam::{ACCOUNT}:role/meeter"
    refused(lambda: user("sts").assume_role(RoleArn=role, RoleSessionName="ada"), "AccessDenied")


def may_make_meetings():
    new_meeting(user("chime-sdk-meetings"))


def unknown_key():
    refused(lambda: new_meeting(user("chime-sdk-meetings")), "UnrecognizedClientException")
    refused(lambda: user("sts").get_caller_identity(), "InvalidClientTokenId")


def another_account():
    assert user("sts").get_caller_identity()["Account"] == os.environ["USER_ACCOUNT"]
    token = str(uuid.uuid4())
    meeting = new_meeting(client("chime-sdk-meetings"), token)["MeetingId"]
    stranger = user("chime-sdk-meetings")
    for call in (
        lambda: stranger.get_meeting(MeetingId=meeting),
        lambda: stranger.delete_meeting(MeetingId=meeting),
        lambda: stranger.create_attendee(MeetingId=meeting, ExternalUserId="eve"),
    ):
        refused(call, "NotFoundException")
    role = f"arn:aws:iam::{ACCOUNT}:role/meeter"
    refused(lambda: user("sts").assume_role(RoleArn=role, RoleSessionName="eve"), "AccessDenied")
    # The same token means another meeting there.
    assert new_meeting(stranger, token)["MeetingId"] != meeting


def things():
    """Policies that name one thing hold for it however a request spells its id."""
    chime, meetings, voice = client("chime"), client("chime-sdk-meetings"), client("chime-sdk-voice")
    account = chime.create_account(Name="things")["Account"]["AccountId"]
    person = chime.create_user(AccountId=account, Email="person@example.org")["User"]["UserId"]
    room = chime.create_room(AccountId=account, Name="room")["Room"]["RoomId"]
    meeting = new_meeting(meetings)
    trunk = voice.create_voice_connector(Name="trunk", RequireEncryption=True, AwsRegion="us-west-2")["VoiceConnector"]
    number = "+12065550150"
    voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[number])

    def arn(named):
        return f"arn:aws:chime:{os.environ['REGION']}:{ACCOUNT}:{named}"

    def account_of(spelt):
        return lambda service: service("chime").get_account(AccountId=spelt)

    def user_of(spelt):
        return lambda service: service("chime").get_user(AccountId=spelt(account), UserId=spelt(person))

    def room_of(spelt):
        return lambda service: service("chime").get_room(AccountId=spelt(account), RoomId=spelt(room))

    def meeting_of(spelt):
        return lambda service: service("chime-sdk-meetings").get_meeting(MeetingId=spelt)

    def tags_of(named):
        return lambda service: service("chime-sdk-meetings").list_tags_for_resource(ResourceARN=named)

    def trunk_of(spelt):
        return lambda service: service("chime-sdk-voice").get_voice_connector(VoiceConnectorId=spelt)

    def number_of(spelt):
        return lambda service: service("chime-sdk-voice").get_phone_number(PhoneNumberId=spelt)

    ident = meeting["MeetingId"]
    upper = arn(f"meeting/{ident.upper()}")
    cases = [
        (arn(f"account/{account}"), [account_of(account), account_of(account.upper())]),
        (arn(f"account/{account}/user/{person}"), [user_of(str), user_of(str.upper)]),
        (arn(f"account/{account}/room/{room}"), [room_of(str), room_of(str.upper)]),
        (meeting["MeetingArn"], [meeting_of(ident), meeting_of(ident.upper()), tags_of(meeting["MeetingArn"]),
                                 tags_of(upper)]),
        (trunk["VoiceConnectorArn"], [trunk_of(trunk["VoiceConnectorId"]), tags_of(trunk["VoiceConnectorArn"])]),
        (arn(f"phone-number/{number}"), [number_of(number), number_of(number[1:]), number_of("+" + number)]),
    ]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for thing, calls in cases:
        for statements, allowed in [
            ([everything, {"Effect": "Deny", "Action": "chime:*", "Resource": thing}], False),
            ([{"Effect": "Allow", "Action": "chime:*", "Resource": thing}], True),
        ]:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            given = client("sts").get_federation_token(Name="things", Policy=document)["Credentials"]
            for at, call in enumerate(calls):
                ask = functools.partial(call, lambda service: temporary(service, given))
                if allowed:
                    assert ask()["ResponseMetadata"]["HTTPStatusCode"] == 200, (thing, at)
                else:
                    refused(ask, "AccessDeniedException")
    # What only looks like an ARN of the caller's is the ARN of nothing.
    for foreign in ("arn:aws:chime:us-east-1:000000000001:meeting/", "arn:aws:s3:us-east-1:" + ACCOUNT + ":meeting/"):
        refused(lambda: tags_of(foreign + ident)(client), "ResourceNotFoundException")


def command_line():
    """Temporary credentials of all kinds by the aws command line."""
    import cli

    sts = cli.CommandLine("sts", os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"])
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/administrator"
    role = f"arn:aws:iam::{ACCOUNT}:role/meeter"
    for given in (sts.assume_role(RoleArn=role, RoleSessionName="cli"), sts.get_session_token(),
                  sts.get_federation_token(Name="cli", Policy=policy("Allow", "chime:CreateMeeting"))):
        assert new_meeting(temporary("chime-sdk-meetings", given["Credentials"])), given
    assert {name for _, name in cli.CALLED} == {
        "AssumeRole", "GetCallerIdentity", "GetFederationToken", "GetSessionToken"}, cli.CALLED


def presigned():
    """A signed URL proves who somebody is, as other services take it."""
    sts = client("sts")
    url = sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(url, context=context) as answer:
        told = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/xml"), told
    assert f"arn:aws:iam::{ACCOUNT}:user/administrator" in told, told
    try:
        urllib.request.urlopen(url.replace("GetCallerIdentity", "GetSessionToken"), context=context)
        raise AssertionError("another action than the signed one")
    except urllib.error.HTTPError as error:
        assert error.code == 403 and b"SignatureDoesNotMatch" in error.read()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
