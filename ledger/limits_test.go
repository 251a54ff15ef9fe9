package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// refusal signs a body and returns the code with which Sign, and so Parse, refuses it.
func refusal(t *testing.T, body ledger.Body) ledger.ErrorCode {
	t.Helper()
	_, err := ledger.Sign(nil, testChain, body, keyOf("north"))
	var syntax *ledger.SyntaxError
	if err != nil && !errors.As(err, &syntax) {
		t.Fatalf("got %v, want a SyntaxError", err)
	}
	return ledger.CodeOf(err)
}

func TestURLs(t *testing.T) {
	fill := func(n int) string { return "https://a/" + strings.Repeat("x", n-len("https://a/")) }
	cases := []struct {
		url  string
		good bool
	}{
		{"https://north.example/xds/repository", true},
		{"https://north.example", true},
		{"https://north.example/", true},
		{"https://127.0.0.1:9443/xds", true},
		{"https://[::1]:9443/xds", true},
		{"https://[2001:db8::1]/xds", true},
		{"https://a:1/", true},
		{"https://a:65535/", true},
		{"https://a/b%2Fc?d=e&f", true},
		{"https://a?b", true},
		{fill(ledger.MaxURLBytes), true},
		{fill(ledger.MaxURLBytes + 1), false},
		{"", false},
		{"http://north.example/xds", false},
		{"HTTPS://north.example/xds", false},
		{"https:///xds", false},
		{"https://", false},
		{"https://:9443/xds", false},
		{"https://a:/xds", false},
		{"https://a:0/xds", false},
		{"https://a:065/xds", false},
		{"https://a:65536/xds", false},
		{"https://a:+1/xds", false},
		{"https://a:1:2/xds", false},
		{"https://user@a/xds", false},
		{"https://user:pass@a/xds", false},
		{"https://a/xds#fragment", false},
		{"https://a/x ds", false},
		{"https://a/x\nds", false},
		{"https://a/x\\ds", false},
		{"https://a/%", false},
		{"https://a/%2", false},
		{"https://a/%2g", false},
		{"https://ü.example/", false},
		{"https://[::1/xds", false},
		{"https://[]/xds", false},
		{"https://[::1]9443/xds", false},
		{"https://[::1%25eth0]/xds", false},
		{"https://a_b/xds", false},
	}
	for _, c := range cases {
		want := ledger.CodeOutOfBounds
		if c.good {
			want = ""
		}
		body := sourceBody("north", 1)
		body.Endpoints.ITI43 = c.url
		if got := refusal(t, body); got != want {
			t.Errorf("ITI-43 at %q: got %q, want %q", c.url, got, want)
		}
		body = sourceBody("north", 1)
		body.Endpoints.Openings = c.url
		if c.url == "" {
			want = "" // openings may be taken in other ways
		}
		if got := refusal(t, body); got != want {
			t.Errorf("openings at %q: got %q, want %q", c.url, got, want)
		}
	}
}

func TestOIDs(t *testing.T) {
	cases := []struct {
		oid  string
		good bool
	}{
		{"1.2", true},
		{"0.39", true},
		{"1.39.1", true},
		{"2.40", true},
		{"2.999.0", true},
		{"2.25.1", true}, // a UUID, of another version than an alias
		{"1.2." + strings.Repeat("1", 60), true},
		{"1.2." + strings.Repeat("1", 61), false},
		{"", false},
		{"1", false},
		{"3.1", false},
		{"1.40", false},
		{"0.100", false},
		{"1.2.03", false},
		{"1..2", false},
		{".1.2", false},
		{"1.2.", false},
		{"1.2.-3", false},
		{"1.2.3a", false},
		{"1.2.3 ", false},
		{idOf("south").Alias(), false},
	}
	for _, c := range cases {
		want := ledger.CodeOutOfBounds
		if c.good {
			want = ""
		}
		body := sourceBody("north", 1)
		body.OIDs = []string{c.oid}
		if got := refusal(t, body); got != want {
			t.Errorf("%q: got %q, want %q", c.oid, got, want)
		}
	}
	for n, want := range map[int]ledger.ErrorCode{ledger.MaxOIDs: "", ledger.MaxOIDs + 1: ledger.CodeOutOfBounds} {
		body := sourceBody("north", 1)
		for i := range n {
			body.OIDs = append(body.OIDs, fmt.Sprintf("1.2.%d", n-i)) // Sign puts them in order
		}
		if got := refusal(t, body); got != want {
			t.Errorf("%d OIDs: got %q, want %q", n, got, want)
		}
	}
}

func TestStudiesPerTx(t *testing.T) {
	for n, want := range map[int]ledger.ErrorCode{
		0: ledger.CodeOutOfBounds, 1: "", ledger.MaxStudiesPerTx: "", ledger.MaxStudiesPerTx + 1: ledger.CodeOutOfBounds,
	} {
		var body ledger.DefineStudy
		for i := range n {
			body.Studies = append(body.Studies, ledger.StudyDefinition{Study: studyOf(fmt.Sprint(i)), Owner: owner("p1")})
		}
		if got := refusal(t, body); got != want {
			t.Errorf("%d studies: got %q, want %q", n, got, want)
		}
		if want != "" {
			continue
		}
		w := newWorld(t, "north")
		w.must(t, "north", sourceBody("north", 1))
		w.must(t, "north", body)
	}
}

func TestRevokeForm(t *testing.T) {
	one := ledger.Commitment(named("c"))
	for _, c := range []struct {
		commitment ledger.Commitment
		all        bool
		want       ledger.ErrorCode
	}{
		{one, false, ""},
		{ledger.Commitment{}, true, ""},
		{one, true, ledger.CodeOutOfBounds},
		{ledger.Commitment{}, false, ledger.CodeOutOfBounds},
	} {
		body := ledger.RevokeAccess{Study: studyOf("s1"), Commitment: c.commitment, All: c.all}
		if got := refusal(t, body); got != c.want {
			t.Errorf("commitment %s, all %v: got %q, want %q", c.commitment, c.all, got, c.want)
		}
	}
}

func TestChainIDs(t *testing.T) {
	for id, good := range map[string]bool{
		"a": true, "Collimate_1.test-2": true, strings.Repeat("a", ledger.MaxChainIDBytes): true,
		"": false, strings.Repeat("a", ledger.MaxChainIDBytes+1): false, "a b": false, "a\x00": false, "ä": false,
	} {
		_, err := ledger.Sign(nil, id, allow(), keyOf("p1"))
		if (err == nil) != good {
			t.Errorf("Sign for chain %q: got %v, want good=%v", id, err, good)
		}
		err = ledger.InitGenesis(ledger.NewOverlay(nil), ledger.Genesis{ChainID: id, Time: testTime, Validators: [][32]byte{{1}}})
		if (err == nil) != good {
			t.Errorf("genesis of chain %q: got %v, want good=%v", id, err, good)
		}
	}
}

func TestGenesis(t *testing.T) {
	many := func(n int) (v [][32]byte) {
		for i := range n {
			v = append(v, named(fmt.Sprint(i)))
		}
		return v
	}
	good := ledger.Genesis{ChainID: testChain, Time: testTime, Validators: many(3)}
	begun := ledger.NewOverlay(nil)
	if err := ledger.InitGenesis(begun, good); err != nil {
		t.Fatal(err)
	}
	hash := begun.AppHash(nil)
	other := func(change func(*ledger.Genesis)) ledger.Genesis {
		g := good
		change(&g)
		return g
	}
	cases := []struct {
		name  string
		state *ledger.Overlay
		g     ledger.Genesis
		want  ledger.ErrorCode
	}{
		{"no validators", ledger.NewOverlay(nil), other(func(g *ledger.Genesis) { g.Validators = nil }), ledger.CodeBadGenesis},
		{"most validators", ledger.NewOverlay(nil), other(func(g *ledger.Genesis) { g.Validators = many(ledger.MaxValidators) }), ""},
		{"too many validators", ledger.NewOverlay(nil), other(func(g *ledger.Genesis) { g.Validators = many(ledger.MaxValidators + 1) }), ledger.CodeBadGenesis},
		{"a validator twice", ledger.NewOverlay(nil), other(func(g *ledger.Genesis) { g.Validators = append(many(2), named("1")) }), ledger.CodeBadGenesis},
		{"again", begun, good, ""},
		{"another chain", begun, other(func(g *ledger.Genesis) { g.ChainID = "another" }), ledger.CodeGenesisDiffers},
		{"another time", begun, other(func(g *ledger.Genesis) { g.Time = g.Time.Add(1) }), ledger.CodeGenesisDiffers},
		{"a validator more", begun, other(func(g *ledger.Genesis) { g.Validators = many(4) }), ledger.CodeGenesisDiffers},
		{"another validator", begun, other(func(g *ledger.Genesis) { g.Validators = append(many(2), named("9")) }), ledger.CodeGenesisDiffers},
	}
	for _, c := range cases {
		if got := ledger.CodeOf(ledger.InitGenesis(c.state, c.g)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if string(begun.AppHash(nil)) != string(hash) {
		t.Error("a repeated genesis changed the state")
	}
	s, err := ledger.NewSnapshot(begun)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[[32]byte]bool{named("1"): true, named("9"): false} {
		if got, err := s.IsValidator(v); err != nil || got != want {
			t.Errorf("IsValidator: got %v, %v, want %v", got, err, want)
		}
	}
	if s.ChainID() != testChain {
		t.Errorf("chain id %q, want %q", s.ChainID(), testChain)
	}
}

func TestBeforeGenesis(t *testing.T) {
	w := &world{ledger.NewOverlay(nil), ledger.Context{Time: testTime}}
	if got := ledger.CodeOf(w.apply(t, signed(t, "north", sourceBody("north", 1)))); got != ledger.CodeNoGenesis {
		t.Errorf("got %q, want %s", got, ledger.CodeNoGenesis)
	}
}

func TestHeightZero(t *testing.T) {
	w := newWorld(t, "north")
	if err := ledger.Apply(w, signed(t, "north", sourceBody("north", 1)), ledger.Context{Time: testTime}); err == nil {
		t.Error("a transaction was applied at height 0, which records take for never")
	}
}

// TestGrantsPerStudy fills a study, as its owner and as its former owner.
func TestGrantsPerStudy(t *testing.T) {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north", 1))
	s1 := studyOf("s1")
	w.must(t, "north", ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: s1, Owner: owner("p1")}}})
	until := testTime.Add(time.Hour).Unix()
	fill := func(by string, epoch uint64, n int) {
		t.Helper()
		for i := range n {
			c := named(by, fmt.Sprint(epoch, i))
			if i%16 == 0 { // tombstones take room as well
				w.must(t, by, ledger.RevokeAccess{Study: s1, Epoch: epoch, Commitment: c})
			} else {
				w.must(t, by, ledger.AllowAccess{Study: s1, Epoch: epoch, Commitment: c, NotAfter: until})
			}
		}
	}
	full := func(by string, epoch uint64) {
		t.Helper()
		for _, body := range []ledger.Body{
			ledger.AllowAccess{Study: s1, Epoch: epoch, Commitment: named("one more"), NotAfter: until},
			ledger.RevokeAccess{Study: s1, Epoch: epoch, Commitment: named("one more")},
		} {
			if got := ledger.CodeOf(w.apply(t, signed(t, by, body))); got != ledger.CodeTooManyGrants {
				t.Errorf("%s when full: got %q, want %s", body.Kind(), got, ledger.CodeTooManyGrants)
			}
		}
	}
	count := func(want int) {
		t.Helper()
		grants, err := w.snapshot(t).Grants(s1)
		if err != nil || len(grants) != want {
			t.Errorf("got %d grants, %v, want %d", len(grants), err, want)
		}
	}
	fill("p1", 0, ledger.MaxGrantsPerStudy)
	full("p1", 0)
	count(ledger.MaxGrantsPerStudy)
	// What is granted can still be revoked when the study is full.
	w.must(t, "p1", ledger.RevokeAccess{Study: s1, Epoch: 0, Commitment: named("p1", fmt.Sprint(0, 1))})

	// The next owner has all the room again: the first grant clears what the former owner left.
	w.must(t, "p1", ledger.TransferStudy{Study: s1, Epoch: 0, NewOwner: owner("p2")})
	count(ledger.MaxGrantsPerStudy)
	fill("p2", 1, 2)
	count(2)
	_, err := w.snapshot(t).Grant(s1, named("p1", fmt.Sprint(0, 2)))
	if !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a cleared grant: got %v, want %v", err, ledger.ErrNotFound)
	}
	r, err := w.snapshot(t).Study(s1)
	if err != nil || r.Grants != 2 || r.Earlier != 0 {
		t.Errorf("got %+v, %v, want 2 grants and none of earlier epochs", r, err)
	}
}

func TestTooManyOpenings(t *testing.T) {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north", 1))
	w.must(t, "north", ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf("s1"), Owner: owner("p1")}}})
	for n, good := range map[int]bool{ledger.MaxGrantsPerStudy: true, ledger.MaxGrantsPerStudy + 1: false} {
		d, err := ledger.Decide(w.snapshot(t), ledger.Access{
			Source: keys.Source{ID: idOf("north")}, Study: studyOf("s1"), Requester: keys.Grantee{ID: idOf("south")},
			Blinds: make([][32]byte, n), Now: testTime, Staleness: time.Second,
		})
		if (err == nil) != good || d.Allowed {
			t.Errorf("%d openings: got %+v, %v", n, d, err)
		}
	}
}
