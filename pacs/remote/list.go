package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// Studies implements pacs.Lister. It measures nothing. A listing that fails before its first study is tried again.
func (a *Archive) Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error] {
	return func(yield func(pacs.Summary, error) bool) {
		begun := false
		err := retry(ctx, func() error {
			for s, err := range a.pacs.Studies(ctx, from) {
				if err != nil && !begun {
					return err
				}
				begun = true
				if err == nil && dicom.CheckUID(s.Study.InstanceUID) != nil {
					err = errNameless
				}
				if err != nil {
					s, err = pacs.Summary{}, fmt.Errorf("listing the PACS: %w", err)
				}
				if !yield(s, err) {
					return nil
				}
			}
			return ctx.Err()
		})
		if err != nil {
			yield(pacs.Summary{}, fmt.Errorf("listing the PACS: %w", err))
		}
	}
}

// errNameless is a study that cannot be asked for.
var errNameless = errors.New("a study whose Study Instance UID is none")
