// Package metadata is the metadata of Cross-Enterprise Document Sharing: what a registry knows of documents,
// and its form in ebRIM 3.0. ITI TF-3: 4.1 to 4.3
//
//	SubmissionSet --HasMember--> DocumentEntry <--HasMember-- Folder
//	      |                      |  RPLC, XFRM, APND, XFRM_RPLC, signs, IsSnapshotOf
//	      |                      +----------------> DocumentEntry
//	      +-------HasMember----> Folder, and the HasMember between a Folder and a DocumentEntry
//
// Objects holds any number of them. A submission is read, checked and completed in steps, each of which is a
// plain computation:
//
//	SubmitObjectsRequest --ParseSubmission--> Objects    whatever a real peer sends, as far as it can be read
//	Objects.Validate(Rules)    --> Errors                all faults of the message, with IHE's codes
//	Objects.Admit(Registered)  --> Errors                all conflicts with what the registry holds
//	Objects.Resolve(newID)                               UUIDs for symbolic ids, Approved, version 1
//	AppendAnswer, AppendSubmission                       ebRIM in the order and with the ids of the strictest reader
//
// Reading is lenient: the order of elements, blanks around values, the case of UUIDs and the place of a
// package's label do not matter, and what cannot be understood becomes a fault that Validate reports, not an
// error. Writing is strict. Attributes keep the text that was sent, so that a registry returns what it was
// given; a format of ITI TF-3: Table 4.2.3.1.7-2 is checked by Validate and never repaired.
//
// Codes are the code sets of an affinity domain, read from a toolkit codes.xml; Site is a toolkit site file.
//
// Errors name attributes, codes and the number of an object in its message, never a value: metadata is full of
// the patient, and errors end up in logs.
//
// The package is pure: no clock, no files, no randomness. Values may be read concurrently.
package metadata
