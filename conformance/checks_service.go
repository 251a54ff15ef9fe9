package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

// service is an endpoint of an actor with a request that it answers.
type service struct {
	tx      *transaction
	what    string // the field of Target that has the URL
	url     func(*Target) string
	request func(t *Target, s *session, to string) (*message, error)
}

// The services of the actors. The requests do no harm if they are answered.
var (
	queryService = service{storedQuery, "RegistryURL", func(t *Target) string { return t.RegistryURL }, func(_ *Target, s *session, to string) (*message, error) {
		return s.findDocuments(thePatient, approvedOnly).message(to), nil
	}}
	provideService = service{provideAndRegister, "RepositoryURL", func(t *Target) string { return t.RepositoryURL }, func(_ *Target, s *session, to string) (*message, error) {
		return s.make(oneDocument("ITI-41"), provideAndRegister).message(to, provideAndRegister), nil
	}}
	imageService = service{retrieveImages, "ImagingURL", func(t *Target) string { return t.ImagingURL }, func(t *Target, _ *session, to string) (*message, error) {
		absent := image{study: newOID(), series: newOID(), instance: newOID(), repository: t.RepositoryUniqueID}
		return imageRequest{images: []image{absent}, syntaxes: []string{explicitLittleEndian}}.message(to), nil
	}}
)

// script returns the steps that look at how a service takes an envelope: what checks_envelope.go and checks_hostile.go
// are for ITI-43.
func (v service) script() script {
	insert := func(text string) func([]byte) []byte {
		return func(raw []byte) []byte {
			return bytes.Replace(raw, []byte("</soap:Header>"), []byte(text+"</soap:Header>"), 1)
		}
	}
	hostile := func(name, title string, edit func([]byte) []byte) step {
		return step{name, title, v.refuses(func(m *message) { m.wrap.edit = edit }, "")}
	}
	return script{v.tx.id, "ITI TF-2: Appendix V; SOAP 1.2 part 1: 5, 5.4.6; WS-Addressing 1.0 SOAP Binding 6.4.1", []step{
		{"wsdl", "GET with ?wsdl returns a WSDL with the operation", v.servesWSDL},
		{"unknown action", "An unknown wsa:Action ends in a fault", v.refuses(func(m *message) { m.addressing("Action").SetText("urn:ihe:iti:2007:NoSuchTransaction") }, "Sender")},
		{"no action", "A missing wsa:Action ends in a fault", v.refuses(func(m *message) { m.header().RemoveChild(m.addressing("Action")) }, "Sender")},
		{"not understood", "A header that must be understood and is not ends in a fault", v.refuses(func(m *message) {
			m.header().CreateElement("xdsb:Unheard").CreateAttr("soap:mustUnderstand", "1")
		}, "MustUnderstand")},
		{"empty body", "An empty Body ends in a fault", v.refuses(func(m *message) { m.body().Child = nil }, "Sender")},
		{"two bodies", "Two children of the Body end in a fault", v.refuses(func(m *message) { m.body().AddChild(m.body().ChildElements()[0].Copy()) }, "Sender")},
		{"another body", "The request of another transaction ends in a fault", v.refuses(func(m *message) {
			m.body().Child = nil
			m.body().CreateElement("xdsb:RetrieveDocumentSet")
		}, "Sender")},
		hostile("malformed", "XML that is not well-formed is refused", func(raw []byte) []byte { return bytes.Replace(raw, []byte("</soap:Body>"), []byte("</soap:Bod>"), 1) }),
		hostile("dtd", "A document type declaration is refused", func(raw []byte) []byte { return append([]byte(`<!DOCTYPE a [<!ENTITY e "e">]>`), raw...) }),
		hostile("deep", fmt.Sprintf("Elements nested %d deep are refused", excessiveDepth), insert(strings.Repeat("<soap:a>", excessiveDepth)+strings.Repeat("</soap:a>", excessiveDepth))),
		hostile("prefix", "An undeclared prefix is refused", insert("<nobody:a/>")),
		{"empty", "An empty HTTP body is refused", v.refuses(func(m *message) { m.wrap.empty = true }, "")},
	}}
}

// to returns the service of a target.
func (v service) to(t *Target) (side, error) { return t.service(v.what, v.url(t)) }

func (v service) servesWSDL(ctx context.Context, t *Target, _ *session) error {
	to, err := v.to(t)
	if err != nil {
		return err
	}
	return servesOperation(ctx, t.ActorTLS, to.url, v.tx.action)
}

// refuses returns a step that sends the request, so edited, and wants a fault of that code; without a code any refusal
// will do, even a connection that is closed. The service must answer the next request as if nothing had been.
func (v service) refuses(edit func(*message), code string) func(context.Context, *Target, *session) error {
	return func(ctx context.Context, t *Target, s *session) error {
		to, err := v.to(t)
		if err != nil {
			return err
		}
		if t.ReadOnly && v.tx == provideAndRegister {
			return skip("nothing is submitted to the target")
		}
		m, err := v.request(t, s, to.url)
		if err != nil {
			return err
		}
		edit(m)
		x, err := to.send(ctx, m, Whole, nil)
		switch {
		case ctx.Err() != nil:
			return expected("a refusal in time", ctx.Err())
		case code != "":
			if err := faulted(x, err, code); err != nil {
				return err
			}
		case x != nil && (x.answer != nil || x.status < 400):
			return expected("a SOAP fault or an HTTP error", errors.Join(x.outcome(), err))
		}
		if m, err = v.request(t, s, to.url); err != nil {
			return err
		}
		if x, err = to.send(ctx, m, Whole, nil); err == nil {
			err = x.outcome()
		}
		if err != nil {
			return fmt.Errorf("the sound request that followed: %w", expected("a "+v.tx.response, err))
		}
		return nil
	}
}

// strangers are steps in which somebody asks whom nobody has let in, and must not learn more than that.
func strangers(tx *transaction, steps ...step) script {
	return script{tx.id, "denied and absent look alike", steps}
}

// asStranger sends a request signed by the stranger.
func (t *Target) asStranger(ctx context.Context, v service, m func(to string) *message) (*exchange, error) {
	if _, err := v.to(t); err != nil {
		return nil, err
	}
	if t.Stranger.Key == nil {
		return nil, skip("the target has no Stranger")
	}
	config := t.StrangerTLS
	if config == nil {
		config = t.ActorTLS
	}
	return t.signed(v.url(t), t.Stranger, config).send(ctx, m(v.url(t)), Whole, nil)
}

// strangerFindsNothing asks the registry for a document that is there, and for one that is not.
func strangerFindsNothing(ctx context.Context, t *Target, s *session) error {
	there := s.entry("single.D0").uniqueID
	var answers [2]*exchange
	for i, id := range []string{there, t.absent(there).DocumentUniqueID} {
		q := get("GetDocuments").with(entryUniqueID, list(id))
		x, err := t.asStranger(ctx, queryService, q.message)
		if err == nil {
			err = x.outcome()
		}
		if err != nil {
			return err
		}
		if c := readContents(x); len(c.objects) > 0 {
			return expected("nothing for a stranger", plural(len(c.objects), "object"))
		}
		answers[i] = x
	}
	return alike(answers[0], answers[1])
}

// strangerSubmitsNothing registers a document as a stranger, and sees that the registry does not have it.
func strangerSubmitsNothing(ctx context.Context, t *Target, s *session) error {
	sub := s.make(oneDocument("stranger"), registerDocumentSet)
	registering := queryService
	registering.tx = registerDocumentSet
	x, err := t.asStranger(ctx, registering, func(to string) *message { return sub.message(to, registerDocumentSet) })
	if err != nil {
		return err
	}
	if x.answer != nil && x.answer.Status != StatusFailure {
		return expected("a SOAP fault or status Failure", local(x.answer.Status))
	}
	s.keep("stranger", sub)
	x, err = t.query(ctx, s, get("GetDocuments").with(entryUniqueID, s.uniqueIDs("stranger.D0")))
	if err == nil {
		err = success.judge(x)
	}
	if err != nil {
		return err
	}
	return want{}.judge(s, x)
}

// strangerSeesNoImages asks for an image that is there, and for one that is not.
func strangerSeesNoImages(ctx context.Context, t *Target, s *session) error {
	m, err := t.manifest(ctx, s, "any study", anyStudy)
	if err != nil {
		return err
	}
	absent := m.images[0]
	absent.instance = t.absent(absent.instance).DocumentUniqueID
	var answers [2]*exchange
	for i, img := range []image{m.images[0], absent} {
		x, err := t.asStranger(ctx, imageService, imageRequest{images: []image{img}, syntaxes: []string{explicitLittleEndian}}.message)
		if err == nil {
			err = x.outcome()
		}
		if err == nil {
			err = failure.judge(x)
		}
		if err != nil {
			return err
		}
		answers[i] = x
	}
	return alike(answers[0], answers[1])
}
