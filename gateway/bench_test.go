package gateway_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"collimate/conformance"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/ledger"
	"collimate/xds"
)

// BenchmarkRetrieve measures a whole study by ITI-43 against the same bytes from a plain file server, turn by
// turn in one run, both over TLS on loopback. It reports throughput as ratios, since machines differ:
// direct/file is the signed request to the source, relayed/file the path through the consumer-side gateway.
func BenchmarkRetrieve(b *testing.B) {
	w := newWorld(b, phantom.Options{Series: 2, Slices: 128})
	south := w.hospital()
	w.allow(south.party, w.chain.now().Add(time.Hour), false)

	file := filepath.Join(b.TempDir(), "study.zip")
	out, err := os.Create(file)
	w.must(err)
	r, err := w.client(south.party).Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentStudy)})
	w.must(err)
	_, content, err := r.Content.Next()
	w.must(err)
	size, err := content.WriteTo(out)
	w.must(err)
	w.must(r.Close())
	w.must(out.Close())

	listener := listen(b)
	plainURL := "https://" + listener.Addr().String() + "/study.zip"
	serve(b, listener, http.FileServer(http.Dir(filepath.Dir(file))), w.source.TLSConfig())
	plain := gateway.PinnedClient(nil, w.north.id)

	client := w.client(south.party)
	direct := func() {
		r, err := client.Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentStudy)})
		w.must(err)
		defer r.Close()
		_, content, err := r.Content.Next()
		w.must(err)
		n, err := content.WriteTo(onlyWriter{})
		if err != nil || n != size {
			b.Fatalf("%d bytes, %v, want %d", n, err, size)
		}
	}
	relayed := func() {
		c := conformance.Consumer{HTTP: south.consumer}
		d := w.document(ledger.DocumentStudy)
		a, err := c.Retrieve(context.Background(), south.url, conformance.DocumentRef(d))
		if err != nil || a.Success() != nil {
			b.Fatal(err, a.Success())
		}
	}
	files := func() {
		r, err := plain.Get(plainURL)
		w.must(err)
		defer r.Body.Close()
		if n, err := io.Copy(onlyWriter{}, r.Body); err != nil || n != size {
			b.Fatalf("%d bytes, %v, want %d", n, err, size)
		}
	}
	first := func() {
		r, err := client.Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentManifest)})
		w.must(err)
		w.must(r.Close())
	}
	direct()
	relayed()
	files()

	var spent [4]time.Duration
	rounds := 0
	for b.Loop() {
		for i, f := range []func(){direct, relayed, files, first} {
			start := time.Now()
			f()
			spent[i] += time.Since(start)
		}
		rounds++
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size)*float64(rounds)/1e6/spent[2].Seconds(), "file-MB/s")
	b.ReportMetric(spent[2].Seconds()/spent[0].Seconds(), "direct/file")
	b.ReportMetric(spent[2].Seconds()/spent[1].Seconds(), "relayed/file")
	b.ReportMetric(float64(spent[3].Microseconds())/float64(rounds)/1e3, "first-byte-ms")
}

// onlyWriter discards without io.Discard's short cuts.
type onlyWriter struct{}

func (onlyWriter) Write(p []byte) (int, error) { return len(p), nil }
