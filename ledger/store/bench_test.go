package store_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/store"
)

// BenchmarkDecide decides over Pebble on disk, among ten thousand studies.
func BenchmarkDecide(b *testing.B) {
	s, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closing(b, s)
	begin(b, s)
	extend(b, s, 1, history(b, 1))
	const studies = 10_000
	var body ledger.DefineStudy
	h := int64(1)
	for i := range studies {
		body.Studies = append(body.Studies, ledger.StudyDefinition{Study: studyOf(i), Owner: keys.Owner{ID: idOf(b, "p1")}, Kind: ledger.RecordImaging})
		if len(body.Studies) == ledger.MaxStudiesPerTx || i == studies-1 {
			h++
			extend(b, s, h, []*ledger.Transaction{signed(b, "north", body)})
			body.Studies = nil
		}
	}
	south := keys.Grantee{ID: idOf(b, "south")}
	blind := sha256.Sum256([]byte("blind"))
	var granted []ledger.StudyID
	var txs []*ledger.Transaction
	for i := 0; i < studies; i += 10 {
		granted = append(granted, studyOf(i))
		txs = append(txs, signed(b, "p1", ledger.AllowAccess{
			Study: studyOf(i), Commitment: ledger.NewCommitment(blind, south, studyOf(i)), NotAfter: timeOf(h).Add(time.Hour).Unix(),
			Scope: ledger.ScopeAll,
		}))
	}
	extend(b, s, h+1, txs)
	source := keys.Source{ID: idOf(b, "north")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		snap := s.Snapshot()
		d, err := ledger.Decide(snap.Snapshot, ledger.Access{
			Source: source, Study: granted[i%len(granted)], Requester: south, Openings: []ledger.Opening{{Blind: blind}}, Scope: ledger.ScopeImages,
			Now: snap.Time(), Staleness: time.Minute,
		})
		if err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
		if err := snap.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit commits blocks of some size to the disk, signatures verified beforehand.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{0, 1, 100, 1000} {
		b.Run(fmt.Sprintf("%d-studies", size), func(b *testing.B) {
			s, err := store.Open(b.TempDir(), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer closing(b, s)
			begin(b, s)
			extend(b, s, 1, history(b, 1))
			h := int64(1)
			for b.Loop() {
				b.StopTimer()
				h++
				var txs []*ledger.Transaction
				for i := range size {
					txs = append(txs, signed(b, "north", ledger.DefineStudy{Studies: []ledger.StudyDefinition{
						{Study: studyOf(int(h)*1000 + i), Owner: keys.Owner{ID: idOf(b, "p1")}, Kind: ledger.RecordImaging},
					}}))
				}
				b.StartTimer()
				extend(b, s, h, txs)
			}
		})
	}
}
