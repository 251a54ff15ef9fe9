// Package api holds the description of a node's HTTP API: the OpenAPI 3.1 document that programs read, and the same as
// a page for people. The document is kept by hand; the node's tests compare every answer with it.
package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
)

// Document is the OpenAPI document, JSON.
//
//go:embed openapi.json
var Document []byte

//go:embed docs.html
var layout string

// Page is the document as a page: HTML without scripts.
var Page = page()

// operation is what the page shows of one.
type operation struct {
	Path, Method string
	Summary      string
	Description  string
	Parameters   []parameter
	Responses    map[string]struct{ Description string }
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string
	In          string
	Description string
}

// page panics if the document is not what it describes, which the first test finds.
func page() []byte {
	var doc struct {
		Info       struct{ Title, Version, Description string }
		Paths      map[string]map[string]operation
		Components struct{ Parameters map[string]parameter }
		Codes      map[string]struct {
			Status  int
			Meaning string
			Do      string
		} `json:"x-codes"`
	}
	var b bytes.Buffer
	err := json.Unmarshal(Document, &doc)
	if err == nil {
		for _, operations := range doc.Paths {
			for _, o := range operations {
				for i, p := range o.Parameters {
					if p.Ref != "" {
						o.Parameters[i] = doc.Components.Parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
					}
				}
			}
		}
		err = template.Must(template.New("docs").Funcs(template.FuncMap{"upper": strings.ToUpper}).Parse(layout)).Execute(&b, doc)
	}
	if err != nil {
		panic(fmt.Sprintf("api: %v", err))
	}
	return b.Bytes()
}
