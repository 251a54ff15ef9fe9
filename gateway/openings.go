package gateway

import (
	"encoding/json"
	"errors"
	"net/http"

	"collimate/keys"
	"collimate/ledger"
)

// Opening says whom a grant on the ledger names. The owner gives it to the source, which recognises the
// grantee by it, and to the grantee.
type Opening struct {
	Study   ledger.StudyID `json:"study"`
	Grantee keys.Grantee   `json:"grantee"`
	Blind   Secret         `json:"blind"`
}

// openings takes the opening of a grant: POST, application/json, answered with 204. The opening proves itself,
// since only it hashes to the commitment that the owner signed; so nobody is asked who they are. An opening
// without its grant on the ledger is refused, which bounds what is stored by what owners have signed.
func (s *Source) openings(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuseOpening(w, http.StatusMethodNotAllowed, "POST an opening as JSON: study, grantee, blind")
		return
	}
	var o Opening
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOpeningBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		refuseOpening(w, http.StatusBadRequest, "an opening is JSON with study, grantee and blind, each 64 lower-case hexadecimal digits")
		return
	}
	err := s.config.Ledger.View(func(view *ledger.Snapshot) error {
		study, err := view.Study(o.Study)
		if err != nil {
			return err
		}
		if study.Source != s.id {
			return ledger.ErrNotFound
		}
		grant, err := view.Grant(o.Study, ledger.NewCommitment(o.Blind, o.Grantee, o.Study))
		if err == nil && grant.Epoch != study.Epoch {
			return ledger.ErrNotFound // void: it would only take up room
		}
		return err
	})
	if err == nil {
		err = s.config.Catalog.PutOpening(o.Study, o.Grantee, o.Blind)
	}
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		refuseOpening(w, http.StatusNotFound, "no final grant of a study of this source has this opening: wait until the grant is final, then try again")
	case err != nil:
		s.config.Logger.Error("taking an opening", "error", err)
		refuseOpening(w, http.StatusInternalServerError, "the opening could not be stored, try again")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func refuseOpening(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"detail": detail}})
}
