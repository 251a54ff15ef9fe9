package ledger_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"collimate/keys"
	"collimate/ledger"
)

// TestRules runs the scripts in testdata/rules. Each command is a block of its own, and times are seconds after
// the genesis. Parties, studies and keys are names; a transaction answers "ok" or the code of its refusal.
//
//	genesis NAME...                                    the validators
//	define-source NAME [version=N] [oids=(...)] [validator=NAME] [proof-by=NAME] [host=NAME]
//	define-study SOURCE STUDY... owner=NAME
//	transfer STUDY OWNER -> OWNER                      \
//	grant OWNER STUDY -> GRANTEE until=T [blind=WORD]   > [epoch=N], the present one by default
//	revoke OWNER STUDY GRANTEE|all [blind=WORD]        /
//	seen STUDY GRANTEE|all [epoch=N] [blind=WORD]      a revocation that is not final
//	clock T                                            chain time and this node's clock
//	drift D                                            how far this node's clock is ahead of chain time
//	decide REQUESTER STUDY [source=NAME] [blinds=(...)] [unopened]
//	study STUDY                                        its record
//	replay KIND [first]                                the last (or first) transaction of a kind that stood
//	find OID                                           SourceByOID
func TestRules(t *testing.T) {
	datadriven.Walk(t, "testdata/rules", func(t *testing.T, path string) {
		s := &script{seen: map[string]bool{}, sent: map[ledger.Kind][]*ledger.Transaction{}}
		datadriven.RunTest(t, path, s.run)
	})
}

// script is the state of one run.
type script struct {
	*world
	drift time.Duration
	seen  map[string]bool
	sent  map[ledger.Kind][]*ledger.Transaction // those that stood
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	var words []string
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 && a.Key != "->" {
			words = append(words, a.Key)
		}
	}
	word := func(i int) string {
		if i >= len(words) {
			d.Fatalf(t, "%s needs more words", d.Cmd)
		}
		return words[i]
	}
	switch d.Cmd {
	case "genesis":
		s.world = newWorld(t, words...)
		return "ok"
	case "define-source":
		return s.send(t, word(0), s.source(t, d, word(0)))
	case "define-study":
		var body ledger.DefineStudy
		for _, name := range words[1:] {
			body.Studies = append(body.Studies, ledger.StudyDefinition{Study: studyOf(name), Owner: owner(arg(d, "owner", "nobody"))})
		}
		return s.send(t, word(0), body)
	case "transfer":
		return s.send(t, word(1), ledger.TransferStudy{Study: studyOf(word(0)), Epoch: s.epoch(t, d, word(0)), NewOwner: owner(word(2))})
	case "grant":
		until := testTime.Unix() + number(t, arg(d, "until", "0"))
		return s.send(t, word(0), ledger.AllowAccess{Study: studyOf(word(1)), Epoch: s.epoch(t, d, word(1)), Commitment: commitment(d, word(2), word(1)), NotAfter: until})
	case "revoke":
		body := ledger.RevokeAccess{Study: studyOf(word(1)), Epoch: s.epoch(t, d, word(1)), All: word(2) == "all"}
		if !body.All {
			body.Commitment = commitment(d, word(2), word(1))
		}
		return s.send(t, word(0), body)
	case "replay":
		sent := s.sent[ledger.Kind(word(0))]
		tx := sent[len(sent)-1]
		if d.HasArg("first") {
			tx = sent[0]
		}
		return outcome(s.apply(t, tx))
	case "seen":
		if word(1) == "all" {
			s.seen[fmt.Sprint(studyOf(word(0)), s.epoch(t, d, word(0)))] = true
		} else {
			s.seen[fmt.Sprint(studyOf(word(0)), commitment(d, word(1), word(0)))] = true
		}
		return "ok"
	case "clock":
		s.at.Time = testTime.Add(time.Duration(number(t, word(0))) * time.Second)
		s.writeHead(t)
		return "ok"
	case "drift":
		s.drift = time.Duration(number(t, word(0))) * time.Second
		return "ok"
	case "decide":
		return s.decide(t, d, word(0), word(1))
	case "study":
		r, err := s.snapshot(t).Study(studyOf(word(0)))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("epoch %d, owner since %d, grants %d, earlier %d, defined at %d, changed at %d",
			r.Epoch, r.OwnerSince, r.Grants, r.Earlier, r.DefinedAt, r.ChangedAt)
	case "find":
		r, err := s.snapshot(t).SourceByOID(resolve(word(0)))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("version %d, %s, OIDs %v, defined at %d, updated at %d", r.Version, r.Endpoints.ITI43, r.OIDs, r.DefinedAt, r.UpdatedAt)
	}
	d.Fatalf(t, "no such command: %s", d.Cmd)
	return ""
}

// send signs and applies a body. Check must say beforehand what Apply says then.
func (s *script) send(t *testing.T, by string, body ledger.Body) string {
	raw, err := ledger.Sign(nil, testChain, body, keyOf(by))
	if err != nil {
		return outcome(err)
	}
	tx, err := ledger.Parse(testChain, raw)
	if err != nil {
		t.Fatalf("Parse refuses what Sign made: %v", err)
	}
	checked := ledger.Check(s, tx, ledger.Context{Height: s.at.Height + 1, Time: s.at.Time})
	applied := s.apply(t, tx)
	if outcome(checked) != outcome(applied) {
		t.Fatalf("Check says %v, Apply %v", checked, applied)
	}
	if applied == nil {
		s.sent[body.Kind()] = append(s.sent[body.Kind()], tx)
	}
	return outcome(applied)
}

func (s *script) source(t *testing.T, d *datadriven.TestData, name string) ledger.DefineSource {
	body := sourceBody(name, uint64(number(t, arg(d, "version", "1"))))
	body.Endpoints.ITI43 = "https://" + arg(d, "host", name+".example") + "/xds/repository"
	if oids, ok := d.Arg("oids"); ok {
		for _, oid := range oids.Vals {
			body.OIDs = append(body.OIDs, resolve(oid))
		}
	}
	validator := arg(d, "validator", name)
	body.ValidatorKey = validatorKeyOf(validator)
	body.ValidatorProof = proofOf(arg(d, "proof-by", validator), name)
	return body
}

func (s *script) decide(t *testing.T, d *datadriven.TestData, requester, study string) string {
	grantee := keys.Grantee{}
	if requester != "nobody" {
		grantee.ID = idOf(requester)
	}
	blinds := [][32]byte{named("blind", "")}
	if d.HasArg("unopened") {
		blinds = nil
	}
	if a, ok := d.Arg("blinds"); ok {
		blinds = nil
		for _, b := range a.Vals {
			blinds = append(blinds, named("blind", b))
		}
	}
	snap := s.snapshot(t)
	got, err := ledger.Decide(snap, ledger.Access{
		Source:     keys.Source{ID: idOf(arg(d, "source", "north"))},
		Study:      studyOf(study),
		Requester:  grantee,
		Blinds:     blinds,
		Revoked:    func(id ledger.StudyID, c ledger.Commitment) bool { return s.seen[fmt.Sprint(id, c)] },
		RevokedAll: func(id ledger.StudyID, epoch uint64) bool { return s.seen[fmt.Sprint(id, epoch)] },
		Now:        s.at.Time.Add(s.drift),
		Staleness:  2 * time.Minute,
	})
	if err != nil {
		return err.Error()
	}
	if got.Height != s.at.Height {
		t.Errorf("decided at height %d, want %d", got.Height, s.at.Height)
	}
	if got.Allowed {
		return fmt.Sprintf("yes: %s", got.Reason)
	}
	return fmt.Sprintf("no: %s", got.Reason)
}

// epoch returns the epoch to sign for: that of the study, unless the command names another.
func (s *script) epoch(t *testing.T, d *datadriven.TestData, study string) uint64 {
	if a := arg(d, "epoch", ""); a != "" {
		return uint64(number(t, a))
	}
	r, err := s.snapshot(t).Study(studyOf(study))
	if errors.Is(err, ledger.ErrNotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Epoch
}

func commitment(d *datadriven.TestData, grantee, study string) ledger.Commitment {
	return ledger.NewCommitment(named("blind", arg(d, "blind", "")), keys.Grantee{ID: idOf(grantee)}, studyOf(study))
}

func owner(name string) keys.Owner {
	if name == "nobody" {
		return keys.Owner{}
	}
	return keys.Owner{ID: idOf(name)}
}

// resolve turns alias-of-NAME into an OID, and leaves any other word.
func resolve(word string) string {
	if name, ok := strings.CutPrefix(word, "alias-of-"); ok {
		return idOf(name).Alias()
	}
	return word
}

// outcome is "ok" or a code; an error without one is a defect, and shown in full.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	if code := ledger.CodeOf(err); code != "" {
		return string(code)
	}
	return "BROKEN: " + err.Error()
}

func arg(d *datadriven.TestData, key, otherwise string) string {
	if a, ok := d.Arg(key); ok && len(a.Vals) == 1 {
		return a.Vals[0]
	}
	return otherwise
}

func number(t *testing.T, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatalf("%q is no number", s)
	}
	return n
}
