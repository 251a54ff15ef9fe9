package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fxamacker/cbor/v2"

	"collimate/ledger"
	"collimate/node/client"
)

// index is what happened to studies, for their owners and for streams of events that resume:
//
//	key    StudyID height index    32 + 8 + 4 bytes, big endian; index counts within the block
//	value  client.Event, CBOR
//
// It is this node's own, begins where the node began, and no part of the app hash. A block's events are on disk before
// the block is, so that they are written again, to the same keys, if a crash comes between.
type index struct{ db *pebble.DB }

// encMode keeps the nanoseconds of times.
var encMode = mustMode(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())

// mustMode panics on options that contradict each other, which the first test finds.
func mustMode(mode cbor.EncMode, err error) cbor.EncMode {
	if err != nil {
		panic(err)
	}
	return mode
}

// cursor is a place in the history of a study.
type cursor struct {
	height int64
	index  uint32
}

// String returns what a client gives back to go on.
func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.height, c.index) }

func openIndex(dir string, log *slog.Logger) (*index, error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FormatMajorVersion: pebble.FormatTableFormatV6, // pinned: a newer Pebble must still open what we wrote
		MemTableSize:       4 << 20,
		Logger:             quiet{log},
	})
	if err != nil {
		return nil, fmt.Errorf("opening the index of histories: %w", err)
	}
	return &index{db}, nil
}

func (x *index) close() error { return x.db.Close() }

func indexKey(study ledger.StudyID, at cursor) []byte {
	b := append(make([]byte, 0, 44), study[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.height))
	return binary.BigEndian.AppendUint32(b, at.index)
}

// add writes the events of one block and waits for the disk.
func (x *index) add(events []client.Event) error {
	if len(events) == 0 {
		return nil
	}
	b := x.db.NewBatch()
	defer b.Close()
	for i, e := range events {
		at := cursor{e.Height, uint32(i)}
		study := e.Study
		e.Study, e.Height = ledger.StudyID{}, 0 // the key says them
		value, err := encMode.Marshal(e)
		if err == nil {
			err = b.Set(indexKey(study, at), value, nil)
		}
		if err != nil {
			return fmt.Errorf("writing histories: %w", err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("writing histories: %w", err)
	}
	return nil
}

// visit calls f for each event of a study from a place on, and stops at the first error, which it returns.
func (x *index) visit(study ledger.StudyID, from cursor, f func(client.Event, cursor) error) (err error) {
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: indexKey(study, from),
		UpperBound: append(indexKey(study, cursor{-1, 1<<32 - 1}), 0),
	})
	if err != nil {
		return fmt.Errorf("reading a history: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("reading a history: %w", err)
		}
		if len(it.Key()) != 44 {
			return fmt.Errorf("the index of histories is damaged: a key has %d bytes", len(it.Key()))
		}
		at := cursor{int64(binary.BigEndian.Uint64(it.Key()[32:])), binary.BigEndian.Uint32(it.Key()[40:])}
		e := client.Event{}
		if err := cbor.Unmarshal(value, &e); err != nil {
			return fmt.Errorf("the index of histories is damaged: %w", err)
		}
		e.Study, e.Height = study, at.height
		if err := f(e, at); err != nil {
			return err
		}
	}
	return nil
}
