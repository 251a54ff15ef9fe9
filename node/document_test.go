package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"collimate/node/api"
	"collimate/node/client"
)

// openAPI is the OpenAPI document, as far as it says what may be asked and answered.
type openAPI struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas    map[string]*schema
		Parameters map[string]parameter
		Responses  map[string]response
	}
	Codes map[string]struct{ Status int } `json:"x-codes"`
}

type operation struct {
	OperationID string
	Parameters  []parameter
	RequestBody any
	Responses   map[string]response
}

type parameter struct {
	Ref, Name, In string
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema *schema }
}

// schema is the part of JSON Schema that the document uses. Other keywords are refused, lest they check nothing.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 string             `json:"type"`
	Properties           map[string]*schema `json:"properties"`
	Required             []string           `json:"required"`
	AdditionalProperties *bool              `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	OneOf                []*schema          `json:"oneOf"`
	Enum                 []any              `json:"enum"`
	Pattern              string             `json:"pattern"`
	Format               string             `json:"format"`
	Minimum              *float64           `json:"minimum"`
	Maximum              *float64           `json:"maximum"`
	MinItems, MaxItems   *int
	MaxLength            *int
	Description          string
	ContentEncoding      string
	ContentMediaType     string
}

func (p *parameter) UnmarshalJSON(b []byte) error {
	var v struct {
		Ref      string `json:"$ref"`
		Name, In string
	}
	err := json.Unmarshal(b, &v)
	p.Ref, p.Name, p.In = v.Ref, v.Name, v.In
	return err
}

func (s *schema) UnmarshalJSON(b []byte) error {
	type plain schema
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(s))
}

func loadDocument(t *testing.T) *openAPI {
	t.Helper()
	var d openAPI
	if err := json.Unmarshal(api.Document, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// check returns what is wrong with a value, nil if nothing.
func (d *openAPI) check(s *schema, v any, at string) error {
	if s.Ref != "" {
		of := d.Components.Schemas[last(s.Ref)]
		if of == nil {
			return fmt.Errorf("%s: no schema %s", at, s.Ref)
		}
		return d.check(of, v, at)
	}
	if len(s.OneOf) > 0 {
		var errs []error
		for _, one := range s.OneOf {
			if err := d.check(one, v, at); err != nil {
				errs = append(errs, err)
			}
		}
		if len(s.OneOf)-len(errs) != 1 {
			return fmt.Errorf("%s: %d of the schemas fit: %v", at, len(s.OneOf)-len(errs), errs)
		}
		return nil
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%s: %v is none of %v", at, v, s.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		return d.checkObject(s, v, at)
	case []any:
		if s.Type != "array" || s.MaxItems != nil && len(v) > *s.MaxItems {
			return fmt.Errorf("%s: a list of %d, want %s", at, len(v), s.Type)
		}
		for i, item := range v {
			if err := d.check(s.Items, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case string:
		if s.Type != "string" || s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			return fmt.Errorf("%s: %q, want a %s %s", at, v, s.Type, s.Pattern)
		}
		if s.Format == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
	case float64:
		if s.Type != "integer" || v != math.Trunc(v) || s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			return fmt.Errorf("%s: %v, want an %s within bounds", at, v, s.Type)
		}
	case bool:
		if s.Type != "boolean" {
			return fmt.Errorf("%s: %v, want %s", at, v, s.Type)
		}
	case nil:
		if s.Type != "null" {
			return fmt.Errorf("%s: null, want %s", at, s.Type)
		}
	}
	return nil
}

func (d *openAPI) checkObject(s *schema, v map[string]any, at string) error {
	if s.Type != "object" {
		return fmt.Errorf("%s: an object, want %s", at, s.Type)
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s: no %s", at, name)
		}
	}
	for name, value := range v {
		of := s.Properties[name]
		switch {
		case of != nil:
			if err := d.check(of, value, at+"."+name); err != nil {
				return err
			}
		case s.AdditionalProperties != nil:
			return fmt.Errorf("%s: %s is not in the document", at, name)
		}
	}
	return nil
}

// find returns the operation that a request is for, nil if there is none. A path without parameters goes first.
func (d *openAPI) find(method, path string) *operation {
	for _, exact := range []bool{true, false} {
		for template, operations := range d.Paths {
			if strings.Contains(template, "{") == exact {
				continue
			}
			pattern := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), `[^/]*`)
			if o, ok := operations[strings.ToLower(method)]; ok && regexp.MustCompile("^"+pattern+"$").MatchString(path) {
				return &o
			}
		}
	}
	return nil
}

// checkAnswer compares one answer with the document.
func (d *openAPI) checkAnswer(r *http.Request, status int, h http.Header, body []byte) error {
	if r.Method == http.MethodOptions || r.Method == http.MethodHead {
		return nil
	}
	o := d.find(r.Method, r.URL.Path)
	if o == nil {
		if status != http.StatusNotFound && status != http.StatusTooManyRequests && status != http.StatusTemporaryRedirect {
			return fmt.Errorf("not in the document, and the status is %d", status)
		}
		return nil
	}
	if status < 300 {
		for name := range r.URL.Query() {
			if !slices.ContainsFunc(o.Parameters, func(p parameter) bool {
				if p.Ref != "" {
					p = d.Components.Parameters[last(p.Ref)]
				}
				return p.In == "query" && p.Name == name
			}) {
				return fmt.Errorf("the parameter %s is not in the document", name)
			}
		}
	}
	said, ok := o.Responses[strconv.Itoa(status)]
	if !ok {
		if status < 400 {
			return fmt.Errorf("the status %d is not in the document", status)
		}
		said = o.Responses["default"]
	}
	if said.Ref != "" {
		said = d.Components.Responses[last(said.Ref)]
	}
	if len(said.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body of %d bytes, want none", len(body))
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return err
	}
	content, ok := said.Content[media]
	if !ok {
		return fmt.Errorf("the media type %s is not in the document", media)
	}
	if media != "application/json" {
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	if err := d.check(content.Schema, v, "answer"); err != nil {
		return err
	}
	if status < 400 {
		return nil
	}
	var p client.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	code, ok := d.Codes[p.Error.Code]
	if !ok || code.Status != status && p.Error.Code != client.CodeTooLarge {
		return fmt.Errorf("the code %s with status %d is not in the document", p.Error.Code, status)
	}
	return nil
}

// conforming lets a handler answer, and compares what it answers with the document.
func conforming(t *testing.T, h http.Handler) http.Handler {
	d := loadDocument(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(watched, r)
		if err := d.checkAnswer(r, watched.status, w.Header(), watched.body.Bytes()); err != nil {
			t.Errorf("%s %s answered %d, not as documented: %v\n%.2000s", r.Method, r.URL.Path, watched.status, err, watched.body.String())
		}
	})
}

// watchedWriter keeps what is written.
type watchedWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *watchedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.ResponseWriter.Write(b)
}

func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestDocument compares routes and codes with the document.
func TestDocument(t *testing.T) {
	d := loadDocument(t)
	var said, routed []string
	for path, operations := range d.Paths {
		for method := range operations {
			said = append(said, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range new(Node).routes() {
		if r.pattern != "/" {
			routed = append(routed, r.pattern)
		}
	}
	slices.Sort(said)
	slices.Sort(routed)
	if !slices.Equal(said, routed) {
		t.Errorf("the document has %q, the node has %q", said, routed)
	}
	codes := append(constants(t, "client/wire.go", "Code"), constants(t, "../ledger/errors.go", "Code")...)
	for _, code := range []string{"genesis-differs", "bad-genesis", "no-genesis"} { // a node that runs has begun
		codes = slices.DeleteFunc(codes, func(c string) bool { return c == code })
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	if said := slices.Sorted(maps.Keys(d.Codes)); !slices.Equal(said, codes) || len(codes) < 40 {
		t.Errorf("the document has the codes %q, want %q", said, codes)
	}
	for path := range d.Paths {
		if !bytes.Contains(api.Page, []byte(path)) {
			t.Errorf("the page does not show %s", path)
		}
	}
}

// constants returns the values of a file's string constants whose names begin with a prefix.
func constants(t *testing.T, file, prefix string) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) == 0 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}

// TestCheck makes sure that the comparison finds something.
func TestCheck(t *testing.T) {
	d := loadDocument(t)
	for _, bad := range []string{
		`{}`, `{"status":"bad"}`, `{"status":1}`, `{"status":"ok","more":1}`, `[]`, `null`, `"ok"`,
	} {
		var v any
		if err := json.Unmarshal([]byte(bad), &v); err != nil {
			t.Fatal(err)
		}
		if d.check(&schema{Ref: "#/components/schemas/Health"}, v, "") == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}
