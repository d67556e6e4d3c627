"""boto3's clients of the server under test, and how its refusals are looked at.

The address and the key come from the environment: ENDPOINT, ACCESS_KEY, SECRET_KEY, REGION.
"""

import os

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

# The server's certificate is its own in these tests.
urllib3.disable_warnings()

# (service, operation) of every call so far that went well.
CALLED = set()


def client(service, key=None, secret=None, token=None, prefix="", agent=None, region=None, **config):
    """With the administrator's key, if with no other, and one try, if `config` says nothing else."""
    made = boto3.client(
        service,
        endpoint_url=os.environ["ENDPOINT"] + prefix,
        aws_access_key_id=key or os.environ["ACCESS_KEY"],
        aws_secret_access_key=secret or os.environ["SECRET_KEY"],
        aws_session_token=token,
        region_name=region or os.environ["REGION"],
        verify=False,
        config=Config(**{"retries": {"max_attempts": 1}, "user_agent_extra": agent, **config}),
    )

    def note(http_response, model, **_):
        if http_response.status_code < 300:
            CALLED.add((service, model.name))

    made.meta.events.register(f"after-call.{made.meta.service_model.service_id.hyphenize()}", note)
    return made


def refusal(name, call, **arguments):
    """The answer of the refusal, which must have that name."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == name, error
        assert error.response["Error"]["Message"], "an error without a message"
        assert error.response["ResponseMetadata"]["RequestId"], "an error without a request id"
        # Where the service models the error, boto3 raises a class of its own; cloudwatch has codes of its old protocol.
        assert type(error).__name__ in (name, f"{name}Exception", "ClientError"), type(error)
        return error.response
    raise AssertionError(f"not refused with {name}: {arguments}")


def refused(name, call, **arguments):
    """The message of the refusal, which must have that name."""
    return refusal(name, call, **arguments)["Error"]["Message"]
