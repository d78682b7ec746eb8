//! The provider's answers, the requests to it, and the access key.

mod answers;
mod clock;
mod contradictions;
mod credentials;
mod fuzz;
mod issued_keys;
mod midnight;
mod network;
mod provider_docs;
mod records;
mod requests;
mod signature_vectors;
