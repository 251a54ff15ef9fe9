// Package consensus makes the nodes of one network agree on the order of ledger transactions.
//
// The agreement is CometBFT's, embedded: blocks are final at once, less than a third of the voting power may fail. This
// package is the application behind it, the assembly of its parts over our own libp2p host (package p2p), its
// databases on Pebble (package pebbledb), the node's keys and the network's genesis. The engine's RPC server,
// indexer, mempool, state sync and peer exchange are left out; pool and snapshots are ours.
//
//	Submit -> turn, Parse -> Cost, Room -> OnSeen -> pool -> gossip -> proposal -> votes -> block -> store -> Receipt
//	                                       ^ first sight: counts for revocations            ^ finality: counts for grants
//
// What goes in are the signed bytes of transactions; they are never encoded again. What comes out is the state in
// the ledger store, one atomic commit for each block, and a Receipt for whoever waits. A proposal that holds anything
// but well-formed, well-signed transactions is voted down; a transaction that the state refuses stays in its block
// with the ledger's error code as its result, but an honest proposer leaves it out.
//
// Who floods hurts itself: what waits counts against the allowance that it draws on, signatures are verified in turns with
// a rest after each, and each key has its share of the pool, of a block, and of what is sent on before it stands in one.
//
// A node may be killed at any moment. Votes are synced to disk before they are sent, a block before it counts; on
// the way up the engine replays into the store what the store is missing. A node with an empty directory joins by a
// snapshot that its peers have and the validators have signed for (Join), or by replaying every block; VerifyChain
// does the latter to check what is on disk.
//
// All methods of an Engine may be called concurrently. Several engines can live in one process.
package consensus
