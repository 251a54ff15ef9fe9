package gateway_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/pacs/dicomweb"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
	"collimate/xds/xdsi"
)

// BenchmarkImages measures 200 instances of 530 kB by RAD-69, signed and over TLS as a gateway has to be, from a PACS behind
// DICOMweb and from the embedded archive, against Orthanc's own answer to WADO-RS for the same study: plain, and by the
// nginx that adds TLS to it (Orthanc's own crashes in Debian 12). All take turns in one run; the ratios are of medians. More
// is better, but of cpu, which is what all processes together take of the processors: reader, gateway, Orthanc, nginx.
func BenchmarkImages(b *testing.B) {
	if os.Getenv("COLLIMATE_INTEROP") == "" {
		b.Skip("COLLIMATE_INTEROP is not set: needs Orthanc and nginx")
	}
	series := phantom.Options{Series: 1, Slices: 200}
	from := b.TempDir()
	info, err := phantom.Generate(from, series)
	if err != nil {
		b.Fatal(err)
	}
	folder := newWorld(b, series)
	orthanc := peer.Orthanc(b, peer.Options{})
	orthanc.Push(b, from)
	nginx, secure := tlsBefore(b, orthanc, folder.north)
	client, err := dicomweb.New(dicomweb.Config{URL: orthanc.URL})
	if err != nil {
		b.Fatal(err)
	}
	far, err := remote.Open(client, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { far.Close() })
	web := newWorldWith(b, small, func(w *world) { w.pacs, w.study = far, info.StudyInstanceUID })

	contenders := []*contender{
		{name: "wado", fetch: wado(b, http.DefaultClient, orthanc.URL, info.StudyInstanceUID)},
		{name: "wado-tls", fetch: wado(b, gateway.PinnedClient(nil, folder.north.id), secure, info.StudyInstanceUID)},
		{name: "dicomweb", fetch: web.rad69(b)},
		{name: "fs", fetch: folder.rad69(b)},
	}
	var size int64
	for _, i := range web.instances() {
		size += i.Size
	}
	for _, c := range contenders {
		if n := c.fetch(); n < size { // what is between the instances counts too
			b.Fatalf("%s: %d bytes, want %d", c.name, n, size)
		}
	}
	for b.Loop() {
		for _, c := range contenders {
			start, cpu := time.Now(), cpuOf(b, os.Getpid(), orthanc.PID(), nginx)
			c.fetch()
			c.took = append(c.took, time.Since(start))
			c.cpu = append(c.cpu, cpuOf(b, os.Getpid(), orthanc.PID(), nginx)-cpu)
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, ours := range contenders[2:] {
		b.ReportMetric(float64(size)/1e6/median(ours.took), ours.name+"-MB/s")
		for _, theirs := range contenders[:2] {
			b.ReportMetric(median(theirs.took)/median(ours.took), ours.name+"/"+theirs.name)
			b.ReportMetric(median(ours.cpu)/median(theirs.cpu), "cpu-"+ours.name+"/"+theirs.name)
		}
	}
}

// contender is a way to the images.
type contender struct {
	name      string
	fetch     func() (bytes int64)
	took, cpu []time.Duration
}

// median is in seconds.
func median(d []time.Duration) float64 { return slices.Sorted(slices.Values(d))[len(d)/2].Seconds() }

// tlsBefore runs an nginx that speaks https and hands on to a PACS as it comes.
func tlsBefore(b *testing.B, p *peer.PACS, as party) (pid int, url string) {
	b.Helper()
	program := peer.Tool(b, "nginx", "nginx")
	dir := b.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", peer.Free(b))
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, as.pem(b), address, p.Root), 0o600); err != nil {
		b.Fatal(err)
	}
	nginx := exec.Command(program, "-p", dir, "-c", conf)
	if err := nginx.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nginx.Process.Kill(); nginx.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return nginx.Process.Pid, "https://" + address + "/dicom-web"
		}
		if time.Now().After(deadline) {
			b.Fatal("nginx does not come up")
		}
	}
}

const nginxConf = `daemon off; master_process off; pid %[1]s/pid; error_log stderr crit;
events {}
http {
  access_log off; proxy_temp_path %[1]s/proxy; client_body_temp_path %[1]s/body;
  fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[3]s ssl; ssl_certificate %[2]s; ssl_certificate_key %[2]s; ssl_protocols TLSv1.3;
    location / { proxy_pass %[4]s; proxy_http_version 1.1; proxy_buffers 16 256k; proxy_busy_buffers_size 512k; proxy_max_temp_file_size 0; }
  }
}`

// wado asks for a study by WADO-RS, in the bytes that are stored.
func wado(b *testing.B, client *http.Client, root, study string) func() int64 {
	return func() int64 {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, root+"/studies/"+study, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Accept", `multipart/related; type="application/dicom"; transfer-syntax=*`)
		r, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Body.Close()
		n, err := io.CopyBuffer(onlyWriter{}, struct{ io.Reader }{r.Body}, make([]byte, 256<<10))
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
}

// rad69 asks for all images of the study by RAD-69.
func (w *world) rad69(b *testing.B) func() int64 {
	var requests []xdsi.ImagingRequest
	for _, i := range w.instances() {
		requests = append(requests, w.image(i))
	}
	client := xdsi.Client{SOAP: w.client(w.patient).SOAP}
	return func() (n int64) {
		r, err := client.RetrieveImages(b.Context(), w.at(gateway.PathImaging), requests, stored)
		w.must(err)
		defer r.Close()
		for range requests {
			_, content, err := r.Content.Next()
			w.must(err)
			size, err := content.WriteTo(onlyWriter{})
			w.must(err)
			n += size
		}
		return n
	}
}

// pem writes the key and the certificate to a file.
func (p party) pem(t testing.TB) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "tls.pem")
	b := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})...)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// cpuOf returns the processor time that processes have taken, to a hundredth of a second each: utime and stime, which are
// the 12th and the 13th field behind the name. proc_pid_stat(5)
func cpuOf(t testing.TB, pids ...int) time.Duration {
	t.Helper()
	var ticks time.Duration
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, behind, _ := strings.Cut(string(b), ") ")
		for _, field := range strings.Fields(behind)[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			ticks += time.Duration(n)
		}
	}
	return ticks * time.Second / 100
}
