package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

// hostileChecks send what no honest peer sends. Each must be refused, in time, and the service must answer the
// next request as if nothing had been.
func hostileChecks() []Check {
	const bounded = "input is bounded before it is read; SOAP 1.2 part 1: 5"
	return []Check{
		{"HOSTILE-MALFORMED", "XML that is not well-formed is refused", "SOAP 1.2 part 1: 5", onEach(hostile(func(raw []byte) []byte {
			return bytes.Replace(raw, []byte("</soap:Body>"), []byte("</soap:Bod>"), 1)
		}))},
		{"HOSTILE-DTD", "A document type declaration is refused", "SOAP 1.2 part 1: 5 (must not contain one)", onEach(hostile(func(raw []byte) []byte {
			return append([]byte(`<!DOCTYPE a [<!ENTITY e "e">]>`), raw...)
		}))},
		{"HOSTILE-DEEP", fmt.Sprintf("Elements nested %d deep are refused", excessiveDepth), bounded, onEach(hostile(func(raw []byte) []byte {
			deep := strings.Repeat("<soap:a>", excessiveDepth) + strings.Repeat("</soap:a>", excessiveDepth)
			return bytes.Replace(raw, []byte("</soap:Header>"), []byte(deep+"</soap:Header>"), 1)
		}))},
		{"HOSTILE-PREFIX", "An undeclared prefix is refused", "Namespaces in XML section 5", onEach(hostile(func(raw []byte) []byte {
			return bytes.Replace(raw, []byte("</soap:Header>"), []byte("<nobody:a/></soap:Header>"), 1)
		}))},
		{"HOSTILE-TRUNCATED", "A multipart request that ends in the envelope is refused", "RFC 2046 section 5.1.1", onEach(truncated)},
		{"HOSTILE-LARGE", fmt.Sprintf("An envelope of %d MiB is refused", oversizedEnvelope>>20), bounded, onEach(oversized)},
		{"HOSTILE-EMPTY", "An empty HTTP body is refused", "SOAP 1.2 part 2: 7.5.2", onEach(emptyBody)},
	}
}

// hostile returns a check that the envelope, so edited after signing, is refused.
func hostile(edit func(envelope []byte) []byte) func(context.Context, *Target, side) error {
	return func(ctx context.Context, t *Target, s side) error {
		if err := t.control(ctx, s); err != nil {
			return err
		}
		m := newMessage(s.url, t.ref(t.Manifest))
		m.wrap.edit = edit
		return t.survives(ctx, s, m)
	}
}

func truncated(ctx context.Context, t *Target, s side) error {
	if err := t.control(ctx, s); err != nil {
		return err
	}
	m := newMessage(s.url, t.ref(t.Manifest))
	m.wrap.cut = 200 // the closing boundary and the end of the envelope
	return t.survives(ctx, s, m)
}

func emptyBody(ctx context.Context, t *Target, s side) error {
	if err := t.control(ctx, s); err != nil {
		return err
	}
	m := newMessage(s.url, t.ref(t.Manifest))
	m.wrap.empty = true
	return t.survives(ctx, s, m)
}

func oversized(ctx context.Context, t *Target, s side) error {
	if err := t.control(ctx, s); err != nil {
		return err
	}
	m := newMessage(s.url, t.ref(t.Manifest))
	m.wrap.pad = oversizedEnvelope
	return t.survives(ctx, s, m)
}

// survives sends a hostile message, sees it refused, and sees the service answer afterwards. A connection that
// is closed on us is a refusal too: whoever stops reading may have to.
func (t *Target) survives(ctx context.Context, s side, m *message) error {
	x, err := s.send(ctx, m, Whole, nil)
	switch {
	case ctx.Err() != nil:
		return expected("a refusal in time", ctx.Err())
	case x == nil: // the connection was closed
	case x.answer != nil:
		return expected("a SOAP fault or an HTTP error", local(x.answer.Status))
	case x.status < 400: // with or without a fault; 413 and 415 say it as well as 400 does
		return expected("a SOAP fault or an HTTP error", errors.Join(x.outcome(), err))
	}
	x, err = s.send(ctx, newMessage(s.url, t.ref(t.Manifest)), Whole, nil)
	if err := answered(x, err); err != nil {
		return fmt.Errorf("the sound request that followed: %w", err)
	}
	return nil
}
