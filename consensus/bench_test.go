package consensus

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkFinality measures Submit on an otherwise idle network of four in one process: one transaction every half
// second or so, from any node. p50 and p99 are what a patient waits for.
func BenchmarkFinality(b *testing.B) {
	w := newNetwork(b, 4)
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		_, raw := w.study(0, n)
		<-time.After(400*time.Millisecond + time.Duration(n*37%200)*time.Millisecond) // any phase of the network's own rhythm
		b.StartTimer()
		began := time.Now()
		w.must(n%4, raw)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkBurst measures 64 transactions at once, all to one node.
func BenchmarkBurst(b *testing.B) {
	const size = 64
	w := newNetwork(b, 4)
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	n := 0
	for b.Loop() {
		b.StopTimer()
		var raws [][]byte
		for range size {
			_, raw := w.study(0, n)
			raws = append(raws, raw)
			n++
		}
		b.StartTimer()
		errs := make(chan error, size)
		for _, raw := range raws {
			go func() { _, err := w.submit(0, raw); errs <- err }()
		}
		for range size {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tx/s")
}
