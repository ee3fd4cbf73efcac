"""Signs a table of requests with the official SDK, for a test to compare with.

Input: JSON with the key file, the parts of the key's name, the date and the requests. Output: a line of JSON for each
request: all of its headers.
"""

import json
import sys

import oci
from oci._vendor import requests
from oci.auth.federation_client import AuthTokenRequestSigner

table = json.load(sys.stdin)
signer = oci.signer.Signer(
    table["tenancy"], table["user"], table["fingerprint"], table["key_file"]
)


class Certificate:
    """Stands for the certificate of an instance."""

    def get_private_key(self):
        return signer.private_key


# How an instance asks for its token.
federation = AuthTokenRequestSigner(table["tenancy"], table["fingerprint"], Certificate())
for each in table["requests"]:
    body = each["body"]
    request = requests.Request(
        each["method"],
        each["url"],
        headers={"date": table["date"], "content-type": "application/json"},
        data=None if body is None else body.encode("utf-8"),
    ).prepare()
    signed = (federation if each["url"].endswith("/v1/x509") else signer)(request)
    print(json.dumps({name.lower(): value for name, value in signed.headers.items()}))
