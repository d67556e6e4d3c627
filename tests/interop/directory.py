"""Accounts, users, rooms, numbers, connectors through the real boto3, unmodified, and through the aws command line.
Run by boto3.rs: directory.py CASE.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION.
"""

import datetime
import functools
import http.client
import json
import os
import re
import ssl
import sys
import time
import uuid

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

import clients
from clients import refused

SERVICES = ["chime", "chime-sdk-voice", "chime-sdk-meetings"]


# What `client` makes instead, where that is wanted.
INSTEAD_OF_BOTO3 = None


def client(service, key=None, secret=None, prefix=""):
    if INSTEAD_OF_BOTO3:
        return INSTEAD_OF_BOTO3(service, key or os.environ["ACCESS_KEY"], secret or os.environ["SECRET_KEY"], prefix)
    return clients.client(service, key, secret, prefix=prefix)


def without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def accounts():
    chime = client("chime")
    made = chime.create_account(Name="Größe & Söhne")["Account"]
    assert made["AccountType"] == "Team" and made["Name"] == "Größe & Söhne", made
    assert isinstance(made["CreatedTimestamp"], datetime.datetime)
    ident = made["AccountId"]
    assert chime.get_account(AccountId=ident)["Account"] == made
    assert chime.get_account(AccountId=ident.upper())["Account"] == made
    renamed = chime.update_account(AccountId=ident, Name="Other", DefaultLicense="Basic")["Account"]
    assert (renamed["Name"], renamed["DefaultLicense"]) == ("Other", "Basic")
    assert chime.update_account(AccountId=ident)["Account"] == renamed
    assert [a["AccountId"] for a in chime.list_accounts(Name="Other")["Accounts"]] == [ident]
    assert chime.list_accounts(Name="Nobody's")["Accounts"] == []
    chime.create_user(AccountId=ident, Email="Ada@Example.org")
    assert [a["AccountId"] for a in chime.list_accounts(UserEmail="ada@example.org")["Accounts"]] == [ident]
    chime.update_account_settings(AccountId=ident, AccountSettings={"DisableRemoteControl": True})
    settings = chime.get_account_settings(AccountId=ident)["AccountSettings"]
    assert settings == {"DisableRemoteControl": True, "EnableDialOut": True}, settings
    chime.associate_signin_delegate_groups_with_account(
        AccountId=ident, SigninDelegateGroups=[{"GroupName": "a"}, {"GroupName": "b"}])
    chime.disassociate_signin_delegate_groups_from_account(AccountId=ident, GroupNames=["a", "c"])
    assert chime.get_account(AccountId=ident)["Account"]["SigninDelegateGroups"] == [{"GroupName": "b"}]
    assert "RetentionSettings" not in chime.get_retention_settings(AccountId=ident)
    wish = {"RoomRetentionSettings": {"RetentionDays": 30}}
    put = chime.put_retention_settings(AccountId=ident, RetentionSettings=wish)
    got = without_metadata(chime.get_retention_settings(AccountId=ident))
    gone = got["InitiateDeletionTimestamp"] - datetime.datetime.now(datetime.timezone.utc)
    assert got["RetentionSettings"] == wish and 29 <= gone.days <= 30, (put, got)
    refused("UnprocessableEntityException", chime.delete_account, AccountId=ident)
    user = chime.list_users(AccountId=ident)["Users"][0]["UserId"]
    # A team lets go whom it suspends.
    assert chime.batch_suspend_user(AccountId=ident, UserIdList=[user])["UserErrors"] == []
    chime.delete_account(AccountId=ident)
    refused("NotFoundException", chime.get_account, AccountId=ident)
    refused("NotFoundException", chime.delete_account, AccountId=ident)


def users():
    chime = client("chime")
    account = chime.create_account(Name="users")["Account"]["AccountId"]
    ada = chime.create_user(AccountId=account, Username="Ada", Email="Ada@example.org")["User"]
    assert ada["PrimaryEmail"] == "ada@example.org" and ada["DisplayName"] == "Ada", ada
    assert ada["UserRegistrationStatus"] == "Registered" and ada["LicenseType"] == "Pro"
    refused("ConflictException", chime.create_user, AccountId=account, Email="ADA@example.org")
    refused("BadRequestException", chime.create_user, AccountId=account)
    device = chime.create_user(AccountId=account, Username="Room 1", UserType="SharedDevice")["User"]
    other = chime.create_user(AccountId=account, Username="Room 2", UserType="SharedDevice")["User"]
    assert "PrimaryEmail" not in device and device["PersonalPIN"] != other["PersonalPIN"]
    invites = chime.invite_users(AccountId=account, UserEmailList=["bob@example.org", "ada@example.org"])["Invites"]
    assert [i["Status"] for i in invites] == ["Pending", "Failed"], invites
    assert [i["EmailStatus"] for i in invites] == ["NotSent", "NotSent"]
    listed = chime.list_users(AccountId=account)["Users"]
    assert [u.get("PrimaryEmail") for u in listed] == ["ada@example.org", None, None, "bob@example.org"], listed
    found = chime.list_users(AccountId=account, UserEmail="BOB@example.org")["Users"]
    assert [u["UserInvitationStatus"] for u in found] == ["Pending"]
    assert len(chime.list_users(AccountId=account, UserType="SharedDevice")["Users"]) == 2
    ident = ada["UserId"]
    got = chime.get_user(AccountId=account, UserId=ident)["User"]
    assert got == ada, (got, ada)
    changed = chime.update_user(AccountId=account, UserId=ident, LicenseType="Basic")["User"]
    assert changed == {**ada, "LicenseType": "Basic"}
    errors = chime.batch_update_user(AccountId=account, UpdateUserRequestItems=[
        {"UserId": ident, "LicenseType": "Pro"}, {"UserId": "nobody", "LicenseType": "Pro"}])["UserErrors"]
    assert [(e["UserId"], e["ErrorCode"]) for e in errors] == [("nobody", "NotFound")], errors
    assert chime.reset_personal_pin(AccountId=account, UserId=ident)["User"]["PersonalPIN"] != ada["PersonalPIN"]
    chime.logout_user(AccountId=account, UserId=ident)
    refused("NotFoundException", chime.logout_user, AccountId=account, UserId="nobody")
    off = {"InboundCalling": False, "OutboundCalling": False, "SMS": False}
    assert chime.get_user_settings(AccountId=account, UserId=ident)["UserSettings"] == {"Telephony": off}
    on = {"InboundCalling": True, "OutboundCalling": True, "SMS": False}
    chime.update_user_settings(AccountId=account, UserId=ident, UserSettings={"Telephony": on})
    assert chime.get_user_settings(AccountId=account, UserId=ident)["UserSettings"] == {"Telephony": on}
    errors = chime.batch_unsuspend_user(AccountId=account, UserIdList=[ident])["UserErrors"]
    assert [e["ErrorCode"] for e in errors] == ["Forbidden"], errors
    refused("NotFoundException", chime.get_user, AccountId=account, UserId="nobody")
    elsewhere = chime.create_account(Name="elsewhere")["Account"]["AccountId"]
    refused("NotFoundException", chime.get_user, AccountId=elsewhere, UserId=ident)


def rooms():
    chime = client("chime")
    account = chime.create_account(Name="rooms")["Account"]["AccountId"]
    people = [chime.create_user(AccountId=account, Username=name)["User"]["UserId"] for name in "abc"]
    made = chime.create_room(AccountId=account, Name="Räume", ClientRequestToken="token-1")["Room"]
    again = chime.create_room(AccountId=account, Name="Räume", ClientRequestToken="token-1")["Room"]
    assert again == made
    refused("BadRequestException", chime.create_room, AccountId=account, Name="Other", ClientRequestToken="token-1")
    room = made["RoomId"]
    assert chime.get_room(AccountId=account, RoomId=room)["Room"] == made
    assert chime.update_room(AccountId=account, RoomId=room, Name="New")["Room"]["Name"] == "New"
    first = chime.create_room_membership(AccountId=account, RoomId=room, MemberId=people[0], Role="Administrator")
    assert first["RoomMembership"]["Role"] == "Administrator", first
    refused("ConflictException", chime.create_room_membership, AccountId=account, RoomId=room, MemberId=people[0])
    errors = chime.batch_create_room_membership(AccountId=account, RoomId=room, MembershipItemList=[
        {"MemberId": people[0]}, {"MemberId": people[1]}, {"MemberId": "nobody"}])["Errors"]
    assert [e["ErrorCode"] for e in errors] == ["Conflict", "NotFound"], errors
    members = chime.list_room_memberships(AccountId=account, RoomId=room)["RoomMemberships"]
    assert [(m["Member"]["FullName"], m["Role"]) for m in members] == [("a", "Administrator"), ("b", "Member")]
    updated = chime.update_room_membership(
        AccountId=account, RoomId=room, MemberId=people[1], Role="Administrator")["RoomMembership"]
    assert updated["Role"] == "Administrator"
    other = chime.create_room(AccountId=account, Name="other")["Room"]["RoomId"]
    assert [r["RoomId"] for r in chime.list_rooms(AccountId=account)["Rooms"]] == [room, other]
    assert [r["RoomId"] for r in chime.list_rooms(AccountId=account, MemberId=people[1])["Rooms"]] == [room]
    chime.delete_room_membership(AccountId=account, RoomId=room, MemberId=people[1])
    refused("NotFoundException", chime.delete_room_membership, AccountId=account, RoomId=room, MemberId=people[1])
    chime.delete_room(AccountId=account, RoomId=room)
    refused("NotFoundException", chime.get_room, AccountId=account, RoomId=room)


def numbers():
    chime, voice = client("chime"), client("chime-sdk-voice")
    found = voice.search_available_phone_numbers(AreaCode="206", MaxResults=3)
    assert found["E164PhoneNumbers"] == [f"+1206555010{n}" for n in range(3)], found
    more = voice.search_available_phone_numbers(AreaCode="206", MaxResults=3, NextToken=found["NextToken"])
    assert more["E164PhoneNumbers"] == [f"+1206555010{n}" for n in range(3, 6)], more
    assert voice.search_available_phone_numbers(City="Seattle", State="WA", MaxResults=1)["E164PhoneNumbers"]
    assert voice.search_available_phone_numbers(TollFreePrefix="844")["E164PhoneNumbers"] == ["+18445550100"]
    assert voice.search_available_phone_numbers(AreaCode="999")["E164PhoneNumbers"] == []
    countries = voice.list_supported_phone_number_countries(ProductType="VoiceConnector")["PhoneNumberCountries"]
    assert countries == [{"CountryCode": "US", "SupportedPhoneNumberTypes": ["Local", "TollFree"]}], countries
    order = voice.create_phone_number_order(
        ProductType="VoiceConnector", E164PhoneNumbers=["+12065550100", "+12065550101", "+19995550100"])
    order = order["PhoneNumberOrder"]
    assert order["Status"] == "Partial", order
    assert [n["Status"] for n in order["OrderedPhoneNumbers"]] == ["Acquired", "Acquired", "Failed"]
    assert voice.get_phone_number_order(PhoneNumberOrderId=order["PhoneNumberOrderId"])["PhoneNumberOrder"] == order
    assert voice.list_phone_number_orders()["PhoneNumberOrders"] == [order]
    again = voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=["+12065550100"])
    assert again["PhoneNumberOrder"]["Status"] == "Failed"
    assert "+12065550100" not in voice.search_available_phone_numbers(AreaCode="206")["E164PhoneNumbers"]
    number = voice.get_phone_number(PhoneNumberId="+12065550100")["PhoneNumber"]
    assert number["Status"] == "Unassigned" and number["Country"] == "US", number
    assert chime.get_phone_number(PhoneNumberId="+12065550100")["PhoneNumber"]["E164PhoneNumber"] == "+12065550100"
    refused("NotFoundException", voice.get_phone_number, PhoneNumberId="+12065550109")
    changed = voice.update_phone_number(PhoneNumberId="+12065550100", CallingName="Front desk", Name="desk")
    assert changed["PhoneNumber"]["CallingName"] == "Front desk"
    said = refused("BadRequestException", voice.update_phone_number, PhoneNumberId="+12065550100", CallingName="Other")
    assert "seven days" in said
    refused("BadRequestException", voice.update_phone_number, PhoneNumberId="+12065550101", CallingName="x" * 16)
    voice.update_phone_number_settings(CallingName="Campanile")
    assert voice.get_phone_number_settings()["CallingName"] == "Campanile"
    refused("BadRequestException", voice.update_phone_number_settings, CallingName="Another")
    errors = voice.batch_update_phone_number(UpdatePhoneNumberRequestItems=[
        {"PhoneNumberId": "+12065550101", "ProductType": "BusinessCalling"},
        {"PhoneNumberId": "+12065550109", "ProductType": "BusinessCalling"}])["PhoneNumberErrors"]
    assert [e["ErrorCode"] for e in errors] == ["NotFound"], errors
    # To a user and back.
    account = chime.create_account(Name="numbers")["Account"]["AccountId"]
    user = chime.create_user(AccountId=account, Username="Ada")["User"]["UserId"]
    refused("ForbiddenException", chime.associate_phone_number_with_user,
            AccountId=account, UserId=user, E164PhoneNumber="+12065550100")
    chime.associate_phone_number_with_user(AccountId=account, UserId=user, E164PhoneNumber="+12065550101")
    got = chime.get_user(AccountId=account, UserId=user)["User"]
    assert got["PrimaryProvisionedNumber"] == "+12065550101", got
    number = chime.get_phone_number(PhoneNumberId="+12065550101")["PhoneNumber"]
    assert number["Status"] == "Assigned", number
    assert {a["Name"]: a["Value"] for a in number["Associations"]} == {"AccountId": account, "UserId": user}
    for name, value in [("AccountId", account), ("UserId", user)]:
        listed = chime.list_phone_numbers(FilterName=name, FilterValue=value)["PhoneNumbers"]
        assert [n["E164PhoneNumber"] for n in listed] == ["+12065550101"]
    refused("ForbiddenException", chime.delete_phone_number, PhoneNumberId="+12065550101")
    chime.disassociate_phone_number_from_user(AccountId=account, UserId=user)
    # The queue of deleted numbers.
    chime.delete_phone_number(PhoneNumberId="+12065550101")
    listed = chime.list_phone_numbers(Status="DeleteInProgress")["PhoneNumbers"]
    assert [n["E164PhoneNumber"] for n in listed] == ["+12065550101"] and listed[0]["DeletionTimestamp"]
    assert "+12065550101" not in [n["E164PhoneNumber"] for n in chime.list_phone_numbers()["PhoneNumbers"]]
    assert "+12065550101" not in voice.search_available_phone_numbers(AreaCode="206")["E164PhoneNumbers"]
    restored = chime.restore_phone_number(PhoneNumberId="+12065550101")["PhoneNumber"]
    assert restored["Status"] == "Unassigned", restored
    refused("BadRequestException", chime.restore_phone_number, PhoneNumberId="+12065550101")
    errors = chime.batch_delete_phone_number(PhoneNumberIds=["+12065550101", "+12065550109"])["PhoneNumberErrors"]
    assert [e["PhoneNumberId"] for e in errors] == ["+12065550109"], errors


def connectors():
    voice = client("chime-sdk-voice")
    made = voice.create_voice_connector(Name="Trunk 1", RequireEncryption=True, Tags=[{"Key": "k", "Value": "v"}])
    made = made["VoiceConnector"]
    ident = made["VoiceConnectorId"]
    assert made["OutboundHostName"].startswith(ident + ".voiceconnector."), made
    assert voice.get_voice_connector(VoiceConnectorId=ident)["VoiceConnector"] == made
    assert ident in [c["VoiceConnectorId"] for c in voice.list_voice_connectors()["VoiceConnectors"]]
    updated = voice.update_voice_connector(VoiceConnectorId=ident, Name="Trunk", RequireEncryption=False)
    assert updated["VoiceConnector"]["RequireEncryption"] is False
    assert "us-east-1" in voice.list_available_voice_connector_regions()["VoiceConnectorRegions"]
    # What is set for it: each is put, read, and taken away again.
    settings = {
        "termination": ("Termination", {
            "CpsLimit": 1, "CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/28"], "Disabled": False}),
        "origination": ("Origination", {"Disabled": False, "Routes": [
            {"Host": "pbx.example.org", "Port": 5061, "Protocol": "TCP", "Priority": 1, "Weight": 1}]}),
        "streaming_configuration": ("StreamingConfiguration", {"DataRetentionInHours": 24, "Disabled": False}),
    }
    for name, (member, value) in settings.items():
        get = getattr(voice, f"get_voice_connector_{name}")
        refused("NotFoundException", get, VoiceConnectorId=ident)
        put = getattr(voice, f"put_voice_connector_{name}")
        assert put(**{"VoiceConnectorId": ident, member: value})[member] == value
        assert get(VoiceConnectorId=ident)[member] == value
        getattr(voice, f"delete_voice_connector_{name}")(VoiceConnectorId=ident)
        refused("NotFoundException", get, VoiceConnectorId=ident)
    # Emergency calls need both ways, and go before one of these does.
    emergency = {"VoiceConnectorId": ident, "EmergencyCallingConfiguration": {"DNIS": [
        {"EmergencyPhoneNumber": "+12065550199", "CallingCountry": "US"}]}}
    refused("NotFoundException", voice.get_voice_connector_emergency_calling_configuration, VoiceConnectorId=ident)
    refused("BadRequestException", voice.put_voice_connector_emergency_calling_configuration, **emergency)
    voice.put_voice_connector_termination(VoiceConnectorId=ident, Termination=settings["termination"][1])
    voice.put_voice_connector_origination(VoiceConnectorId=ident, Origination=settings["origination"][1])
    put = voice.put_voice_connector_emergency_calling_configuration(**emergency)
    assert put["EmergencyCallingConfiguration"] == emergency["EmergencyCallingConfiguration"]
    got = voice.get_voice_connector_emergency_calling_configuration(VoiceConnectorId=ident)
    assert got["EmergencyCallingConfiguration"] == emergency["EmergencyCallingConfiguration"]
    refused("BadRequestException", voice.delete_voice_connector_termination, VoiceConnectorId=ident)
    refused("BadRequestException", voice.put_voice_connector_origination, VoiceConnectorId=ident,
            Origination={"Disabled": True})
    voice.delete_voice_connector_emergency_calling_configuration(VoiceConnectorId=ident)
    voice.delete_voice_connector_termination(VoiceConnectorId=ident)
    voice.delete_voice_connector_origination(VoiceConnectorId=ident)
    systems = {"SessionBorderControllerTypes": ["RIBBON_SBC"], "ContactCenterSystemTypes": []}
    voice.put_voice_connector_external_systems_configuration(VoiceConnectorId=ident, **systems)
    got = voice.get_voice_connector_external_systems_configuration(VoiceConnectorId=ident)
    assert got["ExternalSystemsConfiguration"] == systems, got
    voice.delete_voice_connector_external_systems_configuration(VoiceConnectorId=ident)
    logs = voice.get_voice_connector_logging_configuration(VoiceConnectorId=ident)["LoggingConfiguration"]
    assert logs == {"EnableSIPLogs": False, "EnableMediaMetricLogs": False}
    logs = {"EnableSIPLogs": True, "EnableMediaMetricLogs": True}
    voice.put_voice_connector_logging_configuration(VoiceConnectorId=ident, LoggingConfiguration=logs)
    assert voice.get_voice_connector_logging_configuration(VoiceConnectorId=ident)["LoggingConfiguration"] == logs
    said = refused("BadRequestException", voice.put_voice_connector_termination, VoiceConnectorId=ident,
                   Termination={"CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/28", "everywhere"]})
    assert said.startswith("Termination.CidrAllowedList.2: "), said
    voice.put_voice_connector_termination_credentials(VoiceConnectorId=ident, Credentials=[
        {"Username": "b", "Password": "secret-b"}, {"Username": "a", "Password": "secret-a"}])
    names = voice.list_voice_connector_termination_credentials(VoiceConnectorId=ident)["Usernames"]
    assert names == ["a", "b"], names
    voice.delete_voice_connector_termination_credentials(VoiceConnectorId=ident, Usernames=["a"])
    assert voice.list_voice_connector_termination_credentials(VoiceConnectorId=ident)["Usernames"] == ["b"]
    # Numbers on it, and on a group.
    both = ["+12065550110", "+12065550111"]
    voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=both)
    done = voice.associate_phone_numbers_with_voice_connector(
        VoiceConnectorId=ident, E164PhoneNumbers=both + ["+12065550119"])
    assert [e["ErrorCode"] for e in done["PhoneNumberErrors"]] == ["NotFound"], done
    refused("ConflictException", voice.delete_voice_connector, VoiceConnectorId=ident)
    items = [{"VoiceConnectorId": ident, "Priority": 1}]
    group = voice.create_voice_connector_group(Name="group", VoiceConnectorItems=items)["VoiceConnectorGroup"]
    gid = group["VoiceConnectorGroupId"]
    assert voice.get_voice_connector_group(VoiceConnectorGroupId=gid)["VoiceConnectorGroup"] == group
    assert voice.list_voice_connector_groups()["VoiceConnectorGroups"] == [group]
    refused("NotFoundException", voice.create_voice_connector_group, Name="x",
            VoiceConnectorItems=[{"VoiceConnectorId": "a" * 22, "Priority": 1}])
    taken = voice.associate_phone_numbers_with_voice_connector_group(VoiceConnectorGroupId=gid, E164PhoneNumbers=both)
    assert [e["ErrorCode"] for e in taken["PhoneNumberErrors"]] == ["Forbidden", "Forbidden"], taken
    forced = voice.associate_phone_numbers_with_voice_connector_group(
        VoiceConnectorGroupId=gid, E164PhoneNumbers=both, ForceAssociate=True)
    assert forced["PhoneNumberErrors"] == []
    refused("ConflictException", voice.delete_voice_connector, VoiceConnectorId=ident)
    refused("ConflictException", voice.delete_voice_connector_group, VoiceConnectorGroupId=gid)
    done = voice.disassociate_phone_numbers_from_voice_connector_group(VoiceConnectorGroupId=gid, E164PhoneNumbers=both)
    assert done["PhoneNumberErrors"] == []
    done = voice.disassociate_phone_numbers_from_voice_connector(VoiceConnectorId=ident, E164PhoneNumbers=both)
    assert [e["ErrorCode"] for e in done["PhoneNumberErrors"]] == ["NotFound", "NotFound"], done
    updated = voice.update_voice_connector_group(VoiceConnectorGroupId=gid, Name="empty", VoiceConnectorItems=[])
    assert updated["VoiceConnectorGroup"]["VoiceConnectorItems"] == []
    voice.delete_voice_connector_group(VoiceConnectorGroupId=gid)
    voice.delete_voice_connector(VoiceConnectorId=ident)
    refused("NotFoundException", voice.get_voice_connector, VoiceConnectorId=ident)


def attendees_and_tags():
    meetings, voice = client("chime-sdk-meetings"), client("chime-sdk-voice")
    meeting = meetings.create_meeting(
        ClientRequestToken="token", MediaRegion="us-east-1", ExternalMeetingId="tags",
        MeetingFeatures={"Video": {"MaxResolution": "None"}})["Meeting"]
    ident = meeting["MeetingId"]
    may = {"Audio": "SendReceive", "Video": "SendReceive", "Content": "None"}
    batch = meetings.batch_create_attendee(MeetingId=ident, Attendees=[
        {"ExternalUserId": "ada"}, {"ExternalUserId": "bob"}, {"ExternalUserId": "eve", "Capabilities": may}])
    assert [a["ExternalUserId"] for a in batch["Attendees"]] == ["ada", "bob"], batch
    assert [e["ExternalUserId"] for e in batch["Errors"]] == ["eve"], batch
    ada, bob = (a["AttendeeId"] for a in batch["Attendees"])
    assert meetings.get_attendee(MeetingId=ident, AttendeeId=ada)["Attendee"] == batch["Attendees"][0]
    listed = meetings.list_attendees(MeetingId=ident, MaxResults=1)
    rest = meetings.list_attendees(MeetingId=ident, MaxResults=1, NextToken=listed["NextToken"])
    assert "NextToken" not in rest
    assert {a["AttendeeId"] for a in listed["Attendees"] + rest["Attendees"]} == {ada, bob}
    mute = {"Audio": "Receive", "Video": "None", "Content": "None"}
    updated = meetings.update_attendee_capabilities(MeetingId=ident, AttendeeId=ada, Capabilities=mute)["Attendee"]
    assert updated["Capabilities"] == mute
    refused("BadRequestException", meetings.update_attendee_capabilities,
            MeetingId=ident, AttendeeId=ada, Capabilities=may)
    none = {"Audio": "None", "Video": "None", "Content": "None"}
    meetings.batch_update_attendee_capabilities_except(
        MeetingId=ident, ExcludedAttendeeIds=[{"AttendeeId": ada}], Capabilities=none)
    assert meetings.get_attendee(MeetingId=ident, AttendeeId=ada)["Attendee"]["Capabilities"] == mute
    assert meetings.get_attendee(MeetingId=ident, AttendeeId=bob)["Attendee"]["Capabilities"] == none
    meetings.delete_attendee(MeetingId=ident, AttendeeId=bob)
    refused("NotFoundException", meetings.get_attendee, MeetingId=ident, AttendeeId=bob)
    refused("NotFoundException", meetings.delete_attendee, MeetingId=ident, AttendeeId=bob)
    trunk = voice.create_voice_connector(Name="tags", RequireEncryption=True)["VoiceConnector"]
    for service, arn in [(meetings, meeting["MeetingArn"]), (voice, trunk["VoiceConnectorArn"])]:
        service.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        service.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "3"}])
        service.untag_resource(ResourceARN=arn, TagKeys=["a", "c"])
        tags = service.list_tags_for_resource(ResourceARN=arn)["Tags"]
        assert tags == [{"Key": "b", "Value": "3"}], tags
    many = [{"Key": str(n), "Value": ""} for n in range(50)]
    refused("TooManyTagsException", meetings.tag_resource, ResourceARN=meeting["MeetingArn"], Tags=many)
    refused("BadRequestException", meetings.tag_resource, ResourceARN="arn:aws:s3:::bucket", Tags=many[:1])


def everything():
    """Runs each operation of each service that has it, and one of them with what two have in common."""
    for case in (accounts, users, rooms, numbers, connectors, attendees_and_tags, the_rest, in_common):
        case()


def left_out(called):
    """The operations that are offered, each by the services that have it, but for those that went well."""
    offered, session = {name for name, _, _ in operations()}, botocore.session.get_session()
    wanted = {(service, name) for service in SERVICES
              for name in session.get_service_model(service).operation_names if name in offered}
    assert len(wanted) >= 120, len(wanted)
    # There is no other end of a trunk yet that could be healthy.
    return sorted(wanted - called - {("chime-sdk-voice", "GetVoiceConnectorTerminationHealth")})


def boto3():
    """All of them by boto3."""
    everything()
    assert not left_out(clients.CALLED), left_out(clients.CALLED)


def command_line():
    """All of them by the aws command line."""
    import cli
    global INSTEAD_OF_BOTO3
    INSTEAD_OF_BOTO3 = cli.CommandLine
    everything()
    assert not left_out(cli.CALLED), left_out(cli.CALLED)


def the_rest():
    """Operations that the other cases of the directory have no use for."""
    chime, voice, meetings = (client(service) for service in SERVICES)
    # A bucket of the configuration's; there is one by that name from the start.
    bucket = {"CdrBucket": "campanile-records"}
    chime.update_global_settings(BusinessCalling=bucket, VoiceConnector={})
    assert chime.get_global_settings()["BusinessCalling"] == bucket
    voice.update_global_settings(VoiceConnector=bucket)
    assert voice.get_global_settings()["VoiceConnector"] == bucket
    trunk = voice.create_voice_connector(Name="quiet", RequireEncryption=True)["VoiceConnector"]["VoiceConnectorId"]
    # Nothing was heard of the trunk's other end yet.
    refused("NotFoundException", voice.get_voice_connector_termination_health, VoiceConnectorId=trunk)
    wish = {"ClientRequestToken": "rest", "MediaRegion": os.environ["REGION"], "ExternalMeetingId": "-Größe +1"}
    made = meetings.create_meeting_with_attendees(**wish, Attendees=[{"ExternalUserId": "ada"}])
    meeting = made["Meeting"]
    assert meeting["ExternalMeetingId"] == wish["ExternalMeetingId"], meeting
    assert meetings.get_meeting(MeetingId=meeting["MeetingId"])["Meeting"] == meeting
    bob = meetings.create_attendee(MeetingId=meeting["MeetingId"], ExternalUserId="http://bob.example")["Attendee"]
    listed = meetings.list_attendees(MeetingId=meeting["MeetingId"])["Attendees"]
    assert bob in listed and made["Attendees"][0] in listed, listed
    meetings.delete_meeting(MeetingId=meeting["MeetingId"])
    refused("NotFoundException", meetings.get_meeting, MeetingId=meeting["MeetingId"])


def in_common():
    """What two services offer, by the one that the other cases do not ask."""
    chime, voice = client("chime"), client("chime-sdk-voice")
    found = chime.search_available_phone_numbers(AreaCode="206", MaxResults=2)["E164PhoneNumbers"]
    assert len(found) == 2, found
    order = chime.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=found)["PhoneNumberOrder"]
    assert order["Status"] == "Successful", order
    ident = order["PhoneNumberOrderId"]
    assert chime.get_phone_number_order(PhoneNumberOrderId=ident)["PhoneNumberOrder"] == order
    assert order in chime.list_phone_number_orders()["PhoneNumberOrders"]
    countries = chime.list_supported_phone_number_countries(ProductType="BusinessCalling")["PhoneNumberCountries"]
    assert [country["CountryCode"] for country in countries] == ["US"], countries
    one, other = found
    named = chime.update_phone_number(PhoneNumberId=one, CallingName="Desk")["PhoneNumber"]
    assert named["CallingName"] == "Desk", named
    done = chime.batch_update_phone_number(UpdatePhoneNumberRequestItems=[{"PhoneNumberId": other, "CallingName": "Hall"}])
    assert done["PhoneNumberErrors"] == [], done
    assert voice.get_phone_number(PhoneNumberId=other)["PhoneNumber"]["CallingName"] == "Hall"
    assert voice.get_phone_number(PhoneNumberId=one)["PhoneNumber"]["CallingName"] == "Desk"
    # It may change once in seven days, and stays what it is at any time.
    chime.update_phone_number_settings(CallingName="Campanile")
    assert chime.get_phone_number_settings()["CallingName"] == "Campanile"
    assert voice.get_phone_number_settings()["CallingName"] == "Campanile"
    voice.delete_phone_number(PhoneNumberId=one)
    refused("BadRequestException", voice.restore_phone_number, PhoneNumberId=other)
    assert voice.restore_phone_number(PhoneNumberId=one)["PhoneNumber"]["Status"] == "Unassigned"
    assert voice.batch_delete_phone_number(PhoneNumberIds=[one, other])["PhoneNumberErrors"] == []
    gone = voice.list_phone_numbers(Status="DeleteInProgress")["PhoneNumbers"]
    assert {one, other} <= {number["E164PhoneNumber"] for number in gone}, gone


def prefixes():
    """A path before every request, for clients that keep an endpoint for each service."""
    chime = client("chime", prefix="/chime")
    account = chime.create_account(Name="prefix")["Account"]["AccountId"]
    assert chime.get_account(AccountId=account)["Account"]["Name"] == "prefix"
    client("chime-sdk-voice", prefix="/chime-sdk-voice").list_voice_connectors()


def connect():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(os.environ["ENDPOINT"].removeprefix("https://"), context=context)


# One for all: there are hundreds of requests, and they prove nothing about handshakes.
CONNECTION = connect()


def send(method, path, body=b"", sign=None, headers=None):
    """A request past boto3, to break what it would not."""
    request = AWSRequest(method=method, url=os.environ["ENDPOINT"] + path, data=body, headers=headers or {})
    if sign:
        sign(request)
    prepared = request.prepare()

    def ask():
        CONNECTION.request(method, path, body=body or None, headers=dict(prepared.headers))
        return CONNECTION.getresponse()

    try:
        answer = ask()
    except ConnectionError:
        # A connection that rests is let go by the server after a while; the next request opens another.
        CONNECTION.close()
        answer = ask()
    return answer.status, answer.headers.get("x-amzn-ErrorType"), answer.read()


def operations():
    """All that the server says it offers under a path of its own: name, method, path."""
    for path, methods in described():
        for method, operation in methods.items():
            if not path.startswith("/#"):
                yield operation["operationId"], method.upper(), path.replace("#", "?")


def targets():
    """All that it offers by the name of the operation: service, name, target."""
    for path, methods in described():
        if path.startswith("/#"):
            yield methods["post"]["tags"][0], methods["post"]["operationId"], path.removeprefix("/#")


@functools.cache
def described():
    status, _, body = send("GET", "/campanile/openapi.json")
    assert status == 200, status
    return list(json.loads(body)["paths"].items())


def example(path):
    """The path with something in each of its places."""
    return re.sub(r"{[^}]*}", "00000000-0000-4000-8000-000000000000", path)


def every_operation_wants_a_signature():
    key, secret = os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"]

    def signed(key, secret, when=None, service="chime"):
        def sign(request):
            auth = SigV4Auth(Credentials(key, secret), service, os.environ["REGION"])
            auth.add_auth(request)
            if when:
                # Signed by the rules, at another time.
                import botocore.auth
                request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
                for name in ("Authorization", "X-Amz-Date"):
                    del request.headers[name]
                request.headers["X-Amz-Date"] = request.context["timestamp"]
                canonical = auth.canonical_request(request)
                to_sign = auth.string_to_sign(request, canonical)
                auth._inject_signature_to_request(request, auth.signature(to_sign, request))
        return sign

    now = datetime.datetime.now(datetime.timezone.utc)
    seen = 0
    def cases_of(service):
        late, early = now + datetime.timedelta(minutes=6), now - datetime.timedelta(minutes=6)
        return {
            "unsigned": (None, "MissingAuthenticationTokenException"),
            "with another secret": (signed(key, "wrong" * 8, service=service), "InvalidSignatureException"),
            "with no such key": (signed("AKIA" + "A" * 16, secret, service=service), "UnrecognizedClientException"),
            "long ago": (signed(key, secret, early, service), "InvalidSignatureException"),
            "in the future": (signed(key, secret, late, service), "InvalidSignatureException"),
        }

    for service, name, target in targets():
        # CloudWatch's clients sign for what it was called once.
        service = {"cloudwatch": "monitoring"}.get(service, service)
        cases = {**cases_of(service), "for another service": (signed(key, secret), "InvalidSignatureException")}
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        for case, (sign, wanted) in cases.items():
            status, _, body = send("POST", "/", b"{}", sign, headers)
            assert status == 400 and json.loads(body)["__type"] == wanted, (name, case, status, body)
        status, _, body = send("POST", "/", b"{}", signed(key, secret, service=service), headers)
        # And with a good one it is not the signature that is refused.
        said = json.loads(body).get("__type", "")
        assert status < 500 and "Signature" not in said and "Client" not in said, (name, status, body)
        for bad in (b"[]", b"nonsense", b'"x"'):
            status, _, body = send("POST", "/", bad, signed(key, secret, service=service), headers)
            assert status == 400 and json.loads(body)["__type"], (name, status, body)
        seen += 1
    assert seen == 8, seen
    codes = {"MissingAuthenticationTokenException": "MissingAuthenticationToken",
             "InvalidSignatureException": "SignatureDoesNotMatch", "UnrecognizedClientException": "InvalidClientTokenId"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    cases = {**cases_of("sts"), "for another service": (signed(key, secret), "InvalidSignatureException")}
    for action in ("AssumeRole", "GetCallerIdentity", "GetFederationToken", "GetSessionToken"):
        form = f"Action={action}&Version=2011-06-15".encode()
        for case, (sign, wanted) in cases.items():
            status, _, body = send("POST", "/", form, sign, headers)
            assert status == 403 and f"<Code>{codes[wanted]}</Code>".encode() in body, (action, case, status, body)
        status, _, body = send("POST", "/", form, signed(key, secret, service="sts"), headers)
        assert status < 500 and not any(code.encode() in body for code in codes.values()), (action, status, body)
    for name, method, path in operations():
        path = example(path)
        cases = cases_of("chime")
        for case, (sign, wanted) in cases.items():
            status, error, _ = send(method, path, sign=sign)
            assert status == 403 and error == wanted, (name, case, status, error)
        # And with a good one it is not the signature that is refused.
        status, error, body = send(method, path, sign=signed(key, secret))
        assert status != 403 and status < 500, (name, status, error, body)
        seen += 1
    assert seen > 100, seen


def bounds():
    """Every operation with a body refuses one that is none, and says which member it misses."""
    key, secret = os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"]

    def sign(request):
        SigV4Auth(Credentials(key, secret), "chime", os.environ["REGION"]).add_auth(request)

    loader = botocore.session.get_session().get_component("data_loader")
    offered = {name for name, _, _ in operations()}
    models = [loader.load_service_model(service, "service-2") for service in SERVICES]

    def required(model, name):
        """None where the service has no such operation."""
        if name not in model["operations"]:
            return None
        shape = model["shapes"][model["operations"][name]["input"]["shape"]]
        return {m for m in shape.get("required", []) if "location" not in shape["members"][m]}

    checked = 0
    for model in models:
        for name, operation in model["operations"].items():
            if name not in offered or "input" not in operation:
                continue
            # Two services have some operations in common, and one of them may want less.
            wants = [members for members in (required(m, name) for m in models) if members is not None]
            in_body = set.intersection(*wants)
            path = example(operation["http"]["requestUri"].replace("+}", "}"))
            method = operation["http"]["method"]
            if method in ("POST", "PUT"):
                for bad in (b"[]", b"nonsense", b'"x"'):
                    status, error, body = send(method, path, bad, sign)
                    assert (status, error) == (400, "BadRequestException"), (name, status, error, body)
            if in_body:
                status, error, body = send(method, path, b"{}", sign)
                said = json.loads(body)
                assert (status, error) == (400, "BadRequestException"), (name, status, error, body)
                assert any(said["Message"] == f"{member}: is required" for member in in_body), (name, said)
                checked += 1
    assert checked > 40, checked


def presigned():
    """A URL that bears its signature, as scripts hand them on."""
    chime = client("chime")
    account = chime.create_account(Name="presigned")["Account"]["AccountId"]

    def url(seconds, **key):
        made = client("chime", **key).generate_presigned_url(
            "get_account", Params={"AccountId": account}, ExpiresIn=seconds)
        assert "X-Amz-Signature=" in made, made
        return made.removeprefix(os.environ["ENDPOINT"])

    status, _, body = send("GET", url(60))
    assert status == 200 and json.loads(body)["Account"]["Name"] == "presigned", (status, body)
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    brief = url(1)
    cases = {
        "for another account": (url(60).replace(account, other), "InvalidSignatureException"),
        "held for longer": (url(60).replace("X-Amz-Expires=60", "X-Amz-Expires=600"), "InvalidSignatureException"),
        "held for too long": (url(60).replace("X-Amz-Expires=60", "X-Amz-Expires=9999999"),
                              "IncompleteSignatureException"),
        "by another secret": (url(60, secret="wrong" * 8), "InvalidSignatureException"),
        "by no such key": (url(60, key="AKIAAAAAAAAAAAAAAAAA"), "UnrecognizedClientException"),
    }
    time.sleep(2.5)
    cases["expired"] = (brief, "InvalidSignatureException")
    for case, (path, wanted) in cases.items():
        status, error, _ = send("GET", path)
        assert (status, error) == (403, wanted), (case, status, error)
    status, error, _ = send("DELETE", url(60))
    assert (status, error) == (403, "InvalidSignatureException"), "with another method"


def everything_is_unavailable():
    """Reads, writes and the question who asks, of each service: the error's class and status are those of AWS."""
    chime, voice, meetings = (client(service) for service in SERVICES)
    for call, arguments in [
        (chime.list_accounts, {}),
        (chime.create_account, {"Name": "lost"}),
        (voice.list_voice_connectors, {}),
        (meetings.get_meeting, {"MeetingId": str(uuid.uuid4())}),
    ]:
        said = refused("ServiceUnavailableException", call, **arguments)
        assert "unavailable" in said, said
    try:
        client("sts").get_caller_identity()
        raise AssertionError("answered without a database")
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error


def plant_secrets():
    voice = client("chime-sdk-voice")
    connector = voice.create_voice_connector(Name="planted", RequireEncryption=True)["VoiceConnector"]
    voice.put_voice_connector_termination_credentials(
        VoiceConnectorId=connector["VoiceConnectorId"],
        Credentials=[{"Username": "planted-trunk-user", "Password": "planted-trunk-password"}],
    )
    meetings = client("chime-sdk-meetings")
    meeting = meetings.create_meeting(
        ClientRequestToken="planted", MediaRegion=os.environ["REGION"], ExternalMeetingId="planted"
    )["Meeting"]["MeetingId"]
    attendee = meetings.create_attendee(MeetingId=meeting, ExternalUserId="planted")["Attendee"]
    print(attendee["JoinToken"])
    chime = client("chime")
    account = chime.create_account(Name="planted")["Account"]["AccountId"]
    print(chime.create_user(AccountId=account, Username="planted")["User"]["PersonalPIN"])


def not_offered():
    voice = client("chime-sdk-voice")
    said = refused("UnsupportedOperationException", voice.list_sip_rules)
    assert "ListSipRules is not offered" in said, said
    refused("UnsupportedOperationException", client("chime-sdk-identity").list_app_instances)
    offered, session = {name for name, _, _ in operations()}, botocore.session.get_session()
    # What `chime` had before its parts became services of their own.
    wanted = [("GET", "/meetings"), ("GET", "/meetings/x/tags"), ("POST", "/meetings/x/attendees/x/tags?operation=add"),
              ("GET", "/media-capture-pipelines"), ("DELETE", "/media-capture-pipelines/x")]
    for service in SERVICES + ["chime-sdk-identity", "chime-sdk-messaging", "chime-sdk-media-pipelines"]:
        model = session.get_service_model(service)
        https = [model.operation_model(name).http for name in model.operation_names if name not in offered]
        wanted += [(http["method"], re.sub("{[^}]*}", "x", http["requestUri"])) for http in https]
    assert len(wanted) > 150, len(wanted)
    key = Credentials(os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"])
    for method, path in wanted:
        auth = SigV4Auth(key, "chime", os.environ["REGION"])
        status, error, body = send(method, path, sign=auth.add_auth)
        assert (status, error) == (501, "UnsupportedOperationException"), (method, path, status, error, body)


def one_of_everything():
    """What the administrator has: one of each thing, and the names of all of them."""
    chime, voice, meetings = (client(service) for service in SERVICES)
    account = chime.create_account(Name="secret account")["Account"]["AccountId"]
    user = chime.create_user(AccountId=account, Username="Ada", Email="ada@example.org")["User"]["UserId"]
    room = chime.create_room(AccountId=account, Name="secret room")["Room"]["RoomId"]
    chime.create_room_membership(AccountId=account, RoomId=room, MemberId=user)
    numbers = ["+12065550100", "+12065550101"]
    order = voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=numbers)
    trunk = voice.create_voice_connector(Name="secret trunk", RequireEncryption=True)["VoiceConnector"]
    ident = trunk["VoiceConnectorId"]
    voice.put_voice_connector_termination(VoiceConnectorId=ident, Termination={
        "CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/28"]})
    voice.put_voice_connector_origination(VoiceConnectorId=ident, Origination={"Disabled": True})
    voice.put_voice_connector_termination_credentials(
        VoiceConnectorId=ident, Credentials=[{"Username": "trunk", "Password": "secret"}])
    voice.associate_phone_numbers_with_voice_connector(VoiceConnectorId=ident, E164PhoneNumbers=numbers[:1])
    items = [{"VoiceConnectorId": ident, "Priority": 1}]
    group = voice.create_voice_connector_group(Name="secret group", VoiceConnectorItems=items)
    meeting = meetings.create_meeting(
        ClientRequestToken="token", MediaRegion="us-east-1", ExternalMeetingId="secret meeting")["Meeting"]
    attendee = meetings.create_attendee(MeetingId=meeting["MeetingId"], ExternalUserId="ada")["Attendee"]
    chime.update_global_settings(BusinessCalling={"CdrBucket": "secret-bucket"}, VoiceConnector={})
    voice.update_phone_number_settings(CallingName="Secret")
    return {
        "AccountId": account, "UserId": user, "RoomId": room, "MemberId": user,
        "PhoneNumberId": numbers[1], "E164PhoneNumber": numbers[1],
        "PhoneNumberOrderId": order["PhoneNumberOrder"]["PhoneNumberOrderId"],
        "VoiceConnectorId": ident,
        "VoiceConnectorGroupId": group["VoiceConnectorGroup"]["VoiceConnectorGroupId"],
        "MeetingId": meeting["MeetingId"], "AttendeeId": attendee["AttendeeId"],
        "ResourceARN": trunk["VoiceConnectorArn"],
    }


def view(names):
    """All that the administrator can read of them, without what differs from call to call."""
    seen = {}
    for service, name, operation, model in modelled():
        if not name.startswith(("Get", "List")) or name == "GetVoiceConnectorTerminationHealth":
            continue
        try:
            answer = call(client(service), name, arguments(model, operation, names))
        except ClientError as error:
            answer = {"refused": error.response["Error"]["Code"]}
        seen[service, name] = without_metadata(answer)
    return seen


def modelled():
    loader = botocore.session.get_session().get_component("data_loader")
    offered = {name for name, _, _ in operations()}
    for service in SERVICES:
        model = loader.load_service_model(service, "service-2")
        for name, operation in sorted(model["operations"].items()):
            if name in offered:
                yield service, name, operation, model


def call(chime, name, values):
    return getattr(chime, botocore.xform_name(name))(**values)


def arguments(model, operation, names):
    """A good request of that operation about those things: every required member, and no other."""
    if "input" not in operation:
        return {}
    return sample(model, operation["input"]["shape"], names, "")


def sample(model, shape, names, name):
    known = model["shapes"][shape]
    if name in names:
        return names[name]
    kind = known["type"]
    if kind == "structure":
        return {m: sample(model, known["members"][m]["shape"], names, m) for m in known.get("required", [])}
    if kind == "list":
        # Lists of ids are named after them.
        singular = {"UserIdList": "UserId", "PhoneNumberIds": "PhoneNumberId", "E164PhoneNumbers": "E164PhoneNumber"}
        return [sample(model, known["member"]["shape"], names, singular.get(name, ""))]
    if name == "ClientRequestToken":
        return str(uuid.uuid4())
    if kind == "string":
        text = {"MediaRegion": "us-east-1", "ResourceARN": "arn:aws:chime:us-east-1:1:vc/x"}.get(name)
        return text or known.get("enum", [("x@example.org" if "Email" in shape else "xx")])[0]
    return {"integer": 1, "boolean": True, "timestamp": datetime.datetime.now()}[kind]


def foreign_keys():
    """Another account's key finds nothing and changes nothing; a user without policies may not even ask."""
    names = one_of_everything()
    before = view(names)
    unset = {name for (_, name), answer in before.items() if "refused" in answer}
    assert unset == {f"GetVoiceConnector{setting}Configuration"
                     for setting in ("Streaming", "EmergencyCalling", "ExternalSystems")}, unset
    walked = 0
    for service, name, operation, model in modelled():
        values = arguments(model, operation, names)
        other = client(service, os.environ["OTHER_KEY"], os.environ["OTHER_SECRET"])
        shape = model["shapes"].get(operation.get("input", {}).get("shape"), {"members": {}})
        about = any(member.get("location") == "uri" for member in shape["members"].values())
        about = about or "ResourceARN" in shape["members"]
        try:
            answer = without_metadata(call(other, name, values))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code == "NotFoundException", (name, values, error)
        else:
            assert not about, (name, values, answer)
            # The numbers alone are what the other asked for itself, and did not get.
            said = json.dumps(answer, default=str)
            assert not any(names[thing] in said for thing in names if "Phone" not in thing), (name, answer)
            assert "secret" not in said.lower() and answer.get("PhoneNumbers", []) == [], (name, answer)
        nobody = client(service, os.environ["NOBODY_KEY"], os.environ["NOBODY_SECRET"])
        said = refused("AccessDeniedException", lambda: call(nobody, name, values))
        assert f"is not authorized to perform: chime:{name} on resource: " in said, said
        walked += 1
    assert walked > 100, walked
    after = view(names)
    changed = [key for key in before if before[key] != after[key]]
    assert not changed, [(key, before[key], after[key]) for key in changed]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
