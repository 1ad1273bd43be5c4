"""Reads requests with the official Python package opentelemetry-proto and says what they hold.

Arguments: a folder. Files named N.SIGNAL.proto hold a protobuf request each, lines of *.jsonl a request as JSON each.
Prints one JSON object: the sum of each metric, the events, the spans, and whether both forms, if there are both, hold the
same requests.
"""

import base64
import json
import pathlib
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {
    "logs": ("resourceLogs", ExportLogsServiceRequest),
    "metrics": ("resourceMetrics", ExportMetricsServiceRequest),
    "traces": ("resourceSpans", ExportTraceServiceRequest),
}


def known_bytes(message):
    """The message without what this package does not know."""
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    return copy.SerializeToString(deterministic=True)


def ids_as_base64(value):
    """OTLP writes ids in hexadecimal where JSON of protobuf has base64; everything else is the same."""
    if isinstance(value, list):
        return [ids_as_base64(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(entry)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else ids_as_base64(entry)
        for key, entry in value.items()
    }


def from_json(text):
    value = json.loads(text)
    for field, kind in KINDS.values():
        if field in value:
            return json_format.ParseDict(ids_as_base64(value), kind(), ignore_unknown_fields=True)
    raise SystemExit(f"a line is no request of OTLP: {text[:200]}")


def main(folder):
    binary, problems = [], []
    sums, events, spans = {}, [], []
    for path in sorted(folder.glob("*.proto")):
        message = KINDS[path.name.split(".")[1]][1]()
        body = path.read_bytes()
        message.ParseFromString(body)
        if known_bytes(message) != body:
            problems.append(f"{path.name} holds fields that are unknown, or are not in the usual order")
        binary.append(body)
        for resource in getattr(message, "resource_logs", []):
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    uid = [a.value.string_value for a in record.attributes if a.key == "log.record.uid"]
                    events.append([record.event_name, uid[0], record.trace_id.hex(), record.span_id.hex()])
        for resource in getattr(message, "resource_metrics", []):
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.sum.data_points:
                        sums[metric.name] = sums.get(metric.name, 0) + point.as_int
                    for point in metric.exponential_histogram.data_points:
                        sums[metric.name] = sums.get(metric.name, 0) + point.count
        for resource in getattr(message, "resource_spans", []):
            for scope in resource.scope_spans:
                for span in scope.spans:
                    spans.append([span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()])
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    as_json = [from_json(line).SerializeToString(deterministic=True) for line in lines]
    if lines and sorted(as_json) != sorted(binary):
        problems.append(f"{len(as_json)} requests in JSON are not the {len(binary)} requests in protobuf")
    print(json.dumps({"sums": sums, "events": events, "spans": spans, "requests": len(binary), "problems": problems}))


main(pathlib.Path(sys.argv[1]))
