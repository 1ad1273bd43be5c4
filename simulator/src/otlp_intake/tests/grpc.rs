//! The intake over gRPC, called by tonic's client and by clients that do not speak gRPC.

use std::time::Duration;

use bytes::{Buf, BufMut};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::super::*;

/// The codec that generated clients use.
#[derive(Default)]
struct Prost;

impl Codec for Prost {
    type Encode = ExportLogsServiceRequest;
    type Decode = ExportLogsServiceResponse;
    type Encoder = Prost;
    type Decoder = Prost;

    fn encoder(&mut self) -> Prost {
        Prost
    }

    fn decoder(&mut self) -> Prost {
        Prost
    }
}

impl Encoder for Prost {
    type Item = ExportLogsServiceRequest;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(&item.encode_to_vec()[..]);
        Ok(())
    }
}

impl Decoder for Prost {
    type Item = ExportLogsServiceResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Message::decode(bytes)
            .map(Some)
            .map_err(|why| Status::internal(why.to_string()))
    }
}

fn logs(event: &str) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    event_name: event.into(),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

async fn export(intake: &OtlpIntake, key: &str, event: &str) -> Result<ExportLogsServiceResponse, Status> {
    let channel: Channel = Endpoint::from_shared(format!("http://{}", intake.grpc_address()))
        .unwrap()
        .connect_lazy();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = Request::new(logs(event));
    request
        .metadata_mut()
        .insert("dd-api-key", MetadataValue::try_from(key).unwrap());
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        .parse()
        .unwrap();
    client
        .unary(request, path, Prost)
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn serves_a_grpc_client() {
    let intake = OtlpIntake::start(Some("right".into())).await.unwrap();
    assert_eq!(
        export(&intake, "right", "a").await.unwrap(),
        ExportLogsServiceResponse::default()
    );
    assert_eq!(intake.records()[0].event_name, "a");
    let refused = export(&intake, "wrong", "b").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    intake.fail_next(Signal::Logs, ScriptedReply::Reject(1));
    let partial = export(&intake, "right", "c").await.unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 1);
    let busy = ScriptedReply::code(8, "busy: 100 % ä").retry_after(Duration::from_millis(1500));
    intake.fail_next(Signal::Logs, busy);
    let status = export(&intake, "right", "d").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "busy: 100 % ä")
    );
    // google.rpc.Status with one detail, whose delay is 1 s and 500,000,000 ns (protobuf varints).
    let delay = [8, 1, 16, 0x80, 0xca, 0xb5, 0xee, 1];
    assert!(status.details().ends_with(&delay), "{:?}", status.details());
    let codes: Vec<_> = intake.attempts().iter().map(|attempt| attempt.grpc_status).collect();
    assert_eq!(codes, [Some(0), Some(16), Some(0), Some(8)]);
    assert!(intake.attempts().iter().all(|attempt| attempt.status == Some(200)));
}

#[tokio::test]
async fn refuses_a_message_above_the_limit_as_grpc_go() {
    let limits = SizeLimits {
        grpc_message: 100,
        ..SizeLimits::default()
    };
    let options = IntakeOptions {
        limits,
        ..IntakeOptions::default()
    };
    let intake = OtlpIntake::start_with(options).await.unwrap();
    let status = export(&intake, "x", &"a".repeat(200)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(
        status.message().contains("received message larger than max"),
        "{status:?}"
    );
    assert!(export(&intake, "x", "a").await.is_ok());
}

#[tokio::test]
async fn the_grpc_port_serves_no_http_1() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let mut stream = TcpStream::connect(intake.grpc_address()).await.unwrap();
    stream
        .write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Ended by a close or a reset.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(intake.attempts().is_empty());
}
