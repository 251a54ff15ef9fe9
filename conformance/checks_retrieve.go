package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// retrieveChecks ask for what is there. Section B of toolkit2's tests for a Document Repository, whose
// submissions by ITI-41 are replaced by the target's own documents.
func retrieveChecks() []Check {
	return []Check{
		{"12029", "A single document is returned", "toolkit2 12029 Accept Retrieve Document Set with a single document; ITI TF-2: 3.43.4.1.3", onEach(retrieveManifest)},
		{"12028", "A whole study is returned over mutual TLS", "toolkit2 12028 Submit and Retrieve document over TLS; ITI TF-2: 3.19", onEach(retrieveStudy)},
		{"12021", "Two documents are returned in one answer", "toolkit2 12021 Accept retrieve document set - two documents", onEach(retrieveTwo)},
		{"12360", "The mimeType is that of the document", "toolkit2 12360 Repository handling of mimeType", onEach(retrieveTypes)},
		{"3.43-SAME", "The same document has the same bytes each time, on each side", "ITI TF-3: 4.2.3.2 (hash and size of a stable document)", sameBytes},
		{"3.43-HOME", "A HomeCommunityId that was asked is echoed, or refused as unknown", "ITI TF-2: 3.43.4.2.2; ITI TF-3: Table 4.2.4.1-2", onEach(homeCommunity)},
	}
}

// onEach runs a check on every side of the target.
func onEach(check func(context.Context, *Target, side) error) func(context.Context, *Target) error {
	return func(ctx context.Context, t *Target) error {
		if len(t.sides()) == 0 {
			return skip("the target has no SourceURL with a grantee's key, and no ConsumerURL")
		}
		var errs []error
		for _, s := range t.sides() {
			err := check(ctx, t, s)
			var lacks skip
			if errors.As(err, &lacks) {
				return err
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			}
		}
		return errors.Join(errs...)
	}
}

// kinds are the two types of document, and how the bytes of each begin.
var kinds = []struct {
	mimeType string
	offset   int
	magic    string
	ids      func(*Target) []string
}{
	{"application/dicom", 128, "DICM", func(t *Target) []string { return nonEmpty(t.Manifest) }}, // DICOM PS3.10 section 7.1
	{"application/zip", 0, "PK\x03\x04", func(t *Target) []string { return t.Studies }},          // APPNOTE.TXT section 4.3.7
}

func nonEmpty(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}

// fetch retrieves documents that must all come, and returns the first bytes of each by its id.
func (t *Target) fetch(ctx context.Context, s side, ids ...string) (*exchange, map[string][]byte, error) {
	asked := make([]DocumentRef, len(ids))
	for i, id := range ids {
		asked[i] = t.ref(id)
	}
	heads := map[string]*head{}
	x, err := s.send(ctx, newMessage(s.url, asked...), Whole, func(d Document) io.Writer {
		heads[d.DocumentUniqueID] = &head{}
		return heads[d.DocumentUniqueID]
	})
	if err == nil {
		err = x.outcome()
	}
	if err != nil {
		return x, nil, err
	}
	if err := x.answer.Success(); err != nil {
		return x, nil, expected(plural(len(ids), "document"), err)
	}
	if got := len(x.answer.Documents); got != len(ids) {
		return x, nil, expected(plural(len(ids), "document"), got)
	}
	bytes := map[string][]byte{}
	for id, h := range heads {
		bytes[id] = h.b
	}
	return x, bytes, nil
}

// head keeps the first bytes written to it.
type head struct{ b []byte }

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), 256-len(h.b))]...)
	return len(p), nil
}

func retrieveManifest(ctx context.Context, t *Target, s side) error {
	if t.Manifest == "" {
		return skip("the target has no Manifest")
	}
	_, _, err := t.fetch(ctx, s, t.Manifest)
	return err
}

func retrieveStudy(ctx context.Context, t *Target, s side) error {
	if len(t.Studies) == 0 {
		return skip("the target has no Studies")
	}
	_, _, err := t.fetch(ctx, s, t.Studies[0])
	return err
}

func retrieveTwo(ctx context.Context, t *Target, s side) error {
	ids := slices.Concat(t.Studies, nonEmpty(t.Manifest))
	if len(ids) < 2 {
		return skip("the target has fewer than two documents")
	}
	_, _, err := t.fetch(ctx, s, ids[len(ids)-2:]...)
	return err
}

func retrieveTypes(ctx context.Context, t *Target, s side) error {
	for _, k := range kinds {
		for _, id := range k.ids(t) {
			x, heads, err := t.fetch(ctx, s, id)
			if err != nil {
				return err
			}
			if got := x.answer.Documents[0].MimeType; got != k.mimeType {
				return expected(k.mimeType, fmt.Sprintf("mimeType %q", got))
			}
			b := heads[id]
			if len(b) < k.offset || !bytes.HasPrefix(b[k.offset:], []byte(k.magic)) {
				return expected(fmt.Sprintf("%q at byte %d of a document of type %s", k.magic, k.offset, k.mimeType), fmt.Sprintf("%.8q", b[min(k.offset, len(b)):]))
			}
		}
	}
	return nil
}

func sameBytes(ctx context.Context, t *Target) error {
	if t.Manifest == "" || len(t.sides()) == 0 {
		return skip("the target has no Manifest or no URL")
	}
	var want []byte
	for i, s := range slices.Concat(t.sides(), t.sides()) {
		var b bytes.Buffer
		x, err := s.send(ctx, newMessage(s.url, t.ref(t.Manifest)), Whole, func(Document) io.Writer { return &b })
		if err == nil {
			err = x.outcome()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if i == 0 {
			want = b.Bytes()
		}
		if !bytes.Equal(b.Bytes(), want) {
			return expected(fmt.Sprintf("the %d bytes that came first", len(want)), fmt.Sprintf("%d others from the %s", b.Len(), s.name))
		}
	}
	return nil
}

func homeCommunity(ctx context.Context, t *Target, s side) error {
	if t.Manifest == "" {
		return skip("the target has no Manifest")
	}
	ref := t.ref(t.Manifest)
	ref.HomeCommunityID = "urn:oid:1.3.6.1.4.1.21367.2009.1.2.1040.98"
	x, err := s.send(ctx, newMessage(s.url, ref), Whole, nil)
	if err == nil {
		err = x.outcome()
	}
	if err != nil {
		return err
	}
	for _, e := range x.answer.Errors {
		if e.Code == codeUnknownCommunity {
			return nil
		}
	}
	if err := x.answer.Success(); err != nil {
		return expected("the document or "+codeUnknownCommunity, err)
	}
	return judgeEcho(x)
}
