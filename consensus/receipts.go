package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"collimate/consensus/pebbledb"
	"collimate/ledger"
)

// receipts is the index from a transaction to its block, for accepted transactions:
//
//	key    TxID                     32 bytes
//	value  height, block time       8 + 8 bytes, big endian; Unix nanoseconds
//
// A transaction that is sent again gets its receipt from here, for as long as the chain lives. A node that joined by a
// snapshot has those from then on.
type receipts struct{ db *pebble.DB }

func openReceipts(dir string, cache *pebble.Cache, log *slog.Logger) (*receipts, error) {
	db, err := pebble.Open(dir, &pebble.Options{
		Cache:              cache,
		FormatMajorVersion: pebble.FormatTableFormatV6,
		MemTableSize:       1 << 20,
		Logger:             pebbledb.Logger(log),
	})
	if err != nil {
		return nil, fmt.Errorf("opening the index of receipts: %w", err)
	}
	return &receipts{db}, nil
}

// add writes the receipts of a block and waits for the disk.
func (r *receipts) add(block Block) error {
	b := r.db.NewBatch()
	defer b.Close()
	value := binary.BigEndian.AppendUint64(nil, uint64(block.Height))
	value = binary.BigEndian.AppendUint64(value, uint64(block.Time.UnixNano()))
	for _, x := range block.Results {
		if x.Err != nil {
			continue
		}
		if err := b.Set(x.Tx.ID[:], value, nil); err != nil {
			return fmt.Errorf("writing receipts: %w", err)
		}
	}
	if b.Empty() {
		return nil
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("writing receipts: %w", err)
	}
	return nil
}

// get returns the receipt of an accepted transaction, and whether there is one.
func (r *receipts) get(id ledger.TxID) (Receipt, bool, error) {
	v, closer, err := r.db.Get(id[:])
	if errors.Is(err, pebble.ErrNotFound) {
		return Receipt{}, false, nil
	}
	if err != nil {
		return Receipt{}, false, fmt.Errorf("reading a receipt: %w", err)
	}
	defer closer.Close()
	if len(v) != 16 {
		return Receipt{}, false, fmt.Errorf("the index of receipts is damaged: a value has %d bytes", len(v))
	}
	return Receipt{
		TxID:   id,
		Height: int64(binary.BigEndian.Uint64(v)),
		Time:   time.Unix(0, int64(binary.BigEndian.Uint64(v[8:]))).UTC(),
	}, true, nil
}
