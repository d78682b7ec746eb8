//! What the provider may answer, how it is asked, and where the key is found.

mod answers;
mod clock;
mod credentials;
mod documented;
mod fuzz;
mod midnight;
mod network;
mod readings;
mod roles;
mod signature_vectors;
