package ledger

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Overlay is state with writes that lie over a base and do not reach it: a block in the making, or, over a nil
// base, a whole state in memory. It belongs to one goroutine.
type Overlay struct {
	base   Reader
	writes map[string][]byte // nil value: deleted
}

// NewOverlay returns an Overlay over base, which may be nil.
func NewOverlay(base Reader) *Overlay {
	return &Overlay{base: base, writes: map[string][]byte{}}
}

// Get returns the value of a key, its own writes first.
func (o *Overlay) Get(key []byte) ([]byte, error) {
	if value, ok := o.writes[string(key)]; ok {
		return value, nil
	}
	if o.base == nil {
		return nil, nil
	}
	return o.base.Get(key)
}

// Set writes a copy of value, which may be empty.
func (o *Overlay) Set(key, value []byte) error {
	o.writes[string(key)] = append([]byte{}, value...)
	return nil
}

// Delete removes a key, which need not exist.
func (o *Overlay) Delete(key []byte) error {
	o.writes[string(key)] = nil
	return nil
}

// Iterate merges the base and the writes. It sorts the writes under the prefix at each call, which suits blocks:
// they write much and iterate seldom.
func (o *Overlay) Iterate(prefix []byte, visit func(key, value []byte) error) error {
	var own []string
	for k := range o.writes {
		if strings.HasPrefix(k, string(prefix)) {
			own = append(own, k)
		}
	}
	slices.Sort(own)
	visitOwn := func(k string) error {
		if value := o.writes[k]; value != nil {
			return visit([]byte(k), value)
		}
		return nil
	}
	if o.base != nil {
		err := o.base.Iterate(prefix, func(key, value []byte) error {
			for len(own) > 0 && own[0] < string(key) {
				k := own[0]
				own = own[1:]
				if err := visitOwn(k); err != nil {
					return err
				}
			}
			if len(own) > 0 && own[0] == string(key) {
				own = own[1:]
				return visitOwn(string(key))
			}
			return visit(key, value)
		})
		if err != nil {
			return err
		}
	}
	for _, k := range own {
		if err := visitOwn(k); err != nil {
			return err
		}
	}
	return nil
}

// Writes yields each written key with its last value, nil if it was deleted, in bytewise order of keys.
func (o *Overlay) Writes() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for _, k := range slices.Sorted(maps.Keys(o.writes)) {
			if !yield([]byte(k), o.writes[k]) {
				return
			}
		}
	}
}
