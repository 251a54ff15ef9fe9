// Package fs is an archive of DICOM files in a folder: the default for a gateway without a PACS, and for tests.
//
//	DIR/objects/3f/3fa9...c2.dcm   an instance as it came; named by SHA-256 of its study and SOP Instance UID
//	DIR/studies/81bc...07.json     the index of a study; named by SHA-256 of its Study Instance UID
//	DIR/studies/81bc...07.journal  instances that came since, a line each
//	DIR/incoming/                  files on their way in; emptied by Open
//	DIR/lock                       held by whoever imports, shared by instances that are being received
//	DIR/receiver                   held by the process that receives
//
// Import copies a folder of DICOM files in; nothing refers to the folder afterwards. The index alone says what
// a study holds, and it is written last:
//
//	each file   copy to incoming, fsync, rename into objects
//	each study  fsync the directories of objects, write the index to incoming, fsync, rename, fsync
//
// So a process that is killed, or a machine that loses power, leaves each study as it was before or as it was
// to be. Receive takes one instance, as modalities send them:
//
//	copy to incoming, fsync, rename into objects, fsync, append a line to the journal, fsync
//
// and it is visible and durable when Receive returns. A journal that has grown is folded into the index. A last line
// that was cut short by a crash was never acknowledged, and does not count. Objects without an index are invisible and are overwritten when the same file comes again. An object
// that an index refers to is never changed: an instance that comes again with other bytes is refused, and the
// first stays. Refused, too, is an instance that names another patient than its study; the first that says whose it is
// decides.
//
// Names in the archive are hashes, so a file name neither tells who was examined nor, whatever a UID in a
// file says, leads out of the folder. Files and folders are for the owner alone.
//
// An Archive may be called concurrently, also from several processes. Imports take turns within a process, and of two
// processes the second is refused with ErrBusy. One process receives, many instances at a time; an import waits for
// none of them but is refused, and they wait for it.
package fs
