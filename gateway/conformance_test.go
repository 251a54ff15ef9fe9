package gateway_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"collimate/conformance"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/internal/sharedfiles"
	"collimate/keys"
	"collimate/ledger"
)

// Every ITI-43 check, against both sides of a running gateway, over TLS on loopback.
func TestConformance(t *testing.T) {
	w := newWorld(t, small)
	south, stranger := w.hospital(), newParty(t, "stranger")
	w.allow(south.party, w.chain.now().Add(time.Hour), false)
	withheld := w.publishSecond()

	target := conformance.Target{
		SourceURL: w.url, ConsumerURL: south.url,
		SourceTLS:          gateway.PinnedTLS(south.tls(), w.north.id),
		StrangerTLS:        gateway.PinnedTLS(stranger.tls(), w.north.id),
		ConsumerTLS:        south.clientTLS,
		RepositoryUniqueID: w.ticket.RepositoryUniqueID,
		Studies:            []string{w.ticket.Documents[ledger.DocumentStudy]},
		Manifest:           w.ticket.Documents[ledger.DocumentManifest],
		NotGranted:         withheld.Documents[ledger.DocumentStudy],
		Grantee:            south.identity(), Stranger: stranger.identity(),
		SchemaDir: schemas(t),
	}
	conformance.Run(context.Background(), target, func(r conformance.Result) {
		switch {
		case r.Outcome == conformance.Failed:
			t.Errorf("%s %s (%s): %s", r.ID, r.Title, r.Citation, r.Detail)
		case r.Outcome == conformance.Skipped && target.SchemaDir != "":
			t.Errorf("%s was skipped: %s", r.ID, r.Detail)
		case r.Outcome == conformance.Skipped:
			t.Logf("%s skipped: %s", r.ID, r.Detail)
		}
	})
}

// schemas finds the official schemas beside the project, if they are there.
func schemas(t *testing.T) string {
	t.Helper()
	dir := sharedfiles.Find("ihe", "schemas", "toolkit2", "v3")
	if dir == "" {
		t.Log("answers are not validated: the official schemas are not beside the project")
	}
	return dir
}

// publishSecond publishes another study of the same source, which nobody is let into.
func (w *world) publishSecond() *gateway.Ticket {
	w.t.Helper()
	from := filepath.Join(w.t.TempDir(), "second")
	_, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 2, Rows: 64, Columns: 64, Seed: 9})
	w.must(err)
	got, err := w.folder.Import(context.Background(), from, nil)
	w.must(err)
	ticket, err := w.source.Publish(context.Background(), got.Studies[0])
	w.must(err)
	claim, err := ticket.Claim()
	w.must(err)
	w.chain.sign(claim, ledger.TransferStudy{Study: ticket.StudyID, NewOwner: keys.Owner{ID: w.patient.id}})
	return ticket
}
