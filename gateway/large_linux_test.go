package gateway_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/pacs/dicomweb"
	archive "collimate/pacs/fs"
	"collimate/pacs/pacstest/peer"
	"collimate/pacs/remote"
	"collimate/xds"
	"collimate/xds/xdsi"
)

const (
	// largeBytes is the size of the pixels: 500 frames of 1 MiB.
	largeBytes = 500 << 20
	// maxGrowth bounds what this process, which is the gateway and its reader, takes more while they go through it: a
	// gateway that held a tenth of the instance would be seen.
	maxGrowth = 32 << 20
)

// One instance of 524 MB goes through RAD-69, and memory stays what it was.
func TestLargeInstance(t *testing.T) {
	t.Run("fs", func(t *testing.T) {
		from, study := largeInstance(t)
		a, err := archive.Open(filepath.Join(t.TempDir(), "archive"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		if _, err := a.Import(t.Context(), from, nil); err != nil {
			t.Fatal(err)
		}
		streamLarge(newWorldWith(t, small, func(w *world) { w.pacs, w.study = a, study }))
	})
	t.Run("dicomweb", func(t *testing.T) {
		if os.Getenv("COLLIMATE_INTEROP") == "" {
			t.Skip("COLLIMATE_INTEROP is not set: needs Orthanc")
		}
		from, study := largeInstance(t)
		orthanc := peer.Orthanc(t, peer.Options{})
		orthanc.Push(t, from)
		client, err := dicomweb.New(dicomweb.Config{URL: orthanc.URL})
		if err != nil {
			t.Fatal(err)
		}
		a, err := remote.Open(client, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		streamLarge(newWorldWith(t, small, func(w *world) { w.pacs, w.study = a, study }))
	})
}

// streamLarge retrieves the one instance of a study by RAD-69.
func streamLarge(w *world) {
	w.t.Helper()
	client := xdsi.Client{SOAP: w.client(w.patient).SOAP}
	i := w.instances()[0]
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // forgets the peak. proc(5)
		w.t.Skip("the kernel does not let the peak of memory be taken anew")
	}
	before, begun := memory(w.t, "VmRSS"), time.Now()
	r, err := client.RetrieveImages(w.t.Context(), w.at(gateway.PathImaging), []xdsi.ImagingRequest{w.image(i)}, stored)
	w.must(err)
	defer r.Close()
	if r.Status() != xds.Success {
		w.t.Fatalf("status %s: %v", r.Status(), r.Errors)
	}
	_, content, err := r.Content.Next()
	w.must(err)
	n, err := content.WriteTo(onlyWriter{})
	w.must(err)
	if n != i.Size || n < largeBytes {
		w.t.Fatalf("%d bytes, want %d", n, i.Size)
	}
	growth := memory(w.t, "VmHWM") - before
	w.t.Logf("%d MB in %v: resident memory %d MiB, and %d MiB more at its peak", n/1e6, time.Since(begun).Round(time.Millisecond), before>>20, growth>>20)
	if growth > maxGrowth {
		w.t.Errorf("resident memory grew by %d MiB, want %d at the most", growth>>20, maxGrowth>>20)
	}
}

// largeInstance writes a phantom whose pixels are those of many frames, all black.
func largeInstance(t *testing.T) (folder, study string) {
	t.Helper()
	folder = t.TempDir()
	info, err := phantom.Generate(folder, phantom.Options{Series: 1, Slices: 1, Rows: 64, Columns: 64})
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		pixels := bytes.LastIndex(b, []byte("\xe0\x7f\x10\x00OW\x00\x00"))
		if pixels < 0 {
			t.Fatal("the phantom has no pixels")
		}
		head := append(b[:pixels+8], 0, 0, largeBytes>>16&0xff, largeBytes>>24)
		if err := os.WriteFile(name, head, 0o600); err != nil {
			return err
		}
		return os.Truncate(name, int64(len(head))+largeBytes)
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, info.StudyInstanceUID
}

// memory returns what the kernel says of the memory of this process, in bytes. proc_pid_status(5)
func memory(t testing.TB, what string) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(what + `:\s+(\d+) kB`).FindSubmatch(b)
	if found == nil {
		t.Skipf("the kernel does not tell %s", what)
	}
	n, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
