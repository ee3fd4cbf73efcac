"""Signs a table of requests with the official SDK, for a test to compare with.

Input: JSON with the key file, the parts of the key's name, the date and the requests. Output: a line of JSON for each
request: all of its headers.
"""

import json
import sys

import oci
from oci._vendor import requests

table = json.load(sys.stdin)
signer = oci.signer.Signer(
    table["tenancy"], table["user"], table["fingerprint"], table["key_file"]
)
for each in table["requests"]:
    body = each["body"]
    request = requests.Request(
        each["method"],
        each["url"],
        headers={"date": table["date"], "content-type": "application/json"},
        data=None if body is None else body.encode("utf-8"),
    ).prepare()
    signed = signer(request)
    print(json.dumps({name.lower(): value for name, value in signed.headers.items()}))
