"""moto's S3 with one thing more: `x-amz-expected-bucket-owner` is heeded, which moto lets pass.

    s3_server.py PORT JOURNAL     PORT 0 lets the kernel choose; the first line of output says which it is

As S3 documents it, a request whose header names another account than the bucket's is refused with 403 AccessDenied,
and so is one that has an x-amz- header which it does not sign. Every bucket has the policy that the old service asked
for: an object may be put there only under the ACL bucket-owner-full-control, and no other request may name one. `PUT /_owner/BUCKET/ACCOUNT` gives a bucket to another
account. Each request is a line of the journal.
"""

import json
import re
import sys
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

REFUSED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>%s</Message></Error>"
given = {}


def why_refused(environ, bucket, key):
    signed = re.search(r"SignedHeaders=([^,]*)", environ.get("HTTP_AUTHORIZATION", ""))
    signed = signed[1].split(";") if signed else []
    named = [name[5:].lower().replace("_", "-") for name in environ if name.startswith("HTTP_X_AMZ_")]
    if not set(named) <= set(signed):
        return b"There were headers present in the request which were not signed"
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    method = environ["REQUEST_METHOD"]
    begins = key and (method == "PUT" and "partNumber" not in query or method == "POST" and "uploads" in query)
    if environ.get("HTTP_X_AMZ_ACL") != ("bucket-owner-full-control" if begins else None):
        return b"Access Denied by the policy of the bucket"
    header = "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"
    if header not in environ:
        return None
    owner = given.get(bucket) or s3_backends.bucket_accounts.get(bucket, (None, None))[1]
    return None if owner in (None, environ[header]) else b"Access Denied"


class Heeding:
    def __init__(self, moto, journal):
        self.moto, self.journal = moto, journal

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"].split("/")
        if path[1] == "_owner":
            given[path[2]] = path[3]
            start_response("204 No Content", [])
            return [b""]
        why = why_refused(environ, path[1], "/".join(path[2:]))
        with open(self.journal, "a") as journal:
            entry = {
                "method": environ["REQUEST_METHOD"],
                "path": environ["PATH_INFO"],
                "query": environ.get("QUERY_STRING", ""),
                "owner": environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"),
                "refused": bool(why),
            }
            journal.write(json.dumps(entry) + "\n")
        if why:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [REFUSED % why]
        return self.moto(environ, start_response)


if __name__ == "__main__":
    moto = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", int(sys.argv[1]), Heeding(moto, sys.argv[2]), threaded=True)
    print(f"port {server.port}", flush=True)
    server.serve_forever()
