"""Refusals by class, driven by the real boto3: each bound of each member, limits, a throttle, a database that is away.
Run by boto3.rs and postgres.rs: refusals.py CASE.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION.
"""

import functools
import json
import os
import re
import sys
import time

import botocore.session
from botocore.auth import SigV4Auth
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from clients import client, refusal, refused
from directory import SERVICES, arguments, modelled, one_of_everything, sample, send

# Of more members than that the model says a number which no request comes near to.
MOST = 10_000


def unchecked(service):
    """boto3 as it is, but for its own look at bounds: the server is to have the say."""
    return client(service, parameter_validation=False)


def fits(known, value):
    """Whether a value is within the bounds of a shape."""
    if known["type"] == "string":
        size = len(value)
        if "enum" in known and value not in known["enum"]:
            return False
        if "pattern" in known and not re.search(known["pattern"], value):
            return False
    elif known["type"] == "list":
        size = len(value)
    else:
        size = value
    return known.get("min", size) <= size <= known.get("max", size)


def breaches(known, good):
    """Values that break one bound of a shape each; `good` is one that breaks none."""
    least, most = known.get("min"), known.get("max")
    kind = known["type"]
    if kind == "string":
        if "enum" in known:
            yield "enum", "NoSuchWord"
        if most is not None and most <= MOST:
            yield "max", ((good or "x") * (most + 1))[: most + 1]
        if least:
            yield "min", (good or "x")[: least - 1]
        if "pattern" in known:
            for text in ["!", "a b", "\u00fc", "x" * max(least or 1, 3), "-", "%%%%", "\t"]:
                if not re.search(known["pattern"], text) and fits({**known, "pattern": ""}, text):
                    yield "pattern", text
                    break
    elif kind == "list":
        if most is not None and most <= MOST:
            yield "max", good * (most + 1)
        if least:
            yield "min", []
    elif kind in ("integer", "long", "double", "float"):
        if most is not None:
            yield "max", most + 1
        if least is not None:
            yield "min", least - 1


def bounded(model, shape, good, way=()):
    """Every bound below a structure: the way to the member, what is broken, by which value."""
    known = model["shapes"][shape]
    for name, member in known["members"].items():
        inner = model["shapes"][member["shape"]]
        here = way + (name,)
        yield from of_member(model, member, inner, good, here)


def of_member(model, member, inner, good, here):
    # An empty piece of a path is another path.
    in_path = member.get("location") == "uri"
    for rule, value in breaches(inner, sample_of(model, member["shape"], here[-1])):
        if not (in_path and (value == "" or "/" in value)):
            yield here, rule, value, member.get("location")
    if inner["type"] == "structure":
        yield from bounded(model, member["shape"], good, here)
    elif inner["type"] == "list":
        item = model["shapes"][inner["member"]["shape"]]
        each = here + (0,)
        if item["type"] == "structure":
            yield from bounded(model, inner["member"]["shape"], good, each)
        else:
            for rule, value in breaches(item, sample_of(model, inner["member"]["shape"], "")):
                yield each, rule, value, None


def sample_of(model, shape, name):
    if model["shapes"][shape]["type"] in ("structure", "map", "blob", "timestamp", "boolean"):
        return None
    return sample(model, shape, {}, name)


def put(model, shape, values, way, value, names):
    """The request with that value at the end of the way; what is on the way is made."""
    known = model["shapes"][shape]
    first, rest = way[0], way[1:]
    if known["type"] == "list":
        inner = known["member"]["shape"]
        item = values[0] if values else sample(model, inner, names, "")
        return [put(model, inner, item, rest, value, names) if rest else value]
    inner = known["members"][first]["shape"]
    if not rest:
        return {**(values or {}), first: value}
    below = (values or {}).get(first)
    if below is None:
        below = sample(model, inner, names, first)
    return {**(values or {}), first: put(model, inner, below, rest, value, names)}


def name_at(model, shape, way):
    """The name of the shape at the end of the way, if there is one."""
    for step in way:
        known = model["shapes"][shape]
        inner = known.get("member") if step == 0 else known.get("members", {}).get(step)
        if inner is None:
            return None
        shape = inner["shape"]
    return shape


def is_wider(other, name, model, shape, way, value):
    """What two services have in common, by the operation's name or by the shape's, is held to the wider of their bounds."""
    same = other["shapes"].get(name_at(model, shape, way))
    if same and fits(same, value):
        return True
    if name not in other["operations"]:
        return False
    there = name_at(other, other["operations"][name]["input"]["shape"], way)
    return there is None or fits(other["shapes"][there], value)


def every_bound():
    """Each bound that the model sets to a member of an offered operation, broken once, and by the member's name."""
    names = {**one_of_everything(), "CallingCountry": "US", "EmergencyPhoneNumber": "911"}
    loader = botocore.session.get_session().get_component("data_loader")
    models = {service: loader.load_service_model(service, "service-2") for service in SERVICES}
    clients = {service: unchecked(service) for service in SERVICES}
    broken, taken = 0, []
    for service, name, operation, model in modelled():
        if "input" not in operation:
            continue
        shape = operation["input"]["shape"]
        good = arguments(model, operation, names)
        for way, rule, value, location in bounded(model, shape, good):
            others = [other for of, other in models.items() if of != service]
            # A number in a path may be written without its plus, which stands before it when it is looked at.
            if location == "uri" and way == ("PhoneNumberId",):
                continue
            if any(is_wider(other, name, model, shape, way, value) for other in others):
                continue
            values = put(model, shape, good, way, value, names)
            try:
                getattr(clients[service], botocore.xform_name(name))(**values)
            except ClientError as error:
                said = error.response["Error"]
                member = [step for step in way if step != 0][-1]
                well = said["Code"] == "BadRequestException" and member in said["Message"]
                if not well:
                    taken.append((name, way, rule, str(value)[:40], said))
            else:
                taken.append((name, way, rule, str(value)[:40], "was taken"))
            broken += 1
    assert not taken, "\n".join(map(str, taken))
    assert broken > 300, broken
    print(broken, "bounds were broken")


def limits():
    """More than may be: of tags, by each service's name for it, and of what one request may hold."""
    meetings, voice = client("chime-sdk-meetings"), client("chime-sdk-voice")
    meeting = meetings.create_meeting(
        ClientRequestToken="token", MediaRegion="us-east-1", ExternalMeetingId="limits")["Meeting"]
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    arn = meeting["MeetingArn"]
    meetings.tag_resource(ResourceARN=arn, Tags=tags[:50])
    refused("TooManyTagsException", meetings.tag_resource, ResourceARN=arn, Tags=tags[50:])
    kept = meetings.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert kept == tags[:50], kept
    meetings.untag_resource(ResourceARN=arn, TagKeys=["k0"])
    meetings.tag_resource(ResourceARN=arn, Tags=tags[50:])
    trunk = voice.create_voice_connector(Name="t", RequireEncryption=False)["VoiceConnector"]["VoiceConnectorArn"]
    voice.tag_resource(ResourceARN=trunk, Tags=tags[:50])
    said = refusal("ResourceLimitExceededException", voice.tag_resource, ResourceARN=trunk, Tags=tags[50:])
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 400, said
    members_and_domains()


def members_and_domains():
    """A room's 1,000 members, asked for in batches that go beyond them, and an account's 100 domains."""
    chime = client("chime")
    account = chime.create_account(Name="limits")["Account"]["AccountId"]
    for at in range(0, 1050, 50):
        emails = [f"user{number}@example.org" for number in range(at, at + 50)]
        invites = chime.invite_users(AccountId=account, UserEmailList=emails)["Invites"]
        assert {invite["Status"] for invite in invites} == {"Pending"}, invites
    pages = chime.get_paginator("list_users").paginate(AccountId=account)
    users = [user["UserId"] for page in pages for user in page["Users"]]
    room = chime.create_room(AccountId=account, Name="full")["Room"]["RoomId"]
    batch = functools.partial(chime.batch_create_room_membership, AccountId=account, RoomId=room)
    for at in range(0, 980, 49):
        members = [{"MemberId": user} for user in users[at:at + 49]]
        assert batch(MembershipItemList=members)["Errors"] == []
    errors = batch(MembershipItemList=[{"MemberId": user} for user in users[980:1010]])["Errors"]
    assert [error["MemberId"] for error in errors] == users[1000:1010], errors
    assert {error["ErrorCode"] for error in errors} == {"ResourceLimitExceeded"}, errors
    refused("ResourceLimitExceededException", chime.create_room_membership,
            AccountId=account, RoomId=room, MemberId=users[1010])
    chime.delete_room_membership(AccountId=account, RoomId=room, MemberId=users[0])
    chime.create_room_membership(AccountId=account, RoomId=room, MemberId=users[1010])

    key = Credentials(os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"])
    sign = SigV4Auth(key, "chime", os.environ["REGION"]).add_auth
    claim = lambda number: send("POST", f"/campanile/accounts/{account}/domains",
                                json.dumps({"Name": f"d{number}.example.org"}).encode(), sign)
    answers = [claim(number) for number in range(101)]
    assert {status for status, _, _ in answers[:100]} == {200}, answers[0]
    status, error, body = answers[100]
    assert (status, error) == (400, "ResourceLimitExceededException"), (status, error, body)


def throttle():
    """Whoever asks too fast is told so, and where boto3 knows the error for one, its own tries make up for it."""
    brisk = client("chime")
    told = 0
    for _ in range(60):
        try:
            brisk.list_accounts()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottledClientException", error
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429, error
            told += 1
    assert told > 10, told
    meetings = patient("chime-sdk-meetings", "standard")
    meeting = meetings.create_meeting(
        ClientRequestToken="token", MediaRegion="us-east-1", ExternalMeetingId="throttle")["Meeting"]["MeetingId"]
    tries = sum(
        meetings.get_meeting(MeetingId=meeting)["ResponseMetadata"]["RetryAttempts"] for _ in range(25))
    assert tries > 0, tries


def patient(service, mode):
    """boto3 as people have it, with a few tries more."""
    return client(service, retries={"max_attempts": 10, "mode": mode})


def comes_back():
    """The database is away and comes back: a client that tries again, as boto3 does by itself, never notices."""
    refused("ServiceUnavailableException", client("chime").list_accounts)
    chime, begun = patient("chime", "legacy"), time.monotonic()

    def tried(attempts, **_):
        # Only once a try of its own has failed may the database come back.
        if attempts == 1:
            print("away", flush=True)

    chime.meta.events.register("needs-retry.chime", tried)
    made = chime.create_account(Name="late")
    tries = made["ResponseMetadata"]["RetryAttempts"]
    assert tries >= 1, made
    listed = client("chime").list_accounts(Name="late")["Accounts"]
    assert [account["AccountId"] for account in listed] == [made["Account"]["AccountId"]], listed
    print("back after", tries, "tries and", round(time.monotonic() - begun, 1), "seconds")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
