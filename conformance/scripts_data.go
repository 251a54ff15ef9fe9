package conformance

// The documents that toolkit2 loads before it queries. What differs between them is what its queries select by:
//
//	            class  practice  facility  confid.  events  format  created     started   status
//	single.D0   0      0         0         0        0       0       20061224    20061223  Approved   author Ford
//	fol.D0      1      1         1         2        1       0       20041224    20061223  Approved   in fol.F0
//	two.D0      2      2         2         1        2, 0    0       20061224    20050101  Approved   in two.F0
//	two.D1      3      1         0         0        2       1       20061224    20050601  Approved   in two.F0, has a reference id
//	orig.D0     2      1         0         0                0       20061224    20061223  Deprecated
//	rplc.D0     0      2         2         0                0       20061224    20061223  Approved   replaces orig.D0
var (
	singleDocument = recipe{name: "single", documents: []document{{author: "^Ford^Henry^^^", events: []int{0}}}}
	inFolder       = recipe{name: "fol", folders: []folder{{holds: []int{0}}}, documents: []document{
		{class: 1, practice: 1, facility: 1, confidentiality: []int{2}, events: []int{1}, created: "20041224"}}}
	twoInFolder = recipe{name: "two", folders: []folder{{holds: []int{0, 1}}}, documents: []document{
		{class: 2, practice: 2, facility: 2, confidentiality: []int{1}, events: []int{2, 0}, started: "20050101", stopped: "20050102"},
		{class: 3, practice: 1, format: 1, events: []int{2}, started: "20050601", stopped: "20050602", reference: reference}}}
	toReplace   = recipe{name: "orig", documents: []document{{class: 2, practice: 1}}}
	replacement = recipe{name: "rplc", documents: []document{{practice: 2, facility: 2}}, relations: []relation{{kind: "RPLC", to: "orig.D0"}}}
)

const (
	referenceAuthority = "1.2.5643.2"
	reference          = "20061223^^^&" + referenceAuthority + "&ISO^urn:ihe:iti:xds:2013:uniqueId"
)

// ofOther returns a recipe for the other patient, whose names begin with "other-".
func ofOther(r recipe) recipe {
	r.name, r.patient = "other-"+r.name, otherPatient
	if len(r.relations) > 0 {
		r.relations = []relation{{kind: "RPLC", to: "other-orig.D0"}}
	}
	return r
}

// registryData are the submissions that the queries of Part 5 A find.
func registryData() []script {
	return []script{
		{"12346", "Initialize Registry for Stored Query Testing", []step{
			submit("single_doc / submit_doc", "A single document is registered", singleDocument, success),
			submit("doc_w_fol / submit_doc_w_fol", "A document in a folder is registered", inFolder, success),
			submit("two_doc_w_fol / submit_2doc_w_fol", "Two documents in a folder are registered", twoInFolder, success),
			submit("doc_for_rplc / doc_for_rplc", "A document to be replaced is registered", toReplace, success),
			submit("rplc / rplc", "Its replacement is registered", replacement, success),
		}},
		{"12374", "Initialize Registry for Stored Query testing - different Patient ID", []step{
			submit("submit_doc / submit_doc", "A single document of another patient is registered", ofOther(singleDocument), success),
			submit("submit_doc_w_fol / submit_doc_w_fol", "A document in a folder is registered", ofOther(inFolder), success),
			submit("submit_2doc_w_fol / submit_2doc_w_fol", "Two documents in a folder are registered", ofOther(twoInFolder), success),
			submit("submit_doc_for_rplc / submit_doc_for_rplc", "A document to be replaced is registered", ofOther(toReplace), success),
			submit("rplc / rplc", "Its replacement is registered", ofOther(replacement), success),
		}},
	}
}
