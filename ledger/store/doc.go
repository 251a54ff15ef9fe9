// Package store keeps the state of a ledger on disk, in Pebble.
//
// Each block is one synced batch: its writes, its height, its time and its app hash reach the disk together or
// not at all. So a crash leaves the state after some block, never within one, and a block whose Commit has
// returned is not lost.
//
//	Begin --> Block: Init, Apply ... AppHash --> Commit   one at a time wins
//	                                        \-> Discard
//	Snapshot: the state after the last committed block, immutable until it is closed
//
// The rules are those of package ledger; the store adds none, except that heights follow each other and time does
// not go back. Several blocks may be in the making at once (an engine tries a proposal, then decides another),
// of which one can be committed. A Store may be used concurrently, a Block by one goroutine.
package store
