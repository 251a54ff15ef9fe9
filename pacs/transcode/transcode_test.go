package transcode

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/fs"
)

const jpegLossless = "1.2.840.10008.1.2.4.70"

// held puts a small study into an archive and returns its first instance.
func held(t *testing.T) (pacs.Archive, pacs.Instance) {
	t.Helper()
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 1, Rows: 16, Columns: 16})
	if err != nil {
		t.Fatal(err)
	}
	a, err := fs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if _, err := a.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	return a, s.Series[0].Instances[0]
}

// read reads a document and holds it against its size.
func read(t *testing.T, d *Document) []byte {
	t.Helper()
	defer d.Close()
	b, err := io.ReadAll(d)
	if err != nil || int64(len(b)) != d.Size {
		t.Fatalf("%d bytes, %d said: %v", len(b), d.Size, err)
	}
	return b
}

func TestOpen(t *testing.T) {
	a, i := held(t)
	stored := readStored(t, a, i)
	dir := t.TempDir()
	tr, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		listed []string
		want   string
	}{
		{[]string{dicom.ExplicitVRLittleEndian}, dicom.ExplicitVRLittleEndian},
		{[]string{dicom.RLELossless, dicom.ExplicitVRLittleEndian}, dicom.ExplicitVRLittleEndian}, // stored goes first
		{[]string{jpegLossless, dicom.RLELossless, dicom.ImplicitVRLittleEndian}, dicom.RLELossless},
		{[]string{dicom.ImplicitVRLittleEndian}, dicom.ImplicitVRLittleEndian},
		{[]string{dicom.ExplicitVRBigEndian}, ""},
		{[]string{jpegLossless}, ""},
		{nil, ""},
	} {
		d, err := tr.Open(t.Context(), a, i, tt.listed)
		if not := (*dicom.TransferSyntaxError)(nil); tt.want == "" {
			if !errors.As(err, &not) {
				t.Errorf("%q: %v", tt.listed, err)
			}
			continue
		}
		if err != nil || d.TransferSyntaxUID != tt.want {
			t.Errorf("%q: %+v, %v", tt.listed, d, err)
			continue
		}
		b := read(t, d)
		if h, err := dicom.Inspect(bytes.NewReader(b)); err != nil || h.TransferSyntaxUID != tt.want || h.Text(dicom.SOPInstanceUID) != i.SOPInstanceUID {
			t.Errorf("%q: %v", tt.listed, err)
		}
		if same := bytes.Equal(b, stored); same != (tt.want == i.TransferSyntaxUID) {
			t.Errorf("%q: as stored: %v", tt.listed, same)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func readStored(t *testing.T, a pacs.Archive, i pacs.Instance) []byte {
	t.Helper()
	r, err := a.Open(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCommand(t *testing.T) {
	a, i := held(t)
	dcmcjpeg, err := exec.LookPath("dcmcjpeg")
	if err != nil {
		t.Skip("dcmcjpeg is not installed; it comes with Debian's dcmtk")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	other := filepath.Join(t.TempDir(), "other.dcm")
	for _, tt := range []struct {
		name    string
		command []string
		want    string
	}{
		{"good", []string{dcmcjpeg, "+e1", "{in}", "{out}"}, ""},
		{"fails", []string{sh, "-c", "exit 3", "{in}", "{out}"}, "exit status 3"},
		{"makes nothing", []string{sh, "-c", "true", "{in}", "{out}"}, "no file"},
		{"copies", []string{sh, "-c", `cp "$0" "$1"`, "{in}", "{out}"}, "cannot be given as"},
		{"makes half", []string{sh, "-c", `head -c 200 "$0" >"$1"`, "{in}", "{out}"}, "what the transcoder has made"},
		{"links elsewhere", []string{sh, "-c", `ln -s ` + other + ` "$1"`, "{in}", "{out}"}, "no file"},
		{"hangs", []string{sh, "-c", "exec sleep 100", "{in}", "{out}"}, "killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tr, err := New(Config{Dir: dir, Command: tt.command, Syntaxes: []string{jpegLossless}, Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			d, err := tr.Open(t.Context(), a, i, []string{jpegLossless})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err == nil && d.TransferSyntaxUID != jpegLossless {
				t.Errorf("it is %s", d.TransferSyntaxUID)
			}
			if err == nil {
				read(t, d)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tr, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Open(ctx, a, i, []string{dicom.RLELossless}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestValidate(t *testing.T) {
	c := Config{Command: []string{"gdcmconv", "{in}"}, Timeout: -1}
	err := c.Validate()
	for _, want := range []string{"whole path", "{out}", "no transfer syntax", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestTurns opens an instance while all turns are taken: what is stored passes, what is to be recoded waits.
func TestTurns(t *testing.T) {
	a, i := held(t)
	tr, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for range cap(tr.turns) {
		tr.turns <- struct{}{}
	}
	d, err := tr.Open(t.Context(), a, i, []string{i.TransferSyntaxUID})
	if err != nil {
		t.Fatal(err)
	}
	read(t, d)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := tr.Open(ctx, a, i, []string{dicom.RLELossless}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while all turns are taken: %v", err)
	}
	<-tr.turns
	if d, err = tr.Open(t.Context(), a, i, []string{dicom.RLELossless}); err != nil {
		t.Fatal(err)
	}
	read(t, d)
	if len(tr.turns) != cap(tr.turns)-1 {
		t.Errorf("%d turns are taken, want %d", len(tr.turns), cap(tr.turns)-1)
	}
}
