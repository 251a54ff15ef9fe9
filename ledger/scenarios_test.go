package ledger_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/vectortest"
)

// The scripts leave a trace in testdata/vectors/rules.json, in which any program can follow them without knowing the
// scripts' language: what happens, step by step, and the app hash after each block.
type (
	scenario struct {
		Name  string `json:"name"`
		Steps []step `json:"steps"`
	}
	// step is one of its fields.
	step struct {
		Genesis *genesisStep `json:"genesis,omitempty"`
		// Put is written into the state as it is, to come near a limit that would take thousands of transactions.
		Put    *putStep    `json:"put,omitempty"`
		Block  *blockStep  `json:"block,omitempty"`
		Decide *decideStep `json:"decide,omitempty"`
	}
	genesisStep struct {
		ChainID    string              `json:"chain_id"`
		Time       int64               `json:"time_ns,string"` // beyond what JavaScript's numbers hold
		Validators []hexBytes          `json:"validators"`
		Payers     []ledger.PayerUnits `json:"payers"`
		Params     *ledger.Params      `json:"params"` // null: the default ones
		Result     string              `json:"result"` // "" or a code
	}
	putStep struct {
		Key   hexBytes `json:"key"`
		Value hexBytes `json:"value"`
	}
	blockStep struct {
		Height       int64      `json:"height"`
		Time         int64      `json:"time_ns,string"`
		Equivocated  []hexBytes `json:"equivocated"`
		Absent       []hexBytes `json:"absent"`
		Transactions []hexBytes `json:"transactions"`
		Results      []string   `json:"results"` // of each transaction, "" or a code
		AppHash      hexBytes   `json:"app_hash"`
	}
	decideStep struct {
		Source     keys.Source      `json:"source"`
		Study      ledger.StudyID   `json:"study"`
		Requester  keys.Grantee     `json:"requester"`
		Openings   []openingVector  `json:"openings"`
		Scope      ledger.Scope     `json:"scope"`
		Tier       ledger.Tier      `json:"tier"`
		Seen       []seenRevocation `json:"seen"` // revocations that are not final
		Now        int64            `json:"now_ns,string"`
		Staleness  int64            `json:"staleness_ns,string"`
		Allowed    bool             `json:"allowed"`
		Reason     ledger.Reason    `json:"reason"`
		Height     int64            `json:"height"`
		Commitment hexBytes         `json:"commitment"` // of the grant that decided, zeros if none
		Group      hexBytes         `json:"group"`      // by way of which it did, zeros if none
		Keys       []hexBytes       `json:"keys"`       // of the state that the decision rests on
	}
	openingVector struct {
		Blind      hexBytes `json:"blind"`
		Group      hexBytes `json:"group"`      // zeros: the grant is to the requester
		Membership hexBytes `json:"membership"` // zeros: the grant is to the requester
	}
)

func (s *scenario) genesis(g ledger.Genesis, result string) {
	step := &genesisStep{ChainID: g.ChainID, Time: g.Time.UnixNano(), Payers: g.Payers, Params: g.Params, Result: code(result)}
	for _, v := range g.Validators {
		step.Validators = append(step.Validators, v[:])
	}
	s.add(step)
}

// code is what a result is in the vectors: "" for success.
func code(result string) string {
	if result == "ok" {
		return ""
	}
	return result
}

func (s *scenario) put(key, value []byte) { s.add(&putStep{key, value}) }

// block records the last block of a world.
func (s *scenario) block(w *world, seen ledger.Observed, tx *ledger.Transaction, result ledger.ErrorCode) {
	b := &blockStep{Height: w.at.Height, Time: w.at.Time.UnixNano(), AppHash: appHash(w.Overlay)}
	for _, v := range seen.Equivocated {
		b.Equivocated = append(b.Equivocated, v[:])
	}
	for _, v := range seen.Absent {
		b.Absent = append(b.Absent, v[:])
	}
	if tx != nil {
		b.Transactions, b.Results = []hexBytes{tx.Raw}, []string{string(result)}
	}
	s.add(b)
}

// decide records a question and its answer. The functions of a are those of seen.
func (s *scenario) decide(a ledger.Access, seen []seenRevocation, d ledger.Decision) {
	q := &decideStep{
		Source: a.Source, Study: a.Study, Requester: a.Requester, Scope: a.Scope, Tier: a.Tier,
		Seen: slices.Clone(seen), Now: a.Now.UnixNano(), Staleness: int64(a.Staleness),
		Allowed: d.Allowed, Reason: d.Reason, Height: d.Height, Commitment: d.Commitment[:], Group: d.Group[:],
	}
	for _, o := range a.Openings {
		q.Openings = append(q.Openings, openingVector{o.Blind[:], o.Group[:], o.Membership[:]})
	}
	for _, k := range d.Keys {
		q.Keys = append(q.Keys, k)
	}
	s.add(q)
}

func (s *scenario) add(what any) {
	var e step
	switch what := what.(type) {
	case *genesisStep:
		e.Genesis = what
	case *putStep:
		e.Put = what
	case *blockStep:
		e.Block = what
	case *decideStep:
		e.Decide = what
	}
	s.Steps = append(s.Steps, e)
}

// revokedIn returns what Access asks of a node that has seen some revocations.
func revokedIn(seen []seenRevocation) (one func(ledger.StudyID, ledger.Commitment) bool, all func(ledger.StudyID, uint64) bool) {
	one = func(id ledger.StudyID, c ledger.Commitment) bool {
		return slices.Contains(seen, seenRevocation{Study: id, Commitment: c})
	}
	all = func(id ledger.StudyID, epoch uint64) bool {
		return slices.Contains(seen, seenRevocation{Study: id, All: true, Epoch: epoch})
	}
	return one, all
}

const scenariosFile = "rules.json"

// checkScenarios compares what the scripts did with rules.json, which -update writes anew.
func checkScenarios(t *testing.T, scenarios map[string]*scenario) {
	t.Helper()
	var all []scenario
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		scenarios[name].Name = name
		all = append(all, *scenarios[name])
	}
	want := vectors(t, scenariosFile, func() []scenario { return all })
	if len(want) != len(all) {
		t.Errorf("%d scripts, %d scenarios", len(all), len(want))
	}
	for i := range min(len(want), len(all)) {
		if got := again(t, all[i]); !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%s is another in %s: if it should be, run with -update", got.Name, scenariosFile)
		}
	}
}

// again returns a scenario as it comes out of the file.
func again(t *testing.T, s scenario) (out scenario) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func readScenarios(t *testing.T) []scenario {
	t.Helper()
	return vectortest.Read[scenario](t, filepath.Join("testdata", "vectors", scenariosFile), false, nil)
}

// TestScenarios replays rules.json, as any other program would.
func TestScenarios(t *testing.T) {
	for _, s := range readScenarios(t) {
		t.Run(s.Name, func(t *testing.T) {
			w := &world{Overlay: ledger.NewOverlay(nil)}
			var chainID string
			for i, step := range s.Steps {
				switch {
				case step.Genesis != nil:
					if chainID == "" {
						chainID = step.Genesis.ChainID
					}
					replayGenesis(t, w, step.Genesis)
				case step.Put != nil:
					w.Set(step.Put.Key, step.Put.Value)
				case step.Block != nil:
					replayBlock(t, w, chainID, step.Block)
				case step.Decide != nil:
					replayDecide(t, w, step.Decide)
				}
				if t.Failed() {
					t.Fatalf("at step %d", i)
				}
			}
		})
	}
}

func replayGenesis(t *testing.T, w *world, g *genesisStep) {
	t.Helper()
	in := ledger.Genesis{ChainID: g.ChainID, Time: time.Unix(0, g.Time), Payers: g.Payers, Params: g.Params}
	for _, v := range g.Validators {
		in.Validators = append(in.Validators, [32]byte(v))
	}
	if got := code(outcome(ledger.InitGenesis(w, in))); got != g.Result {
		t.Errorf("genesis: got %q, want %q", got, g.Result)
	}
}

func replayBlock(t *testing.T, w *world, chainID string, b *blockStep) {
	t.Helper()
	w.at = ledger.Context{Height: b.Height - 1, Time: time.Unix(0, b.Time)}
	var seen ledger.Observed
	for _, v := range b.Equivocated {
		seen.Equivocated = append(seen.Equivocated, ledger.ValidatorKey(v))
	}
	for _, v := range b.Absent {
		seen.Absent = append(seen.Absent, ledger.ValidatorKey(v))
	}
	if len(b.Results) != len(b.Transactions) {
		t.Fatalf("%d transactions with %d results", len(b.Transactions), len(b.Results))
	}
	var txs []*ledger.Transaction
	for _, raw := range b.Transactions {
		tx, err := ledger.Parse(chainID, raw)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	refused := w.block(t, seen, txs...)
	if len(b.Results) > 0 {
		if got := string(ledger.CodeOf(refused)); got != b.Results[len(b.Results)-1] {
			t.Errorf("block %d: got %v, want %q", b.Height, refused, b.Results)
		}
	}
	equal(t, "app hash after block "+strconv.FormatInt(b.Height, 10), appHash(w.Overlay), b.AppHash)
}

func replayDecide(t *testing.T, w *world, q *decideStep) {
	t.Helper()
	a := ledger.Access{
		Source: q.Source, Study: q.Study, Requester: q.Requester, Scope: q.Scope, Tier: q.Tier,
		Now: time.Unix(0, q.Now), Staleness: time.Duration(q.Staleness),
	}
	a.Revoked, a.RevokedAll = revokedIn(q.Seen)
	for _, o := range q.Openings {
		a.Openings = append(a.Openings, ledger.Opening{
			Blind: [32]byte(o.Blind), Group: ledger.StudyID(o.Group), Membership: [32]byte(o.Membership),
		})
	}
	d, err := ledger.Decide(w.snapshot(t), a)
	if err != nil {
		t.Fatal(err)
	}
	if d.Allowed != q.Allowed || d.Reason != q.Reason || d.Height != q.Height {
		t.Errorf("got %+v, want %s at %d", d, q.Reason, q.Height)
	}
	equal(t, "commitment", d.Commitment[:], q.Commitment)
	equal(t, "group", d.Group[:], q.Group)
	if !slices.EqualFunc(d.Keys, q.Keys, func(a []byte, b hexBytes) bool { return bytes.Equal(a, b) }) {
		t.Errorf("the decision rests on %x, want %x", d.Keys, q.Keys)
	}
}
