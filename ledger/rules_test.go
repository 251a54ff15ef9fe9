package ledger_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"collimate/ledger"
)

// TestRules runs the scripts in testdata/rules. Each transaction is a block of its own, and times are seconds after
// the genesis. Parties, studies and keys are names; a transaction answers "ok" or the code of its refusal. What a
// transaction has to repeat of the state (version, sequence, revision, epoch, round) is right by default.
//
//	genesis VALIDATOR... [payers=(NAME:UNITS,...)] [params=(NAME:N,...)] [chain=ID] [time=T] [weak]
//	clock T                                            an empty block at a time, which may have a fraction
//	blocks N                                           empty blocks
//	absent VALIDATOR... [at=T]                         an empty block; they did not sign the one before
//	equivocated VALIDATOR...                           an empty block; they voted twice
//	full STUDY|VALIDATOR FIELD N                       sets a counter of a record, to come near a limit
//	fill STUDY N [epoch=N]                             writes grant records of an epoch
//	due N unbond|recover at=T                          writes entries of what is no more
//	dues                                               shows what is to be done at a time
//	head                                               writes the head record, as a node does
//	replay KIND [first]                                the last (or first) transaction of a kind that stood
//	drift D                                            how far this node's clock is ahead of chain time
//
//	bond PAYER -> SOURCE units=N [sequence=N]
//	unbond PAYER -> SOURCE units=N [sequence=N]
//	set-params PAYER [version=N] [height=N] [params=(NAME:N,...)] [payers=(NAME:UNITS,...)] [sequence=N]
//	define-source KEY [oids=(...)] [validator=NAME] [proof-by=NAME] [host=NAME] [groups=(STUDY,...)]
//	update-source KEY [source=NAME] [version=N] [host=NAME] [peer=PEER] [groups=(STUDY,...)]
//	rotate-key KEY -> KEY [source=NAME] [version=N] [proof-by=KEY] [proof-version=N] [compromised]
//	unjail KEY [source=NAME] [jailing=N]
//	anchor KEY from=T to=T [count=N]
//	define-study KEY STUDY... owner=NAME [kind=N]
//	amend KEY STUDY [revision=N]
//	hold KEY STUDY [revision=N]
//	release KEY STUDY [revision=N]
//	withdraw KEY STUDY [revision=N]
//
//	source NAME     payer NAME     bonds SOURCE     stake SOURCE     validator NAME     params     study STUDY
//	receipts SOURCE     find OID     key NAME                           records, as JSON without what is empty
//	room source|study|others|payer NAME     room member GROUP NAME       Room
//
// The commands of owners, guardians and requesters are in ownerCommands.
func TestRules(t *testing.T) {
	scenarios := map[string]*scenario{}
	datadriven.Walk(t, "testdata/rules", func(t *testing.T, path string) {
		s := &script{sent: map[ledger.Kind][]*ledger.Transaction{}, recorded: &scenario{}}
		datadriven.RunTest(t, path, s.run)
		scenarios[strings.TrimPrefix(path, "testdata/rules/")] = s.recorded
	})
	checkScenarios(t, scenarios)
}

// script is the state of one run.
type script struct {
	*world
	drift    time.Duration
	sent     map[ledger.Kind][]*ledger.Transaction // those that stood
	seen     []seenRevocation
	recorded *scenario
}

// command is one line of a script, taken apart.
type command struct {
	*datadriven.TestData
	t     *testing.T
	words []string // what is neither an option nor an arrow
}

// commands answer the lines of a script.
var commands = map[string]func(*script, *command) string{
	"genesis": (*script).genesis,
	"clock": func(s *script, c *command) string {
		s.at.Time = testTime.Add(c.seconds(c.word(0)))
		return s.empty(c, ledger.Observed{})
	},
	"blocks": func(s *script, c *command) string {
		for range c.number(c.word(0)) {
			s.empty(c, ledger.Observed{})
		}
		return "ok"
	},
	"absent": func(s *script, c *command) string {
		if at := c.option("at", ""); at != "" {
			s.at.Time = testTime.Add(c.seconds(at))
		}
		return s.empty(c, ledger.Observed{Absent: validatorKeys(c.words)})
	},
	"equivocated": func(s *script, c *command) string {
		return s.empty(c, ledger.Observed{Equivocated: validatorKeys(c.words)})
	},
	"full": (*script).full,
	"fill": func(s *script, c *command) string {
		epoch := c.count("epoch", 0)
		for i := range c.number(c.word(1)) {
			commitment := named("fill", strconv.FormatUint(epoch, 10), strconv.FormatInt(i, 10))
			s.put(ledger.KeyGrant(studyOf(c.word(0)), commitment), ledger.Encode(ledger.GrantRecord{Epoch: epoch, Granted: 1}))
		}
		return "ok"
	},
	"due": func(s *script, c *command) string {
		kind, bytes := byte(1), 64
		if c.word(1) == "recover" {
			kind, bytes = 2, 32
		}
		for i := range c.number(c.word(0)) {
			reference := named("due", strconv.FormatInt(i, 10))
			key := binary.BigEndian.AppendUint64([]byte{0x0b, kind}, uint64(c.time("at")))
			s.put(append(key, slices.Repeat(reference[:], bytes/32)...), []byte{0xa0})
		}
		return "ok"
	},
	"dues": (*script).dues,
	"head": func(s *script, c *command) string {
		s.put(ledger.HeadEntry(ledger.Head{Height: s.at.Height, Time: s.at.Time, AppHash: appHash(s.Overlay)}))
		return "ok"
	},
	"replay": (*script).replay,
	"drift": func(s *script, c *command) string {
		s.drift = time.Duration(c.number(c.word(0))) * time.Second
		return "ok"
	},

	"bond": func(s *script, c *command) string {
		return s.send(c, ledger.Bond{Source: source(c.word(1)), Units: c.count("units", 0), Sequence: s.sequence(c)})
	},
	"unbond": func(s *script, c *command) string {
		return s.send(c, ledger.Unbond{Source: source(c.word(1)), Units: c.count("units", 0), Sequence: s.sequence(c)})
	},
	"set-params":    (*script).setParams,
	"define-source": (*script).defineSource,
	"update-source": func(s *script, c *command) string {
		return s.send(c, ledger.UpdateSource{
			Version: s.version(c), Endpoints: endpointsOf(c.option("host", c.word(0))), Peer: c.option("peer", ""),
			EmergencyGroups: studies(c.options("groups")),
		})
	},
	"rotate-key": (*script).rotateKey,
	"unjail": func(s *script, c *command) string {
		stake, _ := s.snapshot(c.t).Stake(source(c.option("source", c.word(0))))
		return s.send(c, ledger.Unjail{Jailing: c.count("jailing", or(stake).Jailings)})
	},
	"anchor": func(s *script, c *command) string {
		return s.send(c, ledger.AnchorReceipts{
			From: int64(c.time("from")), To: int64(c.time("to")), Count: c.count("count", 1), Root: named("receipts"),
		})
	},
	"define-study": func(s *script, c *command) string {
		body := studiesBody(c.option("owner", "nobody"), c.words[1:]...)
		for i := range body.Studies {
			body.Studies[i].Kind = ledger.RecordKind(c.count("kind", 1))
		}
		return s.send(c, body)
	},
	"amend": func(s *script, c *command) string {
		return s.send(c, ledger.AmendStudy{Study: studyOf(c.word(1)), Revision: s.revision(c)})
	},
	"hold": func(s *script, c *command) string {
		return s.send(c, ledger.HoldStudy{Study: studyOf(c.word(1)), Revision: s.revision(c), Held: true})
	},
	"release": func(s *script, c *command) string {
		return s.send(c, ledger.HoldStudy{Study: studyOf(c.word(1)), Revision: s.revision(c)})
	},
	"withdraw": func(s *script, c *command) string {
		return s.send(c, ledger.WithdrawStudy{Study: studyOf(c.word(1)), Revision: s.revision(c)})
	},

	"source":    func(s *script, c *command) string { return show(s.snapshot(c.t).Source(source(c.word(0)))) },
	"payer":     func(s *script, c *command) string { return show(s.snapshot(c.t).Payer(payer(c.word(0)))) },
	"bonds":     func(s *script, c *command) string { return show(s.snapshot(c.t).Bonds(source(c.word(0)))) },
	"stake":     func(s *script, c *command) string { return show(s.snapshot(c.t).Stake(source(c.word(0)))) },
	"validator": func(s *script, c *command) string { return show(s.snapshot(c.t).Validator(validatorKeyOf(c.word(0)))) },
	"params":    func(s *script, c *command) string { return show(s.snapshot(c.t).Params()) },
	"next":      func(s *script, c *command) string { return show(s.snapshot(c.t).NextParams()) },
	"study":     func(s *script, c *command) string { return show(s.snapshot(c.t).Study(studyOf(c.word(0)))) },
	"receipts":  func(s *script, c *command) string { return show(s.snapshot(c.t).Receipts(source(c.word(0)))) },
	"key":       func(s *script, c *command) string { return show(s.snapshot(c.t).SourceOfKey(idOf(c.word(0)))) },
	"find":      func(s *script, c *command) string { return show(s.snapshot(c.t).SourceByOID(resolve(c.word(0)))) },
	"room":      (*script).room,
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	c := &command{TestData: d, t: t}
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 && a.Key != "->" {
			c.words = append(c.words, a.Key)
		}
	}
	for _, name := range c.words { // so that show knows them
		idOf(name)
		studyOf(name)
		validatorKeyOf(name)
	}
	run, ok := commands[d.Cmd]
	if !ok {
		run, ok = ownerCommands[d.Cmd]
	}
	if !ok {
		d.Fatalf(t, "no such command: %s", d.Cmd)
	}
	return run(s, c)
}

func (s *script) genesis(c *command) string {
	g := genesisOf(c.words...)
	g.ChainID = c.option("chain", testChain)
	g.Time = testTime.Add(c.seconds(c.option("time", "0")))
	if c.HasArg("weak") {
		g.Validators = append(g.Validators, [32]byte{}) // a point of order 4
	}
	if c.HasArg("payers") {
		g.Payers = c.payers()
	}
	if c.HasArg("params") {
		params := c.params(ledger.DefaultParams())
		g.Params = &params
	}
	if s.world == nil {
		s.world = &world{ledger.NewOverlay(nil), ledger.Context{Time: testTime}}
	}
	err := ledger.InitGenesis(s, g)
	s.recorded.genesis(g, outcome(err))
	return outcome(err)
}

// empty makes a block without transactions.
func (s *script) empty(c *command, seen ledger.Observed) string {
	s.block(c.t, seen)
	s.recorded.block(s.world, seen, nil, "")
	return "ok"
}

// send signs a body with the key of the first word and makes a block of it. Check must say beforehand what Apply says
// then, and Cost what Room shows afterwards.
func (s *script) send(c *command, body ledger.Body) string {
	c.t.Helper()
	raw, err := ledger.Sign(nil, testChain, body, keyOf(c.word(0)))
	if err != nil {
		return outcome(err)
	}
	tx, err := ledger.Parse(testChain, raw)
	if err != nil {
		c.t.Fatalf("Parse refuses what Sign made: %v", err)
	}
	return s.apply(c, tx)
}

func (s *script) apply(c *command, tx *ledger.Transaction) string {
	c.t.Helper()
	if s.world == nil {
		s.world = &world{ledger.NewOverlay(nil), ledger.Context{Time: testTime}}
	}
	next := ledger.Context{Height: s.at.Height + 1, Time: s.at.Time}
	begun := ledger.NewOverlay(s)
	if err := ledger.BeginBlock(begun, next, ledger.Observed{}); err != nil && ledger.CodeOf(err) != ledger.CodeNoGenesis {
		c.t.Fatal(err)
	}
	checked := ledger.Check(begun, tx, next)
	account, writes, err := ledger.Cost(begun, tx, next)
	if outcome(err) != outcome(checked) {
		c.t.Fatalf("Check says %v, Cost %v", checked, err)
	}
	before := s.roomOf(c, begun, account, next)
	applied := ledger.CodeOf(checked) // before the genesis no block begins
	if applied != ledger.CodeNoGenesis {
		applied = ledger.CodeOf(s.block(c.t, ledger.Observed{}, tx))
	}
	if applied != ledger.CodeOf(checked) {
		c.t.Fatalf("Check says %v, Apply %v", checked, applied)
	}
	after := s.roomOf(c, s, account, next)
	switch {
	case applied == ledger.CodeNoAllowance && before >= writes:
		c.t.Errorf("refused for %d writes, with room for %d", writes, before)
	case applied == "" && writes > 0 && before != after+writes:
		c.t.Errorf("%d writes left room for %d of %d", writes, after, before)
	}
	if applied != ledger.CodeNoGenesis {
		s.recorded.block(s.world, ledger.Observed{}, tx, applied)
	}
	if applied != "" {
		return string(applied)
	}
	s.sent[tx.Body.Kind()] = append(s.sent[tx.Body.Kind()], tx)
	return "ok"
}

func (s *script) roomOf(c *command, r ledger.Reader, a ledger.Account, at ledger.Context) uint64 {
	room, err := ledger.Room(r, a, at)
	if err != nil && ledger.CodeOf(err) != ledger.CodeNoGenesis {
		c.t.Fatal(err)
	}
	return room
}

func (s *script) replay(c *command) string {
	sent := s.sent[ledger.Kind(c.word(0))]
	tx := sent[len(sent)-1]
	if c.HasArg("first") {
		tx = sent[0]
	}
	return s.apply(c, tx)
}

// full changes a record, so that a limit of thousands is reached by one transaction.
func (s *script) full(c *command) string {
	n := uint64(c.number(c.word(2)))
	var key []byte
	var record any
	switch field := c.word(1); field {
	case "grants", "earlier":
		study, err := s.snapshot(c.t).Study(studyOf(c.word(0)))
		if err != nil {
			return err.Error()
		}
		if field == "grants" {
			study.Grants = n
		} else {
			study.Earlier = n
		}
		key, record = ledger.KeyStudy(study.ID), study
	case "absences":
		v, err := s.snapshot(c.t).Validator(validatorKeyOf(c.word(0)))
		if err != nil {
			return err.Error()
		}
		v.Window, v.Absences = c.count("window", 0), n
		key, record = ledger.KeyValidator(v.Key), v
	default:
		c.Fatalf(c.t, "no such counter: %s", field)
	}
	s.put(key, ledger.Encode(record))
	return "ok"
}

// put writes a record as it is.
func (s *script) put(key, value []byte) {
	s.Set(key, value)
	s.recorded.put(key, value)
}

func (s *script) setParams(c *command) string {
	now, err := s.snapshot(c.t).Params()
	if err != nil {
		return outcome(err)
	}
	return s.send(c, ledger.SetParams{
		Version:  c.count("version", now.Version+1),
		Params:   c.params(now.Params),
		Payers:   c.payers(),
		Height:   c.count("height", uint64(s.at.Height)+1+now.Params.ChangeBlocks),
		Sequence: s.sequence(c),
	})
}

func (s *script) defineSource(c *command) string {
	name := c.word(0)
	body := sourceBody(name)
	body.Endpoints = endpointsOf(c.option("host", name))
	for _, oid := range c.options("oids") {
		body.OIDs = append(body.OIDs, resolve(oid))
	}
	validator := c.option("validator", name)
	body.ValidatorKey = validatorKeyOf(validator)
	body.ValidatorProof = proofOf(c.option("proof-by", validator), name)
	body.EmergencyGroups = studies(c.options("groups"))
	return s.send(c, body)
}

func (s *script) rotateKey(c *command) string {
	name, version := source(c.option("source", c.word(0))), s.version(c)
	body, err := ledger.NewRotateKey(nil, testChain, name, c.count("proof-version", version), keyOf(c.word(1)))
	if err != nil {
		c.t.Fatal(err)
	}
	if by := c.option("proof-by", ""); by != "" {
		other, err := ledger.NewRotateKey(nil, testChain, name, version, keyOf(by))
		if err != nil {
			c.t.Fatal(err)
		}
		body.Proof = other.Proof
	}
	if c.word(1) == "off-curve" {
		body.SPKI = ed25519SPKI(offCurve)
	}
	body.Version = version
	body.Compromised = c.HasArg("compromised")
	return s.send(c, body)
}

func (s *script) room(c *command) string {
	var a ledger.Account
	switch c.word(0) {
	case "source":
		a = ledger.Account{Kind: ledger.AccountSource, ID: idOf(c.word(1))}
	case "payer":
		a = ledger.Account{Kind: ledger.AccountPayer, ID: idOf(c.word(1))}
	case "study":
		a = ledger.Account{Kind: ledger.AccountStudy, ID: studyOf(c.word(1))}
	case "others":
		a = ledger.Account{Kind: ledger.AccountOthers, ID: studyOf(c.word(1))}
	case "member":
		a = ledger.Account{Kind: ledger.AccountMember, ID: studyOf(c.word(1)), Member: idOf(c.word(2))}
	}
	return fmt.Sprint(s.roomOf(c, s, a, s.at))
}

// dues shows what is to be done at a time.
func (s *script) dues(c *command) string {
	var lines []string
	err := s.Iterate([]byte{0x0b}, func(key, _ []byte) error {
		at := int64(binary.BigEndian.Uint64(key[2:])) - testTime.Unix()
		line := fmt.Sprintf("T+%d %s", at, map[byte]string{1: "unbond", 2: "recover"}[key[1]])
		for reference := key[10:]; len(reference) > 0; reference = reference[32:] {
			name, _ := nameOf(hex.EncodeToString(reference[:32]))
			line += " " + name
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		return err.Error()
	}
	if lines == nil {
		return "none"
	}
	return strings.Join(lines, "\n")
}

// The defaults for what a transaction repeats of the state.

func (s *script) sequence(c *command) uint64 {
	p, _ := s.snapshot(c.t).Payer(payer(c.word(0)))
	return c.count("sequence", or(p).Sequence+1)
}

func (s *script) version(c *command) uint64 {
	r, _ := s.snapshot(c.t).Source(source(c.option("source", c.word(0))))
	return c.count("version", or(r).Version+1)
}

func (s *script) revision(c *command) uint64 {
	r, _ := s.snapshot(c.t).Study(studyOf(c.word(1)))
	return c.count("revision", or(r).Revision)
}

// or returns a record, an empty one for none.
func or[R any](record *R) R {
	if record == nil {
		record = new(R)
	}
	return *record
}
