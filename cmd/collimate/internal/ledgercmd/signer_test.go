package ledgercmd

import (
	"errors"
	"testing"

	"collimate/ledger"
	"collimate/node/client"
)

func TestMayPass(t *testing.T) {
	for code, want := range map[string]bool{
		client.CodeCatchingUp: true, client.CodeBusy: true, client.CodeNotFinal: true,
		client.CodeUnavailable: false, client.CodeNotPersisted: false, string(ledger.CodeNotOwner): false,
	} {
		if got := mayPass(&client.Error{Code: code}); got != want {
			t.Errorf("%s: got %t, want %t", code, got, want)
		}
	}
	if mayPass(errors.New("connection refused")) {
		t.Error("a node that does not answer is asked again")
	}
}
