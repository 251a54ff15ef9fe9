package pacs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/dicomweb"
	"collimate/pacs/dimse"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
)

// pushed makes a study and has a PACS store it.
func pushed(b *testing.B, p *peer.PACS, o phantom.Options) phantom.Info {
	b.Helper()
	from := b.TempDir()
	info, err := phantom.Generate(from, o)
	if err != nil {
		b.Fatal(err)
	}
	p.Push(b, from)
	return info
}

// listed opens an archive over a PACS and lists a study.
func listed(b *testing.B, p remote.PACS, study string) (*remote.Archive, *pacs.Study) {
	b.Helper()
	a, err := remote.Open(p, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	s, err := a.Study(b.Context(), study)
	if err != nil {
		b.Fatal(err)
	}
	return a, s
}

// readAll reads a study in its order, instance by instance, as a gateway does.
func readAll(b *testing.B, open func(context.Context, pacs.Instance) (io.ReadCloser, error), s *pacs.Study) {
	b.Helper()
	buffer := make([]byte, 256<<10)
	for _, series := range s.Series {
		for _, i := range series.Instances {
			r, err := open(b.Context(), i)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buffer); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	}
}

// BenchmarkStudy reads 200 instances of 530 kB.
func BenchmarkStudy(b *testing.B) {
	if os.Getenv("COLLIMATE_INTEROP") == "" {
		b.Skip("for make interop-pacs")
	}
	for _, start := range []struct {
		name  string
		start func(testing.TB, peer.Options) *peer.PACS
	}{{"Orthanc", peer.Orthanc}, {"dcmqrscp", peer.Dcmqrscp}} {
		b.Run(start.name, func(b *testing.B) {
			p := start.start(b, peer.Options{})
			info := pushed(b, p, phantom.Options{Series: 1, Slices: 200})
			c, err := dimse.NewClient(dimse.Config{Address: p.Dicom, AETitle: peer.AE, OurAE: peer.OurAE})
			if err != nil {
				b.Fatal(err)
			}
			b.Run("getscu", func(b *testing.B) {
				getscu := peer.Tool(b, "getscu", "dcmtk")
				b.SetBytes(info.Bytes)
				for b.Loop() {
					cmd := exec.CommandContext(b.Context(), getscu, "-q", "-S", "-aec", peer.AE, "-aet", peer.OurAE, "--ignore",
						"-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+info.StudyInstanceUID, "127.0.0.1", strconv.Itoa(p.DicomPort))
					if out, err := cmd.CombinedOutput(); err != nil {
						b.Fatalf("%v: %s", err, out)
					}
				}
			})
			b.Run("C-GET", func(b *testing.B) {
				a, s := listed(b, c, info.StudyInstanceUID)
				b.SetBytes(info.Bytes)
				for b.Loop() {
					readAll(b, a.Open, s)
				}
			})
			if p.URL == "" {
				return
			}
			b.Run("WADO-RS study alone", func(b *testing.B) {
				b.SetBytes(info.Bytes)
				for b.Loop() {
					wado(b, p.URL+"/studies/"+info.StudyInstanceUID, 200)
				}
			})
			client, err := dicomweb.New(dicomweb.Config{URL: p.URL})
			if err != nil {
				b.Fatal(err)
			}
			a, s := listed(b, client, info.StudyInstanceUID)
			b.Run("dicomweb", func(b *testing.B) {
				b.SetBytes(info.Bytes)
				for b.Loop() {
					readAll(b, a.Open, s)
				}
			})
		})
	}
}

// wado reads a multipart answer with nothing but the standard library.
func wado(b *testing.B, url string, want int) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", `multipart/related; type="application/dicom"; transfer-syntax=*`)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for m := multipart.NewReader(resp.Body, params["boundary"]); ; n++ {
		p, err := m.NextRawPart()
		if err == io.EOF {
			break
		} else if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, p); err != nil {
			b.Fatal(err)
		}
	}
	if n != want {
		b.Fatalf("%d instances", n)
	}
}

// TestMemory reads an instance of 524 MB through each way; what the process holds in memory stays what it was.
func TestMemory(t *testing.T) {
	files(t)
	server, port := listen(t)
	orthanc := peer.Orthanc(t, peer.Options{Receiver: port})
	name, study := large(t)
	orthanc.Push(t, filepath.Dir(name))
	clients := map[string]remote.PACS{}
	client, err := dicomweb.New(dicomweb.Config{URL: orthanc.URL})
	if err != nil {
		t.Fatal(err)
	}
	clients["WADO-RS"] = client
	for way, receiver := range map[string]*dimse.Server{"C-GET": nil, "C-MOVE": server} {
		c, err := dimse.NewClient(dimse.Config{Address: orthanc.Dicom, AETitle: peer.AE, OurAE: peer.OurAE, Receiver: receiver})
		if err != nil {
			t.Fatal(err)
		}
		clients[way] = c
	}
	for way, c := range clients {
		a := open(t, c)
		before := resident(t, "VmRSS:")
		begun := time.Now()
		s, err := a.Study(t.Context(), study)
		if err != nil {
			t.Fatalf("%s: %v", way, err)
		}
		r, err := a.Open(t.Context(), s.Series[0].Instances[0])
		if err != nil {
			t.Fatal(err)
		}
		most := before
		buffer := make([]byte, 256<<10)
		var total int64
		for k := 0; ; k++ {
			n, err := r.Read(buffer)
			total += int64(n)
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if k%100 == 0 {
				most = max(most, resident(t, "VmRSS:"))
			}
		}
		r.Close()
		if total != s.Series[0].Instances[0].Size || total < 500<<20 {
			t.Errorf("%s: %d bytes", way, total)
		}
		if most-before > 32<<10 {
			t.Errorf("%s: grew by %d kB", way, most-before)
		}
		t.Logf("%s: %d MB listed and read in %v, memory %d to %d kB", way, total>>20, time.Since(begun).Round(time.Millisecond), before, most)
	}
}

// large writes an instance of 524 MB: a phantom whose pixels are those of many frames.
func large(t *testing.T) (name, study string) {
	t.Helper()
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 1, Rows: 4096, Columns: 4096})
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".dcm" {
			name = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const frame = 4096 * 4096 * 2
	head := b[:len(b)-frame-12]
	if string(b[len(head):len(head)+6]) != "\xe0\x7f\x10\x00OW" {
		t.Fatal("the phantom's pixels are not where they were")
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	const frames = 16
	w.Write(head)
	w.Write([]byte{0xe0, 0x7f, 0x10, 0, 'O', 'W', 0, 0, 0, 0, 0, frames * (frame >> 24)})
	for range frames {
		w.Write(b[len(head)+12:])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return name, info.StudyInstanceUID
}

// resident returns what the process holds in memory, in kB.
func resident(t *testing.T, what string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			var n int
			if _, err := fmt.Sscan(rest, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no " + what)
	return 0
}
