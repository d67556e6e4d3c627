"""What `campanile admin` leaves in the audit trail, and a walk over its operations. Run by admin.rs: admin.py CASE.

From the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION, ACCOUNT; OTHER_ACCOUNT with OTHER_KEY and OTHER_SECRET is
another account and its administrator; NOBODY_KEY and NOBODY_SECRET are of a user without policies.
"""

import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from access import end_session
from clients import client

UNCHECKED = ssl._create_unverified_context()
ACCOUNT, REGION, OTHER = os.environ["ACCOUNT"], os.environ["REGION"], os.environ.get("OTHER_ACCOUNT")
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
ROOT = ("ACCESS_KEY", "SECRET_KEY")
FOREIGN = ("OTHER_KEY", "OTHER_SECRET")
NOBODY = ("NOBODY_KEY", "NOBODY_SECRET")


def ask(key, method, path, body=None, headers=None):
    """Status, exception's name or None, body; a body that is no JSON as text."""
    url = os.environ["ENDPOINT"] + path
    data = "" if body is None else json.dumps(body)
    request = AWSRequest(method, url, data=data, headers={"Content-Type": "application/json", **(headers or {})})
    if key:
        SigV4Auth(Credentials(*(os.environ[name] for name in key)), "chime", REGION).add_auth(request)
    request = urllib.request.Request(url, data.encode() or None, dict(request.headers), method=method)

    def read(answer):
        octets = answer.read()
        try:
            return json.loads(octets)
        except ValueError:
            return octets.decode(errors="replace")
    try:
        with urllib.request.urlopen(request, context=UNCHECKED) as answer:
            return answer.status, None, read(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-amzn-ErrorType"], read(error)


def trail(key):
    pages = client("cloudtrail", os.environ[key[0]], os.environ[key[1]]).get_paginator("lookup_events")

    def look(**attribute):
        wanted = [{"AttributeKey": name, "AttributeValue": value} for name, value in attribute.items()]
        found = pages.paginate(LookupAttributes=wanted) if wanted else pages.paginate()
        return [json.loads(event["CloudTrailEvent"]) for page in found for event in page["Events"]]
    return look


def entries():
    look, theirs = trail(ROOT), trail(FOREIGN)
    local = f"uid:{os.environ['UID_OF_SOCKET']}"
    everything = [event for event in look() if event["eventSource"] != "cloudtrail.amazonaws.com"]
    # One for each call, and no other; what was done in another account is there.
    names = sorted((event["eventSource"].split(".")[0], event["eventName"]) for event in everything)
    once = [("iam", "CreateAccessKey"), ("iam", "CreateUser"), ("iam", "DeleteUser"), ("chime", "OpenMeeting")]
    assert names == sorted(once * 2 + [("organizations", "CreateAccount")]), names
    for name, resource in [("CreateUser", "user/{}"), ("CreateAccessKey", "user/{}"), ("DeleteUser", "user/eve")]:
        by_key, by_socket = look(EventName=name)
        for event, who in ((by_socket, "ada"), (by_key, "bob")):
            arn = f"arn:aws:iam::{ACCOUNT}:" + resource.format(who)
            assert event["eventSource"] == "iam.amazonaws.com" and event["readOnly"] is False, event
            assert event["resources"] == [{"accountId": ACCOUNT, "type": "AWS::IAM::User", "ARN": arn}], event
            assert event["userAgent"].startswith("campanile-admin/"), event
            wanted = who if name != "DeleteUser" else "eve"
            assert event["requestParameters"] == {"userName": wanted}, event
            if name == "CreateAccessKey":
                key = event["responseElements"]["accessKey"]
                assert key["userName"] == who and key["accessKeyId"].startswith("AKIA"), event
                assert key["secretAccessKey"] == HIDDEN, event
            if name == "DeleteUser":
                assert event["errorCode"] == "NotFoundException" and event["responseElements"] is None, event
            else:
                assert "errorCode" not in event, event
    who = by_socket["userIdentity"]
    assert who == {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root",
                   "accountId": ACCOUNT, "userName": local}, who
    assert by_socket["sourceIPAddress"] == "localhost", by_socket
    assert by_key["userIdentity"]["accessKeyId"] == os.environ["ACCESS_KEY"], by_key
    assert by_key["sourceIPAddress"] == "127.0.0.1", by_key
    made, = look(EventName="CreateAccount")
    assert made["eventSource"] == "organizations.amazonaws.com", made
    assert made["responseElements"]["accessKey"]["secretAccessKey"] == HIDDEN, made
    assert made["responseElements"]["account"]["accountId"] == OTHER, made
    for event in look(EventName="OpenMeeting"):
        told = event["responseElements"]
        assert told["pin"] == told["dialString"] == told["joinUrl"] == HIDDEN and told["meetingId"], event
    # The socket's user can be asked for.
    assert {event["eventName"] for event in look(Username=local)} == {
        "CreateAccount", "CreateUser", "CreateAccessKey", "OpenMeeting", "DeleteUser"}
    # What the deployment's administrator did in another account stands in that account's trail, with who it was.
    seen = theirs(EventName="ListUsers")
    allowed = [event["userIdentity"]["accountId"] for event in seen if "errorCode" not in event]
    assert allowed == [ACCOUNT, ACCOUNT], seen
    assert sorted(event["userIdentity"]["type"] for event in seen if "errorCode" not in event) == ["IAMUser", "Root"]
    # And what that account tried here stands in its own, as refused.
    refused = {event["eventName"]: event for event in theirs() if "errorCode" in event}
    assert set(refused) == {"ListAccounts", "ListUsers"}, refused
    for event in refused.values():
        assert event["errorCode"] == "AccessDeniedException" and event["recipientAccountId"] == OTHER, event
    told = json.dumps([look(), theirs()])
    for secret in json.loads(os.environ["SECRETS"]):
        assert secret not in told, f"{secret} is in the trail"


def visitor():
    """Prints temporary credentials that may list users, and nothing else."""
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}}
    given = client("sts").get_federation_token(Name="visitor", Policy=json.dumps(policy))["Credentials"]
    print(json.dumps(given, default=str))


def end():
    end_session(os.environ["SESSION_KEY"])


def described():
    status, _, answer = ask(None, "GET", "/campanile/openapi.json")
    assert status == 200, status
    for path, methods in answer["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/#"):
                yield operation, method.upper(), path.replace("#", "?")


BODIES = {
    "CreateDomain": {"Name": "example.test"},
    "CreateOwnerAccount": {"Name": "theirs"},
    "CreateRole": {"AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}})},
    "UpdateAccessKey": {"Status": "Inactive"},
}
POLICY = {"PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Action": "*", "Resource": "*"}})}


def walk():
    """Another account's key finds nothing and changes nothing; a user without policies may not even ask; and nobody but
    the deployment's own acts in another account."""
    directory = ask(ROOT, "POST", "/accounts", {"Name": "secret directory"})[2]["Account"]["AccountId"]
    meeting = ask(ROOT, "POST", "/campanile/meetings", {"ExternalMeetingId": "secret"})[2]["MeetingId"]
    for method, path, body in [
        ("PUT", "/campanile/users/ada", {}), ("PUT", "/campanile/roles/taker", BODIES["CreateRole"]),
        ("PUT", "/campanile/users/ada/policies/own", POLICY), ("PUT", "/campanile/roles/taker/policies/own", POLICY),
        ("POST", f"/campanile/accounts/{directory}/domains", BODIES["CreateDomain"]),
    ]:
        status, _, answer = ask(ROOT, method, path, body)
        assert status == 200, answer
    key = ask(ROOT, "POST", "/campanile/users/ada/keys", {})[2]["AccessKey"]["AccessKeyId"]
    things = {"AccountId": directory, "MeetingId": meeting, "Name": "example.test", "UserName": "ada",
              "RoleName": "taker", "PolicyName": "own", "AccessKeyId": key, "BucketName": "campanile-records",
              "Key": "secret"}
    ours = [(operation, method, path) for operation, method, path in described() if path.startswith("/campanile/")]
    filled = {id(path): re.sub(r"{(\w+)}", lambda name: things[name[1]], path) for _, _, path in ours}

    def view():
        # What is kept of the asking itself changes: the trail's objects, and when a key was used.
        passing = ("GetObject", "ListObjects", "ListAccessKeys")
        answers = {path: ask(ROOT, "GET", filled[id(path)]) for operation, method, path in ours
                   if method == "GET" and operation["operationId"] not in passing}
        return {path: error or answer for path, (_, error, answer) in answers.items()}

    before, walked = view(), set()
    assert directory in json.dumps(before) and meeting in json.dumps(before)
    for operation, method, path in ours:
        name, place = operation["operationId"], filled[id(path)]
        body = POLICY if name.startswith("Put") else BODIES.get(name, {} if method != "GET" else None)
        action = operation.get("x-action", f"chime:{name}")
        status, error, answer = ask(None, method, place, body)
        assert (status, error) == (403, "MissingAuthenticationTokenException"), (name, status, answer)
        status, error, answer = ask(NOBODY, method, place, body)
        assert (status, error) == (403, "AccessDeniedException"), (name, status, answer)
        assert f"is not authorized to perform: {action} on resource: " in answer["Message"], (name, answer)
        # The other account's own things may have the same names; of ours nothing is told.
        status, error, answer = ask(FOREIGN, method, place, body)
        if action.split(":")[0] in ("organizations", "s3"):
            assert (status, error) == (403, "AccessDeniedException"), (name, status, answer)
        elif status != 200:
            assert error in ("NotFoundException", "ConflictException"), (name, status, error, answer)
        else:
            said = json.dumps(answer)
            ids = [ACCOUNT, directory, meeting, key, "secret"]
            assert not any(ident in said for ident in ids), (name, answer)
        walked.add(name)
    assert len(walked) > 35, walked
    # Nobody acts in an account that is not theirs by naming it, whatever the operation.
    named, count = {"X-Campanile-Account": ACCOUNT}, 0
    for operation, method, path in described():
        place = re.sub(r"{[^}]*}", "00000000-0000-4000-8000-000000000000", path)
        for who in (FOREIGN, NOBODY):
            account = ACCOUNT if who == FOREIGN else OTHER
            status, error, answer = ask(who, method, place, None, {"X-Campanile-Account": account})
            assert (status, error) == (403, "AccessDeniedException"), (operation["operationId"], status, answer)
            assert "sts:AssumeRoot on resource: arn:aws:iam::" in answer["Message"], answer
        count += 1
    assert count > 130, count
    # The name must be signed, so that nobody on the way sets another.
    status, error, _ = ask(None, "GET", "/campanile/users", None, named)
    assert (status, error) == (403, "MissingAuthenticationTokenException"), (status, error)
    after = view()
    changed = [path for path in before if before[path] != after[path]]
    assert not changed, [(path, before[path], after[path]) for path in changed]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
