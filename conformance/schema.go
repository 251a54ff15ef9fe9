package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/beevik/etree"
)

const repositorySchema = "XDS.b_DocumentRepository.xsd"

// schemaChecks validate answers against the official schema, with xmllint as the validator.
func schemaChecks() []Check {
	return []Check{{"ENG-10.XSD", "Each answer is valid against the official schema", "XDS.b_DocumentRepository.xsd; toolkit2 ENG-10", func(ctx context.Context, t *Target) error {
		if !t.validates() {
			return skip("the target has no SchemaDir, or xmllint is not installed")
		}
		return t.judgeSamples(ctx, func(x *exchange) error { return x.validate(ctx, t.SchemaDir) })
	}}}
}

// validates reports whether answers can be validated.
func (t *Target) validates() bool {
	_, err := exec.LookPath("xmllint")
	return err == nil && t.SchemaDir != ""
}

// validate runs xmllint over the element that answers.
func (x *exchange) validate(ctx context.Context, dir string) error {
	return validate(ctx, filepath.Join(dir, x.sent.tx.schema), x.payload())
}

// validate runs xmllint over one element.
func validate(ctx context.Context, schema string, payload *etree.Element) error {
	b, err := standalone(payload)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, maxSchemaTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xmllint", "--noout", "--nonet", "--schema", schema, "-")
	cmd.Stdin = bytes.NewReader(b)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	err = cmd.Run()
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 { // the document does not validate
		return expected("a schema-valid "+payload.Tag, strings.TrimSpace(complaint.String()))
	}
	return fmt.Errorf("running xmllint: %w: %s", err, strings.TrimSpace(complaint.String()))
}

// standalone returns e as a document of its own: with the namespaces that it inherits, and base64 where
// xop:Include stands, for the schema knows the infoset before optimisation. ITI TF-2: V.8.3
func standalone(e *etree.Element) ([]byte, error) {
	c := e.Copy()
	for p := e.Parent(); p != nil; p = p.Parent() {
		for _, a := range p.Attr {
			if (a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns") && c.SelectAttr(a.FullKey()) == nil {
				c.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	doc := etree.NewDocumentWithRoot(c)
	if err := eachElement(c, func(d *etree.Element) error {
		if is(d, nsXDSB, "Document") && child(d, nsXOP, "Include") != nil {
			d.Child = nil
			d.SetText("AA==")
		}
		return nil
	}); err != nil {
		return nil, err
	}
	b, err := doc.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", e.Tag, err)
	}
	return b, nil
}
