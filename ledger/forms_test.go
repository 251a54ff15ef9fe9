package ledger_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"collimate/keys"
	"collimate/ledger"
)

// badForm is a body that the bytes alone refuse.
type badForm struct {
	body ledger.Body
	want ledger.ErrorCode
}

// badForms breaks each rule of form of the kinds that sources and payers sign. What URLs, OIDs and peers there are is
// tried out in limits_test.go.
func badForms(t testing.TB) map[string]badForm {
	all := map[string]badForm{}
	bounds := func(name string, body ledger.Body) { all[name] = badForm{body, ledger.CodeOutOfBounds} }

	define := func(name string, change func(*ledger.DefineSource)) {
		body := sourceBody("north")
		change(&body)
		bounds("define-source: "+name, body)
	}
	update := func(name string, change func(*ledger.UpdateSource)) {
		body := ledger.UpdateSource{Version: 2, Endpoints: endpointsOf("north")}
		change(&body)
		bounds("update-source: "+name, body)
	}
	groups := func(n int) (ids []ledger.StudyID) {
		for i := range n {
			ids = append(ids, ledger.StudyID{byte(i)})
		}
		return ids
	}
	define("http", func(d *ledger.DefineSource) { d.Endpoints.ITI43 = "http://north.example/" })
	define("no ITI-43", func(d *ledger.DefineSource) { d.Endpoints.ITI43 = "" })
	define("a long URL", func(d *ledger.DefineSource) {
		d.Endpoints.ITI43 = "https://north.example/" + strings.Repeat("x", ledger.MaxURLBytes)
	})
	define("openings at a port that is none", func(d *ledger.DefineSource) { d.Endpoints.Openings = "https://north.example:0/" })
	define("RAD-69 with a fragment", func(d *ledger.DefineSource) { d.Endpoints.RAD69 = "https://north.example/#x" })
	define("17 OIDs", func(d *ledger.DefineSource) {
		for i := range ledger.MaxOIDs + 1 {
			d.OIDs = append(d.OIDs, fmt.Sprintf("1.2.%d", 100+i))
		}
	})
	define("OIDs in another order", func(d *ledger.DefineSource) { d.OIDs = []string{"1.2.4", "1.2.3"} })
	define("an OID twice", func(d *ledger.DefineSource) { d.OIDs = []string{"1.2.3", "1.2.3"} })
	define("an OID that is none", func(d *ledger.DefineSource) { d.OIDs = []string{"1.2.03"} })
	define("an alias as OID", func(d *ledger.DefineSource) { d.OIDs = []string{idOf("south").Alias()} })
	for _, oid := range []string{"1.2." + strings.Repeat("1", 61), "1.40", "0.40.1", "3.1", "1", "1.2."} {
		define("OID "+oid, func(d *ledger.DefineSource) { d.OIDs = []string{oid} })
	}
	for _, url := range []string{
		"https://a:65536", "https://a:01", "https://a:", "https://", "https://a\\b", "https://u@a/", "https://a/%g0", "https://a/%1",
		"HTTPS://a", "https://a/ ", "https://[::1", "https://a/\u00fc",
	} {
		define("URL "+url, func(d *ledger.DefineSource) { d.Endpoints.ITI43 = url })
	}
	long := strings.Repeat("z", 64)
	for _, peer := range []string{
		"0@a:1", "O@a:1", "I@a:1", "l@a:1", "@a:1", "z" + long + "@a:1", long + "@" + strings.Repeat("a", 254) + ":1", "z@a:65536", "z@a:1/",
	} {
		define("peer "+peer, func(d *ledger.DefineSource) { d.Peer = peer })
	}
	define("a peer without port", func(d *ledger.DefineSource) { d.Peer = "12D3Koo@north.example" })
	define("17 groups", func(d *ledger.DefineSource) { d.EmergencyGroups = groups(ledger.MaxGroups + 1) })
	define("groups in another order", func(d *ledger.DefineSource) { d.EmergencyGroups = []ledger.StudyID{{2}, {1}} })
	define("a group twice", func(d *ledger.DefineSource) { d.EmergencyGroups = []ledger.StudyID{{1}, {1}} })
	for name, key := range weakPoints() {
		body := sourceBody("north")
		body.ValidatorKey = key
		all["define-source: validator key of "+name] = badForm{body, ledger.CodeUnsupportedKey}
	}
	update("no ITI-43", func(u *ledger.UpdateSource) { u.Endpoints.ITI43 = "" })
	update("a peer that is none", func(u *ledger.UpdateSource) { u.Peer = "north.example:4001" })
	update("17 groups", func(u *ledger.UpdateSource) { u.EmergencyGroups = groups(ledger.MaxGroups + 1) })
	update("a group twice", func(u *ledger.UpdateSource) { u.EmergencyGroups = []ledger.StudyID{{1}, {1}} })

	rotate := func(name string, want ledger.ErrorCode, change func(*ledger.RotateKey)) {
		body, err := ledger.NewRotateKey(nil, testChain, source("north"), 2, keyOf("north2"))
		if err != nil {
			t.Fatal(err)
		}
		change(&body)
		all["rotate-key: "+name] = badForm{body, want}
	}
	rotate("no key", ledger.CodeOutOfBounds, func(r *ledger.RotateKey) { r.SPKI = nil })
	rotate("a long key", ledger.CodeOutOfBounds, func(r *ledger.RotateKey) { r.SPKI = make([]byte, 1101) })
	rotate("a key that is none", ledger.CodeUnsupportedKey, func(r *ledger.RotateKey) { r.SPKI = []byte("key") })
	rotate("no proof", ledger.CodeOutOfBounds, func(r *ledger.RotateKey) { r.Proof = nil })
	rotate("a long proof", ledger.CodeOutOfBounds, func(r *ledger.RotateKey) { r.Proof = make([]byte, 1025) })
	rotate("a proof of another length", ledger.CodeBadSignature, func(r *ledger.RotateKey) { r.Proof = r.Proof[1:] })
	rotate("a proof with high s", ledger.CodeBadSignature, func(r *ledger.RotateKey) {
		key := scalarKey(t, elliptic.P256())
		body, err := ledger.NewRotateKey(nil, testChain, source("north"), 2, key)
		if err != nil {
			t.Fatal(err)
		}
		otherS(key.Params().N, body.Proof)
		*r = body
	})
	rotate("a proof with r 0", ledger.CodeBadSignature, func(r *ledger.RotateKey) {
		body, err := ledger.NewRotateKey(nil, testChain, source("north"), 2, scalarKey(t, elliptic.P256()))
		if err != nil {
			t.Fatal(err)
		}
		clear(body.Proof[:32])
		*r = body
	})
	rotate("a proof with s 0", ledger.CodeBadSignature, func(r *ledger.RotateKey) {
		body, err := ledger.NewRotateKey(nil, testChain, source("north"), 2, scalarKey(t, elliptic.P256()))
		if err != nil {
			t.Fatal(err)
		}
		clear(body.Proof[32:])
		*r = body
	})
	rotate("a proof with r of the order", ledger.CodeBadSignature, func(r *ledger.RotateKey) {
		key := scalarKey(t, elliptic.P256())
		body, err := ledger.NewRotateKey(nil, testChain, source("north"), 2, key)
		if err != nil {
			t.Fatal(err)
		}
		key.Params().N.FillBytes(body.Proof[:32])
		*r = body
	})
	rotate("a proof with the order added", ledger.CodeBadSignature, func(r *ledger.RotateKey) { r.Proof = addOrder(r.Proof) })
	rotate("a proof of the modulus", ledger.CodeBadSignature, func(r *ledger.RotateKey) {
		r.SPKI, r.Proof = rsaSPKI(oidRSA, rsaKey().N, exponent, derNull), rsaKey().N.Bytes()
	})
	for name, spki := range oddKeys() {
		rotate(name, ledger.CodeUnsupportedKey, func(r *ledger.RotateKey) { r.SPKI = spki })
	}
	for name, spki := range weakEd25519() {
		rotate("Ed25519, "+name, ledger.CodeUnsupportedKey, func(r *ledger.RotateKey) { r.SPKI = spki })
	}

	north := source("north")
	bounds("bond: no source", ledger.Bond{Units: 1, Sequence: 1})
	bounds("bond: no units", ledger.Bond{Source: north, Sequence: 1})
	bounds("bond: too many units", ledger.Bond{Source: north, Units: ledger.MaxUnits + 1, Sequence: 1})
	bounds("unbond: no source", ledger.Unbond{Units: 1, Sequence: 1})
	bounds("unbond: no units", ledger.Unbond{Source: north, Sequence: 1})
	bounds("unbond: too many units", ledger.Unbond{Source: north, Units: ledger.MaxUnits + 1, Sequence: 1})

	set := func(name string, change func(*ledger.SetParams)) {
		body := ledger.SetParams{Version: 2, Params: ledger.DefaultParams(), Height: 1000, Sequence: 1}
		change(&body)
		bounds("set-params: "+name, body)
	}
	set("none", func(s *ledger.SetParams) { s.Params = ledger.Params{} })
	set("one below its limit", func(s *ledger.SetParams) { s.Params.SavedWrites = 1 })
	set("one above its limit", func(s *ledger.SetParams) { s.Params.AbsenceForfeit = 1001 })
	set("no emergencies", func(s *ledger.SetParams) { s.Params.EmergenciesPerMember = 0 })
	set("a short window of absences", func(s *ledger.SetParams) { s.Params.AbsenceWindow = 59 })
	set("65 payers", func(s *ledger.SetParams) {
		for i := range ledger.MaxPayers + 1 {
			s.Payers = append(s.Payers, ledger.PayerUnits{Payer: keys.Payer{ID: keys.ID{byte(i + 1)}}})
		}
	})
	set("payers in another order", func(s *ledger.SetParams) {
		s.Payers = []ledger.PayerUnits{{Payer: keys.Payer{ID: keys.ID{2}}}, {Payer: keys.Payer{ID: keys.ID{1}}}}
	})
	set("a payer twice", func(s *ledger.SetParams) {
		s.Payers = []ledger.PayerUnits{{Payer: payer("bank")}, {Payer: payer("bank")}}
	})
	set("a payer without key", func(s *ledger.SetParams) { s.Payers = []ledger.PayerUnits{{Units: 1}} })
	set("too many units", func(s *ledger.SetParams) {
		s.Payers = []ledger.PayerUnits{{Payer: payer("bank"), Units: ledger.MaxUnits + 1}}
	})

	bounds("anchor-receipts: from nothing", ledger.AnchorReceipts{From: 0, To: 1})
	bounds("anchor-receipts: from before 1970", ledger.AnchorReceipts{From: -1, To: 1})
	bounds("anchor-receipts: no length", ledger.AnchorReceipts{From: 5, To: 5})

	bounds("define-study: none", ledger.DefineStudy{})
	bounds("define-study: no owner", studiesBody("nobody", "s1"))
	study := ledger.StudyDefinition{Study: studyOf("s1"), Owner: owner("p1"), Kind: ledger.RecordImaging}
	bounds("define-study: a study twice", ledger.DefineStudy{Studies: []ledger.StudyDefinition{study, study}})
	first := ledger.StudyDefinition{Owner: owner("p1"), Kind: ledger.RecordImaging}
	bounds("define-study: in another order", ledger.DefineStudy{Studies: []ledger.StudyDefinition{study, first}})
	study.Kind = 0
	bounds("define-study: kind 0", ledger.DefineStudy{Studies: []ledger.StudyDefinition{study}})
	study.Kind = 256
	bounds("define-study: kind 256", ledger.DefineStudy{Studies: []ledger.StudyDefinition{study}})
	return all
}

// weakEd25519 has SubjectPublicKeyInfos of Ed25519 keys for which everybody can sign, and of others in a second
// encoding. ledger-spec 2.2
func weakEd25519() map[string][]byte {
	all := map[string][]byte{}
	head := []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}
	for name, key := range weakPoints() {
		spki := append(append([]byte{}, head...), key[:]...)
		if _, err := x509.ParsePKIXPublicKey(spki); err != nil {
			panic(err)
		}
		all[name] = spki
	}
	return all
}

// weakPoints are Ed25519 keys, each of another fault.
func weakPoints() map[string][32]byte {
	key := func(first byte, fill byte, last byte) (k [32]byte) {
		for i := range k {
			k[i] = fill
		}
		k[0], k[31] = first, last
		return k
	}
	order8, err := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	if err != nil {
		panic(err)
	}
	return map[string][32]byte{
		"order 1":                         key(1, 0, 0),
		"order 1, negative zero":          key(1, 0, 0x80),
		"order 2":                         key(0xec, 0xff, 0x7f),
		"order 4":                         key(0, 0, 0),
		"order 4, negative":               key(0, 0, 0x80),
		"order 8":                         [32]byte(order8),
		"order 1 in a second encoding":    key(0xee, 0xff, 0x7f),
		"some point in a second encoding": key(0xf0, 0xff, 0x7f), // y = 3 + 2^255 - 19
	}
}

// otherS turns an ECDSA signature into its twin. ledger-spec 3.5
func otherS(order *big.Int, signature []byte) {
	half := signature[len(signature)/2:]
	s := new(big.Int).SetBytes(half)
	s.Sub(order, s).FillBytes(half)
}
