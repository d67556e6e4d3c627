"""The aws command line client, unmodified, in the shape of a boto3 client: each call is one command line.

The client runs in this process, which saves the half second that its start takes. Its configuration has
`cli_follow_urlparam = false`, as whoever passes URLs as values has it.
"""

import contextlib
import io
import json
import os
import re
import tempfile

from awscli.clidriver import create_clidriver
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.utils import parse_timestamp

# (service, operation) of every command line so far that went well.
CALLED = set()

CONFIGURATION = tempfile.NamedTemporaryFile("w", suffix=".ini")
CONFIGURATION.write("[default]\ncli_follow_urlparam = false\noutput = json\n")
CONFIGURATION.flush()
os.environ["AWS_CONFIG_FILE"] = CONFIGURATION.name
os.environ["AWS_PAGER"] = ""


class CommandLine:
    def __init__(self, service, key, secret, prefix=""):
        self.service = service
        self.endpoint = os.environ["ENDPOINT"] + prefix
        self.key = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
                    "AWS_DEFAULT_REGION": os.environ["REGION"]}
        os.environ.update(self.key)
        self.driver = create_clidriver()
        self.model = self.driver.session.get_service_model(service)
        self.names = {xform_name(name): name for name in self.model.operation_names}

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        operation = self.model.operation_model(self.names[name])
        return lambda **members: self._run(operation, members)

    def _run(self, operation, members):
        words = [self.service, xform_name(operation.name, "-")]
        for name, value in members.items():
            words += words_of(operation.input_shape.members[name], xform_name(name, "-"), value)
        if "NextToken" in members or "MaxResults" in members:
            words.append("--no-paginate")
        words += ["--endpoint-url", self.endpoint, "--no-verify-ssl"]
        os.environ.update(self.key)
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            status = self.driver.main(words)
        if status != 0:
            raise refusal(operation, complained.getvalue(), words)
        CALLED.add((self.service, operation.name))
        answer = json.loads(said.getvalue() or "{}")
        return revived(operation.output_shape, answer) if operation.output_shape else answer


def words_of(shape, flag, value):
    if shape.type_name == "boolean":
        return [f"--{flag}" if value else f"--no-{flag}"]
    if shape.type_name in ("structure", "list", "map"):
        return [f"--{flag}", json.dumps(value, ensure_ascii=False, default=str)]
    # With an equals sign, or a value that begins with a dash would be taken for a flag.
    return [f"--{flag}={value}"]


def refusal(operation, complaint, words):
    found = re.search(r"An error occurred \((\w+)\) when calling the (\w+) operation[^:]*: (.*)", complaint, re.S)
    assert found, (words, complaint)
    assert found[2] == operation.name, complaint
    error = {"Code": found[1], "Message": found[3].strip()}
    return ClientError({"Error": error, "ResponseMetadata": {"RequestId": "not shown"}}, operation.name)


def revived(shape, value):
    """The JSON of the output with what the model calls a time as one again, as boto3 gives it."""
    if value is None:
        return None
    if shape.type_name == "structure":
        return {name: revived(shape.members[name], member) for name, member in value.items()}
    if shape.type_name == "list":
        return [revived(shape.member, member) for member in value]
    return parse_timestamp(value) if shape.type_name == "timestamp" else value
