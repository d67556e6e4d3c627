"""Domains of accounts by the signed API, with boto3 for what it knows. Run by domains.rs: domains.py CASE ARGUMENTS.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION; FOREIGN_KEY and
FOREIGN_SECRET are those of another account's administrator.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from clients import client

UNCHECKED = ssl._create_unverified_context()


def ask(method, path, body=None, prefix="ACCESS", sign=True):
    """Status, exception's name or None, body."""
    url = os.environ["ENDPOINT"] + path
    data = json.dumps(body) if body is not None else ""
    request = AWSRequest(method, url, data=data, headers={"Content-Type": "application/json"})
    if sign:
        names = {"ACCESS": ("ACCESS_KEY", "SECRET_KEY"), "FOREIGN": ("FOREIGN_KEY", "FOREIGN_SECRET")}[prefix]
        key = Credentials(*(os.environ[name] for name in names))
        SigV4Auth(key, "chime", os.environ["REGION"]).add_auth(request)
    request = urllib.request.Request(url, data.encode() or None, dict(request.headers), method=method)
    try:
        with urllib.request.urlopen(request, context=UNCHECKED) as answer:
            return answer.status, None, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-amzn-ErrorType"], json.load(error)


def path(account, *rest):
    return "/".join(["/campanile/accounts", account, "domains", *rest])


def claim():
    api = client("chime")
    a, b = (api.create_account(Name=name)["Account"]["AccountId"] for name in "AB")
    for name in ("ada", "bob"):
        api.create_user(AccountId=a, Username=name, Email=f"{name}@Example.test")
    api.create_user(AccountId=a, Username="eve", Email="eve@sub.example.test")
    status, _, answer = ask("POST", path(a), {"Name": "EXAMPLE.test."})
    assert status == 200, answer
    domain = answer["Domain"]
    assert (domain["Name"], domain["Status"]) == ("example.test", "Pending verification"), domain
    assert ask("POST", path(a), {"Name": "example.test"})[2]["Domain"] == domain, "another record"
    _, _, other = ask("POST", path(b), {"Name": "example.test"})
    assert other["Domain"]["RecordValue"] != domain["RecordValue"]
    assert ask("GET", path(a))[2]["Domains"] == [domain]
    assert ask("GET", path(a, "Example.Test"))[2]["Domain"] == domain

    bad = [{}, {"Name": 7}, {"Name": "org"}, {"Name": "co.uk"}, {"Name": "192.0.2.1"}, {"Name": "a b.org"}]
    for body in bad:
        assert ask("POST", path(a), body)[:2] == (400, "BadRequestException"), body
    refused = ask("POST", path(a, "example.test") + "?operation=verify")
    assert refused[:2] == (422, "UnprocessableEntityException"), refused
    assert domain["RecordName"] in refused[2]["Message"], refused
    assert ask("POST", path(a, "other.test") + "?operation=verify")[:2] == (404, "NotFoundException")
    assert client("chime").get_account(AccountId=a)["Account"]["AccountType"] == "Team"

    # Strangers, and keys of other accounts.
    every = [("POST", path(a), {"Name": "x.test"}), ("GET", path(a), None), ("GET", path(a, "example.test"), None),
             ("POST", path(a, "example.test") + "?operation=verify", None), ("DELETE", path(a, "example.test"), None)]
    for method, where, body in every:
        refused = ask(method, where, body, prefix="FOREIGN")
        assert refused[:2] == (404, "NotFoundException"), refused
        assert ask(method, where, body, sign=False)[0] == 403, (method, where)
    assert [d["Name"] for d in ask("GET", path(a))[2]["Domains"]] == ["example.test"]
    print(json.dumps({"a": a, "b": b, "name": domain["RecordName"], "value": domain["RecordValue"]}))


def fails(account):
    refused = ask("POST", path(account, "example.test") + "?operation=verify")
    assert refused[:2] == (503, "ServiceUnavailableException"), refused
    assert ask("GET", path(account, "example.test"))[2]["Domain"]["Status"] == "Pending verification"


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"not refused with {code}")


def verified(a, b):
    api = client("chime")
    _, _, answer = ask("GET", path(a, "example.test"))
    assert answer["Domain"]["Status"] == "Verified" and answer["Domain"]["VerifiedTimestamp"], answer
    assert api.get_account(AccountId=a)["Account"]["AccountType"] == "EnterpriseLWA"
    assert ask("POST", path(a, "example.test") + "?operation=verify")[0] == 200, "it stays so"

    # One domain, one account.
    assert ask("POST", path(b, "example.test") + "?operation=verify")[:2] == (409, "ConflictException")
    assert ask("POST", path(b), {"Name": "example.test"})[:2] == (409, "ConflictException")
    assert ask("GET", path(b, "example.test"))[2]["Domain"]["Status"] == "Pending verification"
    assert api.get_account(AccountId=b)["Account"]["AccountType"] == "Team"

    users = {user["DisplayName"]: user["UserId"] for user in api.list_users(AccountId=a)["Users"]}
    api.batch_suspend_user(AccountId=a, UserIdList=[users["bob"]])
    refused("UnprocessableEntityException", api.delete_account, AccountId=a)
    status, _, answer = ask("DELETE", path(a, "example.test"))
    assert (status, answer) == (200, {"ReleasedUsers": 1, "SuspendedUsers": 1}), answer
    assert ask("DELETE", path(a, "example.test"))[:2] == (404, "NotFoundException")
    found = {user["DisplayName"]: user["UserRegistrationStatus"] for user in api.list_users(AccountId=a)["Users"]}
    assert found == {"ada": "Unregistered", "bob": "Suspended", "eve": "Registered"}, found
    api.delete_account(AccountId=a)
    refused("NotFoundException", api.get_account, AccountId=a)
    # The next one may have it now, with its own record.
    assert ask("POST", path(b, "example.test") + "?operation=verify")[:2] == (422, "UnprocessableEntityException")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
