# boto3 as one who has nothing to do with the product: a line of JSON [service, method, arguments] in, a line out.
import json
import sys

import boto3
from botocore.config import Config

endpoint = sys.argv[1]
clients = {}
for line in sys.stdin:
    service, method, arguments = json.loads(line)
    if service not in clients:
        clients[service] = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="outsider",
            aws_secret_access_key="outsider",
            config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
        )
    try:
        answer = getattr(clients[service], method)(**arguments)
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer, default=str), flush=True)
