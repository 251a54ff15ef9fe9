package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/consensus"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// listener reads one stream of events.
type listener struct {
	t    *testing.T
	resp *http.Response
	scan *bufio.Scanner
}

// listen opens a stream. The test ends it.
func listen(t *testing.T, url, lastID string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return &listener{t, resp, bufio.NewScanner(resp.Body)}
}

// next returns the next event of one of the names, or nothing at the end.
func (l *listener) next(names ...string) (name, id, data string) {
	l.t.Helper()
	for l.scan.Scan() {
		field, value, _ := strings.Cut(l.scan.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			data = value
		case "":
			for _, n := range names {
				if n == name {
					return name, id, data
				}
			}
			name, id, data = "", "", ""
		}
	}
	return "", "", ""
}

func (l *listener) event(name string) (e client.Event) {
	l.t.Helper()
	_, _, data := l.next(name)
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		l.t.Fatalf("waiting for %s: %q, %v", name, data, err)
	}
	return e
}

// TestEvents listens to two studies while things happen to them, and resumes.
func TestEvents(t *testing.T) {
	w := newWorld(t, 1)
	_, stop := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	other := w.study(c, 2)
	mine := listen(t, c.URL()+"/v1/events?study="+id.String(), "")
	all := listen(t, c.URL()+"/v1/events", "")
	if got := mine.resp.Header.Get("Content-Type"); mine.resp.StatusCode != 200 || got != client.MediaTypeEvents {
		t.Fatalf("got %d, %s", mine.resp.StatusCode, got)
	}
	w.grant(c, other, 1)
	com := w.grant(c, id, 1)
	e := mine.event(eventStudy)
	if e.Study != id || e.Kind != ledger.KindAllowAccess || e.Commitment != com || e.Height == 0 || e.Scope != ledger.ScopeAll || e.Signer != idOf(t, w.owner) {
		t.Errorf("got %+v", e)
	}
	_, height, data := mine.next(eventBlock, eventStudy)
	var b client.Block
	if err := json.Unmarshal([]byte(data), &b); err != nil || b.Height != e.Height || height != fmt.Sprint(b.Height) || len(b.AppHash) != 64 {
		t.Errorf("after the event: got block %+v with id %s, %v, want that of %d", b, height, err, e.Height)
	}
	r := w.must(c, w.sign(ledger.RevokeAccess{Study: id, Commitment: com}, w.owner))
	if seen := mine.event(eventSeen); seen.Study != id || seen.Commitment != com || seen.Height != 0 || seen.TxID != r.TxID {
		t.Errorf("seen: got %+v", seen)
	}
	if revoked := mine.event(eventStudy); revoked.Kind != ledger.KindRevokeAccess || revoked.Height != r.Height || revoked.TxID != r.TxID {
		t.Errorf("revoked: got %+v", revoked)
	}
	if name, _, _ := all.next(eventStudy, eventSeen, eventBlock); name != eventBlock {
		t.Errorf("who watches no study got %s", name)
	}

	again := listen(t, c.URL()+"/v1/events?study="+id.String()+"&study="+other.String(), fmt.Sprint(e.Height-1))
	if got := again.event(eventStudy); got.TxID != e.TxID || !got.Time.Equal(e.Time) {
		t.Errorf("resumed: got %+v, want %+v", got, e)
	}
	if got := again.event(eventStudy); got.TxID != r.TxID {
		t.Errorf("resumed: got %+v, want the revocation", got)
	}

	for path, status := range map[string]int{
		"?study=1":  400,
		"?since=x":  400,
		"?since=-1": 400,
		"?" + strings.Repeat("study="+id.String()+"&", 65): 400,
	} {
		if a := ask(t, c.URL()+"/v1/events"+path, ""); a.status != status {
			t.Errorf("%.20s: got %d %s, want %d", path, a.status, a.body, status)
		}
	}
	stop()
	name, _, data := mine.next(eventEnd)
	var p client.Problem
	if err := json.Unmarshal([]byte(data), &p); err != nil || name != eventEnd || p.Error.Code != client.CodeUnavailable {
		t.Errorf("at the end: got %s %s", name, data)
	}
}

// TestPatience keeps a stream for longer than any other answer may take.
func TestPatience(t *testing.T) {
	w := newWorld(t, 1)
	w.writeTimeout = 200 * time.Millisecond
	w.configs[0].Heartbeat = time.Second
	w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	stream := listen(t, c.URL()+"/v1/events", "")
	for range 3 {
		if name, _, _ := stream.next(eventBlock, eventEnd); name != eventBlock {
			t.Fatalf("the stream ended with %q", name)
		}
	}
}

// TestSlow lets a subscriber read nothing.
func TestSlow(t *testing.T) {
	h := newHub()
	from := netip.MustParsePrefix("192.0.2.1/32")
	id := ledger.StudyID{1}
	s, height, ok := h.join(from, []ledger.StudyID{id})
	if !ok || height != 0 {
		t.Fatal(height, ok)
	}
	fast, _, _ := h.join(from, nil)
	for i := range int64(maxQueued + 1) {
		h.block(client.Block{Height: i + 1}, []client.Event{{Study: id}, {Study: ledger.StudyID{2}}})
		<-fast.frames
	}
	n := 0
	for frames := range s.frames {
		got := string(bytes.Join(frames, nil))
		if n++; strings.Count(got, "event: study") != 1 || strings.Count(got, "event: block") != 1 {
			t.Fatalf("got %q", got)
		}
	}
	if n != maxQueued || !s.slow || !strings.Contains(string(s.farewell()), client.CodeTooSlow) {
		t.Errorf("got %d frames, slow %t", n, s.slow)
	}
	if len(h.all) != 1 || len(h.by) != 0 || h.from[from] != 1 {
		t.Errorf("left behind: %d %d %d", len(h.all), len(h.by), h.from[from])
	}
	h.leave(s)
	h.leave(fast)
	h.seen(client.Event{Study: id})
	if len(h.from) != 0 {
		t.Error("addresses are left behind")
	}
	for range maxSubscribersEach {
		if _, height, ok := h.join(from, nil); !ok || height != maxQueued+1 {
			t.Fatal("refused too early")
		}
	}
	if _, _, ok := h.join(from, nil); ok {
		t.Error("too many of one address")
	}
	if _, _, ok := h.join(netip.MustParsePrefix("192.0.2.2/32"), nil); !ok {
		t.Error("another address is refused")
	}
	h.close()
	if _, _, ok := h.join(from, nil); ok || len(h.all) != 0 {
		t.Error("joined after the end")
	}
}

// TestShared lets many read nothing: what waits for them is there once.
func TestShared(t *testing.T) {
	h := newHub()
	id := ledger.StudyID{1}
	var all []*subscriber
	for i := range 2 {
		s, _, _ := h.join(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), []ledger.StudyID{id})
		all = append(all, s)
	}
	h.block(client.Block{Height: 1}, []client.Event{{Study: id}, {Study: id}})
	a, b := <-all[0].frames, <-all[1].frames
	if len(a) != 3 || len(b) != 3 {
		t.Fatalf("got %d and %d frames, want 3", len(a), len(b))
	}
	for i := range a {
		if &a[i][0] != &b[i][0] {
			t.Errorf("frame %d was copied", i)
		}
	}
}

// TestHistory asks as the owner, as somebody else, and as an earlier owner.
func TestHistory(t *testing.T) {
	w := newWorld(t, 1)
	n, stop := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	com := w.grant(c, id, 1)
	w.must(c, w.sign(ledger.HoldStudy{Study: id, Held: true}, w.source))
	w.must(c, w.sign(ledger.RevokeAccess{Study: id, Commitment: com}, w.owner))
	if _, err := c.Submit(t.Context(), w.sign(ledger.RevokeAccess{Study: id, Commitment: com}, w.owner)); ledger.CodeOf(err) != ledger.CodeAlreadyRevoked {
		t.Error(err) // and what is refused is no event
	}
	next := newKey(t)
	w.must(c, w.sign(ledger.TransferStudy{Study: id, NewOwner: keys.Owner{ID: idOf(t, next)}}, w.owner))

	kinds := func(c *client.Client) (all []ledger.Kind) {
		t.Helper()
		events, err := c.History(t.Context(), id, next)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			if e.Study != id || e.Height == 0 || e.Time.IsZero() || i > 0 && e.Height < events[i-1].Height {
				t.Errorf("got %+v", e)
			}
			all = append(all, e.Kind)
		}
		return all
	}
	want := fmt.Sprint([]ledger.Kind{ledger.KindAllowAccess, ledger.KindHoldStudy, ledger.KindRevokeAccess, ledger.KindTransferStudy})
	if got := fmt.Sprint(kinds(c)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, strangerErr := c.History(t.Context(), id, w.source)
	_, formerErr := c.History(t.Context(), id, w.owner)
	_, absentErr := c.History(t.Context(), w2(id), next)
	if strangerErr == nil || strangerErr.Error() != absentErr.Error() || formerErr.Error() != absentErr.Error() {
		t.Errorf("others can tell: %v, %v, %v", strangerErr, formerErr, absentErr)
	}
	page, err := n.historyOf(id, keys.Owner{ID: idOf(t, next)}, cursor{height: 1 << 40})
	if err != nil || len(page.Items) != 0 || page.Next != "" {
		t.Errorf("after the end: got %+v, %v", page, err)
	}
	const cbor = "Content-Type: application/cbor"
	for name, q := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"no id":      {"/v1/studies/1/history", "x", 400, client.CodeBadRequest},
		"bad cursor": {"/v1/studies/" + id.String() + "/history?cursor=01.1", "x", 400, client.CodeBadRequest},
		"garbage":    {"/v1/studies/" + id.String() + "/history", "x", 422, client.CodeBadQuery},
		"too large":  {"/v1/studies/" + id.String() + "/history", strings.Repeat("x", 5000), 413, client.CodeTooLarge},
	} {
		if a := request(t, "POST", c.URL()+q.path, cbor, strings.NewReader(q.body)); a.status != q.status || !strings.Contains(a.body, q.code) {
			t.Errorf("%s: got %d %s, want %d %s", name, a.status, a.body, q.status, q.code)
		}
	}
	stop()
	w.start(0)
	w.ready(c, 0)
	if got := fmt.Sprint(kinds(c)); got != want {
		t.Errorf("after a restart: got %s, want %s", got, want)
	}
}

// TestRecovered lets a guardian give a study to a new owner. No transaction does that, but time.
func TestRecovered(t *testing.T) {
	w := newWorld(t, 1)
	params := ledger.DefaultParams()
	params.RecoveryTime = 1
	w.genesis.Params = &params
	w.configs[0].Heartbeat = time.Second
	w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	id := w.publish(c)
	guardian, next := newKey(t), newKey(t)
	stream := listen(t, c.URL()+"/v1/events?study="+id.String(), "")
	commitment := ledger.NewGuardian([32]byte{1}, keys.Guardian{ID: idOf(t, guardian)}, id)
	w.must(c, w.sign(ledger.SetGuardians{Study: id, Threshold: 1, Guardians: []ledger.Commitment{commitment}, Delay: 1}, w.owner))
	owner := keys.Owner{ID: idOf(t, next)}
	w.must(c, w.sign(ledger.Recover{Study: id, Round: 1, NewOwner: owner, Blind: [32]byte{1}, Attempt: 1}, guardian))
	for _, kind := range []ledger.Kind{ledger.KindSetGuardians, ledger.KindRecover, client.KindRecovered} {
		if e := stream.event(eventStudy); e.Kind != kind || kind == client.KindRecovered && (e.Owner != owner || e.Epoch != 1 || e.TxID != ledger.TxID{}) {
			t.Errorf("got %+v, want %s", e, kind)
		}
	}
	events, err := c.History(t.Context(), id, next)
	if err != nil || len(events) != 3 || events[2].Kind != client.KindRecovered || events[2].Owner != owner {
		t.Errorf("got %+v, %v", events, err)
	}
	if s, err := c.Study(t.Context(), id); err != nil || s.Owner != owner || s.ChangedAt != events[2].Height {
		t.Errorf("got %+v, %v", s, err)
	}
}

// TestEventOf looks at every kind: what is about a study says so, and what was refused says nothing.
func TestEventOf(t *testing.T) {
	id, com, owner := ledger.StudyID{1}, ledger.Commitment{2}, keys.Owner{ID: keys.ID{3}}
	var results []consensus.Result
	var want []client.Event
	for _, test := range []struct {
		body ledger.Body
		want client.Event
	}{
		{ledger.DefineStudy{}, client.Event{}},
		{ledger.Bond{}, client.Event{}},
		{ledger.UpdateSource{}, client.Event{}},
		{ledger.AmendStudy{Study: id, Revision: 4}, client.Event{Revision: 4}},
		{ledger.HoldStudy{Study: id, Revision: 4, Held: true}, client.Event{Revision: 4, Held: true}},
		{ledger.WithdrawStudy{Study: id, Revision: 4}, client.Event{Revision: 4}},
		{ledger.TransferStudy{Study: id, Epoch: 5, NewOwner: owner}, client.Event{Epoch: 5, Owner: owner}},
		{ledger.AllowAccess{Study: id, Epoch: 5, Commitment: com, NotAfter: 6, Scope: 1, Tier: 2}, client.Event{Epoch: 5, Commitment: com, NotAfter: 6, Scope: 1, Tier: 2}},
		{ledger.RevokeAccess{Study: id, Epoch: 5, Commitment: com}, client.Event{Epoch: 5, Commitment: com}},
		{ledger.RevokeAccess{Study: id, Epoch: 5, All: true}, client.Event{Epoch: 5, All: true}},
		{ledger.SetGuardians{Study: id, Epoch: 5, Threshold: 1, Guardians: []ledger.Commitment{com, com}, Delay: 7}, client.Event{Epoch: 5, Threshold: 1, Guardians: 2, Delay: 7}},
		{ledger.Recover{Study: id, NewOwner: owner}, client.Event{Owner: owner}},
		{ledger.CancelRecovery{Study: id, Epoch: 5}, client.Event{Epoch: 5}},
		{ledger.EmergencyAccess{Study: id, Group: ledger.StudyID{8}, Blind: [32]byte{9}, NotAfter: 6},
			client.Event{Group: ledger.StudyID{8}, NotAfter: 6, Commitment: ledger.NewCommitment([32]byte{9}, keys.Grantee{ID: keys.ID{10}}, ledger.StudyID{8})}},
	} {
		tx := &ledger.Transaction{ID: ledger.TxID{11}, Signer: keys.ID{10}, Body: test.body}
		results = append(results, consensus.Result{Tx: tx}, consensus.Result{Tx: tx, Err: &ledger.Error{}})
		if test.want != (client.Event{}) {
			test.want.Study, test.want.Kind, test.want.TxID, test.want.Signer = id, test.body.Kind(), tx.ID, tx.Signer
			want = append(want, test.want)
		}
	}
	if got := accepted(results); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
