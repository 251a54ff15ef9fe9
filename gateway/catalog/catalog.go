// Package catalog holds what a gateway alone knows and must not lose.
//
//   - studies: for each published study its Study Instance UID and its salt. The ledger holds only the keyed
//     hash of both; whoever loses the salts can no longer say which study an entry stands for, and whoever
//     deletes one makes the entry unlinkable for good. Back the catalog up as keys are backed up.
//   - documents: which documentUniqueId stands for which document of which study.
//   - openings: by which owners disclosed whom a grant on the ledger names.
//   - watched: what whoever watches the archive must remember of a published study.
//   - erased: that a study was erased, so that it is not published again unless somebody says so.
//   - messages: the signed requests that were answered of late, so that none is answered twice.
//
// It is one Pebble database. A call that writes returns after the write is on disk. A catalog may be used
// concurrently; only one process can hold it open.
//
//	's' StudyInstanceUID                      -> Study (JSON)
//	'd' documentUniqueId                      -> Document (JSON)
//	'f' StudyInstanceUID                      -> SHA-256 of the manifest that was registered first
//	'o' StudyID KeyID Commitment              -> blind; for a grant to a group: blind, group, blind of the membership
//	'w' StudyID                               -> Watched, 144 bytes
//	'e' keyed hash of the Study Instance UID  -> nothing
//	'k'                                       -> the key of that, 32 bytes
//	'm' message key                           -> expiry, 8 bytes big endian, Unix seconds
//	'x' expiry message key                    -> nothing: the same in order of expiry
package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"collimate/keys"
	"collimate/ledger"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrNotFound is returned for a study or a document that the catalog does not hold.
var ErrNotFound = errors.New("not in the catalog")

// Study is one published study. StudyInstanceUID and Salt are secrets of the source and the owner.
type Study struct {
	StudyInstanceUID string         `json:"study_instance_uid"`
	Salt             [32]byte       `json:"salt"`
	StudyID          ledger.StudyID `json:"study_id"`
	// Published is when the source first published the study, Unix seconds; it dates the manifest.
	Published int64 `json:"published"`
	// MADO says of which kind its manifests are: as it was published, so they stay, whatever the source's configuration is
	// later, for one uniqueId is one document.
	MADO bool `json:"mado,omitzero"`
	// ClaimKey is the private key of the claim ticket, PKCS#8 in DER, until the owner has claimed the study.
	ClaimKey []byte `json:"claim_key,omitempty"`
}

// Document says what a documentUniqueId stands for.
type Document struct {
	StudyInstanceUID string              `json:"study_instance_uid"`
	Kind             ledger.DocumentKind `json:"kind"`
}

// Catalog is an open catalog.
type Catalog struct {
	db     *pebble.DB
	secret [32]byte // keys the marks of what was erased

	messages atomic.Int64 // how many are remembered
	sweeping sync.Mutex   // held by the one Remember that forgets the expired

	mu      sync.Mutex
	claimed map[[32]byte]struct{} // messages that a Remember is at; guarded by mu
}

// Options for Open.
type Options struct {
	FS vfs.FS // the disk when nil
}

// Open opens the catalog in dir and makes it if there is none.
func Open(dir string, o Options) (*Catalog, error) {
	db, err := pebble.Open(dir, &pebble.Options{FS: o.FS, Logger: quiet{}, Cleaner: remover{}})
	if err != nil {
		return nil, fmt.Errorf("opening the catalog: %w", err)
	}
	c := &Catalog{db: db, claimed: map[[32]byte]struct{}{}}
	if err := c.prepareSecret(); err != nil {
		db.Close()
		return nil, err
	}
	remembered, err := c.count(prefixMessage)
	if err != nil {
		db.Close()
		return nil, err
	}
	c.messages.Store(int64(remembered))
	return c, nil
}

// Close closes the catalog.
func (c *Catalog) Close() error { return c.db.Close() }

// PutStudy stores a study and the documents it is offered as, all or nothing.
func (c *Catalog) PutStudy(s Study, documents map[string]ledger.DocumentKind) error {
	return c.PutStudies([]Study{s}, func(Study) map[string]ledger.DocumentKind { return documents })
}

// PutStudies stores several studies and the documents that each is offered as, all or nothing.
func (c *Catalog) PutStudies(studies []Study, documents func(Study) map[string]ledger.DocumentKind) error {
	b := c.db.NewBatch()
	defer b.Close()
	for _, s := range studies {
		if err := setJSON(b, key(prefixStudy, []byte(s.StudyInstanceUID)), s); err != nil {
			return err
		}
		if err := b.Delete(c.erasedKey(s.StudyInstanceUID), nil); err != nil {
			return err
		}
		for id, kind := range documents(s) {
			d := Document{StudyInstanceUID: s.StudyInstanceUID, Kind: kind}
			if err := setJSON(b, key(prefixDocument, []byte(id)), d); err != nil {
				return err
			}
		}
	}
	return b.Commit(pebble.Sync)
}

// Study returns a study by its Study Instance UID, or ErrNotFound.
func (c *Catalog) Study(studyInstanceUID string) (Study, error) {
	var s Study
	err := c.get(key(prefixStudy, []byte(studyInstanceUID)), &s)
	return s, err
}

// Document returns what a documentUniqueId stands for, and the study it belongs to, or ErrNotFound.
func (c *Catalog) Document(uniqueID string) (Document, Study, error) {
	var d Document
	if err := c.get(key(prefixDocument, []byte(uniqueID)), &d); err != nil {
		return Document{}, Study{}, err
	}
	s, err := c.Study(d.StudyInstanceUID)
	return d, s, err
}

// Manifest returns the SHA-256 of the manifest of a study that was registered first, or ErrNotFound. A manifest with other
// bytes, of a study that was amended, has another name.
func (c *Catalog) Manifest(studyInstanceUID string) (digest [32]byte, err error) {
	raw, closer, err := c.db.Get(key(prefixManifest, []byte(studyInstanceUID)))
	if errors.Is(err, pebble.ErrNotFound) {
		return digest, ErrNotFound
	}
	if err != nil {
		return digest, fmt.Errorf("reading the catalog: %w", err)
	}
	defer closer.Close()
	if copy(digest[:], raw) != len(digest) {
		return digest, errors.New("reading the catalog: a digest is damaged")
	}
	return digest, nil
}

// PutManifest stores the SHA-256 of the manifest that is registered first, and under which name a manifest of the study
// is to be had.
func (c *Catalog) PutManifest(studyInstanceUID string, first [32]byte, uniqueID string) error {
	b := c.db.NewBatch()
	defer b.Close()
	if err := b.Set(key(prefixManifest, []byte(studyInstanceUID)), first[:], nil); err != nil {
		return err
	}
	d := Document{StudyInstanceUID: studyInstanceUID, Kind: ledger.DocumentManifest}
	if err := setJSON(b, key(prefixDocument, []byte(uniqueID)), d); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}

// Studies lists the published studies in the order of their Study Instance UIDs.
func (c *Catalog) Studies() ([]Study, error) {
	var all []Study
	err := c.Each(func(s Study) error { all = append(all, s); return nil })
	return all, err
}

// Erase removes a study, its documents and its openings, and rewrites the files that held them, so that the salt is on
// the disk no more when it returns: from then on nobody but the owner can tell which study the ledger's entry stands
// for. A mark stays that the study was erased, until it is stored again. Erasing what is not there marks it all the same,
// so that it does not come, and does the rewriting: that of an Erase which was interrupted.
func (c *Catalog) Erase(ctx context.Context, studyInstanceUID string) error {
	study, err := c.Study(studyInstanceUID)
	if errors.Is(err, ErrNotFound) {
		if err := c.db.Set(c.erasedKey(studyInstanceUID), nil, pebble.Sync); err != nil {
			return fmt.Errorf("erasing a study: %w", err)
		}
		return c.purge(ctx)
	}
	if err != nil {
		return err
	}
	b := c.db.NewBatch()
	defer b.Close()
	err = c.scan(key(prefixDocument), func(k, v []byte) error {
		var d Document
		if err := json.Unmarshal(v, &d); err != nil {
			return fmt.Errorf("reading the catalog: %w", err)
		}
		if d.StudyInstanceUID != studyInstanceUID {
			return nil
		}
		return b.Delete(k, nil)
	})
	if err != nil {
		return err
	}
	openings := key(prefixOpening, study.StudyID[:])
	err = errors.Join(
		b.Delete(key(prefixStudy, []byte(studyInstanceUID)), nil),
		b.Delete(key(prefixManifest, []byte(studyInstanceUID)), nil),
		b.Delete(key(prefixWatched, study.StudyID[:]), nil),
		b.DeleteRange(openings, successor(openings), nil),
		b.Set(c.erasedKey(studyInstanceUID), nil, nil),
		b.Commit(pebble.Sync),
	)
	if err != nil {
		return fmt.Errorf("erasing a study: %w", err)
	}
	return c.purge(ctx)
}

// PutOpening stores what an owner disclosed of a grant: that it lets requester in. Storing the same again changes
// nothing and writes nothing, so that who repeats an opening does not keep the disk busy. Of a grant to a group one
// membership of a requester is kept, the last.
func (c *Catalog) PutOpening(study ledger.StudyID, requester keys.Grantee, o ledger.Opening) error {
	k := openingKey(study, requester, o)
	v := o.Blind[:]
	if !o.Direct() {
		v = slices.Concat(o.Blind[:], o.Group[:], o.Membership[:])
	}
	was, closer, err := c.db.Get(k)
	if err == nil {
		same := bytes.Equal(was, v)
		if err := closer.Close(); err != nil || same {
			return err
		}
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	return c.db.Set(k, v, pebble.Sync)
}

// DropOpening forgets an opening, as of a grant that is void.
func (c *Catalog) DropOpening(study ledger.StudyID, requester keys.Grantee, o ledger.Opening) error {
	return c.db.Delete(openingKey(study, requester, o), pebble.NoSync)
}

// Openings returns what was disclosed of the grants of a study that let requester in, whether or not they still hold.
func (c *Catalog) Openings(study ledger.StudyID, requester keys.Grantee) ([]ledger.Opening, error) {
	var all []ledger.Opening
	err := c.scan(key(prefixOpening, study[:], requester.ID[:]), func(_, v []byte) error {
		var o ledger.Opening
		switch len(v) {
		case 32:
			o.Blind = [32]byte(v)
		case 96:
			o.Blind, o.Group, o.Membership = [32]byte(v), ledger.StudyID(v[32:]), [32]byte(v[64:])
		default:
			return errors.New("reading the catalog: an opening is damaged")
		}
		all = append(all, o)
		return nil
	})
	return all, err
}

func openingKey(study ledger.StudyID, requester keys.Grantee, o ledger.Opening) []byte {
	commitment := o.Commitment(requester, study)
	return key(prefixOpening, study[:], requester.ID[:], commitment[:])
}
