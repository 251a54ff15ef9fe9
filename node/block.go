package node

import (
	"encoding/hex"
	"fmt"
	"time"

	"collimate/consensus"
	"collimate/ledger"
	"collimate/node/client"
)

// sight is called for each transaction that the pool takes, before it is acknowledged to anyone.
func (n *Node) sight(tx *ledger.Transaction) {
	n.seen.note(tx, time.Now())
	if _, ok := tx.Body.(ledger.RevokeAccess); ok {
		e, _ := eventOf(tx)
		n.hub.seen(e)
	}
}

// decided is called with each block before it is on disk, and writes what it does to studies. It may be called again
// with the same block after a crash.
func (n *Node) decided(b consensus.Block) error {
	events, err := n.eventsOf(b)
	if err == nil {
		err = n.index.add(events)
	}
	n.pending = events
	return err
}

// committed is called once the block is on disk.
func (n *Node) committed(b consensus.Block) {
	now := time.Now()
	for _, r := range b.Results {
		n.seen.settle(r.Tx, r.Err, now)
	}
	n.seen.expire(now)
	n.hub.block(client.Block{Height: b.Height, Time: b.Time, AppHash: hex.EncodeToString(b.AppHash)}, n.pending)
	n.pending = nil
}

// eventsOf returns what a block does to studies, in its order.
func (n *Node) eventsOf(b consensus.Block) ([]client.Event, error) {
	snap := n.store.Snapshot()
	defer snap.Close()
	if snap.Height() != b.Height-1 {
		return nil, fmt.Errorf("block %d is decided upon the state after block %d", b.Height, snap.Height())
	}
	events, err := recovered(snap.Snapshot, ledger.Context{Height: b.Height, Time: b.Time})
	if err != nil {
		return nil, err
	}
	events = append(events, accepted(b.Results)...)
	for i := range events {
		events[i].Height, events[i].Time = b.Height, b.Time
	}
	return events, nil
}

// accepted returns what the transactions of a block do to studies that were not refused.
func accepted(results []consensus.Result) (events []client.Event) {
	for _, r := range results {
		if e, ok := eventOf(r.Tx); ok && r.Err == nil {
			events = append(events, e)
		}
	}
	return events
}
