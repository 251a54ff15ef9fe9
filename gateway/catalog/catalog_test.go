package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
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

func TestBlinds(t *testing.T) {
	c := open(t, vfs.NewMem())
	defer c.Close()
	a, b := keys.Grantee{ID: keys.ID{0xff}}, keys.Grantee{ID: keys.ID{0xff, 0xff}}
	s := ledger.StudyID{0xff, 0xff} // bytes that end a naive range too early
	for _, blind := range [][32]byte{{1}, {2}, {2}} {
		if err := c.PutOpening(s, a, blind); err != nil {
			t.Fatal(err)
		}
	}
	before := c.db.Metrics().WAL.BytesIn
	if err := c.PutOpening(s, a, [32]byte{1}); err != nil || c.db.Metrics().WAL.BytesIn != before {
		t.Errorf("storing an opening again wrote to the disk, or failed: %v", err)
	}
	if got, err := c.Blinds(s, a); err != nil || len(got) != 2 {
		t.Errorf("Blinds of the grantee = %v, %v, want two", got, err)
	}
	if got, err := c.Blinds(s, b); err != nil || len(got) != 0 {
		t.Errorf("Blinds of another grantee = %v, %v, want none", got, err)
	}
	if got, err := c.Blinds(ledger.StudyID{1}, a); err != nil || len(got) != 0 {
		t.Errorf("Blinds of another study = %v, %v, want none", got, err)
	}
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
		if err := c.PutOpening(s.StudyID, grantee, [32]byte{i}); err != nil {
			t.Fatal(err)
		}
		crash(i, func(c *Catalog) {
			if got, err := c.Blinds(s.StudyID, grantee); err != nil || len(got) != 1 {
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
