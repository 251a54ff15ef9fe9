package wss

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"collimate/soap"
	"collimate/xua"
)

// TestExchange sends signed requests from a soap.Client to a soap.Server, in both packagings.
func TestExchange(t *testing.T) {
	for name, mtom := range map[string]bool{"simple": false, "MTOM": true} {
		t.Run(name, func(t *testing.T) {
			identity := newIdentity(t, "p256", nil)
			verifier := newTestVerifier(t, func(c *Config) { c.RequireTo = nil })
			var got xua.Caller
			handle := func(ctx context.Context, r *soap.Request) (*soap.Response, error) {
				caller, err := verifier.Authenticate(ctx, r)
				if err != nil {
					return nil, err
				}
				got = caller
				return &soap.Response{Payload: []byte(`<answer xmlns="urn:test"/>`)}, nil
			}
			server := httptest.NewServer(&soap.Server{Operations: []soap.Operation{
				{ID: "test", Action: testAction, ResponseAction: testAction + "Response", MTOM: mtom, Handle: handle},
			}})
			defer server.Close()

			request := soap.Envelope{Action: testAction, MessageID: "urn:uuid:1", Payload: []byte(`<question xmlns="urn:test"/>`), MTOM: mtom}
			client := &soap.Client{HTTP: server.Client(), Signer: newTestSigner(t, identity)}
			reply, err := client.Call(context.Background(), server.URL, request)
			if err != nil {
				t.Fatal(err)
			}
			if err := reply.Close(); err != nil {
				t.Error(err)
			}
			if got.Key.ID != identity.id(t) || got.Tier != xua.TierA {
				t.Errorf("got caller %+v, want tier A of key %v", got, identity.id(t))
			}

			wantRemote := func(client *soap.Client, subcode string) {
				t.Helper()
				var fault *soap.RemoteFault
				_, err := client.Call(context.Background(), server.URL, request)
				if !errors.As(err, &fault) || fault.Code != soap.Sender || fault.Subcode != (soap.Name{Space: soap.NSSecurity, Local: subcode}) {
					t.Errorf("got %v, want a fault with subcode %s", err, subcode)
				} else if fault.Reason != reason(subcode) {
					t.Errorf("the peer is told %q", fault.Reason)
				}
			}
			wantRemote(client, failedAuthentication) // the same MessageID again
			client.Signer = nil
			wantRemote(client, invalidSecurity)
		})
	}
}
