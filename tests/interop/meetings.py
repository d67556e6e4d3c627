"""The meetings API through the real boto3, unmodified. Run by boto3.rs: meetings.py CASE.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION.
"""

import os
import sys
import uuid

from botocore.exceptions import ClientError

import clients


def client(secret=None, region=None):
    return clients.client("chime-sdk-meetings", secret=secret, region=region)


def new_meeting(chime, token=None, **more):
    return chime.create_meeting(
        ClientRequestToken=token or str(uuid.uuid4()),
        MediaRegion=os.environ["REGION"],
        ExternalMeetingId="interop",
        **more,
    )["Meeting"]


def refused(call, *classes):
    try:
        call()
    except ClientError as error:
        name = error.response["Error"]["Code"]
        assert name in classes, f"{name}: {error}"
        assert error.response["Error"]["Message"], "an error without a message"
        return error
    raise AssertionError(f"not refused with {classes}")


def create_and_get():
    chime = client()
    meeting = new_meeting(chime)
    assert meeting["ExternalMeetingId"] == "interop"
    assert meeting["MediaRegion"] == os.environ["REGION"]
    placement = meeting["MediaPlacement"]
    assert placement["SignalingUrl"].startswith("wss://"), placement
    assert "?" not in placement["SignalingUrl"], placement
    assert placement["AudioHostUrl"], placement
    again = chime.get_meeting(MeetingId=meeting["MeetingId"])["Meeting"]
    assert again == meeting, (again, meeting)


def create_is_idempotent_by_token():
    chime = client()
    token = str(uuid.uuid4())
    first, second, other = new_meeting(chime, token), new_meeting(chime, token), new_meeting(chime)
    assert first["MeetingId"] == second["MeetingId"]
    assert first["MeetingId"] != other["MeetingId"]


def attendees():
    chime = client()
    meeting = new_meeting(chime)["MeetingId"]
    ada = chime.create_attendee(MeetingId=meeting, ExternalUserId="ada")["Attendee"]
    bob = chime.create_attendee(MeetingId=meeting, ExternalUserId="bob")["Attendee"]
    assert ada["ExternalUserId"] == "ada" and ada["AttendeeId"] != bob["AttendeeId"]
    assert ada["JoinToken"] != bob["JoinToken"]
    # The token travels as a WebSocket sub-protocol, so it must be an HTTP token (RFC 9110 section 5.6.2).
    assert not set(ada["JoinToken"]) & set('=/,: ";'), ada["JoinToken"]


def meeting_with_attendees():
    chime = client()
    answer = chime.create_meeting_with_attendees(
        ClientRequestToken=str(uuid.uuid4()),
        MediaRegion=os.environ["REGION"],
        ExternalMeetingId="together",
        Attendees=[{"ExternalUserId": name} for name in ("ada", "bob", "cyd")],
    )
    names = sorted(attendee["ExternalUserId"] for attendee in answer["Attendees"])
    assert names == ["ada", "bob", "cyd"], names
    assert answer["Errors"] == [], answer["Errors"]
    assert chime.get_meeting(MeetingId=answer["Meeting"]["MeetingId"])["Meeting"]["ExternalMeetingId"] == "together"


def delete():
    chime = client()
    meeting = new_meeting(chime)["MeetingId"]
    chime.delete_meeting(MeetingId=meeting)
    refused(lambda: chime.get_meeting(MeetingId=meeting), "NotFoundException")
    refused(lambda: chime.create_attendee(MeetingId=meeting, ExternalUserId="late"), "NotFoundException")
    refused(lambda: chime.delete_meeting(MeetingId=meeting), "NotFoundException")


def unknown_meeting():
    chime = client()
    refused(lambda: chime.get_meeting(MeetingId=str(uuid.uuid4())), "NotFoundException")


def wrong_secret():
    chime = client(secret="not-the-secret")
    error = refused(lambda: new_meeting(chime), "ForbiddenException", "InvalidSignatureException")
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (401, 403)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
