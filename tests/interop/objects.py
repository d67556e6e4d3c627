"""What lies in buckets, seen by boto3 and opened by Python's cryptography. Run by objects.rs: objects.py CASE ARGUMENTS [-- …].

S3 is at S3_ENDPOINT, campanile at ENDPOINT with ACCESS_KEY, SECRET_KEY and REGION.
"""

import base64
import hashlib
import json
import os
import sys
import urllib.request

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# The server's certificate is its own in these tests.
urllib3.disable_warnings()


def s3():
    return boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name="us-east-1",
                        aws_access_key_id="testing", aws_secret_access_key="testing")


def make(*buckets):
    """Makes buckets, NAME or NAME=OWNER; those that are there already only change their owner."""
    for bucket in buckets:
        name, _, owner = bucket.partition("=")
        try:
            s3().create_bucket(Bucket=name)
        except ClientError as error:
            assert "BucketAlready" in error.response["Error"]["Code"], error
        if owner:
            path = f"{os.environ['S3_ENDPOINT']}/_owner/{name}/{owner}"
            urllib.request.urlopen(urllib.request.Request(path, method="PUT"))


def show(bucket):
    """Prints every object of a bucket: key, encryption and what a small one says."""
    found = []
    for entry in s3().list_objects_v2(Bucket=bucket).get("Contents", []):
        head = s3().head_object(Bucket=bucket, Key=entry["Key"])
        body = None
        if entry["Size"] < 100_000:
            body = json.load(s3().get_object(Bucket=bucket, Key=entry["Key"])["Body"])
        found.append({
            "key": entry["Key"], "size": entry["Size"], "etag": head["ETag"], "body": body,
            "encryption": head.get("ServerSideEncryption"), "kms_key": head.get("SSEKMSKeyId"),
        })
    print(json.dumps(found))


def opened(sealed, key, bucket, path):
    """An object in clear, after docs/sealed-objects.md alone."""
    derive = lambda key, salt, info, length: HKDF(SHA256(), length, salt, info).derive(key)
    objects = derive(base64.b64decode(key), None, b"campanile objects 1", 32)
    head, rest = sealed[:80], sealed[80:]
    assert head[:8] == b"campobj\x01", head[:8]
    assert head[8:16] == derive(objects, None, b"campanile object key id", 8)
    place = b"".join(len(p).to_bytes(8, "big") + p for p in (bucket.encode(), path.encode()))
    assert head[48:80] == hashlib.sha256(place).digest()
    cipher = AESGCM(derive(objects, head[16:48], b"campanile object 1", 32))
    clear, chunk = b"", 65536 + 16
    for number, at in enumerate(range(0, len(rest), chunk)):
        last = at + chunk >= len(rest)
        number = number.to_bytes(8, "big")
        clear += cipher.decrypt(bytes(4) + number, rest[at:at + chunk], head + number + bytes([last]))
    return clear


def open_file(file, key_file, bucket, path):
    """Prints a sealed file in clear."""
    clear = opened(open(file, "rb").read(), open(key_file).read(), bucket, path)
    sys.stdout.buffer.write(clear)


def open_s3(key, bucket, path):
    """Prints the length and the digest of a sealed object in clear."""
    clear = opened(s3().get_object(Bucket=bucket, Key=path)["Body"].read(), key, bucket, path)
    print(len(clear), hashlib.sha256(clear).hexdigest())


def chime(service="chime"):
    env = os.environ
    return boto3.client(service, endpoint_url=env["ENDPOINT"], region_name=env["REGION"], verify=False,
                        aws_access_key_id=env["ACCESS_KEY"], aws_secret_access_key=env["SECRET_KEY"],
                        config=Config(retries={"max_attempts": 1}))


def send_records_to(bucket):
    chime("chime-sdk-voice").update_global_settings(VoiceConnector={"CdrBucket": bucket} if bucket else {})
    said = chime().get_global_settings()["VoiceConnector"]
    assert said == ({"CdrBucket": bucket} if bucket else {}), said


def cannot_send_records_to(*buckets):
    before = chime().get_global_settings()
    for bucket in buckets:
        for product in ("VoiceConnector", "BusinessCalling"):
            settings = {"VoiceConnector": {}, "BusinessCalling": {}, product: {"CdrBucket": bucket}}
            try:
                chime().update_global_settings(**settings)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "BadRequestException", error
                assert f"{product}.CdrBucket" in str(error), error
            else:
                raise AssertionError(f"{bucket} was taken")
    after = chime().get_global_settings()
    assert before.get("VoiceConnector") == after.get("VoiceConnector"), after


if __name__ == "__main__":
    # Several cases in one go, with "--" between them: starting Python takes longer than most of them.
    cases = [[]]
    for argument in sys.argv[1:]:
        if argument == "--":
            cases.append([])
        else:
            cases[-1].append(argument)
    for case, *arguments in cases:
        globals()[case](*arguments)
