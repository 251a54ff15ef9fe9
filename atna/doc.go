// Package atna writes down who retrieved what: the audit messages of IHE ATNA (ITI-20) in the XML of DICOM
// PS3.15 A.5.
//
// A gateway describes an exchange once, as a Retrieve, and asks for the messages of its own side: RetrieveExport
// at the repository, which gave documents out, RetrieveImport at the consumer, which took them in, and for images
// InstancesTransferred. A Query and a Submission are of one side, the registry's or repository's. A retrieve
// that was partly successful becomes several messages, one per outcome:
//
//	Retrieve{3 documents} ──> RetrieveExport ──> Message outcome 0  (2 documents delivered)
//	                                             Message outcome 4  (1 document refused, and why)
//	Message ──> Recorder.Record ──> FileSpool: one XML document per line, on disk when Record returns
//
// Why a document was refused stands in EventOutcomeDescription, and nowhere else: the peer sees that a document
// is not available, never whether it exists. Whoever reads the spool sees all, so it belongs to the operator
// alone (files have mode 0600).
//
// Messages name users and documents, because that is what an audit is for. Patient ids are optional and left out
// unless the gateway knows one and wants it there.
//
// Not here yet: transport by syslog over TLS (RFC 5424, RFC 5425), which will drain the spool and leave
// EventOutcomeDescription behind; and events other than those of the transactions and failed authentication.
//
// Recorders may be called concurrently.
package atna
