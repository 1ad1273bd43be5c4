//! SOCKS version 5 (RFC 1928) with user name and password (RFC 1929); the proxy resolves names.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::ProxyFailure;
use crate::url::ProxyCredentials;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Requests a connection to the target; reads nothing after the proxy's last answer.
pub(crate) async fn open(
    stream: &mut TcpStream,
    credentials: Option<&ProxyCredentials>,
    host: &str,
    port: u16,
) -> Result<(), ProxyFailure> {
    let mut methods = vec![NO_AUTHENTICATION];
    methods.extend(credentials.map(|_| USER_AND_PASSWORD));
    let hello = [&[VERSION, byte(methods.len())?][..], &methods].concat();
    let answer: [u8; 2] = ask(stream, &hello).await?;
    match (answer, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, USER_AND_PASSWORD], Some(ProxyCredentials { user, password })) => {
            let (users, passwords) = (byte(user.len())?, byte(password.len())?);
            let login = [&[1, users][..], user, &[passwords], password].concat();
            let [_, status]: [u8; 2] = ask(stream, &login).await?;
            if status != 0 {
                return Err(ProxyFailure::Authentication);
            }
        }
        ([VERSION, _], _) => return Err(ProxyFailure::Authentication),
        _ => return Err(ProxyFailure::OtherProtocol),
    }

    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.extend([NAME, byte(host.len())?]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    let [version, reply, _, kind]: [u8; 4] = ask(stream, &request).await?;
    if version != VERSION {
        return Err(ProxyFailure::OtherProtocol);
    }
    if reply != 0 {
        return Err(ProxyFailure::Reply(reply));
    }
    // The proxy's own address and port are not used.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(stream.read_u8().await.map_err(ProxyFailure::Broken)?),
        _ => return Err(ProxyFailure::OtherProtocol),
    };
    let mut bound = vec![0; length + 2];
    stream.read_exact(&mut bound).await.map_err(ProxyFailure::Broken)?;
    Ok(())
}

async fn ask<const N: usize>(stream: &mut TcpStream, question: &[u8]) -> Result<[u8; N], ProxyFailure> {
    stream.write_all(question).await.map_err(ProxyFailure::Broken)?;
    let mut answer = [0; N];
    stream.read_exact(&mut answer).await.map_err(ProxyFailure::Broken)?;
    Ok(answer)
}

/// A length in one byte.
fn byte(length: usize) -> Result<u8, ProxyFailure> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a name is longer than 255 bytes");
    u8::try_from(length).map_err(|_| ProxyFailure::Broken(too_long()))
}
