package xds

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"collimate/soap"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xua"
)

// reference is a Document Registry and a Document Repository in memory, as simple as they can be: it looks at everything
// it has for each request, and every rule is that of metadata and query.
type reference struct {
	repositoryUniqueID string
	patientUnknown     bool

	mu       sync.Mutex
	objects  metadata.Objects
	contents map[string][]byte // by uniqueId
	taken    map[string]string // submissions as they came, by the uniqueId of their set
	ids      int
}

func newReference() *reference {
	return &reference{repositoryUniqueID: "1.19.6.24.109.42.1", contents: map[string][]byte{}, taken: map[string]string{}}
}

// Register implements Registry.
func (r *reference) Register(_ context.Context, _ xua.Caller, purpose metadata.Purpose, submission *metadata.Objects) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.register(purpose, submission, nil)
}

// register takes a submission with the contents of its documents, if there are any.
func (r *reference) register(purpose metadata.Purpose, o *metadata.Objects, contents map[string][]byte) error {
	if errs := o.Validate(metadata.Rules{For: purpose}); len(errs) > 0 {
		return errs
	}
	set, text := o.SubmissionSets[0].UniqueID, string(metadata.AppendSubmission(nil, o))
	if r.taken[set] == text {
		return nil
	}
	ids, uniqueIDs := o.References()
	known := metadata.Registered{PatientKnown: !r.patientUnknown, Objects: r.find(ids, uniqueIDs)}
	if errs := o.Admit(known); len(errs) > 0 {
		return errs
	}
	r.taken[set] = text
	o.Resolve(r.newID)
	for _, a := range o.Associations {
		if a.Type.Replaces() {
			r.deprecate(a.Target)
		}
	}
	r.objects.SubmissionSets = append(r.objects.SubmissionSets, o.SubmissionSets...)
	r.objects.Documents = append(r.objects.Documents, o.Documents...)
	r.objects.Folders = append(r.objects.Folders, o.Folders...)
	r.objects.Associations = append(r.objects.Associations, o.Associations...)
	for _, d := range o.Documents {
		if content, ok := contents[d.UniqueID]; ok {
			r.contents[d.UniqueID] = content
		}
	}
	return nil
}

func (r *reference) newID() string {
	r.ids++
	return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", r.ids)
}

// find returns the objects that have one of the ids or the uniqueIds.
func (r *reference) find(ids, uniqueIDs []string) (found metadata.Objects) {
	for _, s := range r.objects.SubmissionSets {
		if slices.Contains(ids, s.ID) || slices.Contains(uniqueIDs, s.UniqueID) {
			found.SubmissionSets = append(found.SubmissionSets, s)
		}
	}
	for _, d := range r.objects.Documents {
		if slices.Contains(ids, d.ID) || slices.Contains(uniqueIDs, d.UniqueID) {
			found.Documents = append(found.Documents, d)
		}
	}
	for _, f := range r.objects.Folders {
		if slices.Contains(ids, f.ID) || slices.Contains(uniqueIDs, f.UniqueID) {
			found.Folders = append(found.Folders, f)
		}
	}
	for _, a := range r.objects.Associations {
		if slices.Contains(ids, a.ID) {
			found.Associations = append(found.Associations, a)
		}
	}
	return found
}

// deprecate takes a document and what was made of it out of use. ITI TF-2: 3.42.4.1.3.5
func (r *reference) deprecate(id string) {
	for i := range r.objects.Documents {
		if d := &r.objects.Documents[i]; d.ID == id && d.Status != metadata.Deprecated {
			d.Status = metadata.Deprecated
			for _, a := range r.objects.Associations {
				if a.Target == id && (a.Type == metadata.Append || a.Type == metadata.Transform) {
					r.deprecate(a.Source)
				}
			}
		}
	}
}

// Query implements Registry.
func (r *reference) Query(_ context.Context, _ xua.Caller, q *query.Query) (*query.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, e := query.Evaluate(q, &r.objects)
	if e != nil {
		return nil, e
	}
	return &query.Response{Objects: found}, nil
}

// Provide implements Recipient.
func (r *reference) Provide(_ context.Context, _ xua.Caller, submission *metadata.Objects, incoming Incoming) error {
	if errs := submission.Validate(metadata.Rules{For: metadata.Provide}); len(errs) > 0 {
		return errs
	}
	contents := map[string][]byte{}
	for {
		id, from, err := incoming.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading a document: %w", err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			return fmt.Errorf("reading a document: %w", err)
		}
		for i := range submission.Documents {
			d := &submission.Documents[i]
			if d.ID != id {
				continue
			}
			sum := sha1.Sum(content)
			hash, size := hex.EncodeToString(sum[:]), strconv.Itoa(len(content))
			if d.Hash != "" && !strings.EqualFold(d.Hash, hash) || d.Size != "" && d.Size != size {
				return &Error{Code: metadata.RepositoryMetadata, Context: "hash or size is not that of the document"}
			}
			d.Hash, d.Size, d.RepositoryUniqueID = hash, size, r.repositoryUniqueID
			contents[d.UniqueID] = content
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.register(metadata.Register, submission, contents)
}

// Retrieve implements Repository.
func (r *reference) Retrieve(_ context.Context, _ xua.Caller, requests []DocumentRequest) (*RetrieveResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer, content := &RetrieveResponse{}, &memoryContent{m: &memory{}}
	for _, q := range requests {
		bytes, ok := r.contents[q.DocumentUniqueID]
		if !ok || q.RepositoryUniqueID != r.repositoryUniqueID {
			answer.Errors = append(answer.Errors, &Error{Code: DocumentUniqueIDError, Context: "the document is not available", Location: q.DocumentUniqueID})
			continue
		}
		answer.Documents = append(answer.Documents, Document{DocumentRequest: q, MimeType: "text/plain", Size: int64(len(bytes))})
		content.bodies = append(content.bodies, string(bytes))
	}
	answer.Content = content
	return answer, nil
}

// community is a registry and a repository over HTTP, and a client of them.
type community struct {
	*reference
	client               *Client
	registry, repository string // URLs
}

func newCommunity(t testing.TB) *community {
	t.Helper()
	c := &community{reference: newReference(), client: &Client{SOAP: &soap.Client{}}}
	somebody := func(context.Context, *soap.Request) (xua.Caller, error) {
		return xua.Caller{Tier: xua.TierC, Name: "somebody"}, nil
	}
	registry := httptest.NewServer(NewRegistryHandler(c, somebody, Options{}))
	t.Cleanup(registry.Close)
	repository := httptest.NewServer(NewRepositoryHandler(c, c, somebody, Options{}))
	t.Cleanup(repository.Close)
	c.registry, c.repository = registry.URL, repository.URL
	return c
}

// batch is an Incoming of documents in memory, in this order.
type batch struct {
	ids      []string
	contents map[string]string
}

func (b *batch) Next() (string, io.Reader, error) {
	if len(b.ids) == 0 {
		return "", nil, io.EOF
	}
	id := b.ids[0]
	b.ids = b.ids[1:]
	return id, strings.NewReader(b.contents[id]), nil
}

// entry and submission make up metadata.
func entry(n int) metadata.DocumentEntry {
	code := func(value string) metadata.Code {
		return metadata.Code{Value: value, Scheme: "1.2.840.2", Display: value}
	}
	return metadata.DocumentEntry{
		Object: metadata.Object{ID: fmt.Sprintf("Document%d", n), Title: metadata.Text{Value: "Chest"}}, Type: metadata.Stable,
		MimeType: "text/plain", ClassCode: code("class"), ConfidentialityCodes: []metadata.Code{code("N")}, FormatCode: code("format"),
		HealthcareFacilityTypeCode: code("facility"), PracticeSettingCode: code("practice"), TypeCode: code("type"),
		PatientID: patient, UniqueID: fmt.Sprintf("1.2.840.5.%d", n), CreationTime: "20240229", LanguageCode: "en-US", SourcePatientID: patient,
	}
}

const patient = "P-1^^^&1.2.840.1&ISO"

func submission(set int, entries ...metadata.DocumentEntry) *metadata.Objects {
	o := &metadata.Objects{SubmissionSets: []metadata.SubmissionSet{{
		Object: metadata.Object{ID: "SubmissionSet"}, ContentTypeCode: metadata.Code{Value: "content", Scheme: "1.2.840.2"}, PatientID: patient,
		SourceID: "1.2.840.9", UniqueID: fmt.Sprintf("1.2.840.10.%d", set), SubmissionTime: "20240301120000",
	}}, Documents: entries}
	for i, e := range entries {
		o.Associations = append(o.Associations, metadata.Association{
			Object: metadata.Object{ID: fmt.Sprintf("A%d", i)}, Type: metadata.HasMember, Source: "SubmissionSet", Target: e.ID, SubmissionSetStatus: metadata.Original,
		})
	}
	return o
}

// registrable completes entries as a repository does.
func registrable(o *metadata.Objects) *metadata.Objects {
	for i := range o.Documents {
		d := &o.Documents[i]
		d.Hash, d.Size, d.RepositoryUniqueID = strings.Repeat("0", 40), "0", "1.19.6.24.109.42.1"
	}
	return o
}

func findDocuments() *query.Query {
	return &query.Query{Name: query.FindDocuments, Return: query.LeafClass, Documents: query.Filter{
		PatientID: patient, Statuses: []metadata.Status{metadata.Approved}, Types: []metadata.ObjectType{metadata.Stable},
	}}
}

// What goes in by ITI-41 and ITI-42 is found by ITI-18 and comes out by ITI-43.
func TestCommunity(t *testing.T) {
	c := newCommunity(t)
	contents := map[string]string{"Document1": "first", "Document2": strings.Repeat("second", 1<<20), "Document3": "third"}
	send := func(order ...string) {
		t.Helper()
		o := submission(1, entry(1), entry(2), entry(3))
		if warnings, err := c.client.Provide(t.Context(), c.repository, o, &batch{order, contents}); err != nil || warnings != nil {
			t.Fatalf("warnings %v, error %v", warnings, err)
		}
	}
	send("Document3", "Document2", "Document1") // in any order
	send("Document1", "Document2", "Document3") // and again, without effect
	if _, err := c.client.Register(t.Context(), c.registry, metadata.Register, registrable(submission(2, entry(4)))); err != nil {
		t.Fatal(err)
	}

	response, err := c.client.Query(t.Context(), c.registry, findDocuments())
	if err != nil || response.Objects == nil || len(response.Objects.Documents) != 4 || len(response.Objects.Validate(metadata.Rules{For: metadata.Answer})) > 0 {
		t.Fatalf("error %v, answer %+v", err, response)
	}
	q := findDocuments()
	if q.Return = query.ObjectRef; true {
		if response, err = c.client.Query(t.Context(), c.registry, q); err != nil || len(response.Objects.Refs) != 4 || response.Objects.Len() != 0 {
			t.Errorf("references: error %v, answer %+v", err, response)
		}
	}
	asked := []DocumentRequest{{"", c.repositoryUniqueID, "1.2.840.5.1"}, {"", c.repositoryUniqueID, "1.2.840.5.2"}, {"", c.repositoryUniqueID, "1.2.840.5.3"}}
	retrieved, err := c.client.Retrieve(t.Context(), c.repository, asked)
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(retrieved)
	if err != nil || got[0] != contents["Document1"] || got[1] != contents["Document2"] || got[2] != contents["Document3"] {
		t.Errorf("error %v, documents of %d, %d and %d bytes", err, len(got[0]), len(got[1]), len(got[2]))
	}

	// A replacement takes the old one out of use.
	var first string
	for _, d := range c.objects.Documents {
		if d.UniqueID == "1.2.840.5.4" {
			first = d.ID
		}
	}
	replacement := registrable(submission(3, entry(5)))
	replacement.Associations = append(replacement.Associations, metadata.Association{Object: metadata.Object{ID: "R"}, Type: metadata.Replace, Source: "Document5", Target: first})
	if _, err := c.client.Register(t.Context(), c.registry, metadata.Register, replacement); err != nil {
		t.Fatal(err)
	}
	if response, err = c.client.Query(t.Context(), c.registry, findDocuments()); err != nil || len(response.Objects.Documents) != 4 {
		t.Errorf("error %v, answer %+v", err, response)
	}

	// On-demand documents go by ITI-61 only.
	onDemand := registrable(submission(4, entry(6)))
	d := &onDemand.Documents[0]
	d.Type, d.CreationTime, d.Hash, d.Size = metadata.OnDemand, "", "", ""
	if _, err := c.client.Register(t.Context(), c.registry, metadata.Register, onDemand); codes(err) != "XDSRegistryMetadataError" {
		t.Errorf("an on-demand document by ITI-42: error %v", err)
	}
	if _, err := c.client.Register(t.Context(), c.registry, metadata.RegisterOnDemand, onDemand); err != nil {
		t.Error(err)
	}
	if _, err := c.client.Register(t.Context(), c.registry, metadata.Provide, onDemand); err == nil {
		t.Error("a registration by ITI-41 is sent to a registry")
	}
	stale := findDocuments()
	stale.Documents.PatientID = "nobody"
	if response, err = c.client.Query(t.Context(), c.registry, stale); err != nil || response.Objects != nil || codes(response.Errors.Err()) != "XDSRegistryError" {
		t.Errorf("a query that is refused: error %v, answer %+v", err, response)
	}
}

// codes returns the codes of what a peer has refused with.
func codes(err error) string {
	errs, ok := err.(metadata.Errors)
	if !ok {
		return fmt.Sprint(err)
	}
	var s []string
	for _, e := range errs {
		s = append(s, string(e.Code))
	}
	return strings.Join(slices.Compact(s), " ")
}
