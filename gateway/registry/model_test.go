package registry

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// model is a registry that is slow and simple: what a Store is compared with.
type model struct {
	all      metadata.Objects
	sent     map[string]string // by uniqueId of the SubmissionSet: the message
	studies  map[string]string // by id of an entry
	added    map[string]string // by id of a membership: when
	messages []builder         // that have been accepted
}

func (m *model) submit(b builder, o Submission) error {
	set, message := b.SubmissionSets[0], string(metadata.AppendSubmission(nil, b.Objects))
	if m.sent[set.UniqueID] == message {
		return nil
	}
	if errs := b.Admit(metadata.Registered{PatientKnown: o.PatientKnown(set.PatientID), Objects: m.all}); errs != nil {
		return errs
	}
	m.sent[set.UniqueID] = message
	m.messages = append(m.messages, builder{copyOf(b.Objects)})
	b.Resolve(o.NewID)
	member := func(folder, id string) bool {
		is := func(a metadata.Association) bool {
			return a.Type == metadata.HasMember && a.Source == folder && a.Target == id
		}
		return slices.ContainsFunc(m.all.Associations, is) || slices.ContainsFunc(b.Associations, is)
	}
	add := func(source, target string) string {
		a := metadata.Association{Object: metadata.Object{ID: o.NewID(), Version: "1", Status: metadata.Approved}, Type: metadata.HasMember, Source: source, Target: target}
		a.LogicalID = a.ID
		b.Associations = append(b.Associations, a)
		return a.ID
	}
	for _, a := range b.Associations {
		if a.Type != metadata.Replace && a.Type != metadata.XfrmReplace {
			continue
		}
		for _, f := range m.all.Folders {
			if member(f.ID, a.Target) && !member(f.ID, a.Source) {
				add(b.SubmissionSets[0].ID, add(f.ID, a.Source))
			}
		}
	}
	for _, a := range b.Associations {
		if a.Type == metadata.Replace || a.Type == metadata.XfrmReplace {
			m.deprecate(a.Target)
		}
	}
	for i := range b.Documents {
		m.studies[b.Documents[i].ID] = o.Studies[b.Documents[i].UniqueID]
	}
	m.all.SubmissionSets = append(m.all.SubmissionSets, b.SubmissionSets...)
	m.all.Documents = append(m.all.Documents, b.Documents...)
	m.all.Folders = append(m.all.Folders, b.Folders...)
	m.all.Associations = append(m.all.Associations, b.Associations...)
	now := o.Now.UTC().Format("20060102150405")
	for i := range m.all.Folders {
		if f := &m.all.Folders[i]; f.LastUpdateTime == "" {
			f.LastUpdateTime = now
		}
	}
	for _, a := range b.Associations {
		m.added[a.ID] = now
	}
	return nil
}

func (m *model) deprecate(id string) {
	for i := range m.all.Documents {
		if d := &m.all.Documents[i]; d.ID == id {
			d.Status = metadata.Deprecated
		}
	}
	for _, a := range m.all.Associations {
		if a.Target == id && (a.Type == metadata.Append || a.Type == metadata.Transform) {
			m.deprecate(a.Source)
		}
	}
}

// seen returns the part of a registry that a caller sees: entries that are visible, associations both of whose ends are seen, and
// packages that have a member that is, or none at all, if the zero Entry is visible.
func (m *model) seen(visible func(Entry) (bool, error)) *metadata.Objects {
	seen := map[string]bool{}
	for _, d := range m.all.Documents {
		if ok, _ := visible(Entry{m.studies[d.ID], d.MimeType}); ok {
			seen[d.ID] = true
		}
	}
	empty := map[string]bool{}
	for _, p := range m.all.SubmissionSets {
		empty[p.ID] = true
	}
	for _, p := range m.all.Folders {
		empty[p.ID] = true
	}
	for _, a := range m.all.Associations {
		if a.Type == metadata.HasMember {
			delete(empty, a.Source)
		}
	}
	if ok, _ := visible(Entry{}); ok {
		maps.Copy(seen, empty)
	}
	for before := -1; before != len(seen); {
		before = len(seen)
		for _, a := range m.all.Associations {
			if a.Type == metadata.HasMember && seen[a.Target] {
				seen[a.Source] = true
			}
			if seen[a.Source] && seen[a.Target] {
				seen[a.ID] = true
			}
		}
	}
	f := found{Objects: *copyOf(&m.all)}
	f.filter(func(id string) bool { return seen[id] })
	for i := range f.Folders {
		for _, a := range f.Associations {
			if d := &f.Folders[i]; a.Type == metadata.HasMember && a.Source == d.ID {
				d.LastUpdateTime = m.added[a.ID]
			}
		}
	}
	return &f.Objects
}

// world makes random submissions and queries of little variety, so that they meet.
type world struct {
	*rand.Rand
	model *model
	n     int    // of uniqueIds
	who   string // the patient that references are mostly of
}

func (w *world) chance(percent int) bool { return w.IntN(100) < percent }
func (w *world) one(s ...string) string  { return s[w.IntN(len(s))] }
func (w *world) uid() string             { w.n++; return fmt.Sprintf("1.2.%d", w.n) }
func (w *world) code() metadata.Code {
	return metadata.Code{Value: w.one("a", "b", "c"), Scheme: w.one("1", "2")}
}
func (w *world) time() string {
	return w.one("", "2004", "200401", "20040102", "200406", "2005", "20050615120000")
}
func (w *world) codes(max int) []metadata.Code { return times(w.IntN(max+1), w.code) }
func (w *world) person() string                { return w.one("", "x^Ford", "y^Curie", "z^Ford") }
func (w *world) patient() string               { return w.one(patientA, patientA, patientA, patientB) }
func (w *world) reference() string {
	return w.one("1", "2", "3") + "^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession"
}
func (w *world) kind() metadata.AssociationType { return relationships[w.IntN(len(relationships))] }

var relationships = []metadata.AssociationType{
	metadata.Replace, metadata.Replace, metadata.Transform, metadata.Append, metadata.XfrmReplace, metadata.Signs,
}

func times[T any](n int, f func() T) (list []T) {
	for range n {
		list = append(list, f())
	}
	return list
}

// pick returns the id of some object that is registered.
func (w *world) pick() string {
	f := found{Objects: w.model.all}
	ids := slices.Collect(f.ids)
	if len(ids) == 0 || w.chance(10) {
		return "urn:uuid:00000000-0000-4000-8000-ffffffffffff"
	}
	return ids[w.IntN(len(ids))]
}

func (w *world) document() string {
	list := w.model.all.Documents
	for range 10 {
		if len(list) == 0 || w.chance(1) {
			break
		}
		d := &list[max(w.IntN(len(list)), w.IntN(len(list)))] // rather one that has not been replaced
		if d.PatientID == w.who && (d.Status == metadata.Approved || w.chance(10)) {
			return d.ID
		}
	}
	return w.pick()
}

func (w *world) folder() string {
	list := w.model.all.Folders
	for range 10 {
		if len(list) == 0 || w.chance(1) {
			break
		}
		if f := &list[w.IntN(len(list))]; f.PatientID == w.who {
			return f.ID
		}
	}
	return w.pick()
}

// submission returns a submission that is valid by itself.
func (w *world) submission() (builder, metadata.Purpose) {
	for {
		if m := w.model; w.chance(5) && len(m.messages) > 0 { // again, or almost
			b := builder{copyOf(m.messages[w.IntN(len(m.messages))].Objects)}
			if w.chance(50) {
				b.SubmissionSets[0].Title.Value += "."
			}
			return b, metadata.Register
		}
		purpose := metadata.Register
		if w.chance(15) {
			purpose = metadata.RegisterOnDemand
		}
		if b := w.random(purpose); len(b.Validate(metadata.Rules{For: purpose})) == 0 {
			return b, purpose
		}
	}
}

func (w *world) random(purpose metadata.Purpose) builder {
	w.who = w.patient()
	b := submission(w.uid(), w.who)
	b.SubmissionSets[0].Authors = []metadata.Author{{Person: "1" + w.person()}}
	b.SubmissionSets[0].ContentTypeCode, b.SubmissionSets[0].SubmissionTime = w.code(), w.one("2004", "200401", "2005")
	b.SubmissionSets[0].SourceID = w.one("1.2.9", "1.2.8")
	if w.chance(3) {
		b.SubmissionSets[0].PatientID = "Unknown^^^&1.2.3&ISO"
	}
	var folders []string
	for range w.IntN(2) {
		folders = append(folders, b.folder(w.uid()))
		b.Folders[len(b.Folders)-1].Codes = append(w.codes(2), w.code())
	}
	if w.chance(40) {
		folders = append(folders, w.folder())
	}
	for range w.IntN(4) {
		id := b.entry(w.uid())
		w.describe(&b.Documents[len(b.Documents)-1], purpose)
		for range w.IntN(2) {
			b.link(w.kind(), id, w.document())
		}
		if len(folders) > 0 && w.chance(60) {
			b.into(folders[w.IntN(len(folders))], id)
		}
	}
	if w.chance(20) {
		b.member(w.document())
	}
	if len(folders) > 0 && w.chance(20) {
		b.into(folders[0], w.document())
	}
	if len(b.Associations) > 0 && w.chance(10) { // memberships of memberships
		for range w.IntN(4) {
			b.member(b.Associations[w.IntN(len(b.Associations))].ID)
		}
	}
	if w.chance(5) { // which go round in a circle
		first := b.member(fmt.Sprintf("association%d", len(b.Associations)+1))
		b.member(first)
	}
	return b
}

func (w *world) describe(d *metadata.DocumentEntry, purpose metadata.Purpose) {
	if list := w.model.all.Documents; len(list) > 0 && w.chance(10) {
		d.UniqueID = list[w.IntN(len(list))].UniqueID
	}
	d.MimeType = w.one("text/1", "text/2", "text/3")
	d.Hash = fmt.Sprintf("%040X", w.IntN(2))
	if w.chance(80) {
		d.Hash = fmt.Sprintf("%040x", 0)
	}
	d.ClassCode, d.FormatCode, d.TypeCode = w.code(), w.code(), w.code()
	d.EventCodes, d.ConfidentialityCodes = w.codes(2), append(w.codes(1), w.code())
	d.ServiceStartTime, d.CreationTime = w.time(), w.one("2004", "200401", "2005")
	d.ReferenceIDs = times(w.IntN(3), w.reference)
	d.Authors = times(w.IntN(3), func() metadata.Author { return metadata.Author{Person: w.person(), Institutions: []string{"North"}} })
	if w.chance(20) {
		d.Comments = metadata.Text{Value: "none", Lang: "en"}
	}
	if purpose == metadata.RegisterOnDemand {
		d.Type, d.CreationTime, d.Hash, d.Size = metadata.OnDemand, "", "", ""
	}
}

// query returns a query of the catalogue, with conditions that fit or do not.
func (w *world) query(name query.Name) *query.Query {
	q := &query.Query{Name: name, Return: query.LeafClass}
	if w.chance(70) {
		q.Return = query.ObjectRef
	}
	for _, f := range []*query.Filter{&q.Documents, &q.SubmissionSets, &q.Folders} {
		f.PatientID = w.patient()
		if w.chance(70) {
			f.Statuses = []metadata.Status{metadata.Approved}
		}
	}
	switch name {
	case query.GetRelatedDocuments, query.GetFolderAndContents, query.GetSubmissionSetAndContents, query.GetDocuments, query.GetFolders,
		query.GetAssociations, query.GetDocumentsAndAssociations, query.GetSubmissionSets, query.GetFoldersForDocument:
		q.Documents, q.SubmissionSets, q.Folders = query.Filter{}, query.Filter{}, query.Filter{}
	}
	if w.chance(60) {
		q.Documents.Types = []metadata.ObjectType{metadata.Stable, metadata.OnDemand}[:1+w.IntN(2)]
	}
	for range w.IntN(3) * w.IntN(2) {
		w.condition(&q.Documents, "classCode", "formatCode", "eventCodeList", "confidentialityCode")
	}
	if w.chance(20) {
		w.condition(&q.SubmissionSets, "contentTypeCode")
	}
	if w.chance(20) {
		w.condition(&q.Folders, "codeList")
	}
	if w.chance(20) {
		q.Documents.Times = []query.TimeRange{{Attribute: w.one("creationTime", "serviceStartTime"), From: w.time(), To: w.time()}}
	}
	if w.chance(20) {
		q.Documents.Authors = []query.Like{{AnyOf: []string{w.one("%Ford", "_^Curie")}, Not: w.chance(50)}}
	}
	if name == query.FindDocumentsByReferenceID || w.chance(10) {
		q.Documents.References = []query.Like{{AnyOf: []string{w.reference(), w.one("1%", "_^^^%")}[:1+w.IntN(2)]}}
	}
	for range 1 + w.IntN(3) {
		id := w.document()
		switch name {
		case query.GetFolders, query.GetFolderAndContents:
			id = w.folder()
		case query.GetSubmissionSetAndContents:
			id = w.model.all.SubmissionSets[w.IntN(len(w.model.all.SubmissionSets))].ID
		case query.GetRelatedDocuments:
			for range 20 {
				if a := &w.model.all.Associations[w.IntN(len(w.model.all.Associations))]; a.Type.IsRelationship() {
					id = a.Source
				}
			}
		case query.GetSubmissionSets, query.GetAssociations:
			id = w.pick()
		}
		q.IDs = append(q.IDs, id)
		if w.chance(50) {
			q.UniqueIDs = append(q.UniqueIDs, fmt.Sprintf("1.2.%d", w.IntN(w.n+2)))
		}
	}
	q.AssociationTypes = times(4, w.kind)
	return q
}

func (w *world) condition(f *query.Filter, attributes ...string) {
	f.Codes = append(f.Codes, query.CodeCondition{Attribute: w.one(attributes...), AnyOf: append(w.codes(3), w.code(), w.code()), Not: w.chance(20)})
}

var catalogue = []query.Name{
	query.FindDocuments, query.FindSubmissionSets, query.FindFolders, query.GetAll, query.GetDocuments, query.GetFolders,
	query.GetAssociations, query.GetDocumentsAndAssociations, query.GetSubmissionSets, query.GetSubmissionSetAndContents,
	query.GetFolderAndContents, query.GetFoldersForDocument, query.GetRelatedDocuments, query.FindDocumentsByReferenceID, query.FindDocumentsExclude,
}

// A Store does what the model does, and answers what query.Evaluate does for what a caller sees.
func TestModel(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		const seed = 20240301
		s := openStore(t, dsn)
		w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), model: &model{sent: map[string]string{}, studies: map[string]string{}, added: map[string]string{}}}
		ours, theirs := numbers(0), numbers(0)
		accepted, refused, answered := 0, map[metadata.ErrorCode]int{}, map[query.Name]int{}
		for round := range 200 {
			b, _ := w.submission()
			o := Submission{
				Now: noon.AddDate(0, 0, round), PatientKnown: func(cx string) bool { return cx == patientA || cx == patientB },
				Studies: map[string]string{},
			}
			for i := range b.Documents {
				o.Studies[b.Documents[i].UniqueID] = w.one("", "S1", "S2", "S3", "S4")
			}
			o.NewID = ours
			got := s.Submit(context.Background(), b.Objects, o)
			o.NewID = theirs
			want := w.model.submit(b, o)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, round %d: Submit returns %v, want %v", seed, round, got, want)
			}
			if errs, _ := want.(metadata.Errors); errs != nil {
				for _, e := range errs {
					refused[e.Code]++
				}
			} else {
				accepted++
			}
			if round%40 == 39 {
				w.compare(t, s, answered)
			}
		}
		if accepted < 100 || len(refused) < 7 {
			t.Errorf("%d accepted, refused %v", accepted, refused)
		}
		t.Log(accepted, refused, answered)
		for _, name := range catalogue {
			if answered[name] < 3 {
				t.Errorf("%s found something %d times", name, answered[name])
			}
		}
	})
}

// compare compares what is registered, and the answers to random queries of callers who see all or a part.
func (w *world) compare(t *testing.T, s *Store, answered map[query.Name]int) {
	t.Helper()
	if got, want := everything(t, s).Objects, w.model.seen(everyone); !reflect.DeepEqual(&got, want) {
		t.Fatalf("registered is\n%+v, want\n%+v", got, want)
	}
	for range 200 {
		q := w.query(catalogue[w.IntN(len(catalogue))])
		visible := everyone
		if w.chance(80) {
			study, mime, empty := w.one("S1", "S2", "none"), w.one("text/1", "text/2", "text/none"), w.chance(50)
			visible = func(e Entry) (bool, error) {
				return e == Entry{} && empty || e.Study == study || e.MimeType == mime, nil
			}
		}
		want, refusedWant := query.Evaluate(q, w.model.seen(visible))
		got, refused, err := s.Query(context.Background(), q, visible)
		if err != nil || !reflect.DeepEqual(refused, refusedWant) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\ngot %+v, %v, %v\nwant %+v, %v", q, got, refused, err, want, refusedWant)
		}
		if got != nil && got.Len() > 0 {
			answered[q.Name]++
		}
	}
}
