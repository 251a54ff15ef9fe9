// Package store keeps the state of a ledger on disk, in Pebble, with the hash tree over it.
//
// Each block is one synced batch: its writes, the entries of the tree that they change, its height, its time and its
// app hash reach the disk together or not at all. So a crash leaves the state after some block, never within one, and a
// block whose Commit has returned is not lost.
//
//	Begin --> Block: Init or Begin, Apply ... AppHash --> Commit   one at a time wins
//	                                                 \-> Discard
//	Snapshot:   the state after the last committed block, immutable until it is closed; Prove
//	SnapshotAt: that or the one before it, whose app hash the header of the last block carries
//
// The rules are those of package ledger; the store adds none, except that heights follow each other and time does
// not go back. Several blocks may be in the making at once (an engine tries a proposal, then decides another),
// of which one can be committed. A Store may be used concurrently, a Block by one goroutine.
//
// A node that joins may take the state from strangers. Every node makes the same files of it, and each is verified
// as it arrives, against an app hash from a header that is trusted:
//
//	Snapshot.Export --> manifest, chunks --> BeginRestore, Add ... Finish --> Open
//
// ledger-spec 7.4
package store
