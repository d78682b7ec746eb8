//! The provider's answers, the requests to it, and where the access key is found.

mod answers;
mod clock;
mod contradictions;
mod credentials;
mod fuzz;
mod issued_keys;
mod midnight;
mod network;
mod provider_docs;
mod signature_vectors;
