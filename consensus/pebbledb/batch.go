package pebbledb

import (
	"github.com/cockroachdb/pebble/v2"
	dbm "github.com/cometbft/cometbft-db"
)

// batch collects writes that happen together or not at all.
type batch struct {
	db *DB
	b  *pebble.Batch // nil once written or closed
}

// NewBatch returns an empty batch.
func (d *DB) NewBatch() dbm.Batch {
	p, done := d.use()
	defer done()
	return &batch{d, p.NewBatch()}
}

func (b *batch) Set(k, v []byte) error {
	if err := check(k, v); err != nil {
		return err
	}
	if b.b == nil {
		return errBatchClosed
	}
	return b.b.Set(k, v, nil)
}

func (b *batch) Delete(k []byte) error {
	if len(k) == 0 {
		return errKeyEmpty
	}
	if b.b == nil {
		return errBatchClosed
	}
	return b.b.Delete(k, nil)
}

func (b *batch) Write() error     { return b.write(pebble.NoSync) }
func (b *batch) WriteSync() error { return b.write(pebble.Sync) }

func (b *batch) write(o *pebble.WriteOptions) error {
	if b.b == nil {
		return errBatchClosed
	}
	_, done := b.db.use()
	defer done()
	if err := b.b.Commit(o); err != nil {
		return err
	}
	return b.Close()
}

func (b *batch) Close() error {
	if b.b == nil {
		return nil
	}
	err := b.b.Close()
	b.b = nil
	return err
}
