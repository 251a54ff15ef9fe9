package ledger_test

import (
	"crypto/rand"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// TestRotateKey: a source can take a key of any kind, and hand over from it again.
func TestRotateKey(t *testing.T) {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north"))
	north := source("north")
	signer := kindsOfKeys(t)
	signer["back to Ed25519"] = keyOf("north9")
	present, version := keys.ID(north.ID), uint64(1)
	for _, name := range []string{"P-256", "P-384", "RSA-2048", "Ed25519", "back to Ed25519"} {
		version++
		body, err := ledger.NewRotateKey(rand.Reader, testChain, north, version, signer[name])
		if err != nil {
			t.Fatal(err)
		}
		other := body
		other.Proof = append([]byte{}, body.Proof...)
		other.Proof[len(other.Proof)-1] ^= 1
		for _, bad := range []ledger.RotateKey{other, with(body, version+1)} {
			err := w.apply(t, unsignedBy(t, present, bad))
			if code := ledger.CodeOf(err); code != ledger.CodeBadProof && code != ledger.CodeWrongVersion {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := w.apply(t, unsignedBy(t, present, body)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		present, err = keys.IDOf(signer[name].Public())
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.snapshot(t).SourceOfKey(present)
		if err != nil || s.ID != north || s.Key != present || s.Version != version {
			t.Errorf("%s: got %+v, %v", name, s, err)
		}
	}
}

func with(body ledger.RotateKey, version uint64) ledger.RotateKey {
	body.Version = version
	return body
}

func unsignedBy(t *testing.T, by keys.ID, body ledger.Body) *ledger.Transaction {
	t.Helper()
	tx, err := ledger.Unsigned(testChain, by, body)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// TestTLSKeys: the earlier key is good in TLS until its time is over, inclusive.
func TestTLSKeys(t *testing.T) {
	a, b := keys.ID{1}, keys.ID{2}
	until := testTime.Add(time.Hour)
	rotated := ledger.SourceRecord{Key: b, EarlierKey: a, EarlierUntil: ledger.Seconds(until.Unix())}
	for _, c := range []struct {
		name   string
		record ledger.SourceRecord
		now    time.Time
		want   int
	}{
		{"never rotated", ledger.SourceRecord{Key: a}, testTime, 1},
		{"rotated", rotated, testTime, 2},
		{"at the end", rotated, until, 2},
		{"past the end", rotated, until.Add(1), 1},
		{"compromised", ledger.SourceRecord{Key: b, EarlierUntil: ledger.Seconds(until.Unix())}, testTime, 1},
		{"moved only", ledger.SourceRecord{Key: a, EarlierKey: a, EarlierUntil: ledger.Seconds(until.Unix())}, testTime, 1},
	} {
		got := c.record.TLSKeys(c.now)
		if len(got) != c.want || got[0] != c.record.Key {
			t.Errorf("%s: got %v, want %d keys", c.name, got, c.want)
		}
	}
}
