"""Access through the real boto3, unmodified. Run by access.rs: access.py CASE.

From the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION, ACCOUNT, DATABASE; some cases want USER_KEY,
USER_SECRET and USER_ACCOUNT.
"""

import json
import os
import sqlite3
import subprocess
import sys
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
    # The same token means another meeting there.
    assert new_meeting(stranger, token)["MeetingId"] != meeting


if __name__ == "__main__":
    globals()[sys.argv[1]]()
