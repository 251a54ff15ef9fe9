package xmlsec

import (
	"encoding/base64"
	"fmt"
	"strings"
)

var strictBase64 = base64.StdEncoding.Strict()

// DecodeBase64 returns the decoded text of n, white space ignored, if the text has at most limit bytes. The
// error wraps ErrMalformed.
func DecodeBase64(n Node, limit int) ([]byte, error) { return base64Text(n, limit) }

func base64Text(n Node, limit int) ([]byte, error) {
	text, err := n.Text()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", n.Local(), ErrMalformed, err)
	}
	if len(text) > limit {
		return nil, fmt.Errorf("%s is longer than %d: %w", n.Local(), limit, ErrMalformed)
	}
	if strings.ContainsAny(text, " \t\r\n") {
		text = strings.Join(strings.Fields(text), "")
	}
	b, err := strictBase64.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64: %w", n.Local(), ErrMalformed)
	}
	return b, nil
}
