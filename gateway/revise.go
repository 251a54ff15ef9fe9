package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"

	"collimate/gateway/catalog"
	"collimate/ledger"
)

// ErrUnregistered is returned for a study that is on the ledger as it is to be and not in the registry: publishing it again
// registers it, and costs nothing on the ledger.
var ErrUnregistered = errors.New("the study could not be registered")

// Amend tells the ledger that instances were added to a published study or changed, and registers it anew.
func (s *Source) Amend(ctx context.Context, studyInstanceUID string) error {
	return s.act(ctx, studyInstanceUID, func(r *ledger.StudyRecord) ledger.Body {
		return ledger.AmendStudy{Study: r.ID, Revision: r.Revision}
	})
}

// Hold keeps a published study from everybody, its owner included, or releases it again: for a study that may be of
// another patient. It does nothing on the ledger if it is so already.
func (s *Source) Hold(ctx context.Context, studyInstanceUID string, held bool) error {
	return s.act(ctx, studyInstanceUID, func(r *ledger.StudyRecord) ledger.Body {
		if (r.Status == ledger.Held) == held {
			return nil
		}
		return ledger.HoldStudy{Study: r.ID, Revision: r.Revision, Held: held}
	})
}

// Withdraw takes a published study back, for good. It does nothing on the ledger if it is withdrawn already.
func (s *Source) Withdraw(ctx context.Context, studyInstanceUID string) error {
	return s.change(ctx, studyInstanceUID, withdraw)
}

// Erase withdraws a study and deletes its salt and all else that catalog and registry hold of it. What stays on the
// ledger is then linked to the study by nothing that the source has. The archive keeps the images. An Erase that was
// interrupted is to be repeated, also if the study is not in the catalog any more.
func (s *Source) Erase(ctx context.Context, studyInstanceUID string) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	known := s.change(ctx, studyInstanceUID, withdraw)
	switch {
	case errors.Is(known, ledger.ErrNotFound), ledger.CodeOf(known) == ledger.CodeOtherSource:
		known = nil // it never became ours on the ledger: there is nothing to withdraw
	case known != nil && !errors.Is(known, catalog.ErrNotFound):
		return known
	}
	if err := s.unregister(ctx, studyInstanceUID); err != nil {
		return errors.Join(known, fmt.Errorf("taking a study out of the registry: %w", err))
	}
	return errors.Join(known, s.config.Catalog.Erase(ctx, studyInstanceUID))
}

// withdraw makes the withdrawal of a study, none if it is withdrawn.
func withdraw(r *ledger.StudyRecord) ledger.Body {
	if r.Status == ledger.Withdrawn {
		return nil
	}
	return ledger.WithdrawStudy{Study: r.ID, Revision: r.Revision}
}

// act changes a published study, and sees to it that the registry has it as it is now if it is to be had.
func (s *Source) act(ctx context.Context, studyInstanceUID string, body func(*ledger.StudyRecord) ledger.Body) error {
	if err := s.change(ctx, studyInstanceUID, body); err != nil {
		return err
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	study, record, err := s.published(studyInstanceUID)
	if err != nil || record.Status != ledger.Live {
		return err
	}
	if err := s.register(ctx, []catalog.Study{study}); err != nil {
		return fmt.Errorf("%w: %w", ErrUnregistered, err)
	}
	return nil
}

// change submits what body makes of the ledger's record of a published study, if it makes anything; anew if somebody else
// has changed the record meanwhile.
func (s *Source) change(ctx context.Context, studyInstanceUID string, body func(*ledger.StudyRecord) ledger.Body) error {
	for try := 1; ; try++ {
		_, record, err := s.published(studyInstanceUID)
		if err != nil {
			return err
		}
		b := body(record)
		if b == nil {
			return nil
		}
		if err = s.submit(ctx, b); ledger.CodeOf(err) != ledger.CodeWrongRevision || try == maxTries {
			return err
		}
	}
}

// published returns a study of the catalog and its record on the ledger.
func (s *Source) published(studyInstanceUID string) (study catalog.Study, record *ledger.StudyRecord, err error) {
	if study, err = s.config.Catalog.Study(studyInstanceUID); err != nil {
		return study, nil, err
	}
	err = s.config.Ledger.View(func(view *ledger.Snapshot) (err error) {
		record, err = view.Study(study.StudyID)
		return err
	})
	return study, record, err
}

// Status returns the status on the ledger of a study that the catalog holds; catalog.ErrNotFound or ledger.ErrNotFound
// if the study is not here or not there.
func (s *Source) Status(studyInstanceUID string) (ledger.Status, error) {
	_, record, err := s.published(studyInstanceUID)
	if err != nil {
		return 0, err
	}
	return record.Status, nil
}

// Room returns how many studies the source may define or amend now, as far as its bond goes.
func (s *Source) Room() (writes int, err error) {
	err = s.config.Ledger.View(func(view *ledger.Snapshot) error {
		room, err := ledger.Room(view, ledger.Account{Kind: ledger.AccountSource, ID: s.id.ID}, view.Next())
		writes = int(min(room, math.MaxInt))
		return err
	})
	return writes, err
}
