package ledger_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"collimate/ledger"
)

// TestDuePerBlock: of what is due at once, a block does so much, and the next one goes on. What was done leaves no entry.
func TestDuePerBlock(t *testing.T) {
	w := newWorld(t, "north")
	params := ledger.DefaultParams()
	unbond := func(name string, after time.Duration) {
		w.at.Time = testTime.Add(after)
		p, err := w.snapshot(t).Payer(payer("bank"))
		if err != nil {
			t.Fatal(err)
		}
		w.must(t, "bank", ledger.Unbond{Source: source(name), Units: 1, Sequence: p.Sequence + 1})
	}
	const n = ledger.MaxDuePerBlock + 5
	sequence := uint64(2)
	var txs []*ledger.Transaction
	for i := range n {
		txs = append(txs, unsigned(t, "bank", ledger.Bond{Source: source(fmt.Sprint(i)), Units: 2, Sequence: sequence}))
		sequence++
	}
	w.at.Time = testTime.Add(48 * time.Hour)
	for _, half := range [][]*ledger.Transaction{txs[:900], txs[900:]} { // a day's writes of a payer
		if err := w.block(t, ledger.Observed{}, half...); err != nil {
			t.Fatal(err)
		}
		w.at.Time = w.at.Time.Add(24 * time.Hour)
	}
	start := 96 * time.Hour
	for i := range n {
		unbond(fmt.Sprint(i), start+time.Duration(i)*2*time.Minute)
	}
	free := start + time.Duration(params.UnbondingTime)*time.Second + n*2*time.Minute
	entries := func() (left int) {
		t.Helper()
		err := w.Iterate([]byte{0x0b}, func(key, value []byte) error {
			if !bytes.Equal(value, []byte{0xa0}) {
				t.Errorf("an entry has the value %x, want the empty map", value)
			}
			left++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	w.at.Time = testTime.Add(free)
	for _, want := range []int{n, 5, 0, 0} {
		if got := entries(); got != want {
			t.Fatalf("%d entries are left, want %d", got, want)
		}
		w.block(t, ledger.Observed{})
	}
	p, err := w.snapshot(t).Payer(payer("bank"))
	if err != nil || p.Bonded != 1000+n {
		t.Errorf("got %+v, %v, want %d units in bonds", p, err, 1000+n)
	}
}

// TestObservedOrder: what a block does before its transactions does not depend on the order in which the engine reports.
func TestObservedOrder(t *testing.T) {
	hash := func(order ...string) []byte {
		w := newWorld(t, "north", "east", "west")
		for _, name := range []string{"north", "east", "west"} {
			w.must(t, name, sourceBody(name))
		}
		w.at.Time = testTime.Add(time.Minute)
		w.block(t, ledger.Observed{Equivocated: validatorKeys(order), Absent: validatorKeys(order)})
		return appHash(w.Overlay)
	}
	want := hash("north", "east", "west")
	if got := hash("west", "north", "east", "north", "west"); !bytes.Equal(got, want) {
		t.Error("the order of reports shows in the state")
	}
	if bytes.Equal(hash("north", "east"), want) {
		t.Error("a report does not show in the state")
	}
}
