//! Published and computed signatures, from `tests/data/signature-vectors.json`.

use reconcile::provider::sign::{signature, string_to_sign};
use serde_json::Value;

const VECTORS: &str = include_str!("../../data/signature-vectors.json");

/// Calls `check` with each vector and its parameters in several orders.
fn each(check: impl Fn(&Value, &[(&str, &str)])) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = vectors["rpc_v1"].as_array().unwrap();
    assert!(vectors.len() >= 16, "vectors are missing");
    for vector in vectors {
        let params = vector["params"].as_object().unwrap();
        let mut params: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        for _ in 0..params.len() {
            params.rotate_left(1);
            check(vector, &params);
        }
        params.reverse();
        check(vector, &params);
    }
}

#[test]
fn every_string_to_sign_equals_the_published_one() {
    each(|vector, params| {
        let name = &vector["name"];
        let expected = vector["string_to_sign"].as_str().unwrap();
        assert_eq!(string_to_sign(vector["method"].as_str().unwrap(), params), expected, "{name}");
    });
}

#[test]
fn every_signature_equals_the_published_one() {
    each(|vector, params| {
        let name = &vector["name"];
        let (method, secret) =
            (vector["method"].as_str().unwrap(), vector["access_key_secret"].as_str().unwrap());
        assert_eq!(signature(method, params, secret), vector["signature"].as_str().unwrap(), "{name}");
    });
}
