//! OTLP over HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError};
use hyper::body::Incoming;

use super::answer::Answer;
use super::received::Signal;
use super::response::{self, RpcStatus};
use super::server::{Dropped, Reply, WARNING, endless, read_body, record, scripted_reply, trickled};
use super::taking::{self, Form, Message, Refusal};
use super::{Profile, Shared, rules};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Takes one request, and writes down what became of it.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut headers = parts.headers;
    let profile = &shared.options.profile;
    let key = headers.remove(profile.key_header);
    let body = read_body(body).await;
    let body_size = body.as_ref().map_or(0, Bytes::len);
    let form = form(&headers, profile);
    let error = |status, code, message: &str| error(status, code, message, form.unwrap_or(Form::Proto));

    let signal = path.strip_prefix(profile.path).and_then(Signal::of_path);
    let signal = signal.filter(|signal| profile.signals.contains(signal));
    let result = match (signal, body) {
        (None, _) => Ok(error(StatusCode::NOT_FOUND, 5, "no such path")),
        (Some(_), _) if parts.method != Method::POST => {
            Ok(error(StatusCode::METHOD_NOT_ALLOWED, 12, "only POST is allowed"))
        }
        (Some(_), Err(failure)) if failure.is::<LengthLimitError>() => {
            Ok(error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large"))
        }
        (Some(_), Err(_)) => Err(Dropped),
        (Some(signal), Ok(body)) => {
            let scripted = shared.state().scripted(signal);
            let encoding = headers
                .get(CONTENT_ENCODING)
                .map_or(&b"identity"[..], |value| value.as_bytes());
            let message = form.map(|form| Message {
                signal,
                key: key.as_ref().map(|key| key.as_bytes()),
                headers: &headers,
                form,
                encoding,
                body: &body,
                cap: usize::MAX,
            });
            let regular = |rejected| regular(&shared, message, rejected);
            let never = async || {
                // Written down now: the client ends this by going away.
                record(&shared, &path, &headers, body_size, None, None);
                std::future::pending::<Infallible>().await
            };
            match scripted {
                None => Ok(regular(None)),
                Some(Answer::Response { status, headers, body }) => scripted_reply(status, &headers, body),
                Some(Answer::TakeAndRespond { status, headers, body }) => {
                    regular(None);
                    scripted_reply(status, &headers, body)
                }
                Some(Answer::Status { code, message, retry }) => {
                    let body = RpcStatus::new(code, &message, retry);
                    let form = form.unwrap_or(Form::Proto);
                    let mut reply = reply(http_status(code), form, response::written(&body, form));
                    if let Some(retry) = retry {
                        reply
                            .headers_mut()
                            .insert("retry-after", HeaderValue::from(retry.as_secs()));
                    }
                    Ok(reply)
                }
                Some(Answer::DropConnection) => Err(Dropped),
                Some(Answer::Hang) => match never().await {},
                Some(Answer::TakeAndHang) => {
                    regular(None);
                    match never().await {}
                }
                Some(Answer::Delay(pause)) => {
                    tokio::time::sleep(pause).await;
                    Ok(regular(None))
                }
                Some(Answer::Refuse { status }) => {
                    if let Some(message) = message
                        && let Ok(payload) = taking::read(&shared, &message)
                    {
                        taking::refuse(&shared, &message, payload);
                    }
                    scripted_reply(status, &[], Vec::new())
                }
                Some(Answer::Reject(items)) => Ok(regular(Some((items, "refused, as scripted")))),
                Some(Answer::Trickle(time)) => Ok(trickled(regular(Some((0, WARNING))), time).await),
                Some(Answer::Endless) => {
                    let reply = reply(StatusCode::OK, form.unwrap_or(Form::Proto), Vec::new());
                    Ok(reply.map(|_| endless()))
                }
            }
        }
    };
    let status = result.as_ref().ok().map(|reply| reply.status().as_u16());
    record(&shared, &path, &headers, body_size, status, None);
    result
}

/// The form of a body, if the backend takes it.
fn form(headers: &HeaderMap, profile: &Profile) -> Option<Form> {
    let found = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !profile.content_types.contains(&found) {
        return None;
    }
    match found {
        PROTOBUF => Some(Form::Proto),
        JSON => Some(Form::Json),
        _ => None,
    }
}

fn regular(shared: &Shared, message: Option<Message<'_>>, rejected: Option<(usize, &str)>) -> Reply {
    let Some(message) = message else {
        let words = "unsupported content type";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, words, Form::Proto);
    };
    let form = message.form;
    match taking::take(shared, &message, rejected) {
        Ok(taken) => {
            let status = StatusCode::from_u16(rules::success_status(message.signal)).unwrap_or(StatusCode::OK);
            reply(status, form, response::export_response(message.signal, &taken, form))
        }
        Err(Refusal::Key) => forbidden(&shared.options.profile),
        Err(Refusal::Encoding) => {
            let words = "unsupported content encoding";
            error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, words, form)
        }
        Err(Refusal::TooLarge { .. }) => error(StatusCode::PAYLOAD_TOO_LARGE, 8, "Payload too large", form),
        Err(Refusal::Malformed(why)) => error(StatusCode::BAD_REQUEST, 3, &why, form),
    }
}

/// The status that stands for a gRPC code.
fn http_status(code: i32) -> StatusCode {
    match code {
        0 => StatusCode::OK,
        3 | 9 | 11 => StatusCode::BAD_REQUEST,
        5 | 12 => StatusCode::NOT_FOUND,
        6 => StatusCode::CONFLICT,
        7 => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn error(status: StatusCode, code: i32, message: &str, form: Form) -> Reply {
    reply(
        status,
        form,
        response::written(&RpcStatus::new(code, message, None), form),
    )
}

fn forbidden(profile: &Profile) -> Reply {
    let (status, body) = profile.key_refused;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    reply(status, Form::Json, body.into())
}

fn reply(status: StatusCode, form: Form, body: Vec<u8>) -> Reply {
    let content_type = match form {
        Form::Proto => PROTOBUF,
        Form::Json => JSON,
    };
    let mut reply = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
