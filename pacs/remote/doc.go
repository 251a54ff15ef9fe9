// Package remote makes a pacs.Archive of a PACS behind a network protocol (pacs/dicomweb, pacs/dimse).
//
// A PACS lists what it holds and gives it, but tells of no instance how long it is, and a transfer that breaks can
// look like one that ended. A gateway must know the length of a document before it sends the first byte, and must
// never send half of one. So an Archive measures: the first time that a study is listed, each instance is read once
// for its size, checksum and transfer syntax, and this is kept.
//
//	DIR/3fa9...c2.json   one study, named by SHA-256 of its Study Instance UID:
//	                     64 hex digits, SHA-256 of the rest; line feed; JSON
//
// What is kept holds no text of a patient: UIDs, numbers, and a digest of what the PACS says of study, series and
// instance. When the PACS says something else (an instance came, a name was corrected) the digest differs and what
// it covers is measured again. When the PACS gives other bytes under the same listing, Open ends in an error and
// forgets the instance, so that the next listing measures it again. A measurement that was interrupted goes on
// where it stood. All of it can be deleted at any time; it is then measured again.
//
// While it is measured, each instance is asked whose it is: one that names another patient than the PACS says of the study,
// as after a wrong worklist entry, is marked as pacs.Instance.OtherPatient. What is marked so is in what is kept.
//
// A PACS that gives a whole series in one answer (SeriesPACS) is asked for it where many of its instances are wanted: see
// Batch.
//
// Files are written aside, synced and renamed. What is damaged counts as absent. The number of studies is bounded;
// those that were not asked for longest go first.
//
// An Archive may be called concurrently. Two archives must not share a folder.
package remote
