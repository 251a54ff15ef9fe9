package pebbledb

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	dbm "github.com/cometbft/cometbft-db"
)

// iterator walks over a domain. It holds the database open: whoever makes one must close it.
type iterator struct {
	it         *pebble.Iterator
	done       func()
	start, end []byte
	reverse    bool
}

// Iterator walks from start up to end, end not included; nil means the first or beyond the last.
func (d *DB) Iterator(start, end []byte) (dbm.Iterator, error) { return d.iterate(start, end, false) }

// ReverseIterator walks the same domain downwards.
func (d *DB) ReverseIterator(start, end []byte) (dbm.Iterator, error) {
	return d.iterate(start, end, true)
}

func (d *DB) iterate(start, end []byte, reverse bool) (dbm.Iterator, error) {
	if start != nil && len(start) == 0 || end != nil && len(end) == 0 {
		return nil, errKeyEmpty
	}
	p, done := d.use()
	it, err := p.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		done()
		return nil, err
	}
	if reverse {
		it.Last()
	} else {
		it.First()
	}
	return &iterator{it, done, start, end, reverse}, nil
}

func (i *iterator) Domain() (start, end []byte) { return i.start, i.end }

func (i *iterator) Valid() bool { return i.it.Error() == nil && i.it.Valid() }

// must panics on an invalid iterator, as the interface demands.
func (i *iterator) must() {
	if !i.Valid() {
		panic(fmt.Sprintf("use of an invalid iterator: %v", i.it.Error()))
	}
}

func (i *iterator) Next() {
	i.must()
	if i.reverse {
		i.it.Prev()
	} else {
		i.it.Next()
	}
}

func (i *iterator) Key() []byte   { i.must(); return slices.Clone(i.it.Key()) }
func (i *iterator) Value() []byte { i.must(); return append([]byte{}, i.it.Value()...) }
func (i *iterator) Error() error  { return i.it.Error() }

func (i *iterator) Close() error {
	if i.done == nil {
		return nil
	}
	defer i.done()
	i.done = nil
	return i.it.Close()
}
