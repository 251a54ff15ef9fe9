// Package wsdl holds the contracts of our endpoints, WSDL 1.1 with XML Schema, and serves them.
//
// There are those of a Document Registry, a Document Repository and an Imaging Document Source. The files say the same
// as those that IHE and OASIS publish, as far as we carry the transactions out; a test compares them, and with the
// transaction table of package xds.
//
//	GET /path?wsdl        the WSDL, with the address of the running endpoint in it
//	GET /path?xsd=NAME    a schema that it imports
//
// The files in this directory can be fed to a code generator as they are: they refer to each other by name.
package wsdl

import (
	"bytes"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

//go:embed *.wsdl *.xsd
var files embed.FS

const (
	// placeholder is the address in the files.
	placeholder = `<soap12:address location="http://localhost/"/>`
	// maxAddress bounds an address that was taken from a request.
	maxAddress = 1024
)

// Contract is what an endpoint offers: the name of a WSDL file.
type Contract string

// The contracts.
const (
	// DocumentRegistry has ITI-18, ITI-42 and ITI-61.
	DocumentRegistry Contract = "XDS.b_DocumentRegistry.wsdl"
	// DocumentRepository has ITI-41 and ITI-43.
	DocumentRepository Contract = "XDS.b_DocumentRepository.wsdl"
	// RetrievingRepository is a Document Repository with ITI-43 only.
	RetrievingRepository Contract = "XDS.b_RetrievingRepository.wsdl"
	// ImagingDocumentSource has RAD-69.
	ImagingDocumentSource Contract = "XDS-I.b_ImagingDocumentSource.wsdl"
)

// WSDL returns the WSDL of an endpoint that is reached at address, and finds its schemas at ?xsd=NAME.
func (c Contract) WSDL(address string) ([]byte, error) {
	if len(address) > maxAddress {
		return nil, fmt.Errorf("the address has more than %d characters", maxAddress)
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the address is not an absolute http or https URL")
	}
	b, err := files.ReadFile(string(c))
	if err != nil {
		return nil, err
	}
	var location bytes.Buffer
	if err := xml.EscapeText(&location, []byte(address)); err != nil {
		return nil, err
	}
	out := strings.Replace(string(b), placeholder, `<soap12:address location="`+location.String()+`"/>`, 1)
	return relative([]byte(out)), nil
}

// Schema returns a schema by its file name, such as "rs.xsd"; its imports are at ?xsd=NAME. The error wraps
// fs.ErrNotExist if there is none of that name.
func Schema(name string) ([]byte, error) {
	if !strings.HasSuffix(name, ".xsd") {
		return nil, fmt.Errorf("schema: %w", fs.ErrNotExist)
	}
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", fs.ErrNotExist)
	}
	return relative(b), nil
}

// relative turns references to files into references that are resolved against the URL of the endpoint.
func relative(b []byte) []byte {
	return bytes.ReplaceAll(b, []byte(`schemaLocation="`), []byte(`schemaLocation="?xsd=`))
}

// Handler answers GET requests for ?wsdl, which is the contract, and ?xsd=NAME. If address is empty, the address in the
// WSDL is the one that the request was made to.
func Handler(contract Contract, address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b []byte
		err := fs.ErrNotExist
		query := r.URL.Query()
		switch {
		case query.Has("wsdl"), query.Has("WSDL"):
			at := address
			if at == "" {
				at = requested(r)
			}
			b, err = contract.WSDL(at)
		case query.Has("xsd"):
			b, err = Schema(query.Get("xsd"))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			http.Error(w, "this is a SOAP 1.2 endpoint: use POST, or GET ?wsdl", http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		default:
			w.Header().Set("Content-Type", "text/xml; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = w.Write(b)
		}
	})
}

// requested is the URL that a request was made to, without its query.
func requested(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}
