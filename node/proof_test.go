package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/ledger/store"
	"collimate/node/client"
)

// verifier trusts the genesis of the world.
func (w *world) verifier(c *client.Client) *client.Verifier {
	w.t.Helper()
	var all []light.Validator
	for _, v := range w.genesis.Validators {
		all = append(all, light.Validator{Key: v.Key, Power: v.Power})
	}
	trusted, err := light.TrustGenesis(w.genesis.ChainID, w.genesis.Time, all)
	if err != nil {
		w.t.Fatal(err)
	}
	return &client.Verifier{Node: c, Trusted: trusted, Policy: light.Policy{TrustingPeriod: time.Hour, ClockDrift: time.Minute}}
}

// TestProofs reads through proofs whatever can be proved, and finds the same as without.
func TestProofs(t *testing.T) {
	w := newWorld(t, 1)
	n, _ := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	for blind := range byte(3) {
		w.grant(c, id, blind)
	}
	// A proof needs the header of the block after.
	r := w.must(c, w.sign(ledger.RevokeAccess{Study: id, Commitment: ledger.Commitment{1}}, w.owner))
	eventually(t, "there is a block after the last change", func() bool { return n.Status().Height > r.Height })

	v := w.verifier(c)
	ctx := t.Context()
	source, payer := keys.Source{ID: idOf(t, w.source)}, keys.Payer{ID: idOf(t, w.payer)}
	snap := n.Snapshot()
	defer snap.Close()
	for path, read := range map[string]func(*ledger.Snapshot) (any, error){
		"/v1/sources":                               func(s *ledger.Snapshot) (any, error) { return s.Sources() },
		"/v1/sources/" + source.String():            func(s *ledger.Snapshot) (any, error) { return s.Source(source) },
		"/v1/sources/1.2.3.4":                       func(s *ledger.Snapshot) (any, error) { return s.SourceByOID("1.2.3.4") },
		"/v1/sources/" + source.String() + "/stake": func(s *ledger.Snapshot) (any, error) { return s.Stake(source) },
		"/v1/sources/" + source.String() + "/bonds": func(s *ledger.Snapshot) (any, error) { return s.Bonds(source) },
		"/v1/studies/" + id.String():                func(s *ledger.Snapshot) (any, error) { return s.Study(id) },
		"/v1/studies/" + id.String() + "/grants":    func(s *ledger.Snapshot) (any, error) { return readGrants(s, id) },
		"/v1/payers":                                func(s *ledger.Snapshot) (any, error) { return s.Payers() },
		"/v1/payers/" + payer.String():              func(s *ledger.Snapshot) (any, error) { return s.Payer(payer) },
		"/v1/params":                                func(s *ledger.Snapshot) (any, error) { return s.Params() },
		// absent
		"/v1/studies/" + w2(id).String():             func(s *ledger.Snapshot) (any, error) { return s.Study(w2(id)) },
		"/v1/studies/" + w2(id).String() + "/grants": func(s *ledger.Snapshot) (any, error) { return readGrants(s, w2(id)) },
		"/v1/studies/" + id.String() + "/guardians":  func(s *ledger.Snapshot) (any, error) { return s.Guardians(id) },
		"/v1/studies/" + id.String() + "/recovery":   func(s *ledger.Snapshot) (any, error) { return s.Recovery(id) },
		"/v1/params/next":                            func(s *ledger.Snapshot) (any, error) { return s.NextParams() },
		"/v1/sources/" + payer.String():              func(s *ledger.Snapshot) (any, error) { return s.SourceOfKey(payer.ID) },
	} {
		want, wantErr := read(snap.Snapshot)
		var got any
		var gotErr error
		err := v.Read(ctx, path, func(s *ledger.Snapshot) error {
			got, gotErr = read(s)
			return nil
		})
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || !errors.Is(gotErr, wantErr) {
			t.Errorf("%s: got %+v, %v, %v, want %+v, %v", path, got, gotErr, err, want, wantErr)
		}
		answer := ask(t, c.URL()+path+"?prove=1", "")
		if answer.status != 200 || strings.Contains(answer.body, `"value":null`) != errors.Is(wantErr, ledger.ErrNotFound) {
			t.Errorf("%s?prove=1: got %d %.200s", path, answer.status, answer.body)
		}
	}
	if v.Trusted.Height <= r.Height {
		t.Errorf("trusted height %d, want above %d", v.Trusted.Height, r.Height)
	}
	err := v.Read(ctx, "/v1/studies/"+id.String(), func(s *ledger.Snapshot) error {
		_, err := s.Source(source)
		return err
	})
	if !errors.Is(err, client.ErrNotProven) {
		t.Errorf("what was not asked for: got %v, want ErrNotProven", err)
	}

	bundle, err := c.Prove(ctx, ledger.KeyStudy(id), ledger.KeyStudy(w2(id)))
	if err != nil || len(bundle.Entries) != 2 || bundle.Entries[0].Value == nil || bundle.Entries[1].Value != nil {
		t.Fatalf("raw keys: got %+v, %v", bundle, err)
	}
	if err := w.verifier(c).Verify(ctx, bundle, time.Now()); err != nil {
		t.Error(err)
	}
	bundle.Entries[0].Value[0] ^= 1
	if err := w.verifier(c).Verify(ctx, bundle, time.Now()); light.CodeOf(err) != light.CodeWrongProof {
		t.Errorf("a changed value: got %v", err)
	}

	// From block to block.
	trusted := w.verifier(c)
	for h := int64(1); h <= r.Height; h++ {
		block, err := c.LightBlock(ctx, h)
		if err != nil {
			t.Fatal(err)
		}
		if trusted.Trusted, err = trusted.Trusted.Verify(block, trusted.Policy, time.Now()); err != nil {
			t.Fatalf("light block %d: %v", h, err)
		}
	}
	answer := ask(t, fmt.Sprintf("%s/v1/light-blocks?from=1&to=3", c.URL()), "")
	if answer.status != 200 || answer.header.Get("Content-Type") != client.MediaTypeSequence || len(answer.body) < 3*200 {
		t.Errorf("a range: got %d, %d bytes", answer.status, len(answer.body))
	}
}

// TestProofAfterRestart: what could be proved before a restart can be proved at once after it, without another block.
func TestProofAfterRestart(t *testing.T) {
	w := newWorld(t, 1)
	n, stop := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	height := n.Status().Height
	eventually(t, "there is a block after the study's", func() bool { return n.Status().Height > height })
	stop()
	w.configs[0].Heartbeat = time.Minute // no block comes by itself
	n, _ = w.start(0)
	height = n.Status().Height
	for path, read := range map[string]func(*ledger.Snapshot) error{
		"/v1/studies/" + id.String():     func(s *ledger.Snapshot) error { _, err := s.Study(id); return err },
		"/v1/sources":                    func(s *ledger.Snapshot) error { _, err := s.Sources(); return err },
		"/v1/studies/" + w2(id).String(): func(s *ledger.Snapshot) error { _, err := s.Study(w2(id)); return ignore(err, ledger.ErrNotFound) },
	} {
		if err := w.verifier(c).Read(t.Context(), path, read); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := n.Status().Height; got != height {
		t.Errorf("there are blocks %d to %d meanwhile: the test shows nothing", height, got)
	}
}

// answered is what a node answered.
type answered struct {
	status int
	header http.Header
	body   string
}

// ask asks with headers, each "Name: value", one in a line.
func ask(t *testing.T, url, headers string) answered {
	t.Helper()
	return request(t, http.MethodGet, url, headers, nil)
}

func request(t *testing.T, method, url, headers string, body io.Reader) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Add(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(b)}
}

// visits counts the keys that are visited in lists.
type visits struct {
	*store.Snapshot
	n *int
}

func (v visits) IterateFrom(prefix, from []byte, visit func(key, value []byte) error) error {
	return v.Snapshot.IterateFrom(prefix, from, func(key, value []byte) error {
		*v.n++
		return visit(key, value)
	})
}

// TestPages reads a list in pages of every size.
func TestPages(t *testing.T) {
	w := newWorld(t, 1)
	n, _ := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	const grants = 5
	for blind := range byte(grants) {
		w.grant(c, id, blind)
	}
	snap := visits{n.Snapshot(), new(int)}
	defer snap.Close()
	all, err := snap.Grants(id)
	if err != nil || len(all) != grants {
		t.Fatalf("got %d grants, %v", len(all), err)
	}
	if got, err := c.Grants(t.Context(), id); err != nil || fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("got %+v, %v, want %+v", got, err, all)
	}
	for limit := 1; limit <= grants+1; limit++ {
		var got []ledger.GrantRecord
		var after []byte
		for pages := 0; ; pages++ {
			v := newView(snap, after, limit)
			*snap.n = 0
			some, err := readGrants(snap.On(v), id)
			if *snap.n > limit+1 {
				t.Errorf("limit %d, page %d: %d keys were visited", limit, pages, *snap.n)
			}
			if err != nil || len(some) > limit || len(v.keys) != len(some)+1 || pages > grants {
				t.Fatalf("limit %d, page %d: got %d grants of %d keys, %v", limit, pages, len(some), len(v.keys), err)
			}
			got = append(got, some...)
			if v.next() == "" {
				break
			}
			if after, err = hex.DecodeString(v.next()); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(all) {
			t.Errorf("limit %d: got %+v, want %+v", limit, got, all)
		}
	}
}

// TestETag asks again for what has not changed.
func TestETag(t *testing.T) {
	w := newWorld(t, 1)
	w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	url := c.URL() + "/v1/params"
	eventually(t, "two looks at one height", func() bool {
		first := ask(t, url, "")
		tag := first.header.Get("ETag")
		again := ask(t, url, "If-None-Match: "+tag)
		other := ask(t, url+"?prove=1", "If-None-Match: "+tag)
		return first.status == 200 && tag != "" && again.status == 304 && again.body == "" && other.status != 304
	})
	if a := ask(t, c.URL()+"/v1/studies/"+ledger.StudyID{1}.String(), ""); a.status != 404 || a.header.Get("ETag") != "" {
		t.Errorf("absent: got %d with ETag %q", a.status, a.header.Get("ETag"))
	}
}

// TestOddKeys asks for proofs of keys that no state has: they are absent, and shown to be. The head has no proof.
func TestOddKeys(t *testing.T) {
	w := newWorld(t, 1)
	n, _ := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	eventually(t, "there are two blocks", func() bool { return n.Status().Height > 1 })
	v := w.verifier(c)
	for key, present := range map[string]bool{
		"\x01params": true, "\x01": false, "\x01param": false, "\x01params\x00": false, "\x05abc": false, "\x00": false, "\xf0": false,
		"\xff\x01": false, strings.Repeat("\x06", light.MaxKeyBytes): false,
	} {
		bundle, err := c.Prove(t.Context(), []byte(key))
		if err != nil {
			t.Errorf("%x: %v", key, err)
			continue
		}
		if err := v.Verify(t.Context(), bundle, time.Now()); err != nil || (bundle.Entries[0].Value != nil) != present {
			t.Errorf("%x: present %t, want %t; %v", key, bundle.Entries[0].Value != nil, present, err)
		}
	}
	var refused *client.Error
	for _, key := range []string{string(headKey), strings.Repeat("\x06", light.MaxKeyBytes+1)} {
		if _, err := c.Prove(t.Context(), []byte(key)); !errors.As(err, &refused) || refused.Code != client.CodeBadRequest {
			t.Errorf("%x: %v, want %s", key, err, client.CodeBadRequest)
		}
	}
}
