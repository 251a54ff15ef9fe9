package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The first byte of a key says what it names.
const (
	prefixStudy    = 's'
	prefixDocument = 'd'
	prefixManifest = 'f'
	prefixOpening  = 'o'
	prefixWatched  = 'w'
	prefixErased   = 'e'
	prefixSecret   = 'k'
	prefixMessage  = 'm'
	prefixExpiry   = 'x'
)

func key(prefix byte, parts ...[]byte) []byte {
	k := []byte{prefix}
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

func setJSON(b *pebble.Batch, k []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing the catalog: %w", err)
	}
	return b.Set(k, raw, nil)
}

func (c *Catalog) get(k []byte, v any) error {
	raw, closer, err := c.db.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	defer closer.Close()
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	return nil
}

// scan calls f with each key that begins with prefix, and its value; both are valid during the call only.
func (c *Catalog) scan(prefix []byte, f func(k, v []byte) error) error {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("reading the catalog: %w", err)
		}
		if err := f(it.Key(), v); err != nil {
			return err
		}
	}
	return it.Error()
}

func (c *Catalog) count(prefix byte) (n int, err error) {
	err = c.scan(key(prefix), func(_, _ []byte) error { n++; return nil })
	return n, err
}

// purge rewrites every file that may hold what was deleted with a study.
func (c *Catalog) purge(ctx context.Context) error {
	if err := c.db.Flush(); err != nil { // ends the write-ahead log that holds it
		return fmt.Errorf("rewriting the catalog: %w", err)
	}
	for _, prefix := range []byte{prefixStudy, prefixDocument, prefixManifest, prefixOpening, prefixWatched} {
		if err := c.db.Compact(ctx, key(prefix), successor(key(prefix)), false); err != nil {
			return fmt.Errorf("rewriting the catalog: %w", err)
		}
	}
	return nil
}

// remover removes obsolete files. Pebble would keep logs to write over them later, and with them secrets that were
// erased; it does not for a cleaner that needs the contents, as one that archives does.
type remover struct {
	notRecycled
	pebble.DeleteCleaner
}

type notRecycled struct{ pebble.ArchiveCleaner }

// successor returns the first key after all keys that begin with prefix.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// quiet drops Pebble's own progress messages; its failures come back as errors.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf("catalog: "+format, args...)) }
