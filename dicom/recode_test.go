package dicom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
)

// tool runs a program of DCMTK over bytes and returns what it makes of them, nil if it will not. It knows the standard
// dictionary and no private ones, as we do.
func tool(t testing.TB, file []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; it comes with Debian's dcmtk", name)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.dcm"), filepath.Join(dir, "out.dcm")
	if err := os.WriteFile(in, file, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, in, out)...)
	cmd.Env = append(os.Environ(), "DCMDICTPATH="+dictionary(t))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Logf("%s: %v: %.300s", name, err, text)
		return nil
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dictionary returns DCMTK's dictionary of the standard attributes.
func dictionary(t testing.TB) string {
	t.Helper()
	names, err := filepath.Glob("/usr/share/*dcmtk*/dicom.dic")
	if err != nil || len(names) == 0 {
		t.Skip("DCMTK's dictionary is not here; it comes with Debian's dcmtk")
	}
	return names[0]
}

// plain has DCMTK write a file with undefined lengths and without group lengths, in a transfer syntax that it names
// "+te" or "+ti", and returns the data set: two files that say the same then are the same bytes.
func plain(t testing.TB, file []byte, syntax string) []byte {
	t.Helper()
	if h, err := ReadHeader(bytes.NewReader(file)); err == nil && h.TransferSyntaxUID == RLELossless {
		if file = tool(t, file, "dcmdrle"); file == nil {
			t.Fatal("DCMTK does not unpack the file")
		}
	}
	b := tool(t, file, "dcmconv", syntax, "-e", "-g")
	if b == nil {
		t.Fatal("DCMTK does not read the file")
	}
	return b[144+int(b[140])+int(b[141])<<8:]
}

func recode(t testing.TB, file []byte, to string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Recode(&b, bytes.NewReader(file), to); err != nil {
		t.Fatalf("to %s: %v", to, err)
	}
	return b.Bytes()
}

// realFiles returns all DICOM files that are there.
func realFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	root := filepath.Dir(sharedfiles.Path(t, "dicom/mr-series-16"))
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".md") {
			return err
		}
		b, err := os.ReadFile(path)
		if name, _ := filepath.Rel(root, path); len(b) > 132 && string(b[128:132]) == "DICM" {
			files[name] = b
		}
		return err
	})
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	return files
}

// TestRecodeAgainstDCMTK: what we make of a real file, DCMTK reads as the file itself; what DCMTK makes of it, we read.
// All files are for `make interop-pacs`, some for every day.
func TestRecodeAgainstDCMTK(t *testing.T) {
	some := []string{
		"charset/chrX1.dcm", "mr-series-16/MR01.dcm", "sr-seg-rwv/sr.dcm", "sr-seg-rwv/seg.dcm", "transfer-syntax/image_dfl.dcm",
	}
	for name, file := range realFiles(t) {
		if os.Getenv("COLLIMATE_INTEROP") == "" && !slices.Contains(some, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := ReadHeader(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			from := h.TransferSyntaxUID
			if !CanRecode(from, ExplicitVRLittleEndian) {
				err := Recode(io.Discard, bytes.NewReader(file), ExplicitVRLittleEndian)
				if not := (*TransferSyntaxError)(nil); !errors.As(err, &not) {
					t.Errorf("%s: %v", from, err)
				}
				return
			}
			// In implicit VR the representations are no longer compared: pixels of 8 bits may be OB or OW, and what
			// is private is not known any more.
			explicit, implicit := plain(t, file, "+te"), plain(t, file, "+ti")
			for _, made := range []struct {
				to, syntax string
				want       []byte
			}{
				{ExplicitVRLittleEndian, "+te", explicit},
				{ImplicitVRLittleEndian, "+ti", implicit},
				{DeflatedExplicitVRLittleEndian, "+te", explicit},
				{RLELossless, "+ti", implicit},
			} {
				var b bytes.Buffer
				err := Recode(&b, bytes.NewReader(file), made.to)
				if not := (*TransferSyntaxError)(nil); made.to == RLELossless && errors.As(err, &not) {
					if tool(t, file, "dcmcrle") != nil {
						t.Errorf("DCMTK can pack it, we cannot: %v", err)
					}
				} else if err != nil {
					t.Errorf("to %s: %v", made.to, err)
				} else if got := plain(t, b.Bytes(), made.syntax); !bytes.Equal(got, made.want) {
					t.Errorf("from %s to %s: not the same: %s", from, made.to, difference(got, made.want))
				}
			}
			for _, made := range []struct{ syntax, name, args string }{
				{"+te", "dcmconv", "+ti"}, {"+te", "dcmconv", "+tb"}, {"+te", "dcmconv", "+td"}, {"+ti", "dcmcrle", "+ot"},
			} {
				b := tool(t, file, made.name, made.args)
				if b == nil && made.name != "dcmcrle" && from != RLELossless {
					t.Errorf("DCMTK does not make %s", made.args)
				}
				if b == nil {
					continue
				}
				got, want := plain(t, recode(t, b, ExplicitVRLittleEndian), made.syntax), plain(t, b, made.syntax)
				if !bytes.Equal(got, want) {
					t.Errorf("from DCMTK's %s %s: not the same: %s", made.name, made.args, difference(got, want))
				}
			}
		})
	}
}

// TestStandardVRs compares the table with the dictionary that it is made from.
func TestStandardVRs(t *testing.T) {
	text, err := os.ReadFile(dictionary(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(standardVRs[:]) {
		t.Error("the table is not in order")
	}
	ours := map[string]string{"xs": "US", "ox": "OW", "px": "OW", "up": "UL", "lt": "OW"}
	n := 0
	for line := range strings.Lines(string(text)) {
		var group, number uint32
		var v string
		if k, _ := fmt.Sscanf(line, "(%04x,%04x)\t%s", &group, &number, &v); k != 3 || group < 8 || group == 0xfffe || number == 0 {
			continue
		}
		if want, ok := ours[v]; ok {
			v = want
		}
		n++
		if got := implicitVR(element{tag: Tag(group<<16 | number), length: 2}, false); string(got[:]) != v {
			t.Errorf("(%04X,%04X) is %s, want %s", group, number, got, v)
		}
	}
	if n < 4000 {
		t.Errorf("only %d attributes", n)
	}
}

// difference shows where two byte strings part.
func difference(got, want []byte) string {
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	from := max(0, n-24)
	return fmt.Sprintf("%d and %d bytes, at %d\n got % x\nwant % x", len(got), len(want), n, got[from:min(n+24, len(got))], want[from:min(n+24, len(want))])
}
