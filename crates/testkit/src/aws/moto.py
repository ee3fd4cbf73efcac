# moto's server on a free port of loopback. Prints the port; ends with its standard input.
#
# Its Route 53 is replaced in one call: it keeps no batch whole, takes a DELETE that names other values, and deletes by
# SetIdentifier across names. Here a batch is done as AWS documents it, or refused whole. And its machine's metadata say how long
# a token holds, without which AWS's clients do not take it. And where it verifies signatures (`Moto::be_strict`), it does not
# take a query for a body.
import os
import sys
import threading

from moto.iam.access_control import IAMRequestBase
from moto.instance_metadata.responses import InstanceMetadataResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.route53 import models
from moto.route53.exceptions import Route53ClientError
from werkzeug.serving import make_server


class Refused(Route53ClientError):
    code = 400

    def __init__(self, message):
        super().__init__("InvalidChangeBatch", message)


def place(record):
    return (record.name, record.type, record.set_identifier)


def said(record):
    values = sorted(record.records or [])
    return (place(record), record.weight, record.ttl, values, record.alias_target, record.health_check_id)


def changed(self, zone_id, changes):
    zone = self.get_hosted_zone(zone_id)
    sets = {place(record): record for record in zone.rrsets}
    for change in changes:
        given = dict(change["ResourceRecordSet"])
        given["Name"] = given["Name"].rstrip(".") + "."
        if given.get("ResourceRecords"):
            given["ResourceRecords"] = [value["Value"] for value in given["ResourceRecords"]]
        record = models.RecordSet(given)
        there = sets.get(place(record))
        if change["Action"] == "DELETE":
            if there is None or said(there) != said(record):
                raise Refused("the values provided do not match the current values")
            del sets[place(record)]
            continue
        if change["Action"] == "CREATE" and there is not None:
            raise Refused("it already exists")
        sets[place(record)] = record
    for (name, kind, identifier) in sets:
        for (other_name, other_kind, other) in sets:
            if name != other_name:
                continue
            if kind == other_kind and (identifier is None) != (other is None):
                raise Refused("a simple record and one with a routing policy have the same name and type")
            if kind == "CNAME" and other_kind != "CNAME":
                raise Refused("a CNAME stands beside another type")
    zone.rrsets = list(sets.values())


models.Route53Backend.change_resource_record_sets = changed


answered = InstanceMetadataResponse.metadata_response


def with_ttl(request, full_url, headers):
    status, fields, body = answered(request, full_url, headers)
    return status, {**fields, "x-aws-ec2-metadata-token-ttl-seconds": "21600"}, body


InstanceMetadataResponse.metadata_response = staticmethod(with_ttl)


created = IAMRequestBase._create_aws_request


def without_body(self):
    request = created(self)
    if self._method == "GET":
        request.data = b""
    return request


IAMRequestBase._create_aws_request = without_body


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), True, request_handler=MotoRequestHandler)
print(server.server_address[1], flush=True)
threading.Thread(target=end_with_stdin, daemon=True).start()
server.serve_forever()
