package main

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"collimate/cmd/collimate/internal/config"
	"collimate/consensus"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/store"
)

// ledgerCommands are what scripts do to a ledger beside the program.
var ledgerCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// grow CONFIG: the organisation's node, alone in its network, makes blocks until it has a snapshot.
	"grow": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(grow(ts.MkAbs(args[0])))
	},
	// spoil CONFIG block|state: changes the last byte of a transaction in a block, or of a study in the state.
	"spoil": func(ts *testscript.TestScript, _ bool, args []string) {
		name, order, part := "blockstore.db", pebble.DefaultComparer, ledger.StudyID(scriptStudy)
		if args[1] == "state" {
			name, order = "ledger.db", store.Comparer
		}
		c, err := config.Load(ts.MkAbs(args[0]), nil)
		ts.Check(err)
		ts.Check(spoil(c.Path(config.LedgerDir, "data", name), order, part[:]))
	},
	// flip FILE OFFSET: changes a bit; an offset below 0 counts from the end.
	"flip": func(ts *testscript.TestScript, _ bool, args []string) {
		b, at := []byte(ts.ReadFile(args[0])), 0
		at, err := strconv.Atoi(args[1])
		ts.Check(err)
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 1
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
	},
	// cut FILE N: takes the last bytes away.
	"cut": func(ts *testscript.TestScript, _ bool, args []string) {
		b := ts.ReadFile(args[0])
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b[:len(b)-n]), 0o600))
	},
}

// scriptStudy is a study that each grown ledger has.
var scriptStudy = [32]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}

func grow(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	g, err := consensus.LoadGenesis(c.Network.Genesis)
	if err != nil {
		return err
	}
	key, err := keystore.Load(c.Organisation.Key)
	if err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := udp.LocalAddr().String()
	udp.Close()
	dir, log := c.Path(config.LedgerDir), slog.New(slog.DiscardHandler)
	s, err := store.Open(consensus.LedgerDir(dir), store.Options{Logger: log})
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := consensus.New(ctx, consensus.Config{Dir: dir, Genesis: g, Listen: listen, Heartbeat: time.Second, SnapshotEvery: 3}, s, log)
	if err != nil {
		return err
	}
	defer e.Stop(ctx)
	if err := e.Start(ctx); err != nil {
		return err
	}
	return history(ctx, e, dir, g, key)
}

// history publishes studies until there is a snapshot.
func history(ctx context.Context, e *consensus.Engine, dir string, g *consensus.Genesis, key crypto.Signer) error {
	id, err := keys.IDOf(key.Public())
	if err != nil {
		return err
	}
	submit := func(body ledger.Body) error {
		raw, err := ledger.Sign(nil, g.ChainID, body, key)
		for err == nil {
			if _, err = e.Submit(ctx, raw); !errors.Is(err, consensus.ErrCatchingUp) {
				return err
			}
			time.Sleep(10 * time.Millisecond) // a poll: it says so itself when it has begun
			err = ctx.Err()
		}
		return err
	}
	source := keys.Source{ID: id}
	proof, err := consensus.SignValidatorProof(dir, ledger.ValidatorProofMessage(g.ChainID, source))
	if err != nil {
		return err
	}
	err = errors.Join(submit(ledger.Bond{Source: source, Units: 10, Sequence: 1}), submit(ledger.DefineSource{
		Endpoints: ledger.Endpoints{ITI43: "https://n.example/iti43"}, ValidatorKey: g.Validators[0].Key, ValidatorProof: proof,
	}))
	for n := byte(0); err == nil; n++ {
		study := scriptStudy
		study[31] = n
		if err = submit(ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: study, Owner: keys.Owner{ID: id}, Kind: ledger.RecordImaging}}}); err != nil {
			break
		}
		if _, noneYet := consensus.ExportArchive(dir, io.Discard); noneYet == nil {
			return nil
		}
	}
	return err
}

// spoil changes the last byte of the first value in a database that holds part, in its key or itself.
func spoil(dir string, order *pebble.Comparer, part []byte) error {
	db, err := pebble.Open(dir, &pebble.Options{Comparer: order, FormatMajorVersion: pebble.FormatTableFormatV6, ErrorIfNotExists: true, Logger: silent{}})
	if err != nil {
		return err
	}
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		key, value := bytes.Clone(it.Key()), bytes.Clone(it.Value())
		at := len(value) - 1
		if !bytes.Contains(key, part) {
			at = bytes.Index(value, part)
		}
		if at >= 0 {
			value[at] ^= 1
			return db.Set(key, value, pebble.Sync)
		}
	}
	return errors.New("nothing holds it")
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
