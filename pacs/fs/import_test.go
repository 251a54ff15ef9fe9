package fs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/pacs"
	"collimate/pacs/pacstest"
)

// slice returns the path of the n-th slice of a study that small made.
func slice(dir string, n int) string {
	return filepath.Join(dir, "CT", "S0000001", fmt.Sprintf("I%07d.dcm", n))
}

func copyFile(t testing.TB, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestImportTwice(t *testing.T) {
	from := t.TempDir()
	info := small(t, from, 1)
	copyFile(t, filepath.Join(from, "again.dcm"), slice(from, 2))
	a := open(t, t.TempDir())
	first, err := a.Import(t.Context(), from, nil)
	if err != nil || first.Files != 4 || first.New != 3 {
		t.Fatalf("%+v, %v", first, err)
	}
	before, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Import(t.Context(), from, nil)
	if err != nil || second.Files != 4 || second.New != 0 || second.Bytes != first.Bytes || len(second.Studies) != 1 {
		t.Errorf("%+v, %v", second, err)
	}
	after, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the study was %+v, is %+v: %v", before, after, err)
	}
}

// TestImportConflict: the same SOP instance with other bytes, in the same import and in a later one.
func TestImportConflict(t *testing.T) {
	from := t.TempDir()
	info := small(t, from, 1)
	other := filepath.Join(from, "other.dcm") // comes after CT/ in the walk
	copyFile(t, other, slice(from, 2))
	b, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(other, b, 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, t.TempDir())
	for _, isNew := range []int{3, 0} {
		done, err := a.Import(t.Context(), from, nil)
		if err != nil || done.Files != 3 || done.New != isNew || done.Refused != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		if r := done.Refusals[0]; r.Path != "other.dcm" || !errors.Is(r, pacs.ErrConflict) {
			t.Errorf("refused %v", r)
		}
	}
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(slice(from, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, a, s.Series[0].Instances[1]); !bytes.Equal(got, want) {
		t.Error("the first is not kept")
	}
}

// TestImportLeavesOut: what is skipped and what is refused, beside files that are taken in.
func TestImportLeavesOut(t *testing.T) {
	outside, from := t.TempDir(), t.TempDir()
	small(t, outside, 2)
	small(t, from, 1)
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(from, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(from, name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	directory, err := dicom.Directory(dicom.Study{InstanceUID: "1.2", Series: []dicom.Series{{InstanceUID: "1.3", Instances: []dicom.Instance{
		{SOPClassUID: "1.4", SOPInstanceUID: "1.5", FileID: []string{"A"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(slice(from, 1))
	if err != nil {
		t.Fatal(err)
	}
	write("DICOMDIR", directory)
	write("also-a-dicomdir.dcm", directory)
	write("empty", nil)
	write("notes.txt", []byte("not DICOM"))
	write("bare.dcm", good[144+int(binary.LittleEndian.Uint32(good[140:])):]) // no preamble, no meta information
	write("cut.dcm", good[:300])
	write("evil.dcm", hostile(t, "../../../etc"))
	write("lines.dcm", hostile(t, "1.2\r\n.3"))
	link(slice(outside, 1), "out.dcm")
	link(outside, "outdir")
	link("CT/S0000001/I0000001.dcm", "in.dcm")
	link("CT", "indir")
	link("nowhere", "dangling")
	link("loop", "loop")

	done, err := open(t, t.TempDir()).Import(t.Context(), from, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.Files != 4 || done.New != 3 || len(done.Studies) != 1 { // in.dcm is a second name of a slice
		t.Errorf("%+v", done)
	}
	if done.Skipped != 5 { // two DICOMDIR, empty, notes.txt, indir
		t.Errorf("%d skipped", done.Skipped)
	}
	refused := map[string]bool{}
	for _, r := range done.Refusals {
		refused[r.Path] = true
		if strings.Contains(r.Err.Error(), "etc") || strings.Contains(r.Err.Error(), "1.2\r") {
			t.Errorf("%s: the error quotes a UID: %v", r.Path, r.Err)
		}
	}
	want := []string{"bare.dcm", "cut.dcm", "evil.dcm", "lines.dcm", "out.dcm", "outdir", "dangling", "loop"}
	for _, name := range want {
		if !refused[name] {
			t.Errorf("%s is not refused", name)
		}
	}
	if done.Refused != len(want) || len(done.Refusals) != len(want) {
		t.Errorf("%d refused: %v", done.Refused, done.Refusals)
	}
}

// hostile makes an instance with such a Study Instance UID.
func hostile(t *testing.T, uid string) []byte {
	t.Helper()
	dir := t.TempDir()
	info := small(t, dir, 3)
	b, err := os.ReadFile(slice(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(b, []byte(info.StudyInstanceUID), []byte(uid+strings.Repeat(" ", len(info.StudyInstanceUID)-len(uid))), 1)
}

func TestImportUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	from := t.TempDir()
	small(t, from, 1)
	if err := os.Chmod(slice(from, 1), 0); err != nil {
		t.Fatal(err)
	}
	done, err := open(t, t.TempDir()).Import(t.Context(), from, nil)
	if err != nil || done.Files != 2 || done.Refused != 1 || !errors.Is(done.Refusals[0], os.ErrPermission) {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestImportProgress(t *testing.T) {
	from := t.TempDir()
	info := small(t, from, 1)
	var seen []Progress
	if _, err := open(t, t.TempDir()).Import(t.Context(), from, func(p Progress) { seen = append(seen, p) }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 {
		t.Fatalf("%d reports", len(seen))
	}
	for n, p := range seen {
		if p.Files != n+1 || p.TotalFiles != 3 || p.TotalBytes != info.Bytes {
			t.Errorf("report %d: %+v", n, p)
		}
	}
	if seen[2].Bytes != info.Bytes {
		t.Errorf("%d bytes, want %d", seen[2].Bytes, info.Bytes)
	}
}

func TestImportCancelled(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	small(t, from, 1)
	ctx, cancel := context.WithCancel(t.Context())
	a := open(t, dir)
	_, err := a.Import(ctx, from, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if studies := pacstest.List(t, a, time.Time{}); len(studies) != 0 {
		t.Errorf("half a study: %v", studies)
	}
	if names, err := a.names(incoming); len(names) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestImportFrom(t *testing.T) {
	a := open(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{file, filepath.Join(file, "x"), filepath.Join(t.TempDir(), "absent")} {
		if done, err := a.Import(t.Context(), from, nil); err == nil {
			t.Errorf("%s: %+v", from, done)
		}
	}
	if done, err := a.Import(t.Context(), t.TempDir(), nil); err != nil || done.Files != 0 {
		t.Errorf("an empty folder: %+v, %v", done, err)
	}
}

// TestImportChanged: a file that becomes another between the two looks at it.
func TestImportChanged(t *testing.T) {
	from, other := t.TempDir(), t.TempDir()
	small(t, from, 1)
	small(t, other, 2)
	a := open(t, t.TempDir())
	swapped := false
	a.fault = func(step string) error {
		if !swapped {
			swapped = true
			copyFile(t, slice(from, 1), slice(other, 1))
			copyFile(t, slice(from, 2), slice(other, 2))
		}
		return nil
	}
	done, err := a.Import(t.Context(), from, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range done.Refusals {
		if !strings.Contains(r.Err.Error(), "changed") {
			t.Errorf("refused %v", r)
		}
	}
	if done.New+done.Refused != 3 || done.Refused < 1 {
		t.Errorf("%+v", done)
	}
	if studies := pacstest.List(t, a, time.Time{}); len(studies) != 1 {
		t.Errorf("%d studies", len(studies))
	}
}

// TestImportFillsIn: an object without a description neither hides nor takes away the one that another has.
func TestImportFillsIn(t *testing.T) {
	from := t.TempDir()
	info := small(t, from, 1)
	for _, n := range []int{1, 3} {
		b, err := os.ReadFile(slice(from, n))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(b, []byte("CT water phantom"), bytes.Repeat([]byte(" "), 16), 1)
		if err := os.WriteFile(slice(from, n), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := open(t, t.TempDir())
	if _, err := a.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil || s.Description != "CT water phantom" {
		t.Errorf("description %q, %v", s.Description, err)
	}
}
