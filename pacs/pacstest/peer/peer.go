// Package peer runs real PACS for tests: Orthanc and DCMTK's dcmqrscp, as Debian ships them.
//
//	apt-get install --no-install-recommends orthanc orthanc-dicomweb dcmtk
//
// without Orthanc's GDCM plugin, which crashes when asked to transcode. Each runs on loopback ports of its own, in
// a folder of its own, and ends with its test. Where they are not installed the test is skipped.
package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// plugin is where Debian puts Orthanc's DICOMweb.
const plugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

// Who speaks to whom.
const (
	OurAE = "COLLIMATE"
	AE    = "PEER" // of the PACS
)

// Options say how a PACS is set up.
type Options struct {
	// Receiver is the port of our storage SCP, where C-MOVE sends to; 0 for none.
	Receiver int
	// User and Password are asked for over HTTP.
	User, Password string
	// Dir is where the PACS keeps its files, to start it again; "" for a new folder.
	Dir string
}

// PACS is one that runs.
type PACS struct {
	URL       string // of DICOMweb; Orthanc only
	Root      string // of Orthanc's own interface
	Dicom     string // host and port
	DicomPort int
	Dir       string
	Log       string // file

	options Options
	cmd     *exec.Cmd
	ended   chan struct{}
}

// Free returns a loopback port that nobody listens at.
func Free(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Serve runs a server on loopback until stop is called or the test ends, which fails if the server does.
func Serve(t testing.TB, serve func(context.Context, net.Listener) error) (address *net.TCPAddr, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return l.Addr().(*net.TCPAddr), stop
}

// Tool returns the path of a program, and skips the test where there is none.
func Tool(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; it comes with Debian's %s", name, debian)
	}
	return path
}

// run starts a program and waits until it listens.
func (p *PACS) run(t testing.TB, name string, args ...string) {
	t.Helper()
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(name, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.Dir, log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
	t.Cleanup(p.Kill)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", p.Dicom)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-p.ended:
		default:
			if time.Now().Before(deadline) {
				continue
			}
		}
		text, _ := os.ReadFile(p.Log)
		t.Fatalf("%s does not come up: %s", name, text[max(0, len(text)-2000):])
	}
}

// PID is the process of the PACS.
func (p *PACS) PID() int { return p.cmd.Process.Pid }

// Kill ends the PACS at once, as a crash would, and waits for it.
func (p *PACS) Kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// Orthanc starts an Orthanc.
func Orthanc(t testing.TB, o Options) *PACS {
	t.Helper()
	path, err := exec.LookPath("Orthanc")
	if _, absent := os.Stat(plugin); err != nil || absent != nil {
		t.Skip("Orthanc is not installed; it comes with Debian's orthanc and orthanc-dicomweb")
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	web, dicom := Free(t), Free(t)
	root := fmt.Sprintf("http://127.0.0.1:%d", web)
	p := &PACS{
		URL: root + "/dicom-web", Root: root, Dicom: fmt.Sprintf("127.0.0.1:%d", dicom), DicomPort: dicom,
		Dir: o.Dir, Log: filepath.Join(o.Dir, "log"), options: o,
	}
	config := map[string]any{
		"Name": AE, "DicomAet": AE, "HttpPort": web, "DicomPort": dicom, "StorageDirectory": filepath.Join(o.Dir, "files"),
		"Plugins": []string{plugin}, "DicomWeb": map[string]any{"Enable": true, "Root": "/dicom-web/"},
		"DefaultEncoding": "Utf8", "RemoteAccessAllowed": true, "AuthenticationEnabled": o.User != "",
		"RegisteredUsers": map[string]string{o.User: o.Password}, "KeepAlive": true, "DicomAlwaysAllowEcho": true,
		"DicomAlwaysAllowStore": true, "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true,
		"DicomModalities":   map[string]any{"us": []any{OurAE, "127.0.0.1", max(o.Receiver, 1)}},
		"ExecuteLuaEnabled": false, "MetricsEnabled": false, "CheckRevisions": false, "OverwriteInstances": true, "MaximumStorageCacheSize": 0,
	}
	if o.User == "" {
		delete(config, "RegisteredUsers")
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(o.Dir, "orthanc.json")
	write(t, name, b)
	p.run(t, path, name)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", strings.TrimPrefix(root, "http://"))
		if err == nil {
			c.Close()
			return p
		}
		if time.Now().After(deadline) {
			t.Fatal("Orthanc does not come up on HTTP")
		}
	}
}

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Do sends a request to Orthanc and returns the answer, which has to be one of success.
func (p *PACS) Do(t testing.TB, method, path, contentType string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.Root+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if strings.HasPrefix(path, "/dicom-web/") {
		req.Header.Set("Accept", "application/dicom+json")
	}
	if p.options.User != "" {
		req.SetBasicAuth(p.options.User, p.options.Password)
	}
	req.Close = true // Orthanc closes idle connections at its leisure, and a POST is not sent again
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("Orthanc answers %s %s with %s: %v: %.500s", method, path, resp.Status, err, b)
	}
	return b
}

// Stow stores files by STOW-RS. DICOM PS3.18 10.5
func (p *PACS) Stow(t testing.TB, files ...string) {
	t.Helper()
	const boundary = "a-boundary-of-our-own"
	var body bytes.Buffer
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&body, "--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n", boundary, b)
	}
	fmt.Fprintf(&body, "--%s--\r\n", boundary)
	p.Do(t, http.MethodPost, "/dicom-web/studies", `multipart/related; type="application/dicom"; boundary=`+boundary, body.Bytes())
}

// Dcmqrscp starts DCMTK's archive.
func Dcmqrscp(t testing.TB, o Options) *PACS {
	t.Helper()
	path := Tool(t, "dcmqrscp", "dcmtk")
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	port := Free(t)
	p := &PACS{
		Dicom: fmt.Sprintf("127.0.0.1:%d", port), DicomPort: port, Dir: o.Dir, Log: filepath.Join(o.Dir, "log"), options: o,
	}
	files := filepath.Join(o.Dir, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`NetworkTCPPort = %d
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
us = (%s, 127.0.0.1, %d)
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
%s %s RW (1000, 4096mb) ANY
AETable END
`, port, OurAE, max(o.Receiver, 1), AE, files)
	name := filepath.Join(o.Dir, "dcmqrscp.cfg")
	write(t, name, []byte(config))
	// Without lookup of host names, and written as received, not as DCMTK would write it.
	p.run(t, path, "-dhl", "+B", "-c", name, strconv.Itoa(port))
	return p
}

// Push stores all DICOM files of a folder with DCMTK's dcmsend, each in the transfer syntax that it has.
func (p *PACS) Push(t testing.TB, dir string) {
	t.Helper()
	path := Tool(t, "dcmsend", "dcmtk")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-q", "-aet", "SENDER", "-aec", AE, "--decompress-never", "--no-halt", "--no-uid-checks", "+sd", "+r",
		"127.0.0.1", strconv.Itoa(p.DicomPort), dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dcmsend: %v: %.2000s", err, out)
	}
}
