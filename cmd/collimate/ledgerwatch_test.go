package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// TestLedgerWatch follows a study through the command: what came before, and what happens meanwhile.
func TestLedgerWatch(t *testing.T) {
	w := newLedgerWorld(t, "payer", "north", "patient")
	w.run("payer bond 100 --source $north --key FILE:payer.key")
	w.define("north")
	owner := keys.Owner{ID: w.keys["patient"]}
	study := func(n byte) ledger.StudyID {
		id := ledger.StudyID{n}
		w.submit(ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: id, Owner: owner, Kind: ledger.RecordImaging}}}, "north")
		return id
	}
	mine, other := study(1), study(2)
	allow := func(id ledger.StudyID, n byte) {
		w.submit(ledger.AllowAccess{Study: id, Commitment: ledger.Commitment{n}, NotAfter: time.Now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll}, "patient")
	}
	allow(mine, 1)

	ctx, enough := context.WithTimeout(t.Context(), 20*time.Second)
	defer enough()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		a := &app{stdout: in, stderr: io.Discard}
		root := a.root()
		root.SetArgs([]string{"ledger", "watch", "--study", mine.String(), "--since", "1", "--node", w.node.URL()})
		err := root.ExecuteContext(ctx)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	// Each line is a block or an event; a block is told after what happened in it.
	type line struct {
		Study  *ledger.StudyID `json:"study"`
		Kind   string          `json:"kind"`
		Height int64           `json:"height"`
	}
	lines := bufio.NewScanner(out)
	next := func() (l line) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the lines end: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Height == 0 {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		return l
	}
	event := func() line {
		t.Helper()
		for {
			if l := next(); l.Study != nil {
				return l
			}
		}
	}
	first := event()
	if *first.Study != mine || first.Kind != string(ledger.KindAllowAccess) {
		t.Errorf("got %+v first, want the grant of before", first)
	}
	allow(other, 2)
	allow(mine, 3)
	grant := event()
	if *grant.Study != mine || grant.Kind != string(ledger.KindAllowAccess) || grant.Height <= first.Height {
		t.Errorf("got %+v, want the next grant", grant)
	}
	if block := next(); block.Study != nil || block.Height != grant.Height {
		t.Errorf("got %+v, want block %d", block, grant.Height)
	}
	enough()
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if err := <-ended; err != nil {
		t.Errorf("whoever has seen enough: %v", err)
	}

	var usage usageError
	if _, err := w.try("ledger watch --study 12"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--study") {
		t.Errorf("no study: got %v", err)
	}
	if _, err := w.try("ledger watch --since -1"); !errors.As(err, &usage) {
		t.Errorf("no height: got %v", err)
	}
	var refused *client.Error
	if _, err := w.try("ledger watch" + strings.Repeat(" --study "+mine.String(), 100)); !errors.As(err, &refused) {
		t.Errorf("too many studies: got %v", err)
	}
}
