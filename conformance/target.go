package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"
)

// Target is the service under test and what the checks need to know of it. What is left empty makes the checks
// that need it skip, not fail.
type Target struct {
	// SourceURL answers signed ITI-43 requests, ConsumerURL plain ones over mutual TLS.
	SourceURL, ConsumerURL string
	// SourceTLS and ConsumerTLS are client configurations: roots or pins, and the client certificate.
	SourceTLS, ConsumerTLS *tls.Config
	// StrangerTLS is used when the stranger asks; nil means SourceTLS.
	StrangerTLS *tls.Config

	// RepositoryUniqueID holds all the documents below.
	RepositoryUniqueID string
	// Studies are documents of type application/zip that the grantee may retrieve.
	Studies []string
	// Manifest is a document of type application/dicom that the grantee may retrieve.
	Manifest string
	// NotGranted exists, but the grantee may not retrieve it. Optional.
	NotGranted string

	// Grantee may retrieve; Stranger has a key that nobody has let in. Both sign at SourceURL.
	Grantee, Stranger Identity

	// RegistryURL takes ITI-18, ITI-42 and ITI-61; RepositoryURL takes ITI-41 and ITI-43; ImagingURL takes RAD-69.
	RegistryURL, RepositoryURL, ImagingURL string
	// ActorTLS is the client configuration for these three. Requests are signed by Submitter if it has a key.
	ActorTLS  *tls.Config
	Submitter Identity
	// ReadOnly: nothing is submitted, and what would need it is skipped.
	ReadOnly bool
	// PatientAuthority is the OID under which patient ids may be made up: each run has patients of its own. A domain
	// that knows its patients has PatientID and OtherPatientID instead, as CX; objects of theirs that this run has
	// not submitted are then overlooked.
	PatientAuthority          string
	PatientID, OtherPatientID string
	// Manifests are more documents like Manifest, for RAD-69: it is good to have one of several series, and one of
	// several kinds of image. Optional.
	Manifests []string
	// OnDemandDocument is an on-demand document that the submitter may retrieve. Optional.
	OnDemandDocument string
	// Codes are those of the affinity domain; nil means DefaultCodes.
	Codes Codes

	// SchemaDir holds XDS.b_DocumentRepository.xsd with what it imports. Empty: answers are not validated.
	SchemaDir string
	// Timeout bounds one check; zero means 60 s.
	Timeout time.Duration
	// Now is the clock for signatures; nil means time.Now.
	Now func() time.Time

	samples map[string]sample // what has been asked before, by side and case
	steps   *session
}

type sample struct {
	x   *exchange
	err error
}

// side is one of the two services.
type side struct {
	name, url string
	send      func(ctx context.Context, m *message, b Breakage, deliver func(Document) io.Writer) (*exchange, error)
}

// sides returns the services that are there to be judged.
func (t *Target) sides() []side {
	var s []side
	if t.SourceURL != "" && t.Grantee.Key != nil {
		s = append(s, t.source(t.Grantee, t.SourceTLS))
	}
	if t.ConsumerURL != "" {
		s = append(s, t.plain("consumer side", t.ConsumerURL, t.ConsumerTLS))
	}
	return s
}

// plain returns a service that is asked without a signature.
func (t *Target) plain(name, url string, config *tls.Config) side {
	return side{name, url, func(ctx context.Context, m *message, _ Breakage, deliver func(Document) io.Writer) (*exchange, error) {
		client := NewHTTPClient(config)
		defer client.CloseIdleConnections()
		return send(ctx, client, url, m, deliver)
	}}
}

// source returns the source side as seen by one identity.
func (t *Target) source(who Identity, config *tls.Config) side {
	return t.signed(t.SourceURL, who, config)
}

// signed returns a service that is asked with the signature of one identity.
func (t *Target) signed(url string, who Identity, config *tls.Config) side {
	return side{"source side", url, func(ctx context.Context, m *message, b Breakage, deliver func(Document) io.Writer) (*exchange, error) {
		signer := &SigningConsumer{Identity: who, Now: t.Now, Break: b}
		if err := signer.sign(m); err != nil {
			return nil, err
		}
		client := NewHTTPClient(config)
		defer client.CloseIdleConnections()
		return send(ctx, client, url, m, deliver)
	}}
}

// signedSide returns the source side, or skips.
func (t *Target) signedSide() (side, error) {
	if t.SourceURL == "" || t.Grantee.Key == nil {
		return side{}, skip("the target has no SourceURL or no grantee's key")
	}
	return t.source(t.Grantee, t.SourceTLS), nil
}

// plainSide returns the consumer side, or skips.
func (t *Target) plainSide() (side, error) {
	for _, s := range t.sides() {
		if s.url == t.ConsumerURL {
			return s, nil
		}
	}
	return side{}, skip("the target has no ConsumerURL")
}

// ref names a document of the target's repository.
func (t *Target) ref(id string) DocumentRef {
	return DocumentRef{RepositoryUniqueID: t.RepositoryUniqueID, DocumentUniqueID: id}
}

// absent names a document that does not exist and whose id is as long as that of model.
func (t *Target) absent(model string) DocumentRef {
	b := []byte(model)
	if last := len(b) - 1; last >= 0 {
		b[last] = '0' + (b[last]-'0'+5)%10
	}
	return t.ref(string(b))
}

// foreign names a document of a repository that nobody has.
func foreign(id string) DocumentRef {
	return DocumentRef{RepositoryUniqueID: "1.3.6.1.4.1.21367.2009.1.2.1040.99", DocumentUniqueID: id}
}

// The kinds of answer on which every rule is judged.
var sampleCases = []struct {
	name string
	ask  func(*Target) []DocumentRef
}{
	{"a document", func(t *Target) []DocumentRef { return []DocumentRef{t.ref(t.Manifest)} }},
	{"an unknown document", func(t *Target) []DocumentRef { return []DocumentRef{t.absent(t.Manifest)} }},
	{"an unknown repository", func(t *Target) []DocumentRef { return []DocumentRef{foreign(t.Manifest)} }},
	{"a document and an unknown one", func(t *Target) []DocumentRef { return []DocumentRef{t.ref(t.Manifest), t.absent(t.Manifest)} }},
}

// sample asks one side for one kind of answer, once per Target.
func (t *Target) sample(ctx context.Context, s side, name string, asked []DocumentRef) (*exchange, error) {
	key := s.name + "\x00" + name
	if got, ok := t.samples[key]; ok {
		return got.x, got.err
	}
	x, err := s.send(ctx, newMessage(s.url, asked...), Whole, nil)
	if err == nil {
		err = x.outcome()
	}
	if t.samples == nil {
		t.samples = map[string]sample{}
	}
	t.samples[key] = sample{x, err}
	return x, err
}

// judgeSamples applies one rule to every kind of answer of every side.
func (t *Target) judgeSamples(ctx context.Context, judge func(*exchange) error) error {
	if t.Manifest == "" || len(t.sides()) == 0 {
		return skip("the target has no Manifest or no URL")
	}
	var errs []error
	for _, s := range t.sides() {
		for _, c := range sampleCases {
			x, err := t.sample(ctx, s, c.name, c.ask(t))
			if err != nil {
				err = expected("a RetrieveDocumentSetResponse", err)
			} else {
				err = judge(x)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s, asked for %s: %w", s.name, c.name, err))
			}
		}
	}
	return errors.Join(errs...)
}
