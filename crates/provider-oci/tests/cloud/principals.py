"""The official SDK as an instance and as a resource: each with the token it is given, reading a backend set.

Input: JSON with the endpoint, what to look at, and variables to set. Output: a line of JSON for each way.
"""

import json
import os
import sys

what = json.load(sys.stdin)
os.environ.update(what["env"])

import oci

ways = [
    oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
        federation_endpoint=what["endpoint"] + "/v1/x509"
    ),
    oci.auth.signers.get_resource_principals_signer(),
]
for signer in ways:
    client = oci.load_balancer.LoadBalancerClient(
        {}, signer=signer, service_endpoint=what["endpoint"]
    )
    web = client.get_backend_set(what["balancer"], what["set"]).data
    print(json.dumps({"region": signer.region, "backends": len(web.backends)}))
