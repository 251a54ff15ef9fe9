package catalog

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"collimate/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Watched is what whoever watches the archive remembers of a published study. The digests are keyed by its salt.
type Watched struct {
	Listed  [32]byte // of what a listing of the archive said of the study, when that was last acted upon
	Content [32]byte // of what the study consisted of when it was last published or amended
	Patient [32]byte // of the patient's id; zero if there was none
	Issuer  [32]byte // of who issued that; zero if it was not said
	Missing int64    // since when the archive has not had the study, Unix seconds; 0 while it has
	// Rejected is since when all instances of the study have been rejected, Unix seconds; 0 while they are not.
	Rejected int64
}

// Watched returns what is remembered of a study, or ErrNotFound.
func (c *Catalog) Watched(study ledger.StudyID) (w Watched, err error) {
	raw, closer, err := c.db.Get(key(prefixWatched, study[:]))
	if errors.Is(err, pebble.ErrNotFound) {
		return w, ErrNotFound
	}
	if err != nil {
		return w, fmt.Errorf("reading the catalog: %w", err)
	}
	defer closer.Close()
	if n, err := binary.Decode(raw, binary.BigEndian, &w); err != nil || n != len(raw) {
		return w, errors.New("reading the catalog: what is remembered of a study is damaged")
	}
	return w, nil
}

// PutWatched remembers something of several studies.
func (c *Catalog) PutWatched(all map[ledger.StudyID]Watched) error {
	b := c.db.NewBatch()
	defer b.Close()
	for study, w := range all {
		raw, err := binary.Append(nil, binary.BigEndian, w)
		if err == nil {
			err = b.Set(key(prefixWatched, study[:]), raw, nil)
		}
		if err != nil {
			return fmt.Errorf("writing the catalog: %w", err)
		}
	}
	return b.Commit(pebble.Sync)
}

// Erased reports whether a study was erased and not stored again since.
func (c *Catalog) Erased(studyInstanceUID string) (bool, error) {
	_, closer, err := c.db.Get(c.erasedKey(studyInstanceUID))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the catalog: %w", err)
	}
	return true, closer.Close()
}

// erasedKey marks an erased study. Whoever has the whole catalog can tell a Study Instance UID that was erased from one
// that never was, and nothing of what stands on the ledger.
func (c *Catalog) erasedKey(studyInstanceUID string) []byte {
	m := hmac.New(sha256.New, c.secret[:])
	m.Write([]byte("collimate/erased/v1\x00" + studyInstanceUID))
	return key(prefixErased, m.Sum(nil))
}

// prepareSecret reads the catalog's own key, or draws it.
func (c *Catalog) prepareSecret() error {
	raw, closer, err := c.db.Get(key(prefixSecret))
	if errors.Is(err, pebble.ErrNotFound) {
		rand.Read(c.secret[:])
		return c.db.Set(key(prefixSecret), c.secret[:], pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	if copy(c.secret[:], raw) != len(c.secret) {
		err = errors.New("reading the catalog: its key is damaged")
	}
	return errors.Join(err, closer.Close())
}

// Each calls f with each published study in the order of their Study Instance UIDs, until it returns an error.
func (c *Catalog) Each(f func(Study) error) error {
	return c.scan(key(prefixStudy), func(_, v []byte) error {
		var s Study
		if err := json.Unmarshal(v, &s); err != nil {
			return fmt.Errorf("reading the catalog: %w", err)
		}
		return f(s)
	})
}
