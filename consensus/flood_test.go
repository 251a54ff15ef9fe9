package consensus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// floods are what one key can send at a node as fast as it takes it: n different ones, signed before they are sent.
var floods = []struct {
	name string
	n    int
	make func(w *network, n int) []byte
}{
	{"valid, within its allowance", 4000, func(w *network, n int) []byte { _, raw := w.study(1, 1_000_000+n); return raw }},
	{"valid, of 256 studies each", 400, func(w *network, n int) []byte {
		var body ledger.DefineStudy
		for i := range ledger.MaxStudiesPerTx {
			id := ledger.StudyID(sha256.Sum256(fmt.Appendf(nil, "%d", n*ledger.MaxStudiesPerTx+i)))
			body.Studies = append(body.Studies, ledger.StudyDefinition{Study: id, Owner: keys.Owner{ID: idOf(w.t, w.members[1].key)}, Kind: ledger.RecordImaging})
		}
		slices.SortFunc(body.Studies, func(a, b ledger.StudyDefinition) int { return bytes.Compare(a.Study[:], b.Study[:]) })
		return w.sign(body, w.members[1].key)
	}},
	{"valid, of which one in a thousand can be true", 4000, func(w *network, n int) []byte {
		return w.sign(ledger.UpdateSource{Version: uint64(2 + n/1000), Endpoints: ledger.Endpoints{ITI43: fmt.Sprintf("https://%d.example/", n)}}, w.members[1].key)
	}},
	{"bad signatures", 4000, func(w *network, n int) []byte {
		_, raw := w.study(1, 2_000_000+n)
		raw[len(raw)-1] ^= 1
		return raw
	}},
}

// TestFlood measures the time to finality of one key, while another floods the node that both use, side by side: a
// round without, a round with, and so on. It is the proof that a flood by one key leaves the others alone.
func TestFlood(t *testing.T) {
	rounds, each := 1, 12
	if n, err := strconv.Atoi(os.Getenv("COLLIMATE_FLOOD_ROUNDS")); err == nil {
		rounds, each = n, 40
	}
	w := newNetwork(t, 4)
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.defineWith(1, 10_000) // which is two million studies
	n := 0
	measure := func() (took []time.Duration) {
		for range each {
			_, raw := w.study(0, n)
			n++
			began := time.Now()
			for {
				if _, err := w.submit(0, raw); err == nil {
					break
				} else if !errors.Is(err, ErrNotFinal) {
					t.Fatal(err)
				}
			}
			took = append(took, time.Since(began))
		}
		return took
	}
	for _, flood := range floods {
		t.Run(flood.name, func(t *testing.T) {
			var alone, beside []time.Duration
			var sent, taken atomic.Int64
			made := 0
			for range rounds {
				alone = append(alone, measure()...)
				var raws [][]byte
				for range flood.n {
					made++
					raws = append(raws, flood.make(w, made))
				}
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				var next atomic.Int64
				for range 16 {
					all.Go(func() {
						for ctx.Err() == nil {
							if _, err := w.members[0].engine.Offer(ctx, raws[int(next.Add(1))%len(raws)]); err == nil {
								taken.Add(1)
							}
						}
					})
				}
				beside = append(beside, measure()...)
				stop()
				all.Wait()
				sent.Add(next.Load())
			}
			p50, p99 := quantile(beside, 50), quantile(beside, 99)
			t.Logf("alone p50 %v p99 %v; beside %d offers, of which %d were taken, p50 %v p99 %v; ratio p50 %.1f p99 %.1f",
				quantile(alone, 50), quantile(alone, 99), sent.Load(), taken.Load(), p50, p99,
				float64(p50)/float64(quantile(alone, 50)), float64(p99)/float64(quantile(alone, 99)))
			if most := 4*quantile(alone, 50) + 2*time.Second; p50 > most { // generous: flood and network share this machine
				t.Errorf("the median beside the flood is %v, want at most %v", p50, most)
			}
		})
	}
}

func quantile(all []time.Duration, percent int) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)-1)*percent/100].Round(100 * time.Microsecond)
}
