//! The provider's answers, the requests to it, and the access key.

mod answers;
mod clock;
mod contradictions;
mod credentials;
mod fuzz;
mod fuzz_urls;
mod issued_keys;
mod key_programs;
mod midnight;
mod network;
mod one_connection;
mod provider_docs;
mod quoted_keys;
mod records;
mod requests;
mod signature_vectors;
mod stray_responses;
