package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/config"
	"collimate/consensus"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/gateway/publisher"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs/fs"
	"collimate/ticket"
)

var (
	errNoSource  = errors.New("this organisation does not have the role source")
	errUnknown   = errors.New("this source has not published such a study, or has erased it")
	errAmbiguous = errors.New("two studies have that ticket number: name the study by its Study Instance UID")
	errPACS      = errors.New("the archive is a PACS, into which this gateway does not put files: send them there, and publish them with --uid")
)

// DefineSource puts the source on the ledger.
func (o *organisation) DefineSource(ctx context.Context) (*admin.Source, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	dir := o.config.Path(config.LedgerDir)
	own, err := consensus.LoadKeys(dir)
	if err != nil {
		return nil, err
	}
	prove := func(message []byte) ([64]byte, error) { return consensus.SignValidatorProof(dir, message) }
	if err := o.source.Define(ctx, own.ValidatorKey, prove); err != nil {
		return nil, err
	}
	e := o.source.Endpoints()
	return &admin.Source{Source: o.source.ID(), RepositoryUniqueID: o.source.ID().Alias(), ITI43: e.ITI43, Openings: e.Openings}, nil
}

// PublishFolder takes a folder into the archive and publishes its studies.
func (o *organisation) PublishFolder(ctx context.Context, folder string, progress func(admin.Progress)) ([]*gateway.Ticket, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	if o.archive.Files == nil {
		return nil, errPACS
	}
	imported, err := o.archive.Files.Import(ctx, folder, func(p fs.Progress) {
		progress(admin.Progress{Step: "archiving", Done: p.Files, Of: p.TotalFiles, Bytes: p.Bytes})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range imported.Refusals {
		progress(admin.Progress{Refused: r.Error()})
	}
	if imported.Refused > 0 {
		o.logger.Warn("files were not archived", "refused", imported.Refused)
	}
	if len(imported.Studies) == 0 {
		return nil, fmt.Errorf("no DICOM file in %s: %d files are something else, %d were refused", folder, imported.Skipped, imported.Refused)
	}
	var tickets []*gateway.Ticket
	for n, uid := range imported.Studies {
		progress(admin.Progress{Step: "publishing", Done: n, Of: len(imported.Studies)})
		t, err := o.source.Publish(ctx, uid)
		if errors.Is(err, gateway.ErrWithdrawn) { // the others of the folder are not to suffer
			progress(admin.Progress{Refused: fmt.Sprintf("study %d of the folder: %v", n+1, err)})
			continue
		}
		if err != nil {
			return tickets, err
		}
		tickets = append(tickets, t)
	}
	return tickets, nil
}

// PublishStudies publishes studies that the archive has.
func (o *organisation) PublishStudies(ctx context.Context, studyInstanceUIDs []string) ([]*gateway.Ticket, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	var tickets []*gateway.Ticket
	for _, uid := range studyInstanceUIDs {
		t, err := o.source.Publish(ctx, uid)
		if err != nil {
			return tickets, err
		}
		tickets = append(tickets, t)
	}
	return tickets, nil
}

// Ticket returns the claim ticket of a study that is published.
func (o *organisation) Ticket(ctx context.Context, study string) (*admin.Ticket, error) {
	uid, err := o.published(study)
	if err != nil {
		return nil, err
	}
	t, err := o.source.Publish(ctx, uid) // changes nothing for one that is published
	if err != nil {
		return nil, err
	}
	held, err := o.archive.Study(ctx, uid)
	if err != nil {
		return nil, err
	}
	answer := &admin.Ticket{Ticket: t, Institution: o.config.Source.Institution, AccessionNumber: held.AccessionNumber}
	if day, err := time.Parse("20060102", held.Date); err == nil {
		answer.Date = day.Format(time.DateOnly)
	}
	return answer, nil
}

// published returns the Study Instance UID of a published study that is named by it or by its ticket number.
func (o *organisation) published(study string) (uid string, err error) {
	if o.source == nil {
		return "", errNoSource
	}
	if strings.Contains(study, ".") {
		_, err := o.catalog.Study(study)
		if errors.Is(err, catalog.ErrNotFound) {
			err = errUnknown
		}
		return study, err
	}
	wanted, err := ticket.ParseNumber(study)
	if err != nil {
		return "", err
	}
	err = o.catalog.Each(func(s catalog.Study) error {
		if ticket.Number(s.StudyID) != wanted {
			return nil
		}
		if uid != "" {
			return errAmbiguous
		}
		uid = s.StudyInstanceUID
		return nil
	})
	if err == nil && uid == "" {
		err = errUnknown
	}
	return uid, err
}

// Published lists the studies that were published since then.
func (o *organisation) Published(_ context.Context, since time.Time) ([]admin.Published, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	all := []admin.Published{}
	err := o.catalog.Each(func(s catalog.Study) error {
		at := time.Unix(s.Published, 0)
		if at.Before(since) {
			return nil
		}
		if len(all) == admin.MaxPublished {
			return fmt.Errorf("more than %d studies were published since then: ask for fewer days", admin.MaxPublished)
		}
		all = append(all, admin.Published{Study: s.StudyInstanceUID, Number: ticket.Number(s.StudyID), At: at, Claimed: s.ClaimKey == nil})
		return nil
	})
	slices.SortStableFunc(all, func(a, b admin.Published) int { return a.At.Compare(b.At) })
	return all, err
}

// BackFill publishes studies that the archive has from before.
func (o *organisation) BackFill(ctx context.Context, r admin.BackFillRequest, progress func(admin.Progress)) (*admin.BackFilled, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	options := publisher.BackFillOptions{Rate: r.Rate, DryRun: r.DryRun, Progress: func(p publisher.BackFillProgress) {
		progress(admin.Progress{Step: "publishing", Done: p.Done + p.Failed, Of: p.Wanted})
	}}
	for _, bound := range []struct {
		text string
		to   *time.Time
	}{{r.From, &options.From}, {r.To, &options.To}} {
		if bound.text == "" {
			continue
		}
		var err error
		if *bound.to, err = time.ParseInLocation(time.DateOnly, bound.text, time.Local); err != nil {
			return nil, fmt.Errorf("%q is not a date such as 2026-11-21", bound.text)
		}
	}
	p, err := o.watcher.BackFill(ctx, options)
	return &admin.BackFilled{Listed: p.Listed, Published: p.Published, Erased: p.Erased, Fresh: p.Fresh, Wanted: p.Wanted,
		Done: p.Done, Failed: p.Failed, Troubles: troubles(p.Troubles)}, err
}

// Watcher says what the watcher has done.
func (o *organisation) Watcher(context.Context) (*admin.Watcher, error) {
	if o.source == nil {
		return nil, errNoSource
	}
	s := o.watcher.Status()
	w := &admin.Watcher{Watching: o.config.Publishing.Watch, Looked: s.Looked, Waiting: s.Waiting, Missing: s.Missing, Rejected: s.Rejected,
		Published: s.Published, Amended: s.Amended, Held: s.Held, Withdrawn: s.Withdrawn, Troubles: troubles(s.Troubles)}
	if s.Error != nil {
		w.Error = s.Error.Error()
	}
	return w, nil
}

func troubles(all []publisher.Trouble) (lines []string) {
	for _, t := range all {
		lines = append(lines, fmt.Sprintf("%s: %v", t.StudyInstanceUID, t.Err))
	}
	return lines
}

// DefineGroup puts a record of kind group on the ledger.
func (o *organisation) DefineGroup(ctx context.Context, owner keys.Owner) (ledger.StudyID, error) {
	if o.source == nil {
		return ledger.StudyID{}, errNoSource
	}
	return o.source.DefineGroup(ctx, owner)
}

// Act does something with a published study.
func (o *organisation) Act(ctx context.Context, study string, act admin.Act) error {
	uid, err := o.published(study)
	if errors.Is(err, errUnknown) && act == admin.ActErase && strings.Contains(study, ".") {
		err = nil // an erasure that was interrupted is repeated
	}
	if err != nil {
		return err
	}
	switch act {
	case admin.ActAmend:
		err = o.source.Amend(ctx, uid)
	case admin.ActHold:
		err = o.source.Hold(ctx, uid, true)
	case admin.ActRelease:
		err = o.source.Hold(ctx, uid, false)
	case admin.ActWithdraw:
		err = o.source.Withdraw(ctx, uid)
	case admin.ActErase:
		err = o.source.Erase(ctx, uid)
	default:
		return errors.ErrUnsupported
	}
	if errors.Is(err, catalog.ErrNotFound) {
		return errUnknown
	}
	return err
}
