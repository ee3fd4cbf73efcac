# botocore signs the same requests at a fixed time: a list of requests in, their Authorization headers out. The first is made
# by its own client from the call's arguments, so that its body is told too.
import datetime
import io
import json
import sys

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials

AT = datetime.datetime(2026, 11, 24, 12, 0, 0)
botocore.auth.get_current_datetime = lambda *_, **__: AT


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


asked = json.load(sys.stdin)
seen = {}


def text(value):
    return value if isinstance(value, str) else value.decode()


def catch(request, **_):
    seen["authorization"] = text(request.headers["Authorization"])
    seen["body"] = text(request.body)
    return AWSResponse(request.url, 200, {}, Raw(b"<DescribeInstancesResponse/>"))


session = botocore.session.Session()
session.set_credentials(*asked["keys"])
client = session.create_client("ec2", region_name="us-east-1")
client.meta.events.register("before-send.ec2.DescribeInstances", catch)
client.describe_instances(InstanceIds=asked["ids"])

answers = [seen]
for one in asked["requests"]:
    request = AWSRequest(one["method"], one["url"], dict(one["headers"]), one["body"])
    botocore.auth.SigV4Auth(Credentials(*asked["keys"]), one["service"], one["region"]).add_auth(request)
    answers.append({"authorization": request.headers["Authorization"]})
json.dump(answers, sys.stdout)
