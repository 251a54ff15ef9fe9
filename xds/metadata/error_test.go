package metadata

import (
	"errors"
	"strings"
	"testing"
)

func TestCodeContext(t *testing.T) {
	tests := []struct{ context, want string }{
		{"", "XDSRepositoryBusy"},
		{" try later ", "XDSRepositoryBusy: try later"},
		{"XDSRepositoryBusy: try later", "XDSRepositoryBusy: try later"},
		{strings.Repeat("é", maxContext), "XDSRepositoryBusy: " + strings.Repeat("é", (maxContext-19)/2)},
	}
	for _, test := range tests {
		e := &Error{Code: RepositoryBusy, Context: test.context}
		if got := e.codeContext(); got != test.want || len(got) > maxContext {
			t.Errorf("%.20q: got %.60q, want %.60q", test.context, got, test.want)
		}
	}
}

// Errors are an error only if there are any.
func TestErrorsAsError(t *testing.T) {
	if err := (Errors)(nil).Err(); err != nil {
		t.Errorf("no errors are the error %v", err)
	}
	secret := errors.New("secret")
	errs := Errors{{Code: RepositoryBusy, Context: "try later", Location: "1.2.3", Err: secret}, {Code: RegistryError}}
	if got, want := errs.Err().Error(), "XDSRepositoryBusy: try later: secret (and 1 more)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(errs[0], secret) {
		t.Error("the cause is lost")
	}
	if b := string(AppendErrorList(nil, errs)); strings.Contains(b, "secret") || !strings.Contains(b, `location="1.2.3"`) {
		t.Errorf("the peer gets %s", b)
	}
}
