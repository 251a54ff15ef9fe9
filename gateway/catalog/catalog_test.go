package catalog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func open(t *testing.T, fs vfs.FS) *Catalog {
	t.Helper()
	c, err := Open("catalog", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func study(uid string) Study {
	s := Study{StudyInstanceUID: uid, Salt: [32]byte{1, 2, 3}, Published: 1_800_000_000, ClaimKey: []byte("key")}
	s.StudyID = ledger.NewStudyID(s.Salt, uid)
	return s
}

func TestStudiesAndDocuments(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	want := study("1.2.3")
	if err := c.PutStudy(want, map[string]ledger.DocumentKind{"2.25.1": ledger.DocumentStudy, "2.25.2": ledger.DocumentManifest}); err != nil {
		t.Fatal(err)
	}

	got, err := c.Study("1.2.3")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Study = %+v, %v, want %+v", got, err, want)
	}
	doc, of, err := c.Document("2.25.2")
	if err != nil || doc.Kind != ledger.DocumentManifest || !reflect.DeepEqual(of, want) {
		t.Errorf("Document = %+v, %+v, %v", doc, of, err)
	}
	if all, err := c.Studies(); err != nil || len(all) != 1 {
		t.Errorf("Studies = %d, %v, want 1", len(all), err)
	}
	for _, absent := range []string{"", "1.2", "1.2.3.4"} {
		if _, err := c.Study(absent); !errors.Is(err, ErrNotFound) {
			t.Errorf("Study(%q) = %v, want ErrNotFound", absent, err)
		}
		if _, _, err := c.Document(absent); !errors.Is(err, ErrNotFound) {
			t.Errorf("Document(%q) = %v, want ErrNotFound", absent, err)
		}
	}
}

// The first manifest's digest stays whatever others come, each of which is to be had under its name; and goes with the study.
func TestManifest(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	if _, err := c.Manifest("1.2.3"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before there is one: %v", err)
	}
	first := [32]byte{7}
	if err := errors.Join(c.PutStudy(study("1.2.3"), nil), c.PutManifest("1.2.3", first, "2.25.1"), c.PutManifest("1.2.3", first, "2.25.2")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Manifest("1.2.3"); err != nil || got != first {
		t.Errorf("got %x, %v", got, err)
	}
	for _, id := range []string{"2.25.1", "2.25.2"} {
		if d, of, err := c.Document(id); err != nil || d.Kind != ledger.DocumentManifest || of.StudyInstanceUID != "1.2.3" {
			t.Errorf("%s is %+v of %+v, %v", id, d, of, err)
		}
	}
	if err := c.Erase(t.Context(), "1.2.3"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Manifest("1.2.3"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it was erased: %v", err)
	}
}

func TestOpenings(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	a, b := keys.Grantee{ID: keys.ID{0xff}}, keys.Grantee{ID: keys.ID{0xff, 0xff}}
	s := ledger.StudyID{0xff, 0xff} // bytes that end a naive range too early
	member := func(m byte) ledger.Opening {
		return ledger.Opening{Blind: [32]byte{3}, Group: ledger.StudyID{9}, Membership: [32]byte{m}}
	}
	for _, o := range []ledger.Opening{{Blind: [32]byte{1}}, {Blind: [32]byte{2}}, {Blind: [32]byte{2}}, member(1), member(2)} {
		if err := c.PutOpening(s, a, o); err != nil {
			t.Fatal(err)
		}
	}
	before := c.db.Metrics().WAL.BytesIn
	if err := errors.Join(c.PutOpening(s, a, ledger.Opening{Blind: [32]byte{1}}), c.PutOpening(s, a, member(2))); err != nil || c.db.Metrics().WAL.BytesIn != before {
		t.Errorf("storing an opening again wrote to the disk, or failed: %v", err)
	}
	got, err := c.Openings(s, a)
	if err != nil || len(got) != 3 || !slices.Contains(got, member(2)) || slices.Contains(got, member(1)) {
		t.Errorf("Openings of the grantee = %v, %v, want two and the last membership", got, err)
	}
	if err := c.DropOpening(s, a, member(2)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Openings(s, a); err != nil || len(got) != 2 {
		t.Errorf("Openings after one was dropped = %v, %v, want two", got, err)
	}
	if got, err := c.Openings(s, b); err != nil || len(got) != 0 {
		t.Errorf("Openings of another grantee = %v, %v, want none", got, err)
	}
	if got, err := c.Openings(ledger.StudyID{1}, a); err != nil || len(got) != 0 {
		t.Errorf("Openings of another study = %v, %v, want none", got, err)
	}
}

// What is erased is gone from the disk, whatever the database was doing with it, and nothing else is.
func TestErase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "catalog")
	c, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	requester := keys.Grantee{ID: keys.ID{7}}
	uid := func(i int) string { return fmt.Sprintf("1.2.840.113619.%d", i) }
	const gone = 17
	secret := []byte("a salt that must not stay behind")
	blind := [32]byte([]byte("a blind that should go with it.."))
	for i := range 40 {
		s := Study{StudyInstanceUID: uid(i), Salt: [32]byte{byte(i)}, StudyID: ledger.StudyID{byte(i + 1)}}
		o := ledger.Opening{Blind: [32]byte{byte(i)}}
		if i == gone {
			s.ClaimKey, o.Blind = secret, blind // the claim key is stored as the salt is, and easier to find
		}
		if err := errors.Join(c.PutStudy(s, map[string]ledger.DocumentKind{s.StudyID.Alias(): ledger.DocumentStudy}), c.PutOpening(s.StudyID, requester, o)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			if err := c.db.Flush(); err != nil { // so that the secret is in a table, or in a log
				t.Fatal(err)
			}
		}
	}
	encoded := []byte(base64.StdEncoding.EncodeToString(secret))
	if !onDisk(t, dir, encoded) || !onDisk(t, dir, blind[:]) {
		t.Fatal("the secrets cannot be found before they are erased: this test sees nothing")
	}
	if err := c.Erase(t.Context(), uid(gone)); err != nil {
		t.Fatal(err)
	}
	for try := 0; onDisk(t, dir, encoded) || onDisk(t, dir, blind[:]); try++ {
		if try == 100 {
			t.Fatal("a secret is still on the disk ten seconds after it was erased")
		}
		time.Sleep(100 * time.Millisecond) // old files are removed in the background
	}
	if _, err := c.Study(uid(gone)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the study is still there: %v", err)
	}
	if _, _, err := c.Document(ledger.StudyID{gone + 1}.Alias()); !errors.Is(err, ErrNotFound) {
		t.Errorf("its document is still there: %v", err)
	}
	if all, err := c.Studies(); err != nil || len(all) != 39 {
		t.Errorf("%d studies are left, %v, want 39", len(all), err)
	}
	if got, err := c.Openings(ledger.StudyID{gone}, requester); err != nil || len(got) != 1 {
		t.Errorf("the opening of another study is gone: %v, %v", got, err)
	}
	if err := c.Erase(t.Context(), uid(gone)); err != nil {
		t.Errorf("erasing again: %v", err)
	}
}

// onDisk reports whether any file below dir holds these bytes.
func onDisk(t *testing.T, dir string, secret []byte) (found bool) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(b, secret)
	}
	return found
}

// A power cut keeps everything that a call has returned for.
func TestCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := open(t, fs)
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	grantee := keys.Grantee{ID: keys.ID{7}}
	// crash opens the disk as it would be found if the power failed now, with a random part of what was not synced.
	crash := func(i byte, check func(*Catalog)) {
		t.Helper()
		c := open(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(i) % 3 * 50, RNG: rand.New(rand.NewPCG(1, uint64(i)))}))
		check(c)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := byte(1); i <= 20; i++ {
		s := study(fmt.Sprintf("1.2.%d", i))
		if err := c.PutStudy(s, map[string]ledger.DocumentKind{s.StudyID.Alias(): ledger.DocumentStudy}); err != nil {
			t.Fatal(err)
		}
		crash(i, func(c *Catalog) {
			if _, of, err := c.Document(s.StudyID.Alias()); err != nil || of.Salt != s.Salt {
				t.Fatalf("after a crash the study is lost: %v", err)
			}
		})
		if err := c.PutOpening(s.StudyID, grantee, ledger.Opening{Blind: [32]byte{i}}); err != nil {
			t.Fatal(err)
		}
		crash(i, func(c *Catalog) {
			if got, err := c.Openings(s.StudyID, grantee); err != nil || len(got) != 1 {
				t.Fatalf("after a crash the opening is lost: %v, %v", got, err)
			}
		})
		if fresh, err := c.Replay(now).Remember([32]byte{i}, now().Add(time.Minute)); err != nil || !fresh {
			t.Fatalf("Remember = %v, %v, want fresh", fresh, err)
		}
		crash(i, func(c *Catalog) {
			if fresh, err := c.Replay(now).Remember([32]byte{i}, now().Add(time.Minute)); err != nil || fresh {
				t.Fatalf("after a crash Remember = %v, %v: the message can be replayed", fresh, err)
			}
		})
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// Of two that ask about the same message at the same time, the second is not fresh even before the first is on disk.
func TestRememberWhileAnotherIsAtIt(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	if !c.claim([32]byte{1}) {
		t.Fatal("a free message could not be claimed")
	}
	if fresh, err := c.Replay(now).Remember([32]byte{1}, now().Add(time.Minute)); err != nil || fresh {
		t.Errorf("Remember = %v, %v, want not fresh", fresh, err)
	}
	c.release([32]byte{1})
	if fresh, err := c.Replay(now).Remember([32]byte{1}, now().Add(time.Minute)); err != nil || !fresh {
		t.Errorf("Remember after the release = %v, %v, want fresh", fresh, err)
	}
}

func TestRememberOnce(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	replay := c.Replay(now)
	for i := range byte(50) {
		var fresh atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				ok, err := replay.Remember([32]byte{i}, now().Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if ok {
					fresh.Add(1)
				}
			})
		}
		all.Wait()
		if fresh.Load() != 1 {
			t.Fatalf("message %d was fresh %d times, want once", i, fresh.Load())
		}
	}
}

func TestRememberForgetsTheExpired(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	clock := time.Unix(1_800_000_000, 0)
	replay := c.Replay(func() time.Time { return clock })
	const n = 100
	for i := range n {
		if _, err := replay.Remember([32]byte{byte(i), 1}, clock.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	clock = clock.Add(time.Minute) // at its expiry a message is still remembered
	if fresh, err := replay.Remember([32]byte{0, 1}, clock.Add(time.Minute)); err != nil || fresh {
		t.Fatalf("Remember at the expiry = %v, %v, want not fresh", fresh, err)
	}
	clock = clock.Add(time.Second)
	for i := range n { // each forgets more than the one it adds
		if fresh, err := replay.Remember([32]byte{byte(i), 2}, clock.Add(time.Hour)); err != nil || !fresh {
			t.Fatalf("Remember = %v, %v, want fresh", fresh, err)
		}
	}
	if got := c.messages.Load(); got != n {
		t.Errorf("%d messages are remembered, want %d", got, n)
	}
	if got, err := c.count(prefixExpiry); err != nil || got != n {
		t.Errorf("%d expiries are stored, %v, want %d", got, err, n)
	}
	if fresh, err := replay.Remember([32]byte{0, 1}, clock.Add(time.Minute)); err != nil || !fresh {
		t.Errorf("Remember after the expiry = %v, %v, want fresh", fresh, err)
	}
}

func TestRememberFull(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	c.messages.Store(MaxMessages - 1)
	if fresh, err := c.Replay(now).Remember([32]byte{1}, now().Add(time.Minute)); err != nil || !fresh {
		t.Fatalf("Remember below the limit = %v, %v, want fresh", fresh, err)
	}
	if fresh, err := c.Replay(now).Remember([32]byte{2}, now().Add(time.Minute)); !errors.Is(err, ErrFull) || fresh {
		t.Fatalf("Remember at the limit = %v, %v, want ErrFull", fresh, err)
	}
}

func TestReopenCountsMessages(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	for i := range byte(3) {
		if _, err := c.Replay(now).Remember([32]byte{i}, now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, fs)
	defer c.Close()
	if got := c.messages.Load(); got != 3 {
		t.Errorf("after opening again %d messages are remembered, want 3", got)
	}
}
