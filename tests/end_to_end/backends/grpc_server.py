"""An OTLP server made of the official packages `opentelemetry-proto` and `grpcio`.

Listens on loopback, prints its port, and writes every request into a file of the folder that is its argument, whose name it
prints, until its standard input ends. It takes messages of up to 12,000 bytes, and answers larger ones as any gRPC server does.
"""

import itertools
import pathlib
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

folder = pathlib.Path(sys.argv[1])
numbers = itertools.count()


class Service:
    def __init__(self, signal, answer):
        self.signal = signal
        self.answer = answer

    def Export(self, request, context):
        name = f"{next(numbers):04}.{self.signal}.proto"
        new = folder / f"{name}.new"
        new.write_bytes(request.SerializeToString())
        new.rename(folder / name)
        print(name, flush=True)
        return self.answer()


server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 12_000)])
logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
    Service("logs", logs_service_pb2.ExportLogsServiceResponse), server
)
metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
    Service("metrics", metrics_service_pb2.ExportMetricsServiceResponse), server
)
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
    Service("traces", trace_service_pb2.ExportTraceServiceResponse), server
)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(None)
