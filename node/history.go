package node

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
	"collimate/node/query"
)

// history answers the owner of a study with what happened to it. Whoever is not the owner learns nothing, not even
// whether there is such a study.
func (n *Node) history(w http.ResponseWriter, r *http.Request) {
	id, err := ledger.ParseStudyID(r.PathValue("id"))
	if err != nil {
		n.fail(w, requestError(err.Error()))
		return
	}
	from, err := historyFrom(r)
	if err != nil {
		n.fail(w, err)
		return
	}
	raw, ok := n.body(w, r, client.MediaTypeTransaction, query.MaxBytes)
	if !ok {
		return
	}
	q, by, err := query.Verify(n.config.Genesis.ChainID, raw, time.Now())
	switch {
	case errors.Is(err, query.ErrStale), errors.Is(err, query.ErrSignature), errors.Is(err, query.ErrMalformed):
		refuse(w, http.StatusUnprocessableEntity, client.CodeBadQuery, err.Error())
		return
	case err != nil:
		n.fail(w, err)
		return
	case q.Study != id:
		refuse(w, http.StatusUnprocessableEntity, client.CodeBadQuery, "the query is for another study than the path names")
		return
	}
	page, err := n.historyOf(id, keys.Owner{ID: by}, from)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		refuse(w, http.StatusNotFound, client.CodeNotFound, "no study of the signer's has this id")
	case err != nil:
		n.fail(w, err)
	default:
		answer(w, http.StatusOK, page)
	}
}

// historyOf returns a page of events, oldest first, or ErrNotFound for anybody but the present owner.
func (n *Node) historyOf(id ledger.StudyID, by keys.Owner, from cursor) (page client.Page[client.Event], err error) {
	snap := n.store.Snapshot()
	defer snap.Close()
	study, err := snap.Study(id)
	if err == nil && study.Owner != by {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return page, err
	}
	page.Items = []client.Event{}
	err = n.index.visit(id, from, func(e client.Event, at cursor) error {
		if e.Height > snap.Height() { // its block is not on disk yet
			return errPageEnds
		}
		if len(page.Items) == maxHistory {
			page.Next = at.String()
			return errPageEnds
		}
		page.Items = append(page.Items, e)
		return nil
	})
	return page, ignore(err, errPageEnds)
}

func historyFrom(r *http.Request) (from cursor, err error) {
	s := r.URL.Query().Get("cursor")
	if s == "" {
		return cursor{}, nil
	}
	if _, err := fmt.Sscanf(s, "%d.%d", &from.height, &from.index); err != nil || s != from.String() || from.height < 0 {
		return cursor{}, requestError("cursor is what the page before said")
	}
	return from, nil
}
