package wss

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/xmlsec"
)

// FuzzAuthenticate mutates a signed message. Whatever is accepted says what was signed: the canonical Body,
// Action, MessageID and To are those of the original.
func FuzzAuthenticate(f *testing.F) {
	signer := newIdentity(f, "ed25519", nil)
	other := newIdentity(f, "p256", nil)
	original := signer.sign(f, template, directKeyInfo, allParts...)
	want := signedContent(f, []byte(original))
	f.Add([]byte(original))
	for _, a := range attacks(signer, other) { // what a fuzzer would not find by itself
		if a.before == nil && a.after != nil && a.keyInfo == "" && !strings.Contains(a.name, "bomb") {
			if changed, ok := apply(a.after, original); ok {
				f.Add([]byte(changed))
			}
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := naiveRequest(message)
		if err != nil {
			return
		}
		v := newTestVerifier(t, nil)
		caller, err := v.Authenticate(context.Background(), r)
		if err != nil {
			if caller.Authenticated() {
				t.Fatal("an error, and somebody is authenticated")
			}
			return
		}
		if caller.Key.ID != signer.id(t) {
			return // a message of another signer, whose key the mutation would have had to know
		}
		if got := signedContent(t, message); !bytes.Equal(got, want) {
			t.Errorf("accepted\n%s\nwhich says\n%s\nand not\n%s", message, got, want)
		}
	})
}

// apply is change, where the message has what it changes.
func apply(change func(string) string, message string) (changed string, ok bool) {
	defer func() { ok = recover() == nil }()
	return change(message), true
}

// signedContent is the canonical form of what a request is acted on by.
func signedContent(t testing.TB, message []byte) []byte {
	t.Helper()
	r, err := naiveRequest(message)
	if err != nil {
		t.Fatal(err)
	}
	out := xmlsec.AppendC14N(nil, r.Body, xmlsec.C14NOptions{})
	for _, local := range []string{"Action", "MessageID", "To"} {
		n, err := r.Header.Only(soap.NSAddressing, local)
		if err != nil {
			t.Fatal(err)
		}
		out = xmlsec.AppendC14N(append(out, '\n'), n, xmlsec.C14NOptions{})
	}
	return append(out, r.Action+"\n"+r.MessageID+"\n"+r.To...)
}
