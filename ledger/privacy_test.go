package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// TestPrivacy plays the attacker of docs/privacy.md: it has every byte of the chain, every Study Instance UID that a
// scanner gave out in a year, and the public key of every clinician, and tries to say which entry is which study, and
// whom a grant names. It fails to, and against entries that were made without salt or blind it does not.
func TestPrivacy(t *testing.T) {
	c := newPublicChain(t)
	uids := scannerYear(3000)
	clinicians := make([]keys.Grantee, 200)
	for i := range clinicians {
		_, clinicians[i].ID = newKey(t)
	}
	salt := func() (s [32]byte) { rand.Read(s[:]); return s }
	var studies []ledger.StudyID
	for batch := range slices.Chunk(uids, ledger.MaxStudiesPerTx) {
		var d ledger.DefineStudy
		for _, uid := range batch {
			id := ledger.NewStudyID(salt(), uid)
			studies = append(studies, id)
			d.Studies = append(d.Studies, ledger.StudyDefinition{Study: id, Owner: c.owner, Kind: ledger.RecordImaging})
		}
		c.sign(c.source, d)
	}
	for i, id := range studies[:200] {
		for j := range 3 {
			grantee := clinicians[(i+j)%len(clinicians)]
			commitment := ledger.NewCommitment(salt(), grantee, id)
			c.sign(c.ownerKey, ledger.AllowAccess{Study: id, Commitment: commitment, NotAfter: c.now.Unix() + 3600, Scope: ledger.ScopeAll})
			if j == 2 {
				c.sign(c.ownerKey, ledger.RevokeAccess{Study: id, Commitment: commitment})
			}
		}
	}

	a := attacker{chain: c.transcript, uids: uids, keys: clinicians, studies: studies[:200]}
	if found := a.studiesByUID(); len(found) > 0 {
		t.Errorf("the attacker links %d studies to entries", len(found))
	}
	if found := a.granteesByKey(); len(found) > 0 {
		t.Errorf("the attacker links %d grants to clinicians", len(found))
	}
	for _, uid := range uids[:500] {
		if bytes.Contains(c.transcript, []byte(uid)) {
			t.Fatal("a Study Instance UID stands on the chain")
		}
	}
	if root := []byte("1.2.840.113619"); bytes.Contains(c.transcript, root) {
		t.Error("the root of the scanner's UIDs stands on the chain")
	}

	// The same attacker against what must never be published.
	planted := sha256.Sum256([]byte(uids[17]))
	naked := ledger.NewCommitment([32]byte{}, clinicians[5], studies[3])
	c.sign(c.source, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: planted, Owner: c.owner, Kind: ledger.RecordImaging}}})
	c.sign(c.ownerKey, ledger.AllowAccess{Study: studies[3], Commitment: naked, NotAfter: c.now.Unix() + 3600, Scope: ledger.ScopeAll})
	a.chain = c.transcript
	if found := a.studiesByUID(); len(found) != 1 || found[0] != uids[17] {
		t.Errorf("the attacker finds %v, want the study that was planted without a salt: it is no attacker", found)
	}
	if found := a.granteesByKey(); len(found) != 1 || found[0] != clinicians[5] {
		t.Errorf("the attacker finds %v, want the grantee that was planted without a blind: it is no attacker", found)
	}
}

// attacker has the chain and two dictionaries.
type attacker struct {
	chain   []byte
	uids    []string
	keys    []keys.Grantee
	studies []ledger.StudyID // as it reads them from the chain
}

// values are all 32-byte strings of the chain, at any offset.
func (a attacker) values() map[[32]byte]struct{} {
	all := make(map[[32]byte]struct{}, len(a.chain))
	for i := 0; i+32 <= len(a.chain); i++ {
		all[[32]byte(a.chain[i:])] = struct{}{}
	}
	return all
}

// studiesByUID returns the UIDs whose hash, in any of the ways that somebody without a salt could have made it, is on the
// chain.
func (a attacker) studiesByUID() (found []string) {
	on := a.values()
	const tag = "collimate/study/v1\x00"
	saltless := [][]byte{nil, make([]byte, 32), []byte("collimate"), []byte(publicChainID)}
	for _, uid := range a.uids {
		guesses := [][32]byte{sha256.Sum256([]byte(uid)), sha256.Sum256([]byte(tag + uid)), sha256.Sum256(padded(uid))}
		for _, key := range saltless {
			for _, text := range []string{uid, tag + uid} {
				m := hmac.New(sha256.New, key)
				m.Write([]byte(text))
				guesses = append(guesses, [32]byte(m.Sum(nil)))
			}
		}
		if slices.ContainsFunc(guesses, func(g [32]byte) bool { _, ok := on[g]; return ok }) {
			found = append(found, uid)
		}
	}
	return found
}

// granteesByKey returns the clinicians of whom a hash without a blind, or with one that can be guessed, is on the chain.
func (a attacker) granteesByKey() (found []keys.Grantee) {
	on := a.values()
	const tag = "collimate/grantee/v1\x00"
	for _, k := range a.keys {
		for i, study := range a.studies {
			guesses := [][]byte{
				slices.Concat([]byte(tag), k.ID[:], study[:]),
				slices.Concat(k.ID[:], study[:]),
				slices.Concat([]byte(tag), study[:], k.ID[:], study[:]),
				slices.Concat([]byte(tag), k.ID[:], k.ID[:], study[:]),
				slices.Concat([]byte(tag), make([]byte, 32), k.ID[:], study[:]),
				slices.Concat([]byte(tag), binary.BigEndian.AppendUint64(make([]byte, 24), uint64(i)), k.ID[:], study[:]),
			}
			for _, g := range guesses {
				if _, ok := on[sha256.Sum256(g)]; ok {
					found = append(found, k)
				}
			}
		}
	}
	return found
}

// scannerYear returns the Study Instance UIDs of a scanner's year as vendors make them: root, serial number, time.
func scannerYear(n int) []string {
	uids := make([]string, n)
	at := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	for i := range uids {
		uids[i] = fmt.Sprintf("1.2.840.113619.2.55.3.2831178355.%d.%d.%03d", 100+i%900, at.Unix(), i%1000)
		at = at.Add(time.Hour + 7*time.Second)
	}
	return uids
}

// padded is a UID as DICOM encodes it, of even length.
func padded(uid string) []byte { return append([]byte(uid), make([]byte, len(uid)%2)...) }

const publicChainID = "privacy-test"

// publicChain is a chain of which everything is written down as everybody sees it: the transactions, and the state's
// keys and values.
type publicChain struct {
	t          *testing.T
	state      *ledger.Overlay
	now        time.Time
	height     int64
	transcript []byte

	source, ownerKey ed25519.PrivateKey
	owner            keys.Owner
}

func newPublicChain(t *testing.T) *publicChain {
	t.Helper()
	c := &publicChain{t: t, state: ledger.NewOverlay(nil), now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	payerKey, payer := newKey(t)
	validator, _ := newKey(t)
	var source keys.ID
	c.source, source = newKey(t)
	c.ownerKey, c.owner.ID = newKey(t)
	err := ledger.InitGenesis(c.state, ledger.Genesis{
		ChainID: publicChainID, Time: c.now,
		Validators: [][32]byte{[32]byte(validator.Public().(ed25519.PublicKey))},
		Payers:     []ledger.PayerUnits{{Payer: keys.Payer{ID: payer}, Units: 1000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.sign(payerKey, ledger.Bond{Source: keys.Source{ID: source}, Units: 1000, Sequence: 1})
	proof := ed25519.Sign(validator, ledger.ValidatorProofMessage(publicChainID, keys.Source{ID: source}))
	c.sign(c.source, ledger.DefineSource{
		Endpoints:    ledger.Endpoints{ITI43: "https://north.example/xds"},
		ValidatorKey: [32]byte(validator.Public().(ed25519.PublicKey)), ValidatorProof: [64]byte(proof),
	})
	return c
}

// sign makes a transaction final, a minute after the one before.
func (c *publicChain) sign(key ed25519.PrivateKey, body ledger.Body) {
	c.t.Helper()
	raw, err := ledger.Sign(nil, publicChainID, body, key)
	if err != nil {
		c.t.Fatal(err)
	}
	tx, err := ledger.Parse(publicChainID, raw)
	if err != nil {
		c.t.Fatal(err)
	}
	c.height, c.now = c.height+1, c.now.Add(time.Minute)
	block := ledger.NewOverlay(c.state)
	if err := ledger.Apply(block, tx, ledger.Context{Height: c.height, Time: c.now}); err != nil {
		c.t.Fatal(err)
	}
	c.transcript = append(c.transcript, raw...)
	for k, v := range block.Writes() {
		c.transcript = append(append(c.transcript, k...), v...)
		if err := c.state.Set(k, v); err != nil {
			c.t.Fatal(err)
		}
	}
}

func newKey(t *testing.T) (ed25519.PrivateKey, keys.ID) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOf(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, id
}
