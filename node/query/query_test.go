package query_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/node/query"
)

const chain = "collimate-test"

var (
	now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ask = query.History{Study: [32]byte{1}, At: now}
)

func TestRoundTrip(t *testing.T) {
	for _, kind := range keystore.Kinds() {
		key, err := keystore.Generate(kind)
		if err != nil {
			t.Fatal(err)
		}
		id, err := keys.IDOf(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := query.Sign(rand.Reader, chain, ask, key)
		if err != nil {
			t.Fatal(err)
		}
		if got, by, err := query.Verify(chain, raw, now); err != nil || got != ask || by != id {
			t.Errorf("%s: got %+v by %s, %v", kind, got, by, err)
		}
		for i := range raw {
			changed := bytes.Clone(raw)
			changed[i] ^= 1
			if got, by, err := query.Verify(chain, changed, now); err == nil && (got != ask || by == id) {
				t.Fatalf("%s: byte %d may be changed: got %+v by %s", kind, i, got, by)
			}
			if len(raw) > 1000 && i > 100 { // RSA: each costs 50 us
				break
			}
		}
		for name, wrong := range map[string]struct {
			chain string
			raw   []byte
			now   time.Time
			want  error
		}{
			"another chain": {chain + "2", raw, now, query.ErrSignature},
			"oldest":        {chain, raw, now.Add(query.MaxAge), nil},
			"too old":       {chain, raw, now.Add(query.MaxAge + 1), query.ErrStale},
			"newest":        {chain, raw, now.Add(-query.MaxAge), nil},
			"too new":       {chain, raw, now.Add(-query.MaxAge - 1), query.ErrStale},
			"empty":         {chain, nil, now, query.ErrMalformed},
			"cut":           {chain, raw[:len(raw)-1], now, query.ErrMalformed},
			"longer":        {chain, append(bytes.Clone(raw), 0), now, query.ErrMalformed},
			"too long":      {chain, make([]byte, query.MaxBytes+1), now, query.ErrMalformed},
			"untagged":      {chain, raw[1:], now, query.ErrMalformed},
		} {
			if _, _, err := query.Verify(wrong.chain, wrong.raw, wrong.now); !errors.Is(err, wrong.want) {
				t.Errorf("%s, %s: got %v, want %v", kind, name, err, wrong.want)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	key, err := keystore.Generate(keystore.P256)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := query.Sign(nil, chain, ask, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		// Of an ECDSA signature there are two forms.
		if got, _, err := query.Verify(chain, b, now); err == nil && got != ask {
			t.Errorf("accepted %x", b)
		}
	})
}
