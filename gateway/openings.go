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
//
// A grant may name a group. Then Grantee is a member of it, and Membership is the blind of the grant by which the
// group lets the member in: who owns the group gave that to the member. The owner of the study knows neither.
type Opening struct {
	Study      ledger.StudyID  `json:"study"`
	Grantee    keys.Grantee    `json:"grantee,omitzero"`
	Blind      Secret          `json:"blind"` // of the grant: to Group, or to Grantee if there is none
	Group      *ledger.StudyID `json:"group,omitempty"`
	Membership *Secret         `json:"membership,omitempty"`
}

// Ledger returns the opening as the ledger's decision takes it.
func (o Opening) Ledger() ledger.Opening {
	l := ledger.Opening{Blind: o.Blind}
	if o.Group != nil {
		l.Group = *o.Group
	}
	if o.Membership != nil {
		l.Membership = *o.Membership
	}
	return l
}

// Commitment returns that of the grant that o opens.
func (o Opening) Commitment() ledger.Commitment { return o.Ledger().Commitment(o.Grantee, o.Study) }

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
	if err := d.Decode(&o); err != nil || (o.Group == nil) != (o.Membership == nil) {
		refuseOpening(w, http.StatusBadRequest, "an opening is JSON with study, grantee and blind, each 64 lower-case hexadecimal digits, and with group and membership both or neither")
		return
	}
	switch err := s.takeOpening(o); {
	case errors.Is(err, ledger.ErrNotFound):
		refuseOpening(w, http.StatusNotFound, "no final grant of a study of this source has this opening: wait until the grant is final, then try again")
	case err != nil:
		s.config.Logger.Error("taking an opening", "error", err)
		refuseOpening(w, http.StatusInternalServerError, "the opening could not be stored, try again")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// takeOpening stores an opening, and drops what is stored for the same grantee of grants that are void.
func (s *Source) takeOpening(o Opening) error {
	// Listed before the ledger is looked at, which therefore knows the grants of all of them.
	stored, err := s.config.Catalog.Openings(o.Study, o.Grantee)
	if err != nil {
		return err
	}
	err = s.config.Ledger.View(func(view *ledger.Snapshot) error {
		study, err := s.opens(view, o)
		if err != nil {
			return err
		}
		for _, old := range stored {
			err := stands(view, study, old.Commitment(o.Grantee, o.Study))
			if errors.Is(err, ledger.ErrNotFound) {
				err = s.config.Catalog.DropOpening(o.Study, o.Grantee, old)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.config.Catalog.PutOpening(o.Study, o.Grantee, o.Ledger())
}

// opens returns the study if an opening is of a grant of a study of this source that stands. Any other would only take
// up room, or the place of one that stands; and what was erased with a withdrawn study must not come back.
func (s *Source) opens(view *ledger.Snapshot, o Opening) (*ledger.StudyRecord, error) {
	study, err := view.Study(o.Study)
	if err != nil {
		return nil, err
	}
	if study.Source != s.id || study.Status == ledger.Withdrawn {
		return nil, ledger.ErrNotFound
	}
	if err := stands(view, study, o.Commitment()); err != nil || o.Group == nil {
		return study, err
	}
	group, err := view.Study(*o.Group)
	if err != nil {
		return nil, err
	}
	return study, stands(view, group, ledger.NewCommitment(*o.Membership, o.Grantee, *o.Group))
}

// stands returns ErrNotFound unless there is a grant of this commitment in the study's present epoch, not revoked and not
// expired. One that does not stand never will again.
func stands(view *ledger.Snapshot, study *ledger.StudyRecord, c ledger.Commitment) error {
	grant, err := view.Grant(study.ID, c)
	if err == nil && (grant.Epoch != study.Epoch || grant.Revoked() || view.Time().Unix() > int64(grant.NotAfter)) {
		err = ledger.ErrNotFound
	}
	return err
}

func refuseOpening(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"detail": detail}})
}
