package pacs

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/dicom/phantom"
	"collimate/internal/sharedfiles"
	"collimate/pacs"
	"collimate/pacs/dicomweb"
	"collimate/pacs/dimse"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
)

// file is a DICOM file that is pushed.
type file struct {
	name                    string
	bytes                   []byte
	study, instance, syntax string
}

// files returns the real files, or phantoms where they are not, by SOP Instance UID. Of two that claim the same UID,
// and of what is no instance of a study, there is none.
func files(t *testing.T) map[string]file {
	t.Helper()
	if os.Getenv("COLLIMATE_INTEROP") == "" {
		t.Skip("for make interop-pacs")
	}
	dir := sharedfiles.Find("dicom")
	if dir == "" {
		dir = t.TempDir()
		for seed := range uint64(3) {
			if _, err := phantom.Generate(filepath.Join(dir, strconv.Itoa(int(seed))), phantom.Options{Series: 2, Slices: 20, Seed: seed}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := make(map[string]file)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		h, err := dicom.Inspect(bytes.NewReader(b))
		if err != nil || h.Validate() != nil {
			return nil
		}
		uid := h.Text(dicom.SOPInstanceUID)
		if _, twice := all[uid]; !twice {
			all[uid] = file{name, b, h.Text(dicom.StudyInstanceUID), uid, h.TransferSyntaxUID}
		}
		return nil
	})
	if err != nil || len(all) < 40 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}

// push stores one half of the files by STOW-RS and the other by storescu.
func push(t *testing.T, p *peer.PACS, all map[string]file) {
	t.Helper()
	storescu := peer.Tool(t, "storescu", "dcmtk")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n := 0
	for _, f := range all {
		if n++; n%2 == 0 {
			p.Stow(t, f.name)
			continue
		}
		args := []string{"-q", "-aec", peer.AE, "-R"}
		switch f.syntax { // storescu proposes what it is told
		case dicom.ImplicitVRLittleEndian:
			args = append(args, "-xi")
		case dicom.ExplicitVRLittleEndian:
			args = append(args, "-xe")
		default:
			p.Stow(t, f.name)
			continue
		}
		out, err := exec.CommandContext(ctx, storescu, append(args, "127.0.0.1", strconv.Itoa(p.DicomPort), f.name)...).CombinedOutput()
		if err != nil {
			t.Fatalf("storescu: %v: %s", err, out)
		}
	}
}

// stored returns the bytes of each instance as Orthanc's own interface gives them.
func stored(t *testing.T, p *peer.PACS, f file) []byte {
	t.Helper()
	id := p.Do(t, "POST", "/tools/lookup", "text/plain", []byte(f.instance))
	at := bytes.Index(id, []byte(`"Path" : "/instances/`))
	if at < 0 {
		t.Fatalf("Orthanc does not hold an instance that was pushed: %s", f.name)
	}
	path, _, _ := bytes.Cut(id[at+len(`"Path" : "`):], []byte(`"`))
	return p.Do(t, "GET", string(path)+"/file", "", nil)
}

// listen runs our storage SCP.
func listen(t *testing.T) (*dimse.Server, int) {
	t.Helper()
	s, err := dimse.NewServer(dimse.ServerConfig{
		AETitle: peer.OurAE, Log: slog.New(slog.DiscardHandler),
		Peers: []dimse.Peer{{AETitle: peer.AE, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := peer.Serve(t, s.Serve)
	return s, at.Port
}

func open(t *testing.T, p remote.PACS) *remote.Archive {
	t.Helper()
	a, err := remote.Open(p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func web(t *testing.T, c dicomweb.Config) *remote.Archive {
	t.Helper()
	client, err := dicomweb.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, client)
}

// deflatedFrames is a transfer syntax of 2023, which Orthanc 1.10 takes and gives over DICOMweb and cannot send by DIMSE.
const deflatedFrames = "1.2.840.10008.1.2.8.1"

// TestBytes reads all back in three ways. Through WADO-RS each byte is as stored. DIMSE carries data sets, which Orthanc
// and DCMTK encode anew: there the data sets are the same once both are written with undefined lengths, and pixels are
// the same bytes.
func TestBytes(t *testing.T) {
	all := files(t)
	server, port := listen(t)
	orthanc := peer.Orthanc(t, peer.Options{Receiver: port})
	push(t, orthanc, all)
	unsendable := make(map[string]bool)
	for _, f := range all {
		if f.syntax == deflatedFrames {
			unsendable[f.study] = true
		}
	}
	dial := func(receiver *dimse.Server) *dimse.Client {
		c, err := dimse.NewClient(dimse.Config{Address: orthanc.Dicom, AETitle: peer.AE, OurAE: peer.OurAE, Receiver: receiver})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, way := range []struct {
		name    string
		archive *remote.Archive
	}{
		{"WADO-RS", web(t, dicomweb.Config{URL: orthanc.URL})},
		{"C-GET", open(t, dial(nil))},
		{"C-MOVE", open(t, dial(server))},
	} {
		t.Run(way.name, func(t *testing.T) {
			seen, exact := 0, 0
			studies := make(map[string]bool)
			for _, f := range all {
				if studies[f.study] {
					continue
				}
				studies[f.study] = true
				if unsendable[f.study] && way.name != "WADO-RS" {
					if _, err := way.archive.Study(t.Context(), f.study); err == nil || errors.Is(err, pacs.ErrNotFound) {
						t.Errorf("%s: an instance that Orthanc cannot send is passed over: %v", f.name, err)
					}
					continue
				}
				s, err := way.archive.Study(t.Context(), f.study)
				if err != nil {
					t.Errorf("%s: %v", f.name, err)
					continue
				}
				for _, series := range s.Series {
					for _, i := range series.Instances {
						f := all[i.SOPInstanceUID]
						got := read(t, way.archive, i)
						seen++
						switch want := stored(t, orthanc, f); {
						case bytes.Equal(got, want):
							exact++
						case way.name == "WADO-RS":
							t.Errorf("%s: %d bytes are not the %d stored", f.name, len(got), len(want))
						case i.TransferSyntaxUID != f.syntax:
							t.Errorf("%s: in %s, stored in %s", f.name, i.TransferSyntaxUID, f.syntax)
						case !bytes.Equal(dataSet(t, got), dataSet(t, want)):
							t.Errorf("%s: another data set than is stored", f.name)
						}
					}
				}
			}
			want := 0
			for _, f := range all {
				if way.name == "WADO-RS" || !unsendable[f.study] {
					want++
				}
			}
			if seen != want {
				t.Errorf("%d instances came back, %d were pushed", seen, want)
			}
			t.Logf("%d studies, %d instances, %d of them to the byte", len(studies), seen, exact)
		})
	}
}

func read(t *testing.T, a pacs.Archive, i pacs.Instance) []byte {
	t.Helper()
	r, err := a.Open(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != i.Size {
		t.Fatalf("%d bytes of %d: %v", len(b), i.Size, err)
	}
	return b
}

// dataSet returns a data set as DCMTK writes it with undefined lengths, without group lengths and padding at the end.
func dataSet(t *testing.T, b []byte) []byte {
	t.Helper()
	dcmconv := peer.Tool(t, "dcmconv", "dcmtk")
	in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(in, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(dcmconv, "-e", "-g", "-p", in, out).CombinedOutput(); err != nil {
		t.Fatalf("dcmconv: %v: %s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b[144+int(b[140])+int(b[141])<<8:]
}

// TestKilled kills the PACS while an instance of 32 MB is read: what the reader gets is an error. Started again, the
// same archive gives it.
func TestKilled(t *testing.T) {
	files(t)
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 2, Rows: 4096, Columns: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".dcm" {
			names = append(names, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"WADO-RS", "C-GET", "C-MOVE"} {
		t.Run(way, func(t *testing.T) {
			server, port := listen(t)
			orthanc := peer.Orthanc(t, peer.Options{Receiver: port})
			orthanc.Stow(t, names...)
			c := dimse.Config{Address: orthanc.Dicom, AETitle: peer.AE, OurAE: peer.OurAE}
			if way == "C-MOVE" {
				c.Receiver = server
			}
			var a *remote.Archive
			if way == "WADO-RS" {
				a = web(t, dicomweb.Config{URL: orthanc.URL})
			} else {
				client, err := dimse.NewClient(c)
				if err != nil {
					t.Fatal(err)
				}
				a = open(t, client)
			}
			s, err := a.Study(t.Context(), info.StudyInstanceUID)
			if err != nil {
				t.Fatal(err)
			}
			i := s.Series[0].Instances[0]
			r, err := a.Open(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
				t.Fatal(err)
			}
			orthanc.Kill()
			n, err := io.Copy(io.Discard, r)
			if err == nil || n+1<<20 >= i.Size {
				t.Errorf("killed: %d of %d bytes, %v", n+1<<20, i.Size, err)
			}
			if _, err := a.Open(t.Context(), i); err == nil || errors.Is(err, pacs.ErrNotFound) {
				t.Errorf("while it is down: %v", err)
			}
			if _, err := a.Study(t.Context(), info.StudyInstanceUID); err == nil || errors.Is(err, pacs.ErrNotFound) {
				t.Errorf("while it is down: %v", err)
			}
		})
	}
}

// TestTLS: with a client certificate in, without one or with another not.
func TestTLS(t *testing.T) {
	all := files(t)
	authority, server, client, stranger := certificates(t)
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	orthanc := peer.Orthanc(t, peer.Options{User: "gateway", Password: "secret"})
	// Debian's Orthanc 1.10.1 crashes as soon as it asks for client certificates, so they are asked for before it, as
	// where nginx stands before a PACS.
	behind, err := url.Parse(orthanc.Root)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(behind))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	front.StartTLS()
	defer front.Close()
	var one file
	for _, f := range all {
		if one.name == "" || len(f.bytes) < len(one.bytes) {
			one = f
		}
	}
	orthanc.Stow(t, one.name)
	good := dicomweb.Config{
		URL: front.URL + "/dicom-web", User: "gateway", Password: "secret",
		TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{client}},
	}
	a := web(t, good)
	s, err := a.Study(t.Context(), one.study)
	if err != nil {
		t.Fatal(err)
	}
	read(t, a, s.Series[0].Instances[0])
	for name, change := range map[string]func(*dicomweb.Config){
		"no client certificate": func(c *dicomweb.Config) { c.TLS = &tls.Config{RootCAs: pool} },
		"another client certificate": func(c *dicomweb.Config) {
			c.TLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{stranger}}
		},
		"another authority": func(c *dicomweb.Config) { c.TLS = &tls.Config{Certificates: []tls.Certificate{client}} },
		"wrong password":    func(c *dicomweb.Config) { c.Password = "guess" },
		"no password":       func(c *dicomweb.Config) { c.User = "" },
	} {
		c := good
		change(&c)
		_, err := web(t, c).Study(t.Context(), one.study)
		if !errors.Is(err, remote.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// certificates makes an authority, a server, a client of it, and a client that signs for itself.
func certificates(t *testing.T) (authority *x509.Certificate, server, client, stranger tls.Certificate) {
	t.Helper()
	issue := func(name string, isCA bool, parent *x509.Certificate, by *rsa.PrivateKey) tls.Certificate {
		key, err := rsa.GenerateKey(rand.Reader, 2048) // Orthanc's default ciphers are for RSA
		if err != nil {
			t.Fatal(err)
		}
		serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber: serial, Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: isCA, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		if parent == nil {
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	ca := issue("authority", true, nil, nil)
	authority, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	by := ca.PrivateKey.(*rsa.PrivateKey)
	return authority, issue("server", false, authority, by), issue("client", false, authority, by), issue("stranger", false, nil, nil)
}
