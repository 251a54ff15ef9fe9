package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"collimate/gateway"
	"collimate/ledger"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xds/metadata"

	"github.com/spf13/cobra"
)

// retrieval is what 'collimate retrieve' was asked to do.
type retrieval struct {
	node               nodeFlags
	key, certificate   string
	repository, ticket string
	documents          []string
	out                string
}

func (a *app) retrieve() *cobra.Command {
	var r retrieval
	c := &cobra.Command{
		Use:   "retrieve",
		Short: "Retrieve documents straight from their source, signing the request (ITI-43)",
		Long: `Retrieve documents straight from their source: the ledger says where it is, the request is
signed (WS-Security X.509), and TLS is pinned to the source's key on the ledger. Key and
certificate are the organisation's, unless given.

What is not released is told with its error code, and the exit status is 1.`,
		Example: `  collimate retrieve --config south/collimate.yaml --ticket ticket.json --out received
  collimate retrieve --node http://127.0.0.1:8442 --key k.key --certificate k.crt \
      --repository 2.25.1234 --document 2.25.5678 --out received`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runRetrieve(cmd.Context(), r)
		},
	}
	a.nodeFlags(c, &r.node)
	f := c.Flags()
	f.StringVar(&r.key, "key", "", "private key to sign with, a `file` (default: the organisation's)")
	f.StringVar(&r.certificate, "certificate", "", "certificate of --key, a `file` (default: beside it)")
	f.StringVar(&r.repository, "repository", "", "repositoryUniqueId, an `OID`")
	f.StringSliceVar(&r.documents, "document", nil, "documentUniqueId, an `OID`; may be repeated")
	f.StringVar(&r.ticket, "ticket", "", "take repository and documents from a claim ticket, a `file`")
	f.StringVar(&r.out, "out", ".", "`directory` for the documents")
	c.MarkFlagsMutuallyExclusive("ticket", "repository")
	c.MarkFlagsMutuallyExclusive("ticket", "document")
	return c
}

func (a *app) runRetrieve(ctx context.Context, r retrieval) error {
	requests, err := r.requests()
	if err != nil {
		return err
	}
	own, err := a.requester(r)
	if err != nil {
		return err
	}
	node, err := a.client(r.node)
	if err != nil {
		return err
	}
	source, err := node.SourceByOID(ctx, requests[0].RepositoryUniqueID)
	if err != nil {
		return fmt.Errorf("looking up the repository on the ledger: %w", err)
	}
	signer, err := wss.NewSigner(own.signer, own.tls.Leaf, nil, nil)
	if err != nil {
		return err
	}
	pinned := gateway.PinnedClient(&own.tls, source.TLSKeys(time.Now())...)
	defer pinned.CloseIdleConnections()
	c := &xds.Client{SOAP: &soap.Client{HTTP: pinned, Signer: signer}}
	response, err := c.Retrieve(ctx, source.Endpoints.ITI43, requests)
	if err != nil {
		return fmt.Errorf("retrieving: %w", err)
	}
	defer response.Close()
	if err := a.save(response, r.out); err != nil {
		return err
	}
	return refusal(response.Errors)
}

// requests are the documents to ask for.
func (r retrieval) requests() ([]xds.DocumentRequest, error) {
	repository, documents := r.repository, r.documents
	if r.ticket != "" {
		t, err := readTicket(r.ticket)
		if err != nil {
			return nil, err
		}
		repository = t.RepositoryUniqueID
		documents = []string{t.Documents[ledger.DocumentStudy], t.Documents[ledger.DocumentManifest]}
	}
	if repository == "" || len(documents) == 0 {
		return nil, usageError{errors.New("say what to retrieve: --ticket, or --repository and --document")}
	}
	if !metadata.IsOID(repository) {
		return nil, usageError{fmt.Errorf("--repository: %q is not an OID such as 2.25.1234", repository)}
	}
	var all []xds.DocumentRequest
	for _, d := range documents {
		all = append(all, xds.DocumentRequest{RepositoryUniqueID: repository, DocumentUniqueID: d})
	}
	return all, nil
}

// requester loads the key that signs, and the certificate that is shown.
func (a *app) requester(r retrieval) (own identity, err error) {
	if r.key == "" {
		c, err := a.load(r.node.config)
		if err != nil {
			return own, fmt.Errorf("give --key, or a configuration that names one: %w", err)
		}
		r.key, r.certificate = c.Organisation.Key, c.Organisation.Certificate
	}
	if r.certificate == "" {
		r.certificate = certificateBeside(r.key)
	}
	return loadIdentity(r.key, r.certificate)
}

// save writes the documents into a directory, each under its uniqueId, and none that did not come whole.
func (a *app) save(response *xds.RetrieveResponse, dir string) error {
	if len(response.Documents) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for {
		i, content, err := response.Content.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		d := response.Documents[i]
		file := filepath.Join(dir, d.DocumentUniqueID+extension(d.MimeType))
		n, err := writeContent(file, content)
		if err != nil {
			return fmt.Errorf("receiving %s: %w", file, err)
		}
		fmt.Fprintf(a.stdout, "%s  %s  %s\n", file, d.MimeType, byteCount(n))
	}
}

// writeContent streams a document to a file, which gets its name when it is complete.
func writeContent(file string, content io.WriterTo) (int64, error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".receiving-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	n, err := content.WriteTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(f.Name(), file)
}

// extension is the file name's end for a media type.
func extension(mimeType string) string {
	switch mimeType {
	case "application/zip":
		return ".zip"
	case "application/dicom":
		return ".dcm"
	}
	return ".bin"
}

// refusal is the error for documents that were not released.
func refusal(refused []*xds.Error) error {
	var errs []error
	for _, e := range refused {
		if e.Severity != xds.SeverityWarning {
			errs = append(errs, fmt.Errorf("document %s: %w", e.Location, e))
		}
	}
	return errors.Join(errs...)
}
