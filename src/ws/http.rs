//! The first request of a connection: a page, a status, or the way to a WebSocket.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::codec::CloseCode;
use super::proxies::{FORWARDED_FOR, Peer};
use super::script::Script;
use crate::node::AllowedOrigins;
use crate::user::{Credentials, TenantId, UserId};

/// Most header lines of a request.
const HEADERS_MAX: usize = 64;
/// What is kept of a header that `users_in_pipes` shows, in bytes, as in the original.
const AGENT_BYTES_MAX: usize = 250;
const LANGUAGE_BYTES_MAX: usize = 64;
/// Longest number a browser gives itself.
const UUID_BYTES_MAX: usize = 64;
/// Behind these paths the parameters of a WebSocket follow. A proxy may mount the node under `/comet-server`, and a
/// node option that ends in a slash doubles the first.
const WEBSOCKET_PATHS: [&str; 4] = ["/ws/", "//ws/", "/comet-server/ws/", "//comet-server/ws/"];
/// RFC 6455, 1.3.
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a connection gets to see before it speaks WebSocket.
pub struct Site {
    /// The page at `/`.
    pub page: Bytes,
    /// What pages load to speak with the node.
    pub script: Script,
    /// Whose pages may connect.
    pub origins: AllowedOrigins,
}

/// What the first bytes of a connection turned out to be.
pub enum Request {
    /// More is to come.
    Incomplete,
    /// An answer, after which the connection ends.
    Answer(Bytes),
    WebSocket {
        request_bytes: usize,
        response: Bytes,
        opening: Result<Opening, Refusal>,
    },
}

/// Who connects, as far as the request says.
#[derive(PartialEq, Eq, Debug)]
pub struct Opening {
    pub tenant: TenantId,
    pub credentials: Option<Credentials>,
    pub major_version: u32,
    pub uuid: String,
    /// The browser's, as far as those in between are believed.
    pub address: IpAddr,
    pub user_agent: String,
    pub origin: String,
    pub language: String,
}

impl Opening {
    /// What the headers say, whoever it is.
    fn of_stranger(request: &httparse::Request<'_, '_>, address: IpAddr) -> Opening {
        Opening {
            tenant: TenantId::ROOT,
            credentials: None,
            major_version: 0,
            uuid: String::new(),
            address,
            user_agent: shortened(header(request, "user-agent"), AGENT_BYTES_MAX),
            origin: shortened(header(request, "origin"), AGENT_BYTES_MAX),
            language: shortened(header(request, "accept-language"), LANGUAGE_BYTES_MAX),
        }
    }
}

/// Why a WebSocket is refused, with the original's number. It is said in a frame, after the handshake.
#[derive(PartialEq, Eq, Debug)]
pub struct Refusal {
    pub code: u16,
    pub text: &'static str,
    /// How generation 5 is told, instead.
    pub close_code: Option<CloseCode>,
}

/// Reads the request at the front of `bytes`.
pub fn read(bytes: &[u8], request_bytes_max: usize, peer: Peer<'_>, site: &Site) -> Request {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(request_bytes)) if request_bytes <= request_bytes_max => {
            route(&request, request_bytes, peer, site)
        }
        Ok(httparse::Status::Partial) if bytes.len() <= request_bytes_max => Request::Incomplete,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            Request::Answer(answer("431 Request Header Fields Too Large", "The request is too long.\n"))
        }
        Err(_) => Request::Answer(answer("400 Bad Request", "This is not an HTTP request.\n")),
    }
}

fn route(request: &httparse::Request<'_, '_>, request_bytes: usize, peer: Peer<'_>, site: &Site) -> Request {
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if method == "OPTIONS" {
        return Request::Answer(answer("200 OK", "+OK\r\n"));
    }
    if method != "GET" && method != "HEAD" {
        return Request::Answer(answer("404 Not Found", "There is nothing to post to here: publish through MySQL.\n"));
    }
    if let Some(parameters) = WEBSOCKET_PATHS.iter().find_map(|path| target.strip_prefix(path)) {
        return websocket(request, request_bytes, parameters, peer, site);
    }
    let path = target.split('?').next().unwrap_or_default();
    let response = match path.strip_prefix("/comet-server").unwrap_or(path) {
        "/" => response("200 OK", "text/html; charset=UTF-8", &site.page),
        "/info" => response("200 OK", "application/json", info().as_bytes()),
        "/CometServerApi.js" => script(request, &site.script),
        "/favicon.ico" => response("200 OK", "image/svg+xml", ICON.as_bytes()),
        _ => answer("404 Not Found", "There is nothing here. The page is at /, browsers connect to /ws/.\n"),
    };
    Request::Answer(if method == "HEAD" { head_of(&response) } else { response })
}

/// Whoever has this version already is told so, and who can unpack it is sent less.
fn script(request: &httparse::Request<'_, '_>, script: &Script) -> Bytes {
    let tag = &script.entity_tag;
    let kind = "text/javascript; charset=UTF-8";
    let has = header(request, "if-none-match").split(',').any(|known| {
        let known = known.trim();
        known.strip_prefix("W/").unwrap_or(known) == tag || known == "*"
    });
    let unpacks = header(request, "accept-encoding").split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    });
    let about = format!("ETag: {tag}\r\nVary: Accept-Encoding\r\n");
    match (has, unpacks) {
        (true, _) => response_with("304 Not Modified", kind, &about, b""),
        (false, true) => response_with("200 OK", kind, &format!("{about}Content-Encoding: gzip\r\n"), &script.gzipped),
        (false, false) => response_with("200 OK", kind, &about, &script.plain),
    }
}

const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>\
                    <circle cx='11' cy='5' r='4' fill='#e4572e'/><path d='M1 15 8 8' stroke='#e4572e'/></svg>";

fn info() -> String {
    format!("{{\"status\":\"ok\",\"node\":\"cometql\",\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"))
}

fn websocket(
    request: &httparse::Request<'_, '_>,
    request_bytes: usize,
    parameters: &str,
    peer: Peer<'_>,
    site: &Site,
) -> Request {
    let key = header(request, "sec-websocket-key");
    if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
        let text = "WebSocket only: the header Sec-WebSocket-Key is missing or wrong. Is a proxy in front that does \
                    not pass Upgrade on?\n";
        return Request::Answer(answer("400 Bad Request", text));
    }
    if !matches!(header(request, "sec-websocket-version"), "" | "13") {
        let text = "WebSocket version 13 only.\n";
        return Request::Answer(answer("426 Upgrade Required\r\nSec-WebSocket-Version: 13", text));
    }
    let accept = STANDARD.encode(Sha1::digest(format!("{key}{WEBSOCKET_GUID}")));
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Version: 13\r\n"
    );
    // A browser that offers protocols gives up when none of them is chosen.
    let offered = header(request, "sec-websocket-protocol").split(',').next().unwrap_or_default().trim();
    if !offered.is_empty() {
        response.push_str(&format!("Sec-WebSocket-Protocol: {offered}\r\n"));
    }
    response.push_str("\r\n");
    let address = peer.browser(lines(request, FORWARDED_FOR));
    let opening = Parameters::parse(parameters).opening(request, address).and_then(|opening| {
        // What is kept of the header may be shortened: the whole of it counts.
        let is_allowed = site.origins.admit(opening.tenant, header(request, "origin"));
        let close_code = (opening.major_version > 4).then_some(CloseCode::ForeignOrigin);
        let text = "Pages from this origin may not connect here";
        is_allowed.then_some(opening).ok_or(Refusal { code: 423, text, close_code })
    });
    Request::WebSocket { request_bytes, response: Bytes::from(response), opening }
}

/// `sesion=<key>&myid=<user>&devid=<tenant>&v=<major>.<minor>&uuid=<id>&api=js`, raw, without percent escapes. The
/// original went by place and skipped the names; a name that is known wins here. `undefined` is what its client
/// writes for an option that is not set.
#[derive(Default)]
struct Parameters<'t> {
    key: Option<&'t str>,
    user: Option<&'t str>,
    tenant: Option<&'t str>,
    version: Option<&'t str>,
    uuid: Option<&'t str>,
}

impl<'t> Parameters<'t> {
    fn parse(text: &'t str) -> Parameters<'t> {
        let mut parameters = Parameters::default();
        for (place, parameter) in text.trim_start_matches('?').split('&').enumerate() {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let field = match (name, place) {
                ("sesion" | "session", _) => &mut parameters.key,
                ("myid", _) => &mut parameters.user,
                ("devid", _) => &mut parameters.tenant,
                ("v", _) => &mut parameters.version,
                ("uuid", _) => &mut parameters.uuid,
                ("api", _) => continue,
                (_, 0) => &mut parameters.key,
                (_, 1) => &mut parameters.user,
                (_, 2) => &mut parameters.tenant,
                (_, 3) => &mut parameters.version,
                _ => continue,
            };
            *field = Some(value);
        }
        parameters
    }

    fn opening(&self, request: &httparse::Request<'_, '_>, address: IpAddr) -> Result<Opening, Refusal> {
        let refuse = |code, text| Refusal { code, text, close_code: None };
        if let Some(major_version @ 5..) = self.major_version() {
            return self.opening_of_five(major_version, request, address);
        }
        if self.key.is_none() || self.user.is_none() {
            return Err(refuse(401, "The address must be /ws/sesion=KEY&myid=USER&devid=TENANT&v=4.08&uuid=ID"));
        }
        let tenant = match self.tenant {
            None => return Err(refuse(406, "The address says no devid")),
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
                TenantId::parse(text).ok_or(refuse(406, "The devid in the address is no tenant: 0 to 99999"))?
            }
            Some(_) => TenantId::ROOT,
        };
        let user = self.user.and_then(|user| user.parse().ok()).and_then(UserId::new);
        let key = self.key.filter(|key| !key.is_empty() && *key != "undefined");
        let is_uuid = |uuid: &&str| uuid.len() <= UUID_BYTES_MAX && *uuid != "undefined";
        Ok(Opening {
            tenant,
            credentials: user.zip(key).map(|(user, key)| Credentials { tenant, user, key: key.to_owned() }),
            major_version: self.major_version().ok_or(refuse(418, "The address says no version such as v=4.08"))?,
            uuid: self.uuid.filter(is_uuid).unwrap_or_default().to_owned(),
            ..Opening::of_stranger(request, address)
        })
    }

    /// Generation 5 says in its first frame who it is; here it names its tenant.
    fn opening_of_five(
        &self,
        major_version: u32,
        request: &httparse::Request<'_, '_>,
        address: IpAddr,
    ) -> Result<Opening, Refusal> {
        let text = "The devid in the address is no tenant: 0 to 99999";
        let tenant = TenantId::parse(self.tenant.unwrap_or("0"));
        let tenant = tenant.ok_or(Refusal { code: 406, text, close_code: Some(CloseCode::NoHello) })?;
        Ok(Opening { tenant, major_version, ..Opening::of_stranger(request, address) })
    }

    /// `4.08` or, in generation 5, only `5`.
    fn major_version(&self) -> Option<u32> {
        let version = self.version?;
        match version.split_once('.') {
            Some((major, minor)) => minor.parse::<u32>().ok().and(major.parse().ok()),
            None => version.parse().ok().filter(|major| *major > 4),
        }
    }
}

/// The value of a header, `""` when it is absent or no UTF-8.
fn header<'r>(request: &'r httparse::Request<'_, '_>, name: &str) -> &'r str {
    lines(request, name).next().and_then(|value| std::str::from_utf8(value).ok()).map_or("", str::trim)
}

/// The values of all lines of a header.
fn lines<'r>(request: &'r httparse::Request<'_, '_>, name: &str) -> impl DoubleEndedIterator<Item = &'r [u8]> {
    let named = request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value)
}

fn shortened(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

/// A plain answer. `status` may bring further header lines.
pub fn answer(status: &str, text: &str) -> Bytes {
    response(status, "text/plain; charset=UTF-8", text.as_bytes())
}

fn response(status: &str, content_type: &str, body: &[u8]) -> Bytes {
    response_with(status, content_type, "", body)
}

/// `headers` are further lines, each with its end.
fn response_with(status: &str, content_type: &str, headers: &str, body: &[u8]) -> Bytes {
    // "Not modified" has no body, and must not say that the body has no length (RFC 9110, 8.6).
    let length = if status.starts_with("304") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{length}{headers}Server: cometql\r\n\
         Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, GET\r\nAllow: POST, GET\r\n\
         Access-Control-Allow-Headers: origin, content-type, accept\r\nCache-Control: no-cache\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes();
    response.extend_from_slice(body);
    Bytes::from(response)
}

fn head_of(response: &Bytes) -> Bytes {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n").map_or(response.len(), |end| end + 4);
    response.slice(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn read(bytes: &[u8], request_bytes_max: usize, site: &Site) -> Request {
        let trusted_proxies = std::iter::once("127.0.0.0/8".parse().unwrap()).collect();
        super::read(bytes, request_bytes_max, Peer { address: HOME, trusted_proxies: &trusted_proxies }, site)
    }

    fn site() -> Site {
        Site { page: Bytes::from_static(b"<p>page</p>"), script: Script::new(), origins: AllowedOrigins::default() }
    }

    fn upgrade(target: &str) -> String {
        format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUser-Agent: agent\r\n\r\n"
        )
    }

    fn opening(target: &str) -> Result<Opening, u16> {
        match read(upgrade(target).as_bytes(), 16_384, &site()) {
            Request::WebSocket { opening, .. } => opening.map_err(|refusal| refusal.code),
            _ => panic!("{target} is no WebSocket"),
        }
    }

    fn status(request: &str) -> String {
        match read(request.as_bytes(), 16_384, &site()) {
            Request::Answer(answer) => String::from_utf8_lossy(&answer[9..12]).into_owned(),
            Request::Incomplete => "incomplete".to_owned(),
            Request::WebSocket { response, .. } => String::from_utf8_lossy(&response[9..12]).into_owned(),
        }
    }

    #[test]
    fn generation_five_says_only_its_tenant_in_the_address() {
        let five = opening("/ws/v=5&devid=3").unwrap();
        assert_eq!((five.tenant, five.major_version, five.credentials), (TenantId(3), 5, None));
        assert_eq!(opening("/ws/v=5").unwrap().tenant, TenantId(0));
        assert_eq!(opening("/ws/v=6.1&devid=3").unwrap().major_version, 6);
        assert_eq!(opening("/ws/v=5&devid=100000").unwrap_err(), 406);
        assert!(opening("/ws/v=4&devid=3").is_err(), "the original says its minor version, too");
    }

    #[test]
    fn the_script_is_sent_packed_to_who_can_unpack_it_and_once() {
        let site = site();
        let get = |headers: &str| {
            let request = format!("GET /comet-server/CometServerApi.js HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
            match read(request.as_bytes(), 10_000, &site) {
                Request::Answer(answer) => String::from_utf8_lossy(&answer).into_owned(),
                _ => panic!("an answer"),
            }
        };
        let plain = get("");
        assert!(
            plain.starts_with("HTTP/1.1 200 OK") && plain.contains("cometApi") && !plain.contains("Encoding: gzip")
        );
        let packed = get("Accept-Encoding: br, gzip;q=0.8\r\n");
        assert!(packed.contains("Content-Encoding: gzip") && site.script.gzipped.len() < plain.len() / 2);
        assert!(!get("Accept-Encoding: gzip;q=0\r\n").contains("Content-Encoding"));
        let tag = site.script.entity_tag.clone();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            let answer = get(&format!("If-None-Match: {known}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 304") && !answer.contains("Content-Length"), "{answer}");
        }
        assert!(get("If-None-Match: \"other\"\r\n").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn the_address_of_the_original_client_is_understood() {
        let uuid = "Qm3_xKp0aZr7LtY2vB9nWc5dHs8-JgEu";
        for path in WEBSOCKET_PATHS {
            let opening = opening(&format!("{path}sesion=7f3c9a&myid=42&devid=3&v=4.08&uuid={uuid}&api=js")).unwrap();
            let credentials = opening.credentials.unwrap();
            assert_eq!((credentials.key.as_str(), credentials.user.number()), ("7f3c9a", 42));
            assert_eq!((opening.tenant, opening.major_version, opening.uuid.as_str()), (TenantId(3), 4, uuid));
            assert_eq!(opening.user_agent, "agent");
        }
    }

    #[test]
    fn the_lines_of_x_forwarded_for_are_one_list_in_every_generation() {
        for target in ["/ws/v=5&devid=3", "/ws/sesion=a&myid=1&devid=1&v=4.08"] {
            let forwarded = "Host: x\r\nx-forwarded-for: 6.6.6.6\r\nA: 7.7.7.7\r\nX-FORWARDED-FOR:\t[::ffff:1.2.3.4]:5 \
                             \r\nForwarded: for=8.8.8.8\r\nX-Forwarded-For: 127.0.0.9,127.0.0.2\r\n";
            for (lines, expected) in [(forwarded, "1.2.3.4"), ("Host: x\r\nForwarded: for=8.8.8.8\r\n", "127.0.0.1")] {
                let request = upgrade(target).replace("Host: x\r\n", lines);
                let Request::WebSocket { opening, .. } = read(request.as_bytes(), 16_384, &site()) else { panic!() };
                assert_eq!(opening.unwrap().address.to_string(), expected, "{target}");
            }
        }
    }

    #[test]
    fn parameters_go_by_place_when_their_names_are_strange_and_undefined_is_nothing() {
        let by_place = opening("/ws/x=a&aaaa=1&bbbbb=2&w=4.08&uuid=z").unwrap();
        assert_eq!((by_place.tenant, by_place.credentials.unwrap().key.as_str()), (TenantId(2), "a"));
        let by_name = opening("/ws/?v=4.1&devid=5&myid=0&sesion=k").unwrap();
        assert_eq!((by_name.tenant, by_name.credentials, by_name.uuid.as_str()), (TenantId(5), None, ""));
        let unset =
            opening("/ws/sesion=undefined&myid=undefined&devid=undefined&v=4.08&uuid=undefined&api=js").unwrap();
        assert_eq!((unset.tenant, unset.credentials, unset.uuid.as_str()), (TenantId(0), None, ""));
        assert_eq!(opening("/ws/sesion=a&myid=-3&devid=0&v=4.08").unwrap().credentials, None);
        let token = "t".repeat(1_000);
        let long = opening(&format!("/ws/sesion={token}&myid=1&devid=0&v=4.08&uuid=x")).unwrap();
        assert_eq!(long.credentials.unwrap().key, token);
    }

    #[test]
    fn refusals_have_the_numbers_of_the_original() {
        let cases = [
            ("/ws/", 401),
            ("/ws/sesion=a", 401),
            ("/ws/sesion=a&myid=1", 406),
            ("/ws/sesion=a&myid=1&devid=100000&v=4.08", 406),
            ("/ws/sesion=a&myid=1&devid=1", 418),
            ("/ws/sesion=a&myid=1&devid=1&v=4", 418),
            ("/ws/sesion=a&myid=1&devid=1&v=x.y", 418),
        ];
        for (target, code) in cases {
            assert_eq!(opening(target).map(|opening| opening.major_version), Err(code), "{target}");
        }
    }

    #[test]
    fn the_handshake_is_accepted_as_the_rfc_computes_it() {
        let request = upgrade("/ws/sesion=a&myid=1&devid=1&v=4.08")
            .replace("Host: x\r\n", "Host: x\r\nSec-WebSocket-Protocol: chat, other\r\n");
        let Request::WebSocket { response, request_bytes, .. } = read(request.as_bytes(), 16_384, &site()) else {
            panic!("no WebSocket")
        };
        assert_eq!(request_bytes, request.len());
        let response = String::from_utf8(response.to_vec()).unwrap();
        assert!(response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{response}");
        assert!(response.contains("Sec-WebSocket-Protocol: chat\r\n") && response.ends_with("\r\n\r\n"));
    }

    #[test]
    fn each_request_has_its_answer() {
        let no_key = upgrade("/ws/x").replace("sec-websocket-key", "x-key");
        let old = upgrade("/ws/x").replace("Version: 13", "Version: 8");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(16_384));
        let unfinished = format!("GET /{}", "a".repeat(16_384));
        let cases = [
            ("GET / HTTP/1.1\r\n\r\n", "200"),
            ("HEAD / HTTP/1.1\r\n\r\n", "200"),
            ("GET /info HTTP/1.1\r\n\r\n", "200"),
            ("GET /comet-server/info?x=1 HTTP/1.1\r\n\r\n", "200"),
            ("GET /favicon.ico HTTP/1.1\r\n\r\n", "200"),
            ("OPTIONS /x HTTP/1.1\r\n\r\n", "200"),
            ("POST / HTTP/1.1\r\n\r\n", "404"),
            ("GET /x HTTP/1.1\r\n\r\n", "404"),
            ("GET / HTTP/1.1\r\nHost", "incomplete"),
            ("", "incomplete"),
            ("\u{1}\u{2}\u{3}\r\n\r\n", "400"),
            (no_key.as_str(), "400"),
            (old.as_str(), "426"),
            (many.as_str(), "431"),
            (long.as_str(), "431"),
            (unfinished.as_str(), "431"),
        ];
        for (request, expected) in cases {
            assert_eq!(status(request), expected, "{}", &request[..request.len().min(60)]);
        }
        let Request::Answer(head) = read(b"HEAD / HTTP/1.1\r\n\r\n", 100, &site()) else { panic!() };
        assert!(head.ends_with(b"\r\n\r\n"));
    }
}
