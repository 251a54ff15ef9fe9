// Package pacs holds the archives of pacs/dicomweb and pacs/dimse against Orthanc and DCMTK over real files: what is
// pushed comes back as it was stored, through WADO-RS, C-GET and C-MOVE, and a PACS that fails midway, loses a file or
// does not let us in is an error, never a study that is shorter. And it takes the way of docs/operators/imaging-centre.md,
// from nothing to the first study that a patient has released, with the program as a centre runs it.
//
//	interop/install-pacs; COLLIMATE_INTEROP=1 go test ./interop/pacs
//
// which `make interop-pacs` does, besides the contract suite of pacs/pacstest against the same two.
package pacs
