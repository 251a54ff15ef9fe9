// Package ledger is the access list that patients sign: its transactions, its state, and the decision whether a
// requester may have a study. The rules are written down in docs/ledger-spec.md, which the code cites by section.
//
// A transaction is a COSE_Sign1 message (RFC 9052) over deterministic CBOR (RFC 8949 section 4.2.1). The
// signed bytes travel as they are and are never encoded again; what would not encode to the same bytes is not
// a transaction.
//
//	bytes --Parse--> Transaction --Check, Cost, Room--> may it stand, and who pays?   (mempool)
//	                 BeginBlock, then Apply of each --> writes to the state           (block)
//	Snapshot + Access --Decide--> allowed or not, and why                             (gateway)
//
// Parse answers what can be told from the bytes alone, a *SyntaxError. Check and Apply answer what depends on
// the state, an *Error. One file stands for each kind of transaction and holds its body, its rule and its
// effect: a rule reads the state and returns writes, and what it costs comes out of an allowance. env.go has what
// rules share, record.go, stake.go and params.go what the state holds.
//
// The package is pure: no network, no file, no log, no lock, no clock, no randomness of its own. State comes
// in through Reader and goes out through ReaderWriter, time comes as chain time, and the same inputs give the
// same bytes on every node. It does not keep state (ledger/store does), agree on an order (consensus does) or
// know what a DICOM file is. Functions may be called concurrently on immutable Readers; an Overlay belongs to
// one goroutine.
package ledger
