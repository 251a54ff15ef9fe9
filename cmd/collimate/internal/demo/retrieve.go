package demo

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"collimate/cmd/collimate/internal/compare"
	"collimate/conformance"
	"collimate/ledger"
)

// refusedCode is the code by which a source says no, whatever the reason. ITI TF-3: Table 4.2.4.1-2
const refusedCode = "XDSDocumentUniqueIdError"

// The files that the consumer at south writes what it receives to.
const (
	receivedStudy    = "received/study.zip"
	receivedManifest = "received/manifest.dcm"
)

// request is what the unmodified consumer at south asks, again and again the same.
type request struct {
	consumer  *conformance.Consumer
	url       string
	documents []conformance.DocumentRef
	files     map[string]string // by documentUniqueId
	open      []*os.File
	failed    error
}

// newRequest makes the consumer that south has had all along: a certificate of its own organisation's
// authority, no ledger, no signature.
func (d *demo) newRequest() (*request, error) {
	own, err := tls.LoadX509KeyPair(d.grantee.XDSConsumer.Certificate, d.grantee.XDSConsumer.Key)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(d.grantee.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	r := &request{url: d.grantee.ConsumerURL, files: map[string]string{}}
	for kind, file := range map[ledger.DocumentKind]string{ledger.DocumentStudy: receivedStudy, ledger.DocumentManifest: receivedManifest} {
		r.files[d.study.Documents[kind]] = d.path(file)
	}
	for _, kind := range []ledger.DocumentKind{ledger.DocumentStudy, ledger.DocumentManifest} {
		r.documents = append(r.documents, conformance.DocumentRef{RepositoryUniqueID: d.study.RepositoryUniqueID, DocumentUniqueID: d.study.Documents[kind]})
	}
	r.consumer = &conformance.Consumer{
		HTTP: conformance.NewHTTPClient(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{own}}),
		Body: r.body,
	}
	return r, nil
}

// body opens the file for a document that begins to arrive.
func (r *request) body(doc conformance.Document) io.Writer {
	name, asked := r.files[doc.DocumentUniqueID]
	if !asked {
		return nil // the consumer itself complains
	}
	f, err := os.Create(name)
	if err != nil {
		r.failed = errors.Join(r.failed, err)
		return nil
	}
	r.open = append(r.open, f)
	return f
}

// send sends the request and returns the answer, with all documents in their files.
func (r *request) send(ctx context.Context) (*conformance.Answer, error) {
	answer, err := r.consumer.Retrieve(ctx, r.url, r.documents...)
	for _, f := range r.open {
		err = errors.Join(err, f.Close())
	}
	r.open = nil
	return answer, errors.Join(err, r.failed)
}

// retrieve is step 4.
func (d *demo) retrieve(ctx context.Context) (err error) {
	if d.request, err = d.newRequest(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.path("received"), 0o700); err != nil {
		return err
	}
	start := time.Now()
	answer, err := d.request.send(ctx)
	if err != nil {
		return err
	}
	took := time.Since(start)
	if err := answer.Success(); err != nil {
		return fmt.Errorf("the answer is not Success: %w", err)
	}
	if n := len(answer.Documents); n != len(d.request.documents) {
		return fmt.Errorf("%d documents arrived, want %d", n, len(d.request.documents))
	}
	d.out.say("south's gateway found north on the ledger, signed, and streamed the answer through")
	var total int64
	for _, doc := range answer.Documents {
		total += doc.Size
		d.out.say("%-17s %9s  %s", doc.MimeType, bytesText(doc.Size), d.relative(d.request.files[doc.DocumentUniqueID]))
	}
	d.out.say("%.0f MB/s through both gateways", float64(total)/1e6/took.Seconds())
	if err := d.writeRequest(); err != nil {
		return err
	}
	d.out.hand(
		d.curl()+" -o received/answer",
		fmt.Sprintf("collimate retrieve --ticket %s --config south/collimate.yaml --out received", d.relative(d.study.Ticket)),
	)
	return nil
}

// compare is step 5.
func (d *demo) compare(ctx context.Context) error {
	archive, err := d.archive()
	if err != nil {
		return err
	}
	defer archive.Close()
	held, err := archive.Study(ctx, d.study.StudyInstanceUID)
	if err != nil {
		return err
	}
	n, size, err := compare.Study(ctx, d.path(receivedStudy), archive, held)
	if err != nil {
		return fmt.Errorf("what arrived is not what the archive holds: %w", err)
	}
	if err := compare.Manifest(d.path(receivedManifest), d.study.Documents[ledger.DocumentManifest], held); err != nil {
		return err
	}
	d.out.say("%d instances, %s: every byte is the same; the manifest names all of them", n, bytesText(size))
	d.out.hand(fmt.Sprintf("collimate study verify received/study.zip --ticket %s --config north/collimate.yaml", d.relative(d.study.Ticket)))
	return nil
}

// revoke is step 6: from the revocation on, the same request gets nothing.
func (d *demo) revoke(ctx context.Context) error {
	r, err := d.revokeGrant(ctx, d.study)
	if err != nil {
		return err
	}
	start := time.Now()
	answer, err := d.request.send(ctx)
	if err != nil {
		return err
	}
	if answer.Status != conformance.StatusFailure || len(answer.Documents) > 0 || len(answer.Errors) != len(d.request.documents) {
		return fmt.Errorf("the same request must be refused now, and got %s with %d documents and %d errors", answer.Status, len(answer.Documents), len(answer.Errors))
	}
	for _, e := range answer.Errors {
		if e.Code != refusedCode {
			return fmt.Errorf("the refusal must be %s, and is %s: %s", refusedCode, e.Code, e.Context)
		}
	}
	d.out.say("revoked in block %d; asked again at once: Failure, %s, after %s", r.Height, refusedCode, seconds(time.Since(start)))
	d.out.hand(
		fmt.Sprintf("collimate grant revoke --ticket %s --all --key %s --config north/collimate.yaml", d.relative(d.study.Ticket), d.relative(d.study.OwnerKey)),
		d.curl()+" | grep -ao "+refusedCode,
	)
	return nil
}

// writeRequest writes the consumer's request to files, for curl.
func (d *demo) writeRequest() (err error) {
	if err := os.MkdirAll(d.path("iti43"), 0o700); err != nil {
		return err
	}
	const boundary, root = "MIMEBoundary_collimate", "root@consumer"
	if err := os.WriteFile(d.path("iti43", "headers"), fmt.Appendf(nil,
		"Content-Type: multipart/related; boundary=\"%s\"; type=\"application/xop+xml\"; start=\"<%s>\"; start-info=\"application/soap+xml\"; action=\"urn:ihe:iti:2007:RetrieveDocumentSet\"\n",
		boundary, root), 0o600); err != nil {
		return err
	}
	f, err := os.Create(d.path("iti43", "request"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "--%s\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <%s>\r\n\r\n", boundary, root)
	fmt.Fprintf(w, `<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing">`+
		`<soap:Header><wsa:Action soap:mustUnderstand="1">urn:ihe:iti:2007:RetrieveDocumentSet</wsa:Action>`+
		`<wsa:MessageID>urn:uuid:5d0a9b3e-8c0d-4b1c-9f7e-2f1f6c1e4a77</wsa:MessageID>`+
		`<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>`+
		`<wsa:To>%s</wsa:To></soap:Header><soap:Body><xdsb:RetrieveDocumentSetRequest xmlns:xdsb="urn:ihe:iti:xds-b:2007">`, d.grantee.ConsumerURL)
	for _, r := range d.request.documents {
		fmt.Fprintf(w, `<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>%s</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>%s</xdsb:DocumentUniqueId></xdsb:DocumentRequest>`,
			r.RepositoryUniqueID, r.DocumentUniqueID)
	}
	fmt.Fprintf(w, "</xdsb:RetrieveDocumentSetRequest></soap:Body></soap:Envelope>\r\n--%s--\r\n", boundary)
	return w.Flush()
}

// curl is the consumer's request as a command line.
func (d *demo) curl() string {
	return "curl -sS --cacert south/keys/ca.crt --cert south/keys/xds-consumer.crt --key south/keys/xds-consumer.key" +
		" -H @iti43/headers --data-binary @iti43/request " + d.grantee.ConsumerURL
}
