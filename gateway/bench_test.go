package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"collimate/conformance"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/ledger"
	"collimate/pacs/dicomweb"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
	"collimate/xds"
	"collimate/xds/xdsi"
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

// BenchmarkImages measures 200 instances of 530 kB by RAD-69 from a PACS behind DICOMweb, against that PACS's own answer
// to WADO-RS for the whole study, turn by turn in one run: plain, and behind a proxy that adds the TLS which a gateway has
// to have. RAD-69 goes through the gateway, signed.
func BenchmarkImages(b *testing.B) {
	if os.Getenv("COLLIMATE_INTEROP") == "" {
		b.Skip("for make interop-pacs: needs Orthanc")
	}
	orthanc := peer.Orthanc(b, peer.Options{})
	from := b.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 200})
	if err != nil {
		b.Fatal(err)
	}
	orthanc.Push(b, from)
	client, err := dicomweb.New(dicomweb.Config{URL: orthanc.URL})
	if err != nil {
		b.Fatal(err)
	}
	far, err := remote.Open(client, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { far.Close() })
	listing, err := far.Study(b.Context(), info.StudyInstanceUID)
	if err != nil {
		b.Fatal(err)
	}
	_, size := listing.Count()
	wado := func(client *http.Client, root string) {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, root+"/studies/"+info.StudyInstanceUID, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Accept", `multipart/related; type="application/dicom"; transfer-syntax=*`)
		r, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Body.Close()
		if n, err := io.Copy(onlyWriter{}, r.Body); err != nil || n < size {
			b.Fatalf("%d bytes, %v, want %d", n, err, size)
		}
	}
	w := newWorldWith(b, small, func(w *world) { w.pacs, w.study = far, info.StudyInstanceUID })
	var requests []xdsi.ImagingRequest
	for _, i := range listing.Series[0].Instances {
		requests = append(requests, w.image(i))
	}
	images := xdsi.Client{SOAP: w.client(w.patient).SOAP}
	rad69 := func() {
		r, err := images.RetrieveImages(b.Context(), w.at(gateway.PathImaging), requests, stored)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		total := int64(0)
		for range requests {
			_, content, err := r.Content.Next()
			if err != nil {
				b.Fatal(err)
			}
			n, err := content.WriteTo(onlyWriter{})
			if err != nil {
				b.Fatal(err)
			}
			total += n
		}
		if total != size {
			b.Fatalf("%d bytes, want %d", total, size)
		}
	}
	target, err := url.Parse(orthanc.URL)
	w.must(err)
	listener := listen(b)
	serve(b, listener, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}, w.source.TLSConfig())
	pinned := gateway.PinnedClient(nil, w.north.id)
	plain := func() { wado(http.DefaultClient, orthanc.URL) }
	proxied := func() { wado(pinned, "https://"+listener.Addr().String()) }
	rad69()
	plain()
	proxied()
	var spent [3]time.Duration
	rounds := 0
	for b.Loop() {
		for i, f := range []func(){rad69, plain, proxied} {
			start := time.Now()
			f()
			spent[i] += time.Since(start)
		}
		rounds++
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size)*float64(rounds)/1e6/spent[0].Seconds(), "RAD-69-MB/s")
	b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "RAD-69/WADO-RS")
	b.ReportMetric(spent[2].Seconds()/spent[0].Seconds(), "RAD-69/WADO-RS-by-TLS")
}

// onlyWriter discards without io.Discard's short cuts.
type onlyWriter struct{}

func (onlyWriter) Write(p []byte) (int, error) { return len(p), nil }
