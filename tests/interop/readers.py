"""Logs and metrics through the real boto3, unmodified. Run by readers.rs: readers.py CASE, after one call.

From the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION, ACCOUNT; LOGS, the folder of log files; OTHER_KEY and
OTHER_SECRET of another account, NOBODY_KEY and NOBODY_SECRET of a user without policies.
"""

import datetime
import json
import os
import pathlib
import sys

import botocore.model

from clients import client, refused

if "PROTOCOL" in os.environ:
    # Which of a service's protocols is spoken is the library's choice, and another in other versions of it.
    botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = (os.environ["PROTOCOL"], "json")
ACCOUNT, REGION = os.environ["ACCOUNT"], os.environ["REGION"]
LOGS = pathlib.Path(os.environ["LOGS"])
COUNTED = ["rtp_packets", "rtp_bytes", "rtcp_packets", "rtcp_bytes"]


def key_of(who):
    return os.environ[f"{who}_KEY"], os.environ[f"{who}_SECRET"]


def held(group):
    """The lines of a group as its files hold them, by stream."""
    files = sorted((LOGS / group.lstrip("/")).glob("*.jsonl"))
    return {file.stem: file.read_text().splitlines() for file in files}


def of_kind(name):
    folder = next((LOGS / name.lstrip("/")).iterdir())
    return "/" + str(folder.relative_to(LOGS))


def read(logs, group, **wanted):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **wanted)
    return [event for page in pages for event in page["events"]]


def logs():
    logs = client("logs")
    quality, messages = of_kind("aws/ChimeVoiceConnectorLogs"), of_kind("aws/ChimeVoiceConnectorSipMessages")
    groups = [group for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]]
    names = [group["logGroupName"] for group in groups]
    assert names == sorted({"/" + str(f.parent.relative_to(LOGS)) for f in LOGS.rglob("*.jsonl")}), names
    first = next(group for group in groups if group["logGroupName"] == messages)
    assert first["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{messages}:*", first
    # The call is over: its messages are all there.
    assert first["storedBytes"] == sum(f.stat().st_size for f in (LOGS / messages[1:]).iterdir())
    found = logs.describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
    assert [group["logGroupName"] for group in found] == [name for name in names if name.startswith("/aws/")]
    small = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [page["logGroups"][0]["logGroupName"] for page in small] == names

    # A metric line, field by field as the file has it.
    lines = [line for stream in held(quality).values() for line in stream]
    events = read(logs, quality)
    assert [event["message"] for event in events] == lines and lines, events
    assert [event["timestamp"] for event in events] == [json.loads(line)["event_timestamp"] for line in lines]
    figures = json.loads(lines[0])
    assert len(figures) == 37 and figures["cust2vc_rtp_packets"] > 100, figures

    # SIP messages by the id of their call, and by words.
    ident = figures["call_id"]
    everything = [json.loads(line) for stream in held(messages).values() for line in stream]
    wanted = [line for line in everything if line["call_id"] == ident]
    for pattern in (f'{{ $.call_id = "{ident}" }}', f'"{ident}"', f'{{ $.call_id = "{ident[:8]}*" }}'):
        found = [json.loads(event["message"]) for event in read(logs, messages, filterPattern=pattern)]
        assert found == wanted and len(found) > 4, (pattern, len(found), len(wanted))
    begins = [json.loads(event["message"])["sip_message"].split()[0]
              for event in read(logs, messages, filterPattern='INVITE -"SIP/2.0 "')]
    assert "INVITE" in begins and not any(word.startswith("SIP/") for word in begins), begins
    invites = read(logs, messages, filterPattern='"INVITE sip:"')
    assert all("INVITE sip:" in event["message"] for event in invites) and invites
    assert read(logs, messages, filterPattern="{ $.call_id = \"nobody\" }") == []
    time = wanted[2]["event_timestamp"]
    found = read(logs, messages, startTime=time, endTime=time)
    assert [json.loads(e["message"]) for e in found] == [x for x in everything if x["event_timestamp"] == time]
    paged = read(logs, messages, PaginationConfig={"PageSize": 3})
    assert [json.loads(event["message"]) for event in paged] == everything
    assert len({event["eventId"] for event in paged}) == len(everything)
    loss = "{ $.cust2vc_rtp_packets > 100 && ($.rem2vc_jitter IS NULL || $.nothing = 1) }"
    assert len(read(logs, quality, filterPattern=loss)) >= 1
    assert read(logs, quality, filterPattern="{ $.cust2vc_rtp_packets > 1000000 }") == []

    # A stream, from its head and from its tail, in steps and as a whole.
    streams = logs.describe_log_streams(logGroupName=messages, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == sorted(held(messages), reverse=True)
    stream = streams[0]["logStreamName"]
    whole = held(messages)[stream]
    assert streams[0]["firstEventTimestamp"] == json.loads(whole[0])["event_timestamp"]
    assert streams[0]["lastEventTimestamp"] == json.loads(whole[-1])["event_timestamp"]
    place = {"logGroupName": messages, "logStreamName": stream}
    for head, way in ((True, "nextForwardToken"), (False, "nextBackwardToken")):
        got = logs.get_log_events(**place, startFromHead=head, limit=3)
        seen, token = [], None
        while got[way] != token:
            assert len(got["events"]) <= 3
            page = [event["message"] for event in got["events"]]
            seen = seen + page if head else page + seen
            token = got[way]
            got = logs.get_log_events(**place, startFromHead=head, limit=3, nextToken=token)
        assert got["events"] == [] and seen == whole, (way, len(seen), len(whole))
    tail = logs.get_log_events(**place, limit=2)
    assert [event["message"] for event in tail["events"]] == whole[-2:]
    back = logs.get_log_events(**place, limit=2, nextToken=tail["nextBackwardToken"])
    assert [event["message"] for event in back["events"]] == whole[-4:-2]
    again = logs.get_log_events(**place, limit=2, nextToken=back["nextForwardToken"])
    assert again["events"] == tail["events"]

    # What is wrong is told by the service's own names.
    refused("ResourceNotFoundException", logs.filter_log_events, logGroupName="/aws/nothing")
    refused("ResourceNotFoundException", logs.filter_log_events, logGroupName="/aws/../aws")
    refused("ResourceNotFoundException", logs.describe_log_streams, logGroupName="/aws")
    refused("ResourceNotFoundException", logs.get_log_events, logGroupName=messages, logStreamName="2001-01-01")
    refused("ResourceNotFoundException", logs.get_log_events, logGroupName=messages, logStreamName="../x")
    for wrong in [{"filterPattern": "[a, b]"}, {"filterPattern": "{ $.a = %x% }"}, {"filterPattern": "{ $.a = "},
                  {"nextToken": "AAAA"}, {"limit": 10001}, {"startTime": 2, "endTime": 1}]:
        refused("InvalidParameterException", logs.filter_log_events, logGroupName=messages, **wrong)
    refused("UnsupportedOperationException", logs.create_log_group, logGroupName="/a")

    # Another account has no groups, and a user without policies may not even ask.
    other = client("logs", *key_of("OTHER"))
    assert other.describe_log_groups()["logGroups"] == []
    refused("ResourceNotFoundException", other.filter_log_events, logGroupName=messages)
    refused("ResourceNotFoundException", other.get_log_events, **place)
    refused("ResourceNotFoundException", other.describe_log_streams, logGroupName=messages)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{messages}"
    assert read(logs, messages) == [e for p in logs.get_paginator("filter_log_events").paginate(
        logGroupIdentifier=arn) for e in p["events"]]
    refused("ResourceNotFoundException", other.filter_log_events, logGroupIdentifier=arn)
    nobody = client("logs", *key_of("NOBODY"))
    said = refused("AccessDeniedException", nobody.filter_log_events, logGroupName=messages)
    assert f"logs:FilterLogEvents on resource: {arn}:log-stream:" in said, said
    refused("AccessDeniedException", nobody.describe_log_groups)
    said = refused("AccessDeniedException", nobody.get_log_events, **place)
    assert f"logs:GetLogEvents on resource: {arn}:log-stream:{stream}" in said, said
    said = refused("AccessDeniedException", nobody.describe_log_streams, logGroupName=messages)
    assert f"logs:DescribeLogStreams on resource: {arn}:log-stream:" in said, said


def half_a_line():
    """A line that is being written is not there, and what a killed process left does not disturb."""
    logs, group = client("logs"), of_kind("aws/ChimeVoiceConnectorLogs")
    before = read(logs, group)
    file = sorted((LOGS / group[1:]).glob("*.jsonl"))[-1]
    whole = file.read_text()
    with file.open("a") as half:
        half.write('{"voice_connector_id":"x","event_times')
    try:
        assert read(logs, group) == before
        tail = logs.get_log_events(logGroupName=group, logStreamName=file.stem, limit=1)
        assert tail["events"][0]["message"] == before[-1]["message"]
        with file.open("a") as half:
            half.write("\n")
        assert read(logs, group) == before
    finally:
        file.write_text(whole)


def metrics():
    watch = client("cloudwatch")
    assert watch.meta.service_model.resolved_protocol == os.environ.get("PROTOCOL", "json")
    group = of_kind("aws/ChimeVoiceConnectorLogs")
    connector = group.rsplit("/", 1)[1]
    lines = [json.loads(line) for stream in held(group).values() for line in stream]
    messages = [json.loads(line) for stream in held(of_kind("aws/ChimeVoiceConnectorSipMessages")).values()
                for line in stream]
    dimensions = [{"Name": "VoiceConnectorId", "Value": connector}, {"Name": "Region", "Value": REGION}]
    space = "AWS/ChimeVoiceConnector"
    listed = [m for page in watch.get_paginator("list_metrics").paginate(Namespace=space) for m in page["Metrics"]]
    names = {metric["MetricName"] for metric in listed}
    assert {"OutboundCallAttempts", "OutboundCallsAnswered", "CustomerToVcRtpPackets", "Sip2xxCodes"} <= names, names
    # Nothing is remote in a meeting, and what was not measured is not there.
    assert not any("Remote" in name for name in names), names
    assert all(metric["Namespace"] == space and metric["Dimensions"] == dimensions for metric in listed)
    one = watch.list_metrics(MetricName="Sip2xxCodes", Dimensions=[{"Name": "VoiceConnectorId"}])["Metrics"]
    assert [metric["MetricName"] for metric in one] == ["Sip2xxCodes"]
    assert watch.list_metrics(Namespace="AWS/EC2")["Metrics"] == []
    assert watch.list_metrics(Dimensions=[{"Name": "InstanceId"}])["Metrics"] == []
    assert watch.list_metrics(RecentlyActive="PT3H")["Metrics"] == listed

    now = datetime.datetime.now(datetime.timezone.utc)
    window = {"StartTime": now - datetime.timedelta(hours=2), "EndTime": now + datetime.timedelta(minutes=2)}

    def total(name, stat="Sum", period=3600):
        query = {"Id": "m1", "MetricStat": {
            "Metric": {"Namespace": space, "MetricName": name, "Dimensions": dimensions}, "Period": period,
            "Stat": stat}}
        result = watch.get_metric_data(MetricDataQueries=[query], **window)["MetricDataResults"]
        assert [r["Id"] for r in result] == ["m1"] and result[0]["StatusCode"] == "Complete", result
        assert result[0]["Label"] == name
        times = result[0]["Timestamps"]
        assert all(isinstance(time, datetime.datetime) for time in times), times
        assert times == sorted(times, reverse=True) and all(time.timestamp() % period == 0 for time in times)
        return result[0]["Values"]

    for ours, theirs in (("CustomerToVc", "cust2vc"), ("VcToCustomer", "vc2cust")):
        for figure in COUNTED:
            name = ours + "".join(part.capitalize() for part in figure.split("_"))
            expected = sum(line[f"{theirs}_{figure}"] for line in lines)
            for period in (60, 3600):
                assert sum(total(name, period=period)) == expected, (name, period, expected)
    calls = {line["call_id"] for line in lines}
    assert sum(total("OutboundCallAttempts")) == len(calls) == sum(total("OutboundCallsAnswered"))
    for digit in "12":
        expected = sum(message["sip_message"].startswith(f"SIP/2.0 {digit}") for message in messages)
        assert sum(total(f"Sip{digit}xxCodes")) == expected > 0, (digit, expected)
    jitters = [line["cust2vc_jitter"] for line in lines if line["cust2vc_jitter"] is not None]
    assert sum(total("CustomerToVcJitter", "SampleCount")) == len(jitters) > 0
    minima, maxima = total("CustomerToVcJitter", "Minimum"), total("CustomerToVcJitter", "Maximum")
    assert min(minima) == min(jitters) and max(maxima) == max(jitters)
    mean = sum(total("CustomerToVcJitter")) / len(jitters)
    if len(total("CustomerToVcJitter", "Average")) == 1:
        assert abs(total("CustomerToVcJitter", "Average")[0] - mean) < 0.001
    assert total("MOSBetweenVcAndRemote") == []

    got = watch.get_metric_statistics(
        Namespace=space, MetricName="CustomerToVcRtpPackets", Dimensions=dimensions, Period=60,
        Statistics=["Sum", "SampleCount", "Average"], **window)
    assert got["Label"] == "CustomerToVcRtpPackets"
    assert sum(point["Sum"] for point in got["Datapoints"]) == sum(line["cust2vc_rtp_packets"] for line in lines)
    assert sum(point["SampleCount"] for point in got["Datapoints"]) == len(lines)
    assert all(point["Unit"] == "Count" and isinstance(point["Timestamp"], datetime.datetime)
               for point in got["Datapoints"])
    assert watch.get_metric_statistics(
        Namespace=space, MetricName="CustomerToVcRtpPackets", Dimensions=dimensions[:1], Period=60,
        Statistics=["Sum"], **window)["Datapoints"] == []

    # Pages of a few points each, all of several series.
    queries = [{"Id": f"m{at}", "MetricStat": {
        "Metric": {"Namespace": space, "MetricName": name, "Dimensions": dimensions}, "Period": 60, "Stat": "Sum"}}
        for at, name in enumerate(("Sip2xxCodes", "OutboundCallAttempts", "CustomerToVcRtpPackets"))]
    pages = watch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, MaxDatapoints=1, ScanBy="TimestampAscending", **window)
    pieces = {}
    for page in pages:
        assert sum(len(result["Values"]) for result in page["MetricDataResults"]) <= 1
        for result in page["MetricDataResults"]:
            pieces.setdefault(result["Id"], []).extend(zip(result["Timestamps"], result["Values"]))
    whole = watch.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **window)
    assert pieces == {r["Id"]: list(zip(r["Timestamps"], r["Values"])) for r in whole["MetricDataResults"]}

    # What is not offered or wrong is told by name.
    stat = queries[0]["MetricStat"]
    for wrong in [
        [{"Id": "e1", "Expression": "SUM(METRICS())"}],
        [{"Id": "m1", "MetricStat": {**stat, "Stat": "p99"}}],
    ]:
        refused("UnsupportedOperation", watch.get_metric_data, MetricDataQueries=wrong, **window)
    for wrong in [[{"Id": "m1", "MetricStat": {**stat, "Period": 7}}], [{"Id": "M!", "MetricStat": stat}],
                  [{"Id": "m1"}], queries[:1] * 2]:
        refused("InvalidParameterValue", watch.get_metric_data, MetricDataQueries=wrong, **window)
    many = [{**queries[0], "Id": f"m{at}"} for at in range(501)]
    refused("InvalidParameterValue", watch.get_metric_data, MetricDataQueries=many, **window)
    assert len(watch.get_metric_data(MetricDataQueries=many[:500], **window)["MetricDataResults"]) == 500
    # 180,000 periods of all series together: 43,200 of each are too many of five.
    month = {"StartTime": now - datetime.timedelta(days=30), "EndTime": now}
    refused("InvalidParameterCombination", watch.get_metric_data, MetricDataQueries=many[:5], **month)
    watch.get_metric_data(MetricDataQueries=many[:4], **month)
    backward = {"StartTime": window["EndTime"], "EndTime": window["StartTime"]}
    refused("InvalidParameterValue", watch.get_metric_data, MetricDataQueries=queries, **backward)
    refused("InvalidParameterValue", watch.list_metrics, NextToken="AAAA")
    refused("InvalidParameterCombination", watch.get_metric_statistics, Namespace=space, MetricName="x",
            Dimensions=dimensions, Period=60, Statistics=["Sum"], StartTime=now - datetime.timedelta(days=9),
            EndTime=now)
    refused("UnsupportedOperation", watch.put_metric_data, Namespace="x", MetricData=[])

    # Another account sees nothing; a user without policies may not ask; a wrong secret is a wrong secret.
    other = client("cloudwatch", *key_of("OTHER"))
    assert other.list_metrics()["Metrics"] == []
    got = other.get_metric_data(MetricDataQueries=queries[:1], **window)["MetricDataResults"]
    assert got[0]["Values"] == [], got
    series = {"Namespace": space, "MetricName": "CustomerToVcRtpPackets", "Dimensions": dimensions, "Period": 60,
              "Statistics": ["Sum"], **window}
    assert watch.get_metric_statistics(**series)["Datapoints"]
    assert other.get_metric_statistics(**series)["Datapoints"] == []
    nobody = client("cloudwatch", *key_of("NOBODY"))
    for name, call, said in [("ListMetrics", nobody.list_metrics, {}),
                             ("GetMetricData", nobody.get_metric_data, {"MetricDataQueries": queries[:1], **window}),
                             ("GetMetricStatistics", nobody.get_metric_statistics, series)]:
        told = refused("AccessDenied", call, **said)
        assert f"is not authorized to perform: cloudwatch:{name} on resource: *" in told, told
    wrong = "SignatureDoesNotMatch" if os.environ.get("PROTOCOL") == "query" else "InvalidSignature"
    refused(wrong, client("cloudwatch", secret=os.environ["OTHER_SECRET"]).list_metrics)


def command_line():
    """Each operation of these services says by the aws command line what it says to boto3."""
    import cli

    group = of_kind("aws/ChimeVoiceConnectorSipMessages")
    connector = group.rsplit("/", 1)[1]
    now = datetime.datetime.now(datetime.timezone.utc)
    window = {"StartTime": now - datetime.timedelta(hours=2), "EndTime": now}
    metric = {"Namespace": "AWS/ChimeVoiceConnector", "MetricName": "Sip2xxCodes", "Dimensions": [
        {"Name": "VoiceConnectorId", "Value": connector}, {"Name": "Region", "Value": REGION}]}
    query = [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}]
    asked = {
        "logs": [
            ("describe_log_groups", "logGroups", {}),
            ("describe_log_streams", "logStreams", {"logGroupName": group}),
            ("filter_log_events", "events", {"logGroupName": group, "filterPattern": "INVITE"}),
            ("get_log_events", "events", {"logGroupName": group, "logStreamName": sorted(held(group))[-1]}),
        ],
        "cloudwatch": [
            ("list_metrics", "Metrics", {}),
            ("get_metric_data", "MetricDataResults", {"MetricDataQueries": query, **window}),
            ("get_metric_statistics", "Datapoints", {**metric, "Period": 3600, "Statistics": ["Sum"], **window}),
        ],
        "cloudtrail": [("lookup_events", "Events", {"EndTime": now, **by_name("ListMetrics")})],
    }
    for service, calls in asked.items():
        told = cli.CommandLine(service, os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"])
        for name, member, said in calls:
            answer, expected = (getattr(of, name)(**said)[member] for of in (told, client(service)))
            assert answer == expected and answer, (name, answer, expected)
    assert len(cli.CALLED) == 8, cli.CALLED


def by_name(name):
    return {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}]}


if __name__ == "__main__":
    globals()[sys.argv[1]]()
