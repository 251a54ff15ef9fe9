package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
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
		body := sourceBody("north")
		body.Endpoints.ITI43 = c.url
		if got := refusal(t, body); got != want {
			t.Errorf("ITI-43 at %q: got %q, want %q", c.url, got, want)
		}
		body = sourceBody("north")
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
		body := sourceBody("north")
		body.OIDs = []string{c.oid}
		if got := refusal(t, body); got != want {
			t.Errorf("%q: got %q, want %q", c.oid, got, want)
		}
	}
	for n, want := range map[int]ledger.ErrorCode{ledger.MaxOIDs: "", ledger.MaxOIDs + 1: ledger.CodeOutOfBounds} {
		body := sourceBody("north")
		for i := range n {
			body.OIDs = append(body.OIDs, fmt.Sprintf("1.2.%d", n-i)) // Sign puts them in order
		}
		if got := refusal(t, body); got != want {
			t.Errorf("%d OIDs: got %q, want %q", n, got, want)
		}
	}
}

func TestPeers(t *testing.T) {
	id := "12D3KooWNorth"
	cases := []struct {
		peer string
		good bool
	}{
		{"", true}, // none
		{id + "@north.example:4001", true},
		{id + "@[::1]:4001", true},
		{"1@a:1", true},
		{"z@127.0.0.1:65535", true},
		{strings.Repeat("Q", 64) + "@" + strings.Repeat("a", 253) + ":1", true}, // 320 bytes
		{strings.Repeat("Q", 64) + "@" + strings.Repeat("a", 254) + ":1", false},
		{strings.Repeat("Q", 65) + "@a:1", false},
		{id, false},
		{id + "@", false},
		{id + "@north.example", false},
		{id + "@north.example:", false},
		{id + "@north.example:0", false},
		{id + "@north.example:65536", false},
		{id + "@north.example:4001/tcp", false},
		{id + "@:4001", false},
		{id + "@[::1]", false},
		{id + "@@north.example:4001", false},
		{"@north.example:4001", false},
		{"12D3 @north.example:4001", false},
		{"0@north.example:4001", false}, // 0, O, I and l are not in base 58
		{"O@north.example:4001", false},
		{"I@north.example:4001", false},
		{"l@north.example:4001", false},
		{"north.example:4001", false},
	}
	for _, c := range cases {
		want := ledger.CodeOutOfBounds
		if c.good {
			want = ""
		}
		body := sourceBody("north")
		body.Peer = c.peer
		if got := refusal(t, body); got != want {
			t.Errorf("%q: got %q, want %q", c.peer, got, want)
		}
		update := ledger.UpdateSource{Version: 2, Endpoints: endpointsOf("north"), Peer: c.peer}
		if got := refusal(t, update); got != want {
			t.Errorf("update to %q: got %q, want %q", c.peer, got, want)
		}
	}
}

func TestGroups(t *testing.T) {
	for n, want := range map[int]ledger.ErrorCode{ledger.MaxGroups: "", ledger.MaxGroups + 1: ledger.CodeOutOfBounds} {
		body := sourceBody("north")
		for i := range n {
			body.EmergencyGroups = append(body.EmergencyGroups, ledger.StudyID{byte(n - i)}) // Sign puts them in order
		}
		if got := refusal(t, body); got != want {
			t.Errorf("%d groups: got %q, want %q", n, got, want)
		}
	}
}

func TestPayersPerTx(t *testing.T) {
	for n, want := range map[int]ledger.ErrorCode{ledger.MaxPayers: "", ledger.MaxPayers + 1: ledger.CodeOutOfBounds} {
		body := ledger.SetParams{Version: 2, Params: ledger.DefaultParams(), Height: 1000, Sequence: 1}
		for i := range n {
			body.Payers = append(body.Payers, ledger.PayerUnits{Payer: payer(fmt.Sprint(n - i)), Units: ledger.MaxUnits})
		}
		if got := refusal(t, body); got != want {
			t.Errorf("%d payers: got %q, want %q", n, got, want)
		}
	}
	for units, want := range map[uint64]ledger.ErrorCode{0: ledger.CodeOutOfBounds, 1: "", ledger.MaxUnits: "", ledger.MaxUnits + 1: ledger.CodeOutOfBounds} {
		for _, body := range []ledger.Body{
			ledger.Bond{Source: source("north"), Units: units, Sequence: 1},
			ledger.Unbond{Source: source("north"), Units: units, Sequence: 1},
		} {
			if got := refusal(t, body); got != want {
				t.Errorf("%s of %d units: got %q, want %q", body.Kind(), units, got, want)
			}
		}
	}
}

func TestStudiesPerTx(t *testing.T) {
	for n, want := range map[int]ledger.ErrorCode{
		0: ledger.CodeOutOfBounds, 1: "", ledger.MaxStudiesPerTx: "", ledger.MaxStudiesPerTx + 1: ledger.CodeOutOfBounds,
	} {
		var body ledger.DefineStudy
		for i := range n {
			body.Studies = append(body.Studies, ledger.StudyDefinition{Study: studyOf(fmt.Sprint(i)), Owner: owner("p1"), Kind: ledger.RecordImaging})
		}
		if got := refusal(t, body); got != want {
			t.Errorf("%d studies: got %q, want %q", n, got, want)
		}
		if want != "" {
			continue
		}
		w := newWorld(t, "north")
		w.must(t, "north", sourceBody("north"))
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
		g := genesisOf("north")
		g.ChainID = id
		err = ledger.InitGenesis(ledger.NewOverlay(nil), g)
		if (err == nil) != good {
			t.Errorf("genesis of chain %q: got %v, want good=%v", id, err, good)
		}
	}
}

// TestGenesis: what can be a genesis is in the scripts; here are both sides of its limits, and what it leaves.
func TestGenesis(t *testing.T) {
	validators := func(n int) (v [][32]byte) {
		for i := range n {
			v = append(v, named(fmt.Sprint(i)))
		}
		return v
	}
	payers := func(n int) (p []ledger.PayerUnits) {
		for i := range n {
			p = append(p, ledger.PayerUnits{Payer: payer(fmt.Sprint(i)), Units: ledger.MaxUnits})
		}
		return p
	}
	good := ledger.Genesis{ChainID: testChain, Time: testTime, Validators: validators(3), Payers: payers(2)}
	for name, c := range map[string]struct {
		change func(*ledger.Genesis)
		good   bool
	}{
		"as it is":             {func(*ledger.Genesis) {}, true},
		"no validators":        {func(g *ledger.Genesis) { g.Validators = nil }, false},
		"most validators":      {func(g *ledger.Genesis) { g.Validators = validators(ledger.MaxValidators) }, true},
		"too many validators":  {func(g *ledger.Genesis) { g.Validators = validators(ledger.MaxValidators + 1) }, false},
		"an unsound validator": {func(g *ledger.Genesis) { g.Validators = [][32]byte{{}} }, false},
		"no payers":            {func(g *ledger.Genesis) { g.Payers = nil }, false},
		"most payers":          {func(g *ledger.Genesis) { g.Payers = payers(ledger.MaxPayers) }, true},
		"too many payers":      {func(g *ledger.Genesis) { g.Payers = payers(ledger.MaxPayers + 1) }, false},
		"a payer twice":        {func(g *ledger.Genesis) { g.Payers = append(payers(2), payers(1)...) }, false},
		"a payer without key":  {func(g *ledger.Genesis) { g.Payers[0].Payer = keys.Payer{} }, false},
		"no units":             {func(g *ledger.Genesis) { g.Payers[0].Units = 0 }, false},
		"too many units":       {func(g *ledger.Genesis) { g.Payers[0].Units = ledger.MaxUnits + 1 }, false},
		"1970":                 {func(g *ledger.Genesis) { g.Time = time.Unix(0, 0) }, true},
		"before 1970":          {func(g *ledger.Genesis) { g.Time = time.Unix(0, -1) }, false},
		"far away":             {func(g *ledger.Genesis) { g.Time = time.Unix(0, 1<<62) }, true},
		"too far away":         {func(g *ledger.Genesis) { g.Time = time.Unix(0, 1<<62+1) }, false},
		"the zero time":        {func(g *ledger.Genesis) { g.Time = time.Time{} }, false},
	} {
		g := good
		g.Payers = payers(2)
		c.change(&g)
		state := ledger.NewOverlay(nil)
		err := ledger.InitGenesis(state, g)
		if (err == nil) != c.good || err != nil && ledger.CodeOf(err) != ledger.CodeBadGenesis {
			t.Errorf("%s: got %v, want good=%v", name, err, c.good)
		}
		if err != nil && !bytes.Equal(appHash(state), appHash(ledger.NewOverlay(nil))) {
			t.Errorf("%s: what was refused left a write", name)
		}
	}
	begun := ledger.NewOverlay(nil)
	if err := ledger.InitGenesis(begun, good); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]ledger.Genesis{
		"a validator more":  {ChainID: testChain, Time: testTime, Validators: validators(4), Payers: payers(2)},
		"a validator less":  {ChainID: testChain, Time: testTime, Validators: validators(2), Payers: payers(2)},
		"another validator": {ChainID: testChain, Time: testTime, Validators: append(validators(2), named("9")), Payers: payers(2)},
		"a payer less":      {ChainID: testChain, Time: testTime, Validators: validators(3), Payers: payers(1)},
		"another payer":     {ChainID: testChain, Time: testTime, Validators: validators(3), Payers: payers(3)[1:]},
		"other params":      {ChainID: testChain, Time: testTime, Validators: validators(3), Payers: payers(2), Params: &otherParams},
	} {
		if err := ledger.InitGenesis(begun, other); ledger.CodeOf(err) != ledger.CodeGenesisDiffers {
			t.Errorf("%s: got %v, want %s", name, err, ledger.CodeGenesisDiffers)
		}
	}
	hash := appHash(begun)
	if err := ledger.InitGenesis(begun, good); err != nil || !bytes.Equal(appHash(begun), hash) {
		t.Errorf("the same genesis again: %v", err)
	}
	s, err := ledger.NewSnapshot(begun)
	if err != nil {
		t.Fatal(err)
	}
	if s.ChainID() != testChain {
		t.Errorf("chain id %q, want %q", s.ChainID(), testChain)
	}
	if p, err := s.Params(); err != nil || p.Version != 1 || p.Params != ledger.DefaultParams() {
		t.Errorf("got params %+v, %v", p, err)
	}
	if _, err := s.Validator(named("1")); err != nil {
		t.Errorf("a validator of the genesis: %v", err)
	}
	if _, err := s.Validator(named("9")); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a validator that is none: %v", err)
	}
}

var otherParams = func() ledger.Params {
	p := ledger.DefaultParams()
	p.SavedDays++
	return p
}()

// TestParams: both sides of each limit.
func TestParams(t *testing.T) {
	good := ledger.DefaultParams()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for i, limit := range [][2]uint64{ // ledger-spec 4.3
		{1, 1_000_000}, {1, 366}, {1, 1_000_000}, {2, 10_000}, {1, 1_000_000}, {1, 315_360_000}, {1, 31_536_000}, {1, 31_536_000},
		{1, 604_800}, {1, 1_000_000}, {1, 3600}, {60, 31_536_000}, {1, 1_000_000}, {1, 31_536_000}, {0, 1000}, {1, 1_000_000},
	} {
		for n, want := range map[uint64]ledger.ErrorCode{
			limit[0] - 1: ledger.CodeOutOfBounds, limit[0]: "", limit[1]: "", limit[1] + 1: ledger.CodeOutOfBounds,
		} {
			p := good
			reflect.ValueOf(&p).Elem().Field(i).SetUint(n)
			if got := ledger.CodeOf(p.Validate()); got != want {
				t.Errorf("field %d is %d: got %q, want %q", i+1, n, got, want)
			}
		}
	}
}

func TestBeforeGenesis(t *testing.T) {
	w := ledger.NewOverlay(nil)
	at := ledger.Context{Height: 1, Time: testTime}
	if got := ledger.CodeOf(ledger.Apply(w, signed(t, "north", sourceBody("north")), at)); got != ledger.CodeNoGenesis {
		t.Errorf("got %q, want %s", got, ledger.CodeNoGenesis)
	}
	if got := ledger.CodeOf(ledger.BeginBlock(w, at, ledger.Observed{})); got != ledger.CodeNoGenesis {
		t.Errorf("BeginBlock: got %q, want %s", got, ledger.CodeNoGenesis)
	}
}

func TestHeightZero(t *testing.T) {
	w := newWorld(t, "north")
	if err := ledger.Apply(w, signed(t, "north", sourceBody("north")), ledger.Context{Time: testTime}); err == nil {
		t.Error("a transaction was applied at height 0, which records take for never")
	}
}

// TestGrantsPerStudy fills a study, as its owner and as its former owner.
func TestGrantsPerStudy(t *testing.T) {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north"))
	s1 := studyOf("s1")
	w.must(t, "north", studiesBody("p1", "s1"))
	until := testTime.Add(time.Hour).Unix()
	fill := func(by string, epoch uint64, n int) {
		t.Helper()
		for i := range n {
			c := named(by, fmt.Sprint(epoch, i))
			if i%16 == 0 { // tombstones take room as well
				w.must(t, by, ledger.RevokeAccess{Study: s1, Epoch: epoch, Commitment: c})
			} else {
				w.must(t, by, ledger.AllowAccess{Study: s1, Epoch: epoch, Commitment: c, NotAfter: until, Scope: ledger.ScopeAll})
			}
		}
	}
	full := func(by string, epoch uint64) {
		t.Helper()
		for _, body := range []ledger.Body{
			ledger.AllowAccess{Study: s1, Epoch: epoch, Commitment: named("one more"), NotAfter: until, Scope: ledger.ScopeAll},
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

	// The next owner has all the room again: the first grant clears some of what the former owner left.
	w.must(t, "p1", ledger.TransferStudy{Study: s1, Epoch: 0, NewOwner: owner("p2")})
	count(ledger.MaxGrantsPerStudy)
	fill("p2", 1, 2)
	left := ledger.MaxGrantsPerStudy - ledger.MaxCleared
	count(left + 2)
	study := func(grants, earlier int) {
		t.Helper()
		r, err := w.snapshot(t).Study(s1)
		if err != nil || r.Grants != uint64(grants) || r.Earlier != uint64(earlier) {
			t.Errorf("got %+v, %v, want %d grants and %d of earlier epochs", r, err, grants, earlier)
		}
	}
	study(2, left)
	w.must(t, "p2", ledger.RevokeAccess{Study: s1, Epoch: 1, All: true})
	fill("p2", 2, ledger.MaxCleared)
	w.must(t, "p2", ledger.RevokeAccess{Study: s1, Epoch: 2, All: true})
	study(0, ledger.MaxGrantsPerStudy+2)
	fill("p2", 3, 1)
	study(1, ledger.MaxGrantsPerStudy+2-ledger.MaxCleared)
	grants, err := w.snapshot(t).Grants(s1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(grants); n != ledger.MaxGrantsPerStudy+3-ledger.MaxCleared {
		t.Errorf("the state holds %d grants", n)
	}
}

func TestTooManyOpenings(t *testing.T) {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north"))
	w.must(t, "north", studiesBody("p1", "s1"))
	for n, good := range map[int]bool{ledger.MaxGrantsPerStudy: true, ledger.MaxGrantsPerStudy + 1: false} {
		d, err := ledger.Decide(w.snapshot(t), ledger.Access{
			Source: keys.Source{ID: idOf("north")}, Study: studyOf("s1"), Requester: keys.Grantee{ID: idOf("south")},
			Openings: make([]ledger.Opening, n), Scope: ledger.ScopeImages, Now: testTime, Staleness: time.Second,
		})
		if (err == nil) != good || d.Allowed {
			t.Errorf("%d openings: got %+v, %v", n, d, err)
		}
	}
}
