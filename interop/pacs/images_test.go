package pacs

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"

	"collimate/dicom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xds/xdsi"
)

// sameImages asks by RAD-69 for each image of a study that was retrieved whole by ITI-43, and compares the bytes.
func (c *centre) sameImages(port int, whole string) {
	c.t.Helper()
	must := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
	}
	key, err := keystore.Load(filepath.Join(c.dir, "doctor.key"))
	must(err)
	certificate, err := keystore.LoadCertificate(filepath.Join(c.dir, "doctor.crt"))
	must(err)
	north, err := keystore.LoadCertificate(filepath.Join(c.dir, "north", "keys", "organisation.crt"))
	must(err)
	id, err := keys.IDOfCertificate(north)
	must(err)
	signer, err := wss.NewSigner(key, certificate, nil, nil)
	must(err)
	own := tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
	client := xdsi.Client{SOAP: &soap.Client{HTTP: gateway.PinnedClient(&own, id), Signer: signer}}

	archive, err := zip.OpenReader(whole)
	must(err)
	defer archive.Close()
	want := map[string][32]byte{} // by SOP Instance UID
	var requests []xdsi.ImagingRequest
	var syntaxes []string
	for _, f := range archive.File {
		if f.Name == "DICOMDIR" {
			continue
		}
		r, err := f.Open()
		must(err)
		b, err := io.ReadAll(r)
		must(err)
		must(r.Close())
		h, err := dicom.Inspect(bytes.NewReader(b))
		must(err)
		want[h.Text(dicom.SOPInstanceUID)] = sha256.Sum256(b)
		syntaxes = append(syntaxes, h.TransferSyntaxUID)
		requests = append(requests, xdsi.ImagingRequest{
			StudyInstanceUID: h.Text(dicom.StudyInstanceUID), SeriesInstanceUID: h.Text(dicom.SeriesInstanceUID),
			DocumentRequest: xds.DocumentRequest{RepositoryUniqueID: keys.Source{ID: id}.Alias(), DocumentUniqueID: h.Text(dicom.SOPInstanceUID)},
		})
	}
	answer, err := client.RetrieveImages(c.t.Context(), fmt.Sprintf("https://127.0.0.1:%d%s", port, gateway.PathImaging), requests, syntaxes)
	must(err)
	defer answer.Close()
	if answer.Status() != xds.Success || len(answer.Documents) != len(want) {
		c.t.Fatalf("RAD-69: %s with %d of %d images", answer.Status(), len(answer.Documents), len(want))
	}
	for {
		index, content, err := answer.Content.Next()
		if err == io.EOF {
			break
		}
		must(err)
		hash := sha256.New()
		_, err = content.WriteTo(hash)
		must(err)
		uid := answer.Documents[index].DocumentUniqueID
		if [32]byte(hash.Sum(nil)) != want[uid] {
			c.t.Errorf("image %d by RAD-69 differs from the one in the whole study", index)
		}
		delete(want, uid)
	}
	if len(want) > 0 {
		c.t.Errorf("%d images did not come", len(want))
	}
}
