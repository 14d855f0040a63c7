"""Reads outputs of tollgate with the parsers of other projects, and prints what they hold as JSON.

Usage: read_outputs.py junit SCHEMA FILE | metrics FILE | otlp FILE
"""

import json
import sys


def junit(schema, path):
    import xml.etree.ElementTree as tree

    import xmlschema

    xmlschema.validate(path, schema)
    cases = tree.parse(path).getroot().iter("testcase")
    return [
        [case.get("classname"), case.get("name"), [child.tag for child in case]] for case in cases
    ]


def metrics(path):
    from prometheus_client import parser
    from prometheus_client.openmetrics import parser as openmetrics

    with open(path, encoding="utf-8") as file:
        text = file.read()
    # node_exporter's textfile collector reads the older text format.
    older = list(parser.text_string_to_metric_families(text))
    families = list(openmetrics.text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    names = sorted(sample.name for sample in samples)
    assert names == sorted(sample.name for family in older for sample in family.samples)
    assert all(sample.timestamp is None for sample in samples)
    return [[sample.name, sample.labels, sample.value] for sample in samples]


def otlp(path):
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

    with open(path, "rb") as file:
        request = metrics_service_pb2.ExportMetricsServiceRequest.FromString(file.read())
    size = request.ByteSize()
    request.DiscardUnknownFields()
    assert size == request.ByteSize(), "fields that OTLP does not know"
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.exponential_histogram.data_points:
                    assert point.count == point.zero_count + sum(point.positive.bucket_counts)
                    assert len(point.positive.bucket_counts) <= 160
                    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    return MessageToDict(request)


if __name__ == "__main__":
    read = {"junit": junit, "metrics": metrics, "otlp": otlp}[sys.argv[1]]
    print(json.dumps(read(*sys.argv[2:])))
