package ledger_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

var (
	modelSeed = flag.Uint64("seed", 0, "seed of the random operations; 0 draws one")
	modelOps  = flag.Int("ops", 20_000, "number of random operations")
)

// model is the ledger as one would write it on a blackboard: who owns what, and who is let in until when. It
// knows no encoding and no signatures.
type model struct {
	defined map[string]bool // sources
	studies map[string]*modelStudy
}

type modelStudy struct {
	source, owner string
	epoch         uint64
	grants        map[string]int64 // word of the blind and grantee -> end; those that count
	used          map[string]bool  // commitments seen before
}

// op is one random operation: what is sent to the ledger, and what the model says of it.
type op struct {
	name string
	by   string
	body ledger.Body
	want ledger.ErrorCode
}

// TestModel runs random operations against the ledger and against the model. After each it compares the answer,
// and the decision about a random access; now and then every decision there is.
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d: repeat with -seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	sources := []string{"north", "east", "west"}
	w := newWorld(t, sources...)
	w.at.Height = 1
	m := &model{defined: map[string]bool{}, studies: map[string]*modelStudy{}}
	ops := *modelOps
	if testing.Short() {
		ops /= 10
	}
	for i := range ops {
		if rng.IntN(4) == 0 {
			w.at.Time = w.at.Time.Add(time.Duration(rng.IntN(20)) * time.Second)
		}
		o := m.random(rng, w.at.Time.Unix())
		var before []byte
		if i%500 < 5 { // a hash over the whole state takes a while
			before = w.AppHash(nil)
		}
		err := w.applyUnsynced(t, o)
		if got := ledger.CodeOf(err); got != o.want || err != nil && got == "" {
			t.Fatalf("operation %d, %s by %s: got %v, want %q", i, o.name, o.by, err, o.want)
		}
		if before != nil && err != nil && !bytes.Equal(before, w.AppHash(nil)) {
			t.Fatalf("operation %d, %s, was refused and left a write", i, o.name)
		}
		m.compare(t, w, rng, i)
	}
}

// applyUnsynced applies without making a block, so that a refusal can be seen to write nothing.
func (w *world) applyUnsynced(t *testing.T, o op) error {
	return ledger.Apply(w, unsigned(t, o.by, o.body), w.at)
}

func pick(rng *rand.Rand, from ...string) string { return from[rng.IntN(len(from))] }

// random makes an operation and brings the model up to date. Names are few, so that operations meet.
func (m *model) random(rng *rand.Rand, now int64) op {
	source := pick(rng, "north", "east", "west")
	name := fmt.Sprintf("s%d", rng.IntN(40))
	study := m.studies[name]
	// Most operations are by the owner, for the present epoch; the others are to be refused.
	by, epoch := pick(rng, "p1", "p2", "p3"), uint64(rng.IntN(3))
	if study != nil && rng.IntN(8) > 0 {
		by, epoch = study.owner, study.epoch
	}
	wrong := func(c ledger.ErrorCode) ledger.ErrorCode {
		switch {
		case study == nil:
			return ledger.CodeUnknownStudy
		case study.owner != by:
			return ledger.CodeNotOwner
		case study.epoch != epoch:
			return ledger.CodeWrongEpoch
		}
		return c
	}
	word := fmt.Sprint(rng.IntN(30))
	grantee := pick(rng, "south", "clinic", "p1")
	c := ledger.NewCommitment(named("blind", word), keys.Grantee{ID: idOf(grantee)}, studyOf(name))
	switch rng.IntN(20) {
	case 0:
		return m.defineSource(source)
	case 1, 2, 3:
		return m.defineStudy(source, name, by)
	case 4:
		to := pick(rng, "p1", "p2", "p3")
		o := op{"transfer " + name, by, ledger.TransferStudy{Study: studyOf(name), Epoch: epoch, NewOwner: owner(to)}, wrong("")}
		if o.want == "" && to == by {
			o.want = ledger.CodeSameOwner
		}
		if o.want == "" {
			study.owner = to
			study.next()
		}
		return o
	case 5:
		o := op{"revoke all " + name, by, ledger.RevokeAccess{Study: studyOf(name), Epoch: epoch, All: true}, wrong("")}
		if o.want == "" {
			study.next()
		}
		return o
	case 6, 7, 8, 9:
		o := op{"revoke " + name, by, ledger.RevokeAccess{Study: studyOf(name), Epoch: epoch, Commitment: c}, wrong("")}
		if o.want == "" {
			if _, live := study.grants[word+grantee]; !live && study.used[word+grantee] {
				o.want = ledger.CodeAlreadyRevoked
			}
			delete(study.grants, word+grantee)
			study.used[word+grantee] = true
		}
		return o
	}
	until := now + int64(rng.IntN(400)) - 20
	o := op{"grant " + name, by, ledger.AllowAccess{Study: studyOf(name), Epoch: epoch, Commitment: c, NotAfter: until}, wrong("")}
	switch {
	case o.want != "":
	case until < now:
		o.want = ledger.CodeBadExpiry
	case study.used[word+grantee]:
		o.want = ledger.CodeCommitmentUsed
	default:
		study.grants[word+grantee] = until
		study.used[word+grantee] = true
	}
	return o
}

func (s *modelStudy) next() {
	s.epoch++
	clear(s.grants)
}

func (m *model) defineSource(name string) op {
	o := op{"define source", name, sourceBody(name, 1), ""}
	if m.defined[name] {
		o.want = ledger.CodeWrongVersion
	}
	m.defined[name] = true
	return o
}

func (m *model) defineStudy(source, name, by string) op {
	o := op{"define study " + name, source, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf(name), Owner: owner(by)}}}, ""}
	switch {
	case !m.defined[source]:
		o.want = ledger.CodeUnknownSource
	case m.studies[name] != nil:
		o.want = ledger.CodeStudyExists
	default:
		m.studies[name] = &modelStudy{source: source, owner: by, grants: map[string]int64{}, used: map[string]bool{}}
	}
	return o
}

// compare asks both for a decision.
func (m *model) compare(t *testing.T, w *world, rng *rand.Rand, i int) {
	t.Helper()
	if err := w.Set(ledger.HeadEntry(ledger.Head{Height: 1, Time: w.at.Time})); err != nil {
		t.Fatal(err)
	}
	snap := w.snapshot(t)
	name := fmt.Sprintf("s%d", rng.IntN(40))
	source := pick(rng, "north", "east", "west")
	requester := pick(rng, "south", "clinic", "p1", "p2")
	access := ledger.Access{
		Source: keys.Source{ID: idOf(source)}, Study: studyOf(name), Requester: keys.Grantee{ID: idOf(requester)},
		Now: w.at.Time, Staleness: time.Minute,
	}
	want := false
	study := m.studies[name]
	if study != nil && study.source == source {
		want = study.owner == requester
	}
	for n := range 3 {
		word := fmt.Sprint((rng.IntN(10) + 10*n))
		access.Blinds = append(access.Blinds, named("blind", word))
		if study != nil && study.source == source {
			until, live := study.grants[word+requester]
			want = want || live && w.at.Time.Unix() <= until
		}
	}
	got, err := ledger.Decide(snap, access)
	if err != nil {
		t.Fatalf("operation %d: Decide: %v", i, err)
	}
	if got.Allowed != want {
		t.Fatalf("after operation %d: %s asks %s for %s: got %v (%s), want %v", i, requester, source, name, got.Allowed, got.Reason, want)
	}
}
