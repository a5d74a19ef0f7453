//! The name in a node's certificate.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::ledger::NodeId;

/// Returns the name of a node, which contains its id and its ledger's, so that no certificate is
/// valid for another node or ledger.
pub(super) fn of(node_id: NodeId, ledger_id: [u8; 16]) -> String {
    format!("{node_id}.{:032x}.cluster.jeton", u128::from_be_bytes(ledger_id))
}

/// Returns the node that a certificate names, or `None` unless it names exactly one node of this
/// ledger. Does not check the signature.
pub(super) fn node_of(certificate: &CertificateDer<'_>, ledger_id: [u8; 16]) -> Option<NodeId> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok()??.1;
    let [GeneralName::DnsName(name)] = names.0.as_slice() else { return None };
    let name = name.as_str();
    let node_id = name.split('.').next()?.parse().ok()?;
    (name == of(node_id, ledger_id)).then_some(node_id)
}
