"""Lists in pages, to their ends, through the real boto3. Run by boto3.rs: lists.py CASE.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION.
"""

import os
import sys

from clients import client, refused
from directory import SERVICES


def pages():
    chime = client("chime")
    account = chime.create_account(Name="many")["Account"]["AccountId"]
    names = [f"user {n:04} Žofia Größe 王秀英 🎈" for n in range(1000)]
    for name in names:
        chime.create_user(AccountId=account, Username=name)
    for size in (7, 100, 200):
        pages = chime.get_paginator("list_users").paginate(AccountId=account, PaginationConfig={"PageSize": size})
        pages = list(pages)
        assert len(pages) == -(-1000 // size), (size, len(pages))
        assert [u["DisplayName"] for page in pages for u in page["Users"]] == names
    token = chime.list_users(AccountId=account, MaxResults=5)["NextToken"]
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    refused("BadRequestException", chime.list_users, AccountId=other, NextToken=token)
    changed = ("B" if token[0] != "B" else "C") + token[1:]
    refused("BadRequestException", chime.list_users, AccountId=account, NextToken=changed)
    refused("BadRequestException", chime.list_users, AccountId=account, NextToken="made up")


def second_pages():
    """Every list that comes in pages, one thing on each, to its end: all that is there, and each once."""
    chime, voice, meetings = (client(service) for service in SERVICES)
    account = chime.create_account(Name="pages")["Account"]["AccountId"]
    for name in ("one", "two"):
        chime.create_account(Name=name)
    users = [chime.create_user(AccountId=account, Username=name)["User"]["UserId"] for name in "abc"]
    room = [chime.create_room(AccountId=account, Name=name)["Room"]["RoomId"] for name in "abc"][0]
    for user in users:
        chime.create_room_membership(AccountId=account, RoomId=room, MemberId=user)
    for number in ("+12065550100", "+12065550101", "+12065550102"):
        voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[number])
    trunks = [voice.create_voice_connector(Name=name, RequireEncryption=True)["VoiceConnector"] for name in "abc"]
    for trunk in trunks:
        items = [{"VoiceConnectorId": trunk["VoiceConnectorId"], "Priority": 1}]
        voice.create_voice_connector_group(Name=trunk["Name"], VoiceConnectorItems=items)
    wish = {"ClientRequestToken": "pages", "MediaRegion": os.environ["REGION"], "ExternalMeetingId": "pages"}
    attendees = [{"ExternalUserId": name} for name in ("ada", "bob", "eve")]
    meeting = meetings.create_meeting_with_attendees(**wish, Attendees=attendees)["Meeting"]["MeetingId"]
    lists = [
        (chime.list_accounts, "Accounts", "AccountId", {}),
        (chime.list_users, "Users", "UserId", {"AccountId": account}),
        (chime.list_rooms, "Rooms", "RoomId", {"AccountId": account}),
        (chime.list_room_memberships, "RoomMemberships", "Member", {"AccountId": account, "RoomId": room}),
        (voice.list_voice_connectors, "VoiceConnectors", "VoiceConnectorId", {}),
        (voice.list_voice_connector_groups, "VoiceConnectorGroups", "VoiceConnectorGroupId", {}),
        (meetings.list_attendees, "Attendees", "AttendeeId", {"MeetingId": meeting}),
    ]
    for service in (chime, voice):
        lists.append((service.list_phone_numbers, "PhoneNumbers", "PhoneNumberId", {}))
        lists.append((service.list_phone_number_orders, "PhoneNumberOrders", "PhoneNumberOrderId", {}))
    for listing, member, ident, about in lists:
        whole = listing(**about)
        assert "NextToken" not in whole and len(whole[member]) >= 3, (member, whole)
        seen, token = [], {}
        while token is not None:
            page = listing(**about, **token, MaxResults=1)
            seen += page[member]
            token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
            assert len(page[member]) == 1 and len(seen) <= len(whole[member]), (member, page)
        assert [thing[ident] for thing in seen] == [thing[ident] for thing in whole[member]], member


if __name__ == "__main__":
    globals()[sys.argv[1]]()
