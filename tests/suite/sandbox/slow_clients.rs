//! Clients that never finish their request do not keep the sandbox's connections.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::sandbox::Server;

/// Sends half of a request and waits for the end of the connection. Returns the response.
fn half_a_request(server: &Server, text: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("the sandbox ends the connection");
    response
}

#[test]
fn half_a_request_does_not_hold_a_connection() {
    let server = Server::start(&[]);
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\na=1";
    // Without a whole head there is no response; without a whole body there is one.
    std::thread::scope(|threads| {
        let silent = threads.spawn(|| half_a_request(&server, ""));
        let half_head = threads.spawn(|| half_a_request(&server, head));
        let half_body = threads.spawn(|| half_a_request(&server, &format!("{head}{form}")));
        assert!(!silent.join().unwrap().contains("200 OK"));
        assert!(!half_head.join().unwrap().contains("200 OK"));
        assert!(half_body.join().unwrap().starts_with("HTTP/1.1 413"));
    });
}
