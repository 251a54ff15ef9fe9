package soap

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/soap/mtom"
)

// benchSize is that of a study of some hundred slices.
const benchSize = 256 << 20

// BenchmarkMTOM sends one document of 256 MB as an MTOM attachment and, in turns with that, as a file of nginx,
// to the same client, each from a process of its own that is idle while the other sends, and over one connection that
// is kept. So one worker of nginx sends, however many there are. A time is that from the request to the last byte. The
// figure that counts is x/nginx, our speed as a part of nginx's, of the medians: MB/s are those of the machine, and
// client and servers share it.
func BenchmarkMTOM(b *testing.B) {
	if name := os.Getenv(benchDocument); name != "" {
		serveDocument(b, name)
		return
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		b.Skip("nginx is not installed, and there is nothing to compare with")
	}
	document := filepath.Join(b.TempDir(), "document")
	writeDocument(b, document, benchSize)
	plain, secure := startNginx(b, document, selfSigned(b))
	ownPlain, ownSecure := startDocument(b, document)
	client := benchClient()
	b.Run("plain", func(b *testing.B) { compare(b, client, plain, ownPlain) })
	b.Run("tls", func(b *testing.B) { compare(b, client, secure, ownSecure) })
}

// benchDocument names the document to a process that is to serve it.
const benchDocument = "COLLIMATE_BENCH_DOCUMENT"

// startDocument runs this program once more, as the server.
func startDocument(b *testing.B, name string) (plain, secure string) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	command := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkMTOM$", "-test.benchtime=1x")
	command.Env = append(os.Environ(), benchDocument+"="+name)
	command.ExtraFiles = []*os.File{w}
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	w.Close()
	b.Cleanup(func() {
		stdin.Close() // which ends it
		if err := command.Wait(); err != nil {
			b.Error(err)
		}
	})
	if _, err := fmt.Fscanln(r, &plain, &secure); err != nil {
		b.Fatal(err)
	}
	return plain, secure
}

// serveDocument tells where it serves, and serves until its standard input ends.
func serveDocument(b *testing.B, name string) {
	server := fileServer(name, benchSize)
	plain, secure := startServer(b, server, nil), startServer(b, server, &tls.Config{Certificates: []tls.Certificate{selfSigned(b)}})
	fmt.Fprintln(os.NewFile(3, "addresses"), plain, secure)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// turns is how often compare fetches from each server in one iteration. Of so many on two cores, the ratio of the
// medians varies by a tenth; more iterations (-benchtime 4x) make it steadier.
const turns = 11

// compare fetches from nginx and from us in turns, of which every other one begins with us.
func compare(b *testing.B, client *http.Client, nginx, ours string) {
	request := func() io.Reader {
		return strings.NewReader(multipart(envelopeWith(`<a:Action>`+actionMTOM+`</a:Action>`, ask)))
	}
	fetch := func(method, url string, body io.Reader) time.Duration {
		r, err := http.NewRequest(method, url, body)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", mtomType)
		start := time.Now()
		response, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer response.Body.Close()
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{response.Body}, clientBuffer)
		if err != nil || response.StatusCode != http.StatusOK || n < benchSize {
			b.Fatalf("HTTP %d, %d bytes, error %v", response.StatusCode, n, err)
		}
		return time.Since(start)
	}
	fetch(http.MethodGet, nginx, nil) // connections, page cache
	fetch(http.MethodPost, ours, request())
	var theirs, own []time.Duration
	for b.Loop() {
		for turn := range turns {
			if turn%2 == 0 {
				theirs = append(theirs, fetch(http.MethodGet, nginx, nil))
			}
			own = append(own, fetch(http.MethodPost, ours, request()))
			if turn%2 == 1 {
				theirs = append(theirs, fetch(http.MethodGet, nginx, nil))
			}
		}
	}
	slices.Sort(theirs)
	slices.Sort(own)
	t, o := theirs[len(theirs)/2].Seconds(), own[len(own)/2].Seconds()
	b.ReportMetric(t/o, "x/nginx")
	b.ReportMetric(benchSize/o/1e6, "MB/s")
	b.ReportMetric(benchSize/t/1e6, "nginx-MB/s")
}

var clientBuffer = make([]byte, 256<<10)

func benchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, ReadBufferSize: 64 << 10, DisableCompression: true,
	}}
}

// fileServer answers with a file.
func fileServer(name string, size int64) *Server {
	return &Server{Operations: []Operation{{
		ID: "TEST-1", Action: actionMTOM, ResponseAction: actionMTOM + "Response", MTOM: true,
		Handle: func(context.Context, *Request) (*Response, error) {
			return &Response{
				Payload:     []byte(`<t:Answer xmlns:t="urn:t"/>`),
				Attachments: []mtom.Part{{ContentID: "d", ContentType: "application/zip", Size: size}},
				Parts: &oneByOne{order: []int{0}, err: io.EOF, closed: new(bool), bodies: []io.WriterTo{writerTo(func(w io.Writer) (int64, error) {
					f, err := os.Open(name)
					if err != nil {
						return 0, err
					}
					defer f.Close()
					return io.CopyN(w, f, size)
				})}},
			}, nil
		},
	}}}
}

// startServer serves on the loopback interface as production does.
func startServer(t testing.TB, h http.Handler, config *tls.Config) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, NewHTTPServer(h, config, nil), LimitListener(l, 100, 0), 10*time.Second) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	return scheme + "://" + l.Addr().String() + "/"
}

// startNginx serves the folder of a document, as fast as it can.
func startNginx(b *testing.B, document string, certificate tls.Certificate) (plain, secure string) {
	dir := b.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	file := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	file("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	plain, secure = freeAddress(b), freeAddress(b)
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // whoever runs this owns the folder of the document
	}
	file("nginx.conf", fmt.Appendf(nil, `daemon off; pid nginx.pid; error_log error.log; worker_processes auto; %s
events {}
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; default_type application/zip;
	client_body_temp_path tmp1; proxy_temp_path tmp2; fastcgi_temp_path tmp3; uwsgi_temp_path tmp4; scgi_temp_path tmp5;
	ssl_protocols TLSv1.3; ssl_certificate %[2]s/cert.pem; ssl_certificate_key %[2]s/key.pem;
	server { listen %[3]s; root %[5]s; }
	server { listen %[4]s ssl; root %[5]s; }
}
`, user, dir, plain, secure, filepath.Dir(document)))
	command := exec.Command("nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"))
	var out strings.Builder
	command.Stderr = &out
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt) // its workers end with it
		_ = command.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", secure)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("nginx does not listen: %v %s", err, out.String())
		}
		time.Sleep(10 * time.Millisecond) // a foreign process says nothing when it is ready
	}
	return "http://" + plain + "/" + filepath.Base(document), "https://" + secure + "/" + filepath.Base(document)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func writeDocument(t testing.TB, name string, size int) {
	t.Helper()
	piece := make([]byte, 1<<20)
	rand.Read(piece)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range size / len(piece) {
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
}

// selfSigned returns a certificate for the loopback interface.
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
