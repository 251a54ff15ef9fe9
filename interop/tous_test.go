package interop

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xmlsec"
	"collimate/xua"
)

// requirePeers skips a test that needs other stacks, unless they are asked for.
func requirePeers(t *testing.T) {
	t.Helper()
	if os.Getenv("COLLIMATE_INTEROP") != "1" {
		t.Skip("the other stacks are asked for by COLLIMATE_INTEROP=1: run make interop-soap")
	}
}

// incoming is one cell of toUs on its way.
type incoming struct {
	row
	column
	want      outcome
	messageID string
	url       string
	job       job
}

func (c incoming) name() string {
	how := ""
	if c.live {
		how = " live"
	}
	return strings.ReplaceAll(fmt.Sprintf("%s%s, %s, %s, %s", c.form, how, c.policyName(), c.algorithm(), c.packaging), " ", "_")
}

func (c incoming) algorithm() string {
	if c.row.algorithm != "" {
		return c.row.algorithm
	}
	return c.column.algorithm
}

func (r row) policyName() string {
	if r.policy == "" {
		return "strict"
	}
	return r.policy
}

// TestToUs lets each peer sign, and the server accept or refuse.
func TestToUs(t *testing.T) {
	requirePeers(t)
	id := newIdentities(t)
	d := open(t, id, time.Now, false)
	byPeer := map[string][]incoming{}
	for _, r := range toUs {
		for i, column := range columns {
			if r.cells[i].verdict != inapplicable {
				byPeer[r.peer] = append(byPeer[r.peer], newIncoming(t, d, id, r, column, r.cells[i]))
			}
		}
	}
	all := peers(t)
	for _, name := range slices.Sorted(maps.Keys(byPeer)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var jobs []job
			for _, c := range byPeer[name] {
				jobs = append(jobs, c.job)
			}
			for i, result := range all[name].run(t, id, jobs) {
				c := byPeer[name][i]
				t.Run(c.name(), func(t *testing.T) { c.check(t, d, id, result) })
			}
		})
	}
}

func newIncoming(t *testing.T, d *door, id identities, r row, column column, want outcome) incoming {
	t.Helper()
	c := incoming{row: r, column: column, want: want, messageID: newMessageID(), url: d.base + endpoint(r.policyName(), column.mtom)}
	dir := t.TempDir()
	c.job = job{
		"op": "sign", "key": c.key, "algorithm": c.algorithm(), "form": c.form, "packaging": "plain",
		"in": filepath.Join(dir, "unsigned.xml"), "out": filepath.Join(dir, "signed"), "url": c.url, "messageid": c.messageID,
	}
	if c.live {
		c.job["op"] = "post"
	}
	if c.mtom && (c.live || c.peer == "WSS4J 4") { // what the peer packs itself; the test packs the rest
		c.job["packaging"] = "mtom"
	}
	write(t, c.job["in"], []byte(unsigned(compact, c.peer, c.form, c.algorithm(), c.url, c.messageID, id.of[c.key])))
	return c
}

// check sends what the peer has signed, if it has not done so itself, and compares what became of it. Of what is
// accepted, a copy that asks for another document and a copy as it is have to be refused.
func (c incoming) check(t *testing.T, d *door, id identities, signed result) {
	var m message
	if c.live {
		got, ok := d.take(c.messageID)
		if !ok {
			t.Fatalf("the message did not reach the operation; the peer says %q", signed.detail)
		}
		c.judge(t, id, got)
		if signed.ok != (c.want.verdict == accepted) {
			t.Errorf("the peer takes the answer otherwise: %q", signed.detail)
		}
		m = got.sent
	} else {
		m = c.read(t, signed)
		c.judge(t, id, d.send(t, c.url, c.messageID, m))
	}
	if c.want.verdict != accepted || c.tier != xua.TierNone { // below tier A the sender is part of the evidence
		return
	}
	if got := d.send(t, c.url, c.messageID, message{m.contentType, tamper(t, m.body)}); !errors.Is(got.err, xmlsec.ErrDigest) {
		t.Errorf("with another document in it: got %v, want %v", got.err, xmlsec.ErrDigest)
	}
	if got := d.send(t, c.url, c.messageID, m); !errors.Is(got.err, wss.ErrReplay) {
		t.Errorf("sent again: got %v, want %v", got.err, wss.ErrReplay)
	}
}

// read returns the message that the peer has signed into a file.
func (c incoming) read(t *testing.T, signed result) message {
	t.Helper()
	if !signed.ok {
		t.Fatalf("the peer cannot sign: %s", signed.detail)
	}
	body, err := os.ReadFile(c.job["out"])
	if err != nil {
		t.Fatal(err)
	}
	if c.mtom && signed.detail == simpleType {
		return pack(t, body)
	}
	return message{signed.detail, body}
}

func (c incoming) judge(t *testing.T, id identities, got entry) {
	t.Helper()
	c.want.judge(t, got.err)
	if got.err != nil {
		return
	}
	if got.caller.Key.ID != id.of[c.key].keyID {
		t.Errorf("the caller is %v, want %v", got.caller.Key.ID, id.of[c.key].keyID)
	}
	tier := c.tier
	if tier == xua.TierNone {
		tier = xua.TierA
	}
	if got.caller.Tier != tier {
		t.Errorf("the evidence is of tier %v, want %v", got.caller.Tier, tier)
	}
	if asserted := strings.HasPrefix(c.form, "saml-"); asserted != (got.caller.Person.NameID == personID) {
		t.Errorf("the person is %+v", got.caller.Person)
	}
}

// personID is the subject of the assertions.
const personID = "7601002469191"

// judge compares how a message was received with how it has to be.
func (o outcome) judge(t *testing.T, err error) {
	t.Helper()
	if o.verdict == accepted {
		if err != nil {
			t.Errorf("refused: %v: %v", err, errors.Unwrap(err))
		}
		return
	}
	var f *soap.Fault
	switch {
	case err == nil:
		t.Errorf("accepted, want %s (%s)", o.subcode, o.why)
	case !errors.As(err, &f) || f.Subcode != (soap.Name{Space: soap.NSSecurity, Local: o.subcode}) || f.Err == nil || !strings.Contains(f.Err.Error(), o.cause):
		t.Errorf("refused by %v: %v, want %s with %q (%s)", err, errors.Unwrap(err), o.subcode, o.cause, o.why)
	}
}
