package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger"
	"collimate/ledger/tree"
)

// ErrUnfinished is returned by Open for a directory in which a Restore was begun and did not come to its end.
var ErrUnfinished = errors.New("the restoring of the ledger store has not ended: resume it, or remove its directory")

// keyRestore holds the SHA-256 of the manifest and the number of the next chunk, 4 bytes, while a store is being restored.
var keyRestore = []byte{firstOwn, 'r'}

// Restore makes a store of an archive, chunk by chunk in their order. What has been added survives a crash, but for the
// last chunks; Open refuses the directory until Finish has returned. It belongs to one goroutine.
type Restore struct {
	db       *pebble.DB
	manifest *Manifest
	id       [32]byte
	next     int
	closed   bool
}

// BeginRestore begins to restore a store in an empty directory, or resumes with the manifest that it was begun
// with. An error wraps ErrArchive if the manifest is to blame. Close or Finish must follow.
func BeginRestore(dir string, manifest []byte, o Options) (*Restore, error) {
	m, err := DecodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	db, err := openPebble(dir, o)
	if err != nil {
		return nil, fmt.Errorf("restoring the ledger store: %w", err)
	}
	r := &Restore{db: db, manifest: m, id: sha256.Sum256(manifest)}
	if err := r.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("restoring the ledger store: %w", err), db.Close())
	}
	return r, nil
}

// resume finds out where an earlier Restore stopped.
func (r *Restore) resume() error {
	value, err := mark(r.db, keyRestore)
	if err != nil {
		return err
	}
	if value == nil {
		empty, err := isEmpty(r.db)
		if err == nil && !empty {
			err = errors.New("there is a store in the directory already: remove it first")
		}
		if err != nil {
			return err
		}
		return r.db.Set(keyRestore, r.mark(0), pebble.Sync)
	}
	if len(value) != len(r.id)+4 || !bytes.Equal(value[:len(r.id)], r.id[:]) {
		return errors.New("it was begun with another manifest: remove the directory and begin again")
	}
	r.next = int(binary.BigEndian.Uint32(value[len(r.id):]))
	return nil
}

// mark is what stands under keyRestore when the next chunk is number n.
func (r *Restore) mark(n int) []byte {
	return binary.BigEndian.AppendUint32(r.id[:len(r.id):len(r.id)], uint32(n))
}

// Manifest returns the manifest.
func (r *Restore) Manifest() *Manifest { return r.manifest }

// Next returns the number of the chunk that Add wants, and whether there is one.
func (r *Restore) Next() (i int, more bool) { return r.next, r.next < len(r.manifest.Subtrees) }

// Add verifies the next chunk and takes it in. An error that wraps ErrArchive says that the chunk is not the right one: nothing has
// changed, and another may be tried.
func (r *Restore) Add(chunk []byte) error {
	if r.closed {
		return ErrClosed
	}
	batch := r.db.NewBatch()
	defer batch.Close()
	err := r.manifest.build(r.next, chunk, func(key, value []byte) error { return batch.Set(key, value, nil) })
	if err != nil {
		return err
	}
	if err := batch.Set(keyRestore, r.mark(r.next+1), nil); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil { // in the order of the log, so none is lost before one that is kept
		return fmt.Errorf("restoring chunk %d: %w", r.next, err)
	}
	r.next++
	return nil
}

// Finish checks the whole and makes it a store that Open takes, at the height of the manifest. It closes the Restore.
func (r *Restore) Finish() error {
	if r.closed {
		return ErrClosed
	}
	err := r.finish()
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("restoring the ledger store: %w", err)
	}
	return nil
}

func (r *Restore) finish() error {
	m := r.manifest
	if i, more := r.Next(); more {
		return fmt.Errorf("chunk %d of %d is missing", i, len(m.Subtrees))
	}
	t, err := tree.Load(entries{r.db})
	if err != nil {
		return err
	}
	if root := t.Root(); root != m.AppHash {
		return fmt.Errorf("%w: the chunks have made the app hash %x, want %x", ErrDamaged, root, m.AppHash)
	}
	state, err := ledger.NewSnapshot(reader{entries{r.db}})
	if err != nil {
		return err
	}
	if state.ChainID() != m.ChainID {
		return unsound("the state is of the chain %q, the manifest says %q", state.ChainID(), m.ChainID)
	}
	batch := r.db.NewBatch()
	defer batch.Close()
	key, value := ledger.HeadEntry(ledger.Head{Height: m.Height, Time: m.Time, AppHash: m.AppHash[:]})
	err = errors.Join(batch.Set(key, value, nil), batch.Set(keyFormat, []byte(format), nil), batch.Delete(keyRestore, nil))
	if err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

// Close gives the directory back. What has been added stays, to be resumed.
func (r *Restore) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.db.Close()
}
