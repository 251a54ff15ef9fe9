package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Consumer is a plain XDS Document Consumer: what a hospital has before it hears of ledgers.
//
// Documents stream: the memory used does not depend on their size. The life of a call is the context's; there
// is no other time limit, for a study may take as long as the line needs.
type Consumer struct {
	// HTTP carries the requests; required. NewHTTPClient makes a fitting one.
	HTTP *http.Client
	// Body returns where the bytes of a document go. It is called when the document begins to arrive, in
	// the order of arrival. Nil, or a nil writer, discards.
	Body func(Document) io.Writer
}

// NewHTTPClient returns a client for mutual TLS: HTTP/1.1 only, no redirect, no transparent decompression,
// which would make Content-Length meaningless. A nil config serves plain HTTP only in tests.
func NewHTTPClient(config *tls.Config) *http.Client {
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
		if config.MinVersion == 0 {
			config.MinVersion = tls.VersionTLS12 // ITI TF-2: 3.19, RFC 9325
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:     config,
			DisableCompression:  true,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     time.Minute,
			MaxIdleConnsPerHost: 2,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Retrieve asks for documents and reads the whole answer.
//
// Whatever the status of the answer, an Answer is returned if one came: a refusal is no error. An error beside
// an Answer is a *PackagingError (all bytes came, but the answer breaks rules), or says that the answer broke
// off, in which case it wraps io.ErrUnexpectedEOF and the documents written so far are worthless. Without an
// Answer the error is a *Fault, an *HTTPError, or that of the transport.
func (c *Consumer) Retrieve(ctx context.Context, url string, documents ...DocumentRef) (*Answer, error) {
	return c.retrieve(ctx, url, newMessage(url, documents...))
}

func (c *Consumer) retrieve(ctx context.Context, url string, m *message) (*Answer, error) {
	x, err := send(ctx, c.HTTP, url, m, c.Body)
	if err != nil {
		err = fmt.Errorf("retrieving %s: %w", plural(len(m.asked), "document"), err)
		if x == nil {
			return nil, err
		}
		return x.answer, err
	}
	if err := x.outcome(); err != nil {
		return nil, fmt.Errorf("retrieving %s: %w", plural(len(m.asked), "document"), err)
	}
	var broken []error
	for _, r := range rules {
		if err := r.judge(x); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w (%s)", r.id, err, r.citation))
		}
	}
	if len(broken) > 0 {
		return x.answer, &PackagingError{Broken: broken}
	}
	return x.answer, nil
}

// PackagingError says which rules a complete answer breaks. A lenient consumer may go on in spite of it.
type PackagingError struct {
	Broken []error // one per rule: its id, what was expected, what came, the citation
}

// Error lists the broken rules.
func (e *PackagingError) Error() string {
	texts := make([]string, len(e.Broken))
	for i, err := range e.Broken {
		texts[i] = err.Error()
	}
	return "the answer breaks " + plural(len(texts), "rule") + ": " + strings.Join(texts, "; ")
}

// Unwrap returns the broken rules.
func (e *PackagingError) Unwrap() []error { return e.Broken }

// Success returns nil if every document that was asked has come without an error; else what stands against it.
func (a *Answer) Success() error {
	if a.Status == StatusSuccess {
		return nil
	}
	errs := []error{fmt.Errorf("status %s", local(a.Status))}
	for _, e := range a.Errors {
		errs = append(errs, fmt.Errorf("%s: %s", e.Code, e.Context))
	}
	return errors.Join(errs...)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
