package node

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/node/client"
)

// A reading answers a request from one snapshot. It reads nothing else, so that what it read can be proved.
type reading func(r *http.Request, s *ledger.Snapshot) (any, error)

// reader answers with what one reading finds.
func (n *Node) reader(read reading) http.HandlerFunc {
	return n.answering(read, func(v any, _ *view) any { return v })
}

// lister answers with a page of what a reading lists.
func (n *Node) lister(read reading) http.HandlerFunc {
	return n.answering(read, func(v any, from *view) any { return page{v, from.next()} })
}

// page is a client.Page of whatever v lists.
type page struct {
	Items any    `json:"items"`
	Next  string `json:"next,omitempty"`
}

func (n *Node) answering(read reading, shape func(any, *view) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, err := optionsOf(r)
		if err != nil {
			n.fail(w, err)
			return
		}
		snap, err := n.snapshot(o.proves())
		if err != nil {
			n.fail(w, err)
			return
		}
		defer snap.Close()
		if w.Header().Set("ETag", etagOf(snap, o)); unchanged(r, w) {
			return
		}
		v := newView(snap, o.after, o.limit)
		found, err := read(r, snap.On(v))
		switch {
		case err == nil:
			found = shape(found, v)
		case !o.proves() || !errors.Is(err, ledger.ErrNotFound):
			w.Header().Del("ETag")
			n.fail(w, err)
			return
		}
		if !o.proves() {
			answer(w, http.StatusOK, found)
			return
		}
		n.prove(w, r, snap, v.keys, o.binary, found)
	}
}

// snapshot returns the state after the last block or, if it is to be proved, the one before: the header of a block
// commits to the state before it.
func (n *Node) snapshot(proves bool) (*store.Snapshot, error) {
	if !proves {
		return n.store.Snapshot(), nil
	}
	height, _, err := n.store.Last()
	if err != nil {
		return nil, err
	}
	return n.store.SnapshotAt(height - 1)
}

// options are the parameters that all readings have.
type options struct {
	prove  bool   // show it by proofs
	binary bool   // and send nothing but these
	after  []byte // of a list: the key that the page before ended with
	limit  int
}

func (o options) proves() bool { return o.prove || o.binary }

func optionsOf(r *http.Request) (o options, err error) {
	q := r.URL.Query()
	o = options{limit: defaultPage, binary: accepts(r, client.MediaTypeBundle)}
	if s := q.Get("prove"); s != "" {
		if o.prove, err = strconv.ParseBool(s); err != nil {
			return o, requestError("prove is 1 or 0")
		}
	}
	if s := q.Get("limit"); s != "" {
		if o.limit, err = strconv.Atoi(s); err != nil || o.limit < 1 || o.limit > maxPage {
			return o, requestError(fmt.Sprintf("limit is 1 to %d", maxPage))
		}
	}
	if s := q.Get("cursor"); s != "" {
		o.after, err = parseKey("cursor", s)
	}
	return o, err
}

// etagOf names an answer by the state that it is of.
func etagOf(s *store.Snapshot, o options) string {
	hash := s.AppHash()
	return fmt.Sprintf(`W/"%d-%x-%t-%t"`, s.Height(), hash[:min(len(hash), 8)], o.prove, o.binary)
}

// unchanged answers a request whose client has the present state already.
func unchanged(r *http.Request, w http.ResponseWriter) bool {
	w.Header().Set("Cache-Control", "no-cache") // ask each time
	if r.Header.Get("If-None-Match") != w.Header().Get("ETag") {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// The readings.

func readSources(_ *http.Request, s *ledger.Snapshot) (any, error) { return s.Sources() }

func readSource(r *http.Request, s *ledger.Snapshot) (any, error) { return sourceOf(r, s) }

// sourceOf returns the source that a path names: by its KeyID, its present key, its alias or a declared OID.
func sourceOf(r *http.Request, s *ledger.Snapshot) (*ledger.SourceRecord, error) {
	name := r.PathValue("id")
	id, err := keys.ParseID(name)
	if err != nil {
		return s.SourceByOID(name)
	}
	source, err := s.Source(keys.Source{ID: id})
	if errors.Is(err, ledger.ErrNotFound) {
		return s.SourceOfKey(id)
	}
	return source, err
}

func ofSource[R any](read func(*ledger.Snapshot, keys.Source) (R, error)) reading {
	return func(r *http.Request, s *ledger.Snapshot) (any, error) {
		id, err := keys.ParseID(r.PathValue("id"))
		if err != nil {
			return nil, requestError(err.Error())
		}
		return read(s, keys.Source{ID: id})
	}
}

func ofStudy[R any](read func(*ledger.Snapshot, ledger.StudyID) (R, error)) reading {
	return func(r *http.Request, s *ledger.Snapshot) (any, error) {
		id, err := ledger.ParseStudyID(r.PathValue("id"))
		if err != nil {
			return nil, requestError(err.Error())
		}
		return read(s, id)
	}
}

func readGrants(s *ledger.Snapshot, id ledger.StudyID) ([]ledger.GrantRecord, error) {
	if _, err := s.Study(id); err != nil {
		return nil, err
	}
	return s.Grants(id)
}

func readPayers(_ *http.Request, s *ledger.Snapshot) (any, error) { return s.Payers() }

func readPayer(r *http.Request, s *ledger.Snapshot) (any, error) {
	id, err := keys.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, requestError(err.Error())
	}
	return s.Payer(keys.Payer{ID: id})
}

func readParams(_ *http.Request, s *ledger.Snapshot) (any, error) { return s.Params() }

func readNext(_ *http.Request, s *ledger.Snapshot) (any, error) { return s.NextParams() }
