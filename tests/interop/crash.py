"""A stream of writes by boto3 that ends when the server is killed, and what of it is there afterwards. Run by crash.rs:
crash.py CASE.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION.
"""

import functools
import json
import os
import sys
import urllib.parse
import uuid

from botocore.auth import SigV4Auth
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from clients import client
from directory import SERVICES, send


def write_until_the_end():
    """Makes users, meetings and orders until the server is gone, and tells of each one that was acknowledged."""
    chime, voice, meetings = (client(service) for service in SERVICES)
    account = chime.list_accounts(Name="writes")["Accounts"] or [chime.create_account(Name="writes")["Account"]]
    account = account[0]["AccountId"]
    print("ready", flush=True)
    try:
        while True:
            user = chime.create_user(AccountId=account, Username="somebody")["User"]["UserId"]
            print("user", user, flush=True)
            made = meetings.create_meeting_with_attendees(
                ClientRequestToken=str(uuid.uuid4()), MediaRegion="us-east-1", ExternalMeetingId="writes",
                Attendees=[{"ExternalUserId": name} for name in ("ada", "bob", "eve")])
            print("meeting", made["Meeting"]["MeetingId"], flush=True)
            free = voice.search_available_phone_numbers(AreaCode="206", MaxResults=3)["E164PhoneNumbers"]
            made = voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=free)
            print("order", made["PhoneNumberOrder"]["PhoneNumberOrderId"], flush=True)
    except BotoCoreError:
        # Refused, cut off, or half an answer: what was not acknowledged may be there or not.
        return


def all_that_was_acknowledged():
    """Every line of standard input is there, and of what nobody was told of, all or nothing."""
    chime, voice, meetings = (client(service) for service in SERVICES)
    account = chime.list_accounts(Name="writes")["Accounts"][0]["AccountId"]
    told = {"user": set(), "meeting": set(), "order": set()}
    for line in sys.stdin:
        kind, ident = line.split()
        told[kind].add(ident)
    assert all(told.values()), told

    listing = functools.partial(chime.list_users, AccountId=account)
    users = {user["UserId"] for user in all_pages(listing, "Users")}
    assert told["user"] <= users, told["user"] - users
    found = {meeting["MeetingId"] for meeting in running()}
    assert told["meeting"] <= found, told["meeting"] - found
    for ident in found:
        attendees = meetings.list_attendees(MeetingId=ident)["Attendees"]
        assert sorted(a["ExternalUserId"] for a in attendees) == ["ada", "bob", "eve"], (ident, attendees)
    orders = all_pages(chime.list_phone_number_orders, "PhoneNumberOrders")
    assert told["order"] <= {order["PhoneNumberOrderId"] for order in orders}, told["order"]
    assert {(order["Status"], len(order["OrderedPhoneNumbers"])) for order in orders} == {("Successful", 3)}, orders
    ordered = sorted(number["E164PhoneNumber"] for order in orders for number in order["OrderedPhoneNumbers"])
    numbers = sorted(number["E164PhoneNumber"] for number in all_pages(chime.list_phone_numbers, "PhoneNumbers"))
    assert ordered == numbers, set(ordered) ^ set(numbers)
    untold = {"user": len(users), "meeting": len(found), "order": len(orders)}
    print(", ".join(f"{count} of {kind}s ({len(told[kind])} acknowledged)" for kind, count in untold.items()))


def all_pages(listing, member):
    """What a list has that boto3 knows no pages of by itself."""
    found, token = [], {}
    while token is not None:
        page = listing(MaxResults=99, **token)
        found += page[member]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    return found


def running():
    """All meetings that run, which boto3 has no operation for."""
    key = Credentials(os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"])

    def listing(MaxResults, NextToken=""):
        query = urllib.parse.urlencode({"max-results": MaxResults, **({"next-token": NextToken} if NextToken else {})})
        sign = SigV4Auth(key, "chime", os.environ["REGION"]).add_auth
        status, _, body = send("GET", f"/campanile/meetings?{query}", sign=sign)
        assert status == 200, body
        return json.loads(body)

    return all_pages(listing, "Meetings")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
