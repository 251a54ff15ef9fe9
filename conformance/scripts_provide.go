package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
)

// repositoryScripts are toolkit2's tests of a Document Repository; toolkit2 has its own registry behind it, here it
// is the target's.
func repositoryScripts() []script {
	return append(append(provideScripts(), acceptanceScripts()...), provideService.script())
}

// registeredAs asks the registry for what a repository must have registered: the documents with their hash and size, and the
// id of the repository. ITI TF-2: 3.41.4.1.3.2, Gazelle ITI41-4, ITI41-13
func registeredAs(name, title, set, objects, links string) step {
	return ask(name, title, func(s *session) *query { return s.contentsOf(set) }, want{objects: objects, links: links, check: describesBytes})
}

// describesBytes compares hash and size with the bytes that were sent.
func describesBytes(s *session, c contents) error {
	for _, e := range c.objects {
		if e.Tag != "ExtrinsicObject" {
			continue
		}
		for _, n := range s.sent {
			if n.id != e.SelectAttrValue("id", "") || n.content == nil {
				continue
			}
			if got := slotOf(e, "hash"); !strings.EqualFold(got, hashOf(n.content)) {
				return expected("hash "+hashOf(n.content), got)
			}
			if got := slotOf(e, "size"); got != fmt.Sprint(len(n.content)) {
				return expected(fmt.Sprintf("size %d", len(n.content)), got)
			}
			if slotOf(e, "repositoryUniqueId") == "" {
				return expected("a repositoryUniqueId", "none")
			}
		}
	}
	return nil
}

// fetchBack retrieves documents from the repository that the registry names for them, and compares their bytes.
func fetchBack(name, title string, names ...string) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		var asked []DocumentRef
		for _, n := range names {
			asked = append(asked, DocumentRef{RepositoryUniqueID: s.repositoryID, DocumentUniqueID: s.entry(n).uniqueID})
		}
		got := map[string]*bytes.Buffer{}
		x, err := t.retrieve(ctx, s, asked, func(d Document) io.Writer {
			got[d.DocumentUniqueID] = &bytes.Buffer{}
			return got[d.DocumentUniqueID]
		})
		if err != nil {
			return err
		}
		if err := success.judge(x); err != nil {
			return err
		}
		for _, n := range names {
			e := s.entry(n)
			if b := got[e.uniqueID]; b == nil || !bytes.Equal(b.Bytes(), e.content) {
				return expected(fmt.Sprintf("the %d bytes of %s", len(e.content), n), "others")
			}
		}
		for _, d := range x.answer.Documents {
			for _, n := range names {
				if e := s.entry(n); e.uniqueID == d.DocumentUniqueID && d.MimeType != e.element.SelectAttrValue("mimeType", "") {
					return expected("mimeType "+e.element.SelectAttrValue("mimeType", ""), d.MimeType)
				}
			}
		}
		return nil
	}}
}

// retrieve asks the repository by ITI-43.
func (t *Target) retrieve(ctx context.Context, s *session, asked []DocumentRef, deliver func(Document) io.Writer) (*exchange, error) {
	to, err := t.service("RepositoryURL", t.RepositoryURL)
	if err != nil {
		return nil, err
	}
	return t.exchange(ctx, s, to, newMessage(to.url, asked...), deliver)
}

// knownRepository learns the repository's id from the registry, so that documents can be retrieved.
func knownRepository(name, title, document string) step {
	return ask(name, title, func(s *session) *query {
		return get("GetDocuments").with(entryUniqueID, s.uniqueIDs(strings.Fields(document)...))
	},
		want{objects: document, check: func(s *session, c contents) error {
			if err := describesBytes(s, c); err != nil {
				return err
			}
			s.repositoryID = slotOf(c.objects[0], "repositoryUniqueId")
			return nil
		}})
}

// claiming adds hash and size to a document of ITI-41.
func claiming(name string, edit func(e *etree.Element, content []byte)) recipe {
	r := oneDocument(name)
	r.edit = func(_ *session, sub *submission) {
		d := sub.documents[0]
		setSlot(d.element, "size", fmt.Sprint(len(d.content)))
		setSlot(d.element, "hash", hashOf(d.content))
		edit(d.element, d.content)
	}
	return r
}

// provided returns a recipe of registryData for ITI-41.
func provided(r recipe) recipe {
	r.name = "12344-" + r.name
	if len(r.relations) > 0 {
		r.relations = []relation{{kind: "RPLC", to: "12344-orig.D0"}}
	}
	return r
}

func provideScripts() []script {
	whole := func(*etree.Element, []byte) {}
	upper := func(e *etree.Element, b []byte) { setSlot(e, "hash", strings.ToUpper(hashOf(b))) }
	badHash := func(e *etree.Element, _ []byte) { setSlot(e, "hash", hashOf([]byte("another"))) }
	badSize := func(e *etree.Element, b []byte) { setSlot(e, "size", fmt.Sprint(len(b)+1)) }
	mismatch := oneDocument("11986")
	mismatch.edit = mismatched
	noBytes := recipe{name: "11983.doc", documents: []document{{}}, edit: func(_ *session, sub *submission) { sub.documents[0].content = nil }}
	noEntry := recipe{name: "11983.meta", edit: func(_ *session, sub *submission) {
		sub.loose = []entry{{id: newID(), content: []byte("nobody describes me")}}
	}}
	setOf := func(name string) func(*session) *query {
		return func(s *session) *query { return get("GetSubmissionSets").asRefs().with("$uuid", s.ids(name+".S")) }
	}
	goofy := oneDocument("12360")
	goofy.documents[0].mime = 1 << 20 // the last of the domain: text/goofy in the connectathon's
	return []script{
		{"12344", "XDS.b Initialization for Registry/Repository testing", []step{
			provide("submit_doc / submit_doc", "A single document is taken", provided(singleDocument), success),
			provide("submit_doc_w_fol / submit_doc_w_fol", "A document in a folder is taken", provided(inFolder), success),
			provide("submit_2doc_w_fol / submit_2doc_w_fol", "Two documents in a folder are taken", provided(twoInFolder), success),
			provide("submit_doc_for_rplc / submit_doc_for_rplc", "A document to be replaced is taken", provided(toReplace), success),
			provide("rplc / rplc", "Its replacement is taken", provided(replacement), success),
		}},
		{"11966", "Accept Provide and Register of a single Document", []step{
			provide("submit / submit", "A document is taken", oneDocument("11966"), success),
			registeredAs("eval / eval", "It is registered with hash, size and repository", "11966", "11966.S 11966.D0", "1 HasMember"),
		}},
		{"11979", "Accept two documents", []step{
			provide("submit / submit", "Two documents are taken", recipe{name: "11979", documents: []document{{}, {}}}, success),
			registeredAs("eval / storedquery", "Both are registered", "11979", "11979.S 11979.D0 11979.D1", "2 HasMember"),
		}},
		{"11981", "Accept document with size, and hash attributes", []step{
			provide("submit / submit", "A document with hash and size is taken", claiming("11981", whole), success),
			provide("submit_uppercase_hash / submit", "The hash may be in capitals", claiming("11981.upper", upper), success),
			provide("submit_bad_hash / submit", "A wrong hash is refused", claiming("11981.hash", badHash), refusedAs("XDSRepositoryMetadataError")),
			provide("submit_bad_size / submit", "A wrong size is refused", claiming("11981.size", badSize), refusedAs("XDSRepositoryMetadataError")),
		}},
		{"11983", "Reject submissions where metadata and documents do not match", []step{
			provide("submit_no_doc / doc_missing", "A DocumentEntry without a document is refused", noBytes, saying("XDSMissingDocument")),
			provide("submit_no_metadata / doc_metadata_missing", "A document without a DocumentEntry is refused", noEntry, saying("XDSMissingDocumentMetadata")),
			ask("eval_no_doc / doc_missing", "Nothing of the first is registered", setOf("11983.doc"), want{refs: true}),
			ask("eval_no_metadata / doc_metadata_missing", "Nothing of the second either", setOf("11983.meta"), want{refs: true}),
		}},
		{"11986", "Return Errors from Registry", []step{
			provide("submit / submit", "Two patients in one submission are refused", mismatch, saying("XDSPatientIdDoesNotMatch")),
		}},
		{"12021", "Accept retrieve document set - two documents", []step{
			provide("submit / submit", "Two documents are taken", recipe{name: "12021", documents: []document{{}, {}}}, success),
			knownRepository("query / by_uid", "They are registered", "12021.D0 12021.D1"),
			fetchBack("retrieve / retrieve_double", "Both are returned, byte for byte", "12021.D0", "12021.D1"),
		}},
		{"12028", "Submit and Retrieve document over TLS", []step{
			provide("submit / submit", "A document is taken", oneDocument("12028"), success),
			knownRepository("query / uniqueid", "It is registered", "12028.D0"),
			fetchBack("retrieve / retrieve", "It is returned, byte for byte", "12028.D0"),
		}},
		{"12029", "Accept Retrieve Document Set with a single document", []step{
			provide("submit / submit", "A document is taken", oneDocument("12029.submitted"), success),
			knownRepository("query / by_uid", "It is registered", "12029.submitted.D0"),
			fetchBack("retrieve / retrieve", "It is returned, byte for byte", "12029.submitted.D0"),
		}},
		{"12360", "Repository handling of mimeType", []step{
			provide("submit / submit", "A document of an odd type is taken", goofy, success),
			knownRepository("query / by_uid", "It is registered", "12360.D0"),
			fetchBack("retrieve / retrieve", "It is returned with that type", "12360.D0"),
		}},
		{"12369", "12369 PnR.b Wrong size or hash received in metadata", []step{
			provide("size / submit", "A wrong size is refused", claiming("12369.size", badSize), refusedAs("XDSRepositoryMetadataError")),
			provide("hash / submit", "A wrong hash is refused", claiming("12369.hash", badHash), refusedAs("XDSRepositoryMetadataError")),
		}},
		{"15816", "Retrieve tests", []step{
			submit("Register_Stable / Register", "A document is registered", oneDocument("15816.registered"), success),
			provide("PnR / SubmitStableDocumentEntry", "A document is taken", oneDocument("15816"), success),
			fetchBack("Retrieve / retrieve_doc", "It is returned, byte for byte", "15816.D0"),
			retrieveBadly("Retrieve / retrieve_bad_doc_uid", "An unknown one is refused", failure, "an unknown one"),
			retrieveBadly("Retrieve / retrieve_partial_uid", "Together they give PartialSuccess", verdict{status: StatusPartialSuccess}, "15816.D0", "an unknown one"),
		}},
	}
}

// retrieveBadly asks for documents of which one does not exist.
func retrieveBadly(name, title string, v verdict, names ...string) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		var asked []DocumentRef
		for _, n := range names {
			id := newOID()
			if n != "an unknown one" {
				id = s.entry(n).uniqueID
			}
			asked = append(asked, DocumentRef{RepositoryUniqueID: s.repositoryID, DocumentUniqueID: id})
		}
		x, err := t.retrieve(ctx, s, asked, nil)
		if err != nil {
			return err
		}
		if got, want := len(x.answer.Documents), len(names)-1; got != want {
			return expected(plural(want, "document"), got)
		}
		return v.judge(x)
	}}
}

// acceptanceScripts are the newer tests, which repeat the older ones with submissions of every pattern, and those of
// packaging.
func acceptanceScripts() []script {
	const a, b, c = "ReposAcceptanceTest-1111", "ReposAcceptanceTest-1112", "ReposAcceptanceTest-1113"
	wrapped := func(name, title, recipeName string, mime int, wrap func(*wrapping)) step {
		return step{name, title, submits(provideAndRegister, recipe{name: recipeName, documents: []document{{mime: mime}}}, success, wrap)}
	}
	inline := func(w *wrapping) { w.inline = true }
	return []script{
		{a, "Submit Document Entry", []step{
			provide("SubmitSingleDoc / submit", "A document is taken", oneDocument(a), success),
			provide("SubmitRplc / replace", "It is replaced", relatesTo(a+".rplc", "RPLC", a+".D0"), success),
		}},
		{b, "Append and Transform Document Entry", []step{
			provide("SubmitSingleDoc / submit", "A document is taken", oneDocument(b), success),
			provide("SubmitApnd / append", "It gets an addendum", relatesTo(b+".apnd", "APND", b+".D0"), success),
			provide("SubmitXfrmRplc / xfrmRplc", "It is transformed and replaced", relatesTo(b+".xfrm", "XFRM_RPLC", b+".D0"), success),
		}},
		{c, "Folder and Document Entry Tests", []step{
			provide("SubmitTwoDocs / submit", "Two documents are taken", recipe{name: c, documents: []document{{}, {}}}, success),
			provide("SubmitFolder / submit", "A folder is taken", recipe{name: c + ".fol", folders: []folder{{}}}, success),
			provide("SubmitFolderwDoc / submit", "A folder with a document is taken", recipe{name: c + ".doc", documents: []document{{}}, folders: []folder{{holds: []int{0}}}}, success),
			provide("AssociateNewDEwithExistingFolder / submit", "A new document is put into a folder that is there",
				recipe{name: c + ".new", documents: []document{{}}, members: []member{{c + ".fol.F0", "D0"}}}, success),
			provide("AssociateExistingDEwithExistingFolder / submit", "A document that is there is put into it",
				recipe{name: c + ".old", members: []member{{c + ".fol.F0", c + ".D0"}}}, success),
		}},
		{"PnrNoXop", "PnR.b Accept document", []step{
			wrapped("submit / submit", "A document inside the envelope is taken", "PnrNoXop", 0, inline),
			registeredAs("eval / eval", "It is registered", "PnrNoXop", "PnrNoXop.S PnrNoXop.D0", "1 HasMember"),
		}},
		{"PnrXop", "PnR.b Accept document", []step{
			wrapped("Xop / submit", "A document as a part is taken", "PnrXop", 0, func(*wrapping) {}),
			wrapped("NoXop / submit", "Inside the envelope as well", "PnrXop.no", 0, inline),
			wrapped("encodedURL / submit", "With a Content-ID that must be escaped", "PnrXop.url", 0, func(w *wrapping) { w.escaped = true }),
			wrapped("dicom / submit", "With the type application/dicom", "PnrXop.dicom", 1, func(*wrapping) {}),
		}},
	}
}
