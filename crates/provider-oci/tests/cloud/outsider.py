"""What the official SDK sees of a cloud, as an outsider: the instances of a pool, backend sets, a steering policy.

Input: JSON with the configuration file, the endpoint and what to look at. Output: one line of JSON.
"""

import json
import sys

import oci

what = json.load(sys.stdin)
config = oci.config.from_file(what["config"])
common = {"service_endpoint": what["endpoint"], "retry_strategy": oci.retry.NoneRetryStrategy()}
compute = oci.core.ComputeManagementClient(config, **common)
network = oci.core.VirtualNetworkClient(config, **common)
instances = oci.core.ComputeClient(config, **common)
load = oci.load_balancer.LoadBalancerClient(config, **common)
layer4 = oci.network_load_balancer.NetworkLoadBalancerClient(config, **common)
dns = oci.dns.DnsClient(config, **common)

pool = oci.pagination.list_call_get_all_results(
    compute.list_instance_pool_instances, what["compartment"], what["pool"]
).data
addresses = {}
for instance in pool:
    for card in instances.list_vnic_attachments(
        what["compartment"], instance_id=instance.id
    ).data:
        vnic = network.get_vnic(card.vnic_id).data
        if card.instance_id == instance.id and vnic.is_primary:
            addresses[instance.id] = vnic.private_ip
web = load.get_backend_set(what["balancer"], what["set"])
tcp = layer4.get_backend_set(what["network_balancer"], what["set"])
policy = dns.get_steering_policy(what["policy"]).data
weighted = [rule for rule in policy.rules if rule.rule_type == "WEIGHTED"]
print(
    json.dumps(
        {
            "addresses": addresses,
            "web": {each.name: [each.weight, each.drain] for each in web.data.backends},
            "policy": web.data.policy,
            "tcp": {each.name: [each.weight, each.is_drain] for each in tcp.data.backends},
            "answers": {
                each.answer_condition: each.value
                for each in weighted[0].default_answer_data
            },
            "ttl": policy.ttl,
        }
    )
)
