//! A published run on moto, an independent server with the interface of S3, read by DuckDB.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::support::rust_files::root;
use crate::support::{Bench, duckdb, ledger, venv};

/// A running moto with a bucket `night`; it stops when the value is dropped.
struct Moto {
    child: Child,
    /// Host and port.
    address: String,
}

impl Moto {
    fn start() -> Self {
        let mut child = venv::moto_server().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("http://127.0.0.1:"));
        let address = line.unwrap().split("http://").nth(1).unwrap().trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let moto = Self { child, address };
        moto.put("night", "");
        moto
    }

    /// Puts a body at a path; the bucket itself with only its name.
    fn put(&self, path: &str, body: &str) {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "PUT /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn duckdb_reads_the_newest_run_with_details_sql() {
    let moto = Moto::start();
    let bench = Bench::new("");
    let run = |calls: usize| {
        let input = format!("s3://night/in/{calls}.csv");
        moto.put(&format!("night/in/{calls}.csv"), &ledger(calls));
        let given = ["--input", &input, "--out", "s3://night/lake", "--store", "reconcile.db", "--sql"];
        let mut command = bench.command(&given);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", moto.address));
        command.envs([("AWS_ACCESS_KEY_ID", "moto"), ("AWS_SECRET_ACCESS_KEY", "moto")]);
        bench.start_command(command).wait().exits(0);
    };
    run(2);
    let begin = format!(
        "{};\nCREATE SECRET (TYPE s3, KEY_ID 'moto', SECRET 'moto', ENDPOINT '{}', URL_STYLE 'path', USE_SSL false);\n",
        venv::load_httpfs(),
        moto.address
    );
    let query = |sql: &str| {
        bench.write("query.sql", &format!("{begin}{sql}"));
        let text = duckdb::query(&bench.path("."), &["-list", "-noheader"], ".read query.sql");
        text.strip_prefix("true\n").unwrap().to_owned()
    };
    let sql = query(
        "SET VARIABLE file = (SELECT max(file) FROM glob('s3://night/lake/runs/*/*/details.sql'));
         SELECT content FROM read_text(getvariable('file'));",
    );
    bench.write("details.sql", &sql);
    let newest = ".read details.sql\nSELECT count(*) FROM details; SELECT agree, not_compared FROM headline; \
                  SELECT count(*) FROM discrepancies; SELECT count(*) FROM by_hour;";
    assert_eq!(query(newest), "2\n0|2\n0\n1\n");
    run(3);
    assert_eq!(query(newest), "3\n0|3\n0\n1\n");
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.split("```duckdb\n").nth(1).unwrap().split("```").next().unwrap();
    let lines = lines.replace("s3://bucket/lake", "s3://night/lake");
    assert_eq!(query(&lines.replace("FROM read_", "SELECT count(*) FROM read_")), "3\n");
}
