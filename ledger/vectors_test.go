package ledger_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/vectortest"
)

var update = flag.Bool("update", false, "write testdata/vectors anew")

type hexBytes = vectortest.Hex

type (
	keyVector struct {
		Name  string   `json:"name"`
		SPKI  hexBytes `json:"spki"`
		KeyID hexBytes `json:"key_id"`
		Alias string   `json:"alias"`
	}
	studyVector struct {
		Salt             hexBytes                       `json:"salt"`
		StudyInstanceUID string                         `json:"study_instance_uid"`
		StudyID          hexBytes                       `json:"study_id"`
		Documents        map[ledger.DocumentKind]string `json:"documents"`
	}
	groupVector struct {
		Nonce   hexBytes `json:"nonce"`
		Source  hexBytes `json:"source"`
		Owner   hexBytes `json:"owner"`
		StudyID hexBytes `json:"study_id"`
	}
	commitmentVector struct {
		Of         string   `json:"of"` // "grantee", "group" or "guardian", whose name key_id is; or "reason"
		Blind      hexBytes `json:"blind"`
		KeyID      hexBytes `json:"key_id,omitempty"`
		StudyID    hexBytes `json:"study_id,omitempty"`
		Text       string   `json:"text,omitempty"` // of a reason
		Commitment hexBytes `json:"commitment"`
	}
	txVector struct {
		Name    string   `json:"name"`
		ChainID string   `json:"chain_id"`
		Seed    hexBytes `json:"ed25519_seed,omitempty"` // of the signer; absent where signing is not deterministic
		Signer  hexBytes `json:"signer"`
		TxID    hexBytes `json:"tx_id"`
		Payload hexBytes `json:"payload"`
		Signed  hexBytes `json:"sig_structure"` // what the signature is over
		Raw     hexBytes `json:"raw"`
	}
	invalidVector struct {
		Name    string           `json:"name"`
		ChainID string           `json:"chain_id"`
		Code    ledger.ErrorCode `json:"code"`
		Raw     hexBytes         `json:"raw"`
	}
)

// vectors reads a file of vectors, which make writes first when -update is given.
func vectors[V any](t *testing.T, name string, make func() []V) []V {
	t.Helper()
	return vectortest.Read(t, filepath.Join("testdata", "vectors", name), *update, make)
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", what, got, want)
	}
}

func spkiOf(t testing.TB, pub crypto.PublicKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

func TestKeyVectors(t *testing.T) {
	all := vectors(t, "keys.json", func() (all []keyVector) {
		pubs := map[string]crypto.PublicKey{
			"ed25519 p1": keyOf("p1").Public(), "ed25519 north": keyOf("north").Public(),
			"p256": scalarKey(t, elliptic.P256()).Public(), "p384": scalarKey(t, elliptic.P384()).Public(),
		}
		for _, name := range slices.Sorted(maps.Keys(pubs)) {
			spki := spkiOf(t, pubs[name])
			id := keys.IDOfSPKI(spki)
			all = append(all, keyVector{name, spki, id[:], id.Alias()})
		}
		return all
	})
	for _, v := range all {
		pub, err := x509.ParsePKIXPublicKey(v.SPKI)
		if err != nil {
			t.Fatal(err)
		}
		id, err := keys.IDOf(pub)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, v.Name, id[:], v.KeyID)
		if got := id.Alias(); got != v.Alias {
			t.Errorf("%s: alias %s, want %s", v.Name, got, v.Alias)
		}
	}
}

func TestStudyVectors(t *testing.T) {
	kinds := []ledger.DocumentKind{ledger.DocumentStudy, ledger.DocumentManifest, "report"}
	all := vectors(t, "studies.json", func() (all []studyVector) {
		for _, uid := range []string{"1.2.3", "1.2.840.113619.2.55.3.604688119.971.1398858345.123", "2.25.329800735698586629295641978511506172918"} {
			salt := named("salt", uid)
			id := ledger.NewStudyID(salt, uid)
			v := studyVector{salt[:], uid, id[:], map[ledger.DocumentKind]string{}}
			for _, k := range kinds {
				v.Documents[k] = ledger.DocumentUniqueID(id, k)
			}
			all = append(all, v)
		}
		return all
	})
	for _, v := range all {
		id := ledger.NewStudyID([32]byte(v.Salt), v.StudyInstanceUID)
		equal(t, v.StudyInstanceUID, id[:], v.StudyID)
		for kind, want := range v.Documents {
			if got := ledger.DocumentUniqueID(id, kind); got != want {
				t.Errorf("%s: %s is document %s, want %s", v.StudyInstanceUID, kind, got, want)
			}
		}
	}
}

func TestGroupVectors(t *testing.T) {
	all := vectors(t, "groups.json", func() (all []groupVector) {
		for i, by := range [][2]string{{"north", "chief"}, {"north", "lead"}, {"east", "chief"}} {
			nonce := [8]byte{7: byte(i)}
			from, to := source(by[0]), owner(by[1])
			id := ledger.NewGroupID(nonce, from, to)
			all = append(all, groupVector{nonce[:], from.ID[:], to.ID[:], id[:]})
		}
		return all
	})
	for _, v := range all {
		got := ledger.NewGroupID([8]byte(v.Nonce), keys.Source{ID: keys.ID(v.Source)}, keys.Owner{ID: keys.ID(v.Owner)})
		equal(t, "group", got[:], v.StudyID)
	}
}

func TestCommitmentVectors(t *testing.T) {
	all := vectors(t, "commitments.json", func() (all []commitmentVector) {
		for _, word := range []string{"1", "2"} {
			blind, id, study := named("blind", word), idOf("south"), studyOf("s"+word)
			for _, of := range []string{"grantee", "group", "guardian"} {
				c := commitmentOf(of, blind, id, study)
				all = append(all, commitmentVector{Of: of, Blind: blind[:], KeyID: id[:], StudyID: study[:], Commitment: c[:]})
			}
		}
		blind, text := named("blind"), "Notfall, Brücke"
		c := ledger.NewReason(blind, text)
		return append(all, commitmentVector{Of: "reason", Blind: blind[:], Text: text, Commitment: c[:]})
	})
	for _, v := range all {
		if v.Of == "reason" {
			got := ledger.NewReason([32]byte(v.Blind), v.Text)
			equal(t, "commitment to a reason", got[:], v.Commitment)
			continue
		}
		got := commitmentOf(v.Of, [32]byte(v.Blind), [32]byte(v.KeyID), [32]byte(v.StudyID))
		equal(t, "commitment to a "+v.Of, got[:], v.Commitment)
	}
}

// commitmentOf is the commitment to a grantee, a group or a guardian.
func commitmentOf(what string, blind, name, study [32]byte) ledger.Commitment {
	switch what {
	case "group":
		return ledger.NewGroupCommitment(blind, name, study)
	case "guardian":
		return ledger.NewGuardian(blind, keys.Guardian{ID: name}, study)
	}
	return ledger.NewCommitment(blind, keys.Grantee{ID: name}, study)
}

// sampleBodies has a body of each kind, in each of its forms.
func sampleBodies() map[string]ledger.Body {
	full := sourceBody("north")
	full.OIDs = []string{"1.2.3.4", "1.2.3.5"}
	full.Endpoints.RAD69 = "https://north.example/rad69"
	full.Peer = "12D3KooWNorth@north.example:4001"
	full.EmergencyGroups = []ledger.StudyID{studyOf("g1"), studyOf("g2")}
	bare := sourceBody("north")
	bare.Endpoints.Openings = ""
	odd := sourceBody("north")
	odd.OIDs = []string{"0.39", "1.2." + strings.Repeat("1", 60), "2.25.1", "2.40"}
	odd.Endpoints = ledger.Endpoints{ITI43: "https://a?", Openings: "https://[::1]:65535//%aF?/?", RAD69: "https://.:443/;=@"}
	odd.Peer = strings.Repeat("z", 64) + "@" + strings.Repeat("a", 249) + ":65535"
	north := source("north")
	rotation, err := ledger.NewRotateKey(nil, testChain, north, 2, keyOf("north2"))
	if err != nil {
		panic(err)
	}
	compromised := rotation
	compromised.Compromised = true
	all := map[string]ledger.Body{
		"define-source":           full,
		"define-source, least":    bare,
		"define-source, odd":      odd,
		"update-source":           ledger.UpdateSource{Version: 2, Endpoints: endpointsOf("other"), Peer: full.Peer, EmergencyGroups: full.EmergencyGroups},
		"update-source, least":    ledger.UpdateSource{Version: 1 << 40, Endpoints: bare.Endpoints},
		"rotate-key":              rotation,
		"rotate-key, compromised": compromised,
		"bond":                    ledger.Bond{Source: north, Units: 1, Sequence: 1},
		"bond, most":              ledger.Bond{Source: north, Units: ledger.MaxUnits, Sequence: 1<<64 - 1},
		"unbond":                  ledger.Unbond{Source: north, Units: 1, Sequence: 2},
		"set-params":              ledger.SetParams{Version: 2, Params: ledger.DefaultParams(), Payers: []ledger.PayerUnits{{Payer: payer("bank"), Units: 7}, {Payer: payer("fund")}}, Height: 1000, Sequence: 1},
		"set-params, no payers":   ledger.SetParams{Version: 3, Params: otherParams, Height: 1 << 40, Sequence: 9},
		"unjail":                  ledger.Unjail{Jailing: 1},
		"anchor-receipts":         ledger.AnchorReceipts{From: 1, To: 2, Count: 1 << 20, Root: named("root")},
		"define-study":            studiesBody("p1", "s1", "s2"),
		"define-study, group":     ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf("g1.north.p1"), Owner: owner("p1"), Kind: ledger.RecordGroup}}},
		"define-study, kind 255":  ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf("s1"), Owner: owner("p1"), Kind: 255}}},
		"amend-study":             ledger.AmendStudy{Study: studyOf("s1"), Revision: 0},
		"hold-study":              ledger.HoldStudy{Study: studyOf("s1"), Revision: 1, Held: true},
		"hold-study, release":     ledger.HoldStudy{Study: studyOf("s1"), Revision: 2},
		"withdraw-study":          ledger.WithdrawStudy{Study: studyOf("s1"), Revision: 1 << 40},
	}
	maps.Copy(all, ownerSamples())
	return all
}

func TestTransactionVectors(t *testing.T) {
	const file = "transactions.json"
	all := vectors(t, file, func() (all []txVector) {
		by := func(name string, body ledger.Body, key crypto.Signer) {
			all = append(all, newTxVector(t, name, frozen(t, file, name, func() []byte {
				raw, err := ledger.Sign(rand.Reader, testChain, body, key)
				if err != nil {
					t.Fatal(err)
				}
				return raw
			})))
		}
		bodies := sampleBodies()
		names := slices.Sorted(maps.Keys(bodies))
		for _, name := range names {
			raw, err := ledger.Sign(nil, testChain, bodies[name], keyOf("north"))
			if err != nil {
				t.Fatal(err)
			}
			v := newTxVector(t, name, raw)
			v.Seed = keyOf("north").Seed()
			all = append(all, v)
		}
		for _, name := range names {
			by(name+", signed with P-256", bodies[name], scalarKey(t, elliptic.P256()))
		}
		by("signed with P-384", allow(), scalarKey(t, elliptic.P384()))
		for _, e := range []int64{3, 1<<31 - 1} {
			name := fmt.Sprintf("signed with RSA-2048, exponent %d", e)
			all = append(all, newTxVector(t, name, rsaSigned(t, rsaKeyOf(e), 32)))
		}
		by("signed with RSA-2048", allow(), rsaKey())
		return all
	})
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			tx, err := ledger.Parse(v.ChainID, v.Raw)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "signer", tx.Signer[:], v.Signer)
			equal(t, "id", tx.ID[:], v.TxID)
			got := newTxVector(t, v.Name, v.Raw)
			equal(t, "payload", got.Payload, v.Payload)
			equal(t, "signed", got.Signed, v.Signed)
			if v.Seed == nil {
				return
			}
			raw, err := ledger.Sign(nil, v.ChainID, tx.Body, ed25519.NewKeyFromSeed(v.Seed))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "signed again", raw, v.Raw)
		})
	}
}

// frozen returns the message of a name that is in a file of vectors, since most signatures are never made twice; at
// first it makes one.
func frozen(t *testing.T, file, name string, make func() []byte) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vectors", file))
	if errors.Is(err, fs.ErrNotExist) {
		return make()
	}
	var all []struct {
		Name string
		Raw  hexBytes
	}
	if err := errors.Join(err, json.Unmarshal(b, &all)); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Name == name {
			return v.Raw
		}
	}
	return make()
}

// newTxVector takes a transaction apart by its specification, not by the code under test.
func newTxVector(t testing.TB, name string, raw []byte) txVector {
	t.Helper()
	m := open(t, raw)
	signed, err := cbor.Marshal([]any{"Signature1", m.Protected, []byte("collimate/tx/v1\x00" + testChain), m.Payload})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.Parse(testChain, raw)
	if err != nil {
		t.Fatal(err)
	}
	return txVector{Name: name, ChainID: testChain, Signer: tx.Signer[:], TxID: tx.ID[:], Payload: m.Payload, Signed: signed, Raw: raw}
}

const invalidFile = "invalid.json"

func TestInvalidVectors(t *testing.T) {
	for _, v := range vectors(t, invalidFile, func() []invalidVector { return invalidVectors(t) }) {
		t.Run(v.Name, func(t *testing.T) {
			_, err := ledger.Parse(v.ChainID, v.Raw)
			if got := ledger.CodeOf(err); got != v.Code {
				t.Errorf("got %v, want %s", err, v.Code)
			}
		})
	}
}

func invalidVectors(t *testing.T) (all []invalidVector) {
	messages := badMessages(t)
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		if m := messages[name]; name != "too large" { // 128 KiB that show nothing which "one byte too large" does not
			raw := frozen(t, invalidFile, name, func() []byte { return m.raw })
			all = append(all, invalidVector{name, testChain, m.want, raw})
		}
	}
	raw, err := ledger.Sign(nil, testChain, allow(), keyOf("p1"))
	if err != nil {
		t.Fatal(err)
	}
	return append(all,
		invalidVector{"another chain", "collimate-other", ledger.CodeBadSignature, raw},
		invalidVector{"a chain id that is none", "collimate test", ledger.CodeOutOfBounds, raw},
		invalidVector{"a chain id of 51 characters", strings.Repeat("c", 51), ledger.CodeOutOfBounds, raw})
}
