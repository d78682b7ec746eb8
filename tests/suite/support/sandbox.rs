//! The simulated provider as a separate server: the real binary, started and asked by the tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running sandbox; it stops when the value is dropped.
pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Server {
    /// Starts `reconcile sandbox --port 0` with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.args(["sandbox", "--port", "0"]).args(arguments).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().expect("the sandbox says where it listens").unwrap();
        let address = first.split("http://").nth(1).and_then(|rest| rest.split(',').next());
        let address = address.unwrap_or_else(|| panic!("no address in: {first}")).to_owned();
        // Drains its other messages, which must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The JSON of a page below `/_sandbox/`.
    pub fn page(&self, name: &str) -> Value {
        let request =
            format!("GET /_sandbox/{name} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        let (head, body) = self.send(&request);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a request unchanged. Returns head and body of the reply.
    pub fn send(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").expect("a whole reply");
        (head.to_owned(), body.to_owned())
    }

    /// Posts a form with these headers. Returns HTTP status and `Code`.
    pub fn post(&self, target: &str, headers: &[(&str, &str)], form: &str) -> (u16, String) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (head, body) = self.send(&format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{form}",
            self.address,
            form.len()
        ));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        (status, body["Code"].as_str().unwrap().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
