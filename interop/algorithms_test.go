package interop

import (
	"crypto/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
)

// TestFurtherAlgorithms lets peers sign for us and verify what we sign, with algorithms that the columns do not have.
func TestFurtherAlgorithms(t *testing.T) {
	requirePeers(t)
	id := newIdentities(t)
	d := open(t, id, time.Now, false)
	all := peers(t)
	for _, name := range []string{"WSS4J 4", "xml-crypto", "xmlsec1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var jobs []job
			var arriving []incoming
			for _, a := range further {
				if a.peer != name {
					continue
				}
				c := newIncoming(t, d, id, row{peer: name, form: "token"}, column{packaging: "plain", key: a.key, algorithm: a.uri}, yes)
				arriving = append(arriving, c)
				m := signed(t, id.of[a.key], a.uri)
				jobs = append(jobs, c.job)
				for _, b := range [][]byte{m, tamper(t, m)} {
					in := filepath.Join(t.TempDir(), "message")
					write(t, in, b)
					jobs = append(jobs, job{"op": "verify", "key": a.key, "in": in})
				}
			}
			results := all[name].run(t, id, jobs)
			for i, c := range arriving {
				t.Run(filepath.Base(c.column.algorithm), func(t *testing.T) {
					c.check(t, d, id, results[3*i])
					got, tampered := results[3*i+1], results[3*i+2]
					if !got.ok {
						t.Errorf("the peer refuses ours: %q", got.detail)
					}
					if tampered.ok {
						t.Errorf("the peer accepts ours with another document in it: %q", tampered.detail)
					}
					if name != "xmlsec1" && !slices.Contains(strings.Fields(got.detail), "Body") {
						t.Errorf("the peer finds signed %q, and not Body", got.detail)
					}
				})
			}
		})
	}
}

// signed is a request that we sign with an algorithm that is not the first choice for the key.
func signed(t *testing.T, i identity, algorithm string) []byte {
	t.Helper()
	message := request(compact, "https://localhost/", newMessageID(), token(compact, i)+placeOfSign)
	doc, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	references, err := doc.References("id-To", "id-Action", "id-MessageID", "id-ReplyTo", "id-Timestamp", "x509", "id-Body")
	if err != nil {
		t.Fatal(err)
	}
	signing := xmlsec.Signing{Key: i.key, Random: rand.Reader, Algorithm: algorithm,
		KeyInfo: []byte(`<wsse:SecurityTokenReference><wsse:Reference URI="#x509" ValueType="` + typeX509v3 + `"/></wsse:SecurityTokenReference>`)}
	signature, err := signing.Append(nil, references)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(message, placeOfSign)
	if !ok {
		t.Fatal("no place for the signature")
	}
	return []byte(before + string(signature) + after)
}
