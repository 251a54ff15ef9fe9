package pebbledb

import (
	"bytes"
	"log/slog"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
)

func open(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.TempDir(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestValues(t *testing.T) {
	db := open(t)
	if v, err := db.Get([]byte("a")); v != nil || err != nil {
		t.Errorf("absent: got %v, %v, want nil, nil", v, err)
	}
	must(t, db.Set([]byte("a"), []byte("1")))
	must(t, db.SetSync([]byte("b"), []byte{}))
	if v, err := db.Get([]byte("b")); v == nil || len(v) != 0 || err != nil {
		t.Errorf("empty: got %v, %v, want an empty value that is not nil", v, err)
	}
	v, err := db.Get([]byte("a"))
	must(t, err)
	v[0] = 'x'
	if v, err := db.Get([]byte("a")); string(v) != "1" || err != nil {
		t.Errorf("what Get returned was not a copy: %q, %v", v, err)
	}
	must(t, db.Delete([]byte("a")))
	must(t, db.DeleteSync([]byte("b")))
	for _, k := range []string{"a", "b"} {
		if ok, err := db.Has([]byte(k)); ok || err != nil {
			t.Errorf("%s: got %t, %v after Delete", k, ok, err)
		}
	}
	for name, err := range map[string]error{
		"Set no key": db.Set(nil, []byte("1")), "Set nil": db.Set([]byte("a"), nil),
		"Delete no key": db.Delete(nil), "Has no key": func() error { _, err := db.Has(nil); return err }(),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestBatch(t *testing.T) {
	db := open(t)
	must(t, db.Set([]byte("old"), []byte("1")))
	b := db.NewBatch()
	must(t, b.Set([]byte("a"), []byte("1")))
	must(t, b.Delete([]byte("old")))
	if ok, _ := db.Has([]byte("a")); ok {
		t.Error("a batch is visible before Write")
	}
	must(t, b.WriteSync())
	if ok, _ := db.Has([]byte("a")); !ok {
		t.Error("a batch is not visible after Write")
	}
	if ok, _ := db.Has([]byte("old")); ok {
		t.Error("a batch did not delete")
	}
	if b.Set([]byte("b"), []byte("1")) == nil || b.Delete([]byte("b")) == nil || b.Write() == nil {
		t.Error("a written batch was used again")
	}
	must(t, b.Close())
}

func TestIterators(t *testing.T) {
	db := open(t)
	for _, k := range []string{"a", "b", "c", "d"} {
		must(t, db.Set([]byte(k), []byte(k)))
	}
	walk := func(it dbm.Iterator, err error) string {
		must(t, err)
		defer it.Close()
		var got bytes.Buffer
		for ; it.Valid(); it.Next() {
			if !bytes.Equal(it.Key(), it.Value()) {
				t.Errorf("value %q at key %q", it.Value(), it.Key())
			}
			got.Write(it.Key())
		}
		must(t, it.Error())
		return got.String()
	}
	for _, test := range []struct {
		start, end string
		up, down   string
	}{
		{"", "", "abcd", "dcba"},
		{"b", "", "bcd", "dcb"},
		{"", "c", "ab", "ba"},
		{"b", "d", "bc", "cb"},
		{"bb", "bc", "", ""},
	} {
		var start, end []byte
		if test.start != "" {
			start = []byte(test.start)
		}
		if test.end != "" {
			end = []byte(test.end)
		}
		if got := walk(db.Iterator(start, end)); got != test.up {
			t.Errorf("[%s, %s): got %s, want %s", test.start, test.end, got, test.up)
		}
		if got := walk(db.ReverseIterator(start, end)); got != test.down {
			t.Errorf("[%s, %s) reversed: got %s, want %s", test.start, test.end, got, test.down)
		}
	}
	if _, err := db.Iterator([]byte{}, nil); err == nil {
		t.Error("an iterator from an empty key was made")
	}
	must(t, db.Compact(nil, nil))
	if got := walk(db.Iterator(nil, nil)); got != "abcd" {
		t.Errorf("after Compact: got %s", got)
	}
}

// TestClosed uses a closed database: the goroutine ends, with its deferred calls, and does nothing more. A use that
// is under way, and one nested in it, are waited for.
func TestClosed(t *testing.T) {
	db := open(t)
	must(t, db.Set([]byte("a"), []byte("1")))
	it, err := db.Iterator(nil, nil)
	must(t, err)
	closed := make(chan error)
	go func() { closed <- db.Close() }()

	// run reports whether f returned.
	run := func(f func()) bool {
		ended := make(chan bool)
		go func() {
			returned := false
			defer func() { ended <- returned }()
			f()
			returned = true
		}()
		return <-ended
	}
	for run(func() { _, _ = db.Get([]byte("a")) }) { // until Close has begun
	}
	if !it.Valid() {
		t.Error("an iterator that was open before Close is not valid")
	}
	must(t, it.Close())
	must(t, <-closed)
	for name, use := range map[string]func(){
		"Get":      func() { _, _ = db.Get([]byte("a")) },
		"Set":      func() { _ = db.Set([]byte("a"), []byte("1")) },
		"Delete":   func() { _ = db.Delete([]byte("a")) },
		"Iterator": func() { _, _ = db.Iterator(nil, nil) },
		"NewBatch": func() { db.NewBatch() },
		"Compact":  func() { _ = db.Compact(nil, nil) },
		"Stats":    func() { db.Stats() },
	} {
		if run(use) {
			t.Errorf("%s of a closed database returned", name)
		}
	}
}
