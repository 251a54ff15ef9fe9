package conformance

// The parameters by which objects are asked for.
const (
	entryUUID     = "$XDSDocumentEntryEntryUUID"
	entryUniqueID = "$XDSDocumentEntryUniqueId"
)

// getScripts are toolkit2's tests of the queries that fetch what is known by id. ITI TF-2: 3.18.4.1.2.3.7.4 to .14
func getScripts() []script {
	// byID and byUniqueID ask for named objects by a parameter with several values.
	byID := func(kind, parameter string, names ...string) func(*session) *query {
		return func(s *session) *query { return get(kind).with(parameter, s.ids(names...)) }
	}
	byUniqueID := func(kind, parameter string, names ...string) func(*session) *query {
		return func(s *session) *query { return get(kind).with(parameter, s.uniqueIDs(names...)) }
	}
	// one asks by a parameter with one value.
	one := func(kind, parameter, name string) func(*session) *query {
		return func(s *session) *query { return get(kind).with(parameter, quoted(s.entry(name).id)) }
	}
	oneUniqueID := func(kind, parameter, name string) func(*session) *query {
		return func(s *session) *query { return get(kind).with(parameter, quoted(s.entry(name).uniqueID)) }
	}
	related := func(q func(*session) *query) func(*session) *query {
		return func(s *session) *query {
			return q(s).with("$AssociationTypes", list(associationTypes["HasMember"], associationTypes["RPLC"]))
		}
	}
	filtered := func(q func(*session) *query, attribute, parameter string, indices ...int) func(*session) *query {
		return func(s *session) *query { return q(s).with(parameter, s.coded(attribute, indices...)...) }
	}
	confidentiality := func(q func(*session) *query, indices ...int) func(*session) *query {
		return filtered(q, "confidentialityCode", "$XDSDocumentEntryConfidentialityCode", indices...)
	}
	const setUniqueID, folderUniqueID, folderUUID = "$XDSSubmissionSetUniqueId", "$XDSFolderUniqueId", "$XDSFolderEntryUUID"
	twoSet := oneUniqueID("GetSubmissionSetAndContents", setUniqueID, "two.S")
	twoFolder := one("GetFolderAndContents", folderUUID, "two.F0")
	return []script{
		{"11901", "SQ.b GetDocuments Stored Query", []step{
			ask("uniqueid / uniqueid", "A document by uniqueId", byUniqueID("GetDocuments", entryUniqueID, "single.D0"), want{objects: "single.D0"}),
			ask("uniqueid2 / uniqueid2", "Two documents by uniqueId", byUniqueID("GetDocuments", entryUniqueID, "two.D0", "two.D1"), want{objects: "two.D0 two.D1"}),
			ask("uuid / uuid", "A document by entryUUID", byID("GetDocuments", entryUUID, "single.D0"), want{objects: "single.D0"}),
			ask("uuid2 / uuid2", "Two documents by entryUUID", byID("GetDocuments", entryUUID, "two.D0", "two.D1"), want{objects: "two.D0 two.D1"}),
			ask("uuid_multiple_slot_values / uuid_multiple_slot_values", "Two documents by two values of the slot", func(s *session) *query {
				return get("GetDocuments").with(entryUUID, s.ids("two.D0"), s.ids("two.D1"))
			}, want{objects: "two.D0 two.D1"}),
			ask("homeCommunityId / homeCommunityId", "A homeCommunityId does no harm", func(s *session) *query {
				q := byUniqueID("GetDocuments", entryUniqueID, "single.D0")(s)
				q.home = "urn:oid:1.1.1"
				return q
			}, want{objects: "single.D0"}),
		}},
		{"11902", "SQ.b GetFolders Stored Query", []step{
			ask("uuid / uuid", "Two folders by entryUUID", byID("GetFolders", folderUUID, "fol.F0", "two.F0"), want{objects: "fol.F0 two.F0"}),
			ask("uuid / verify_availabilityStatus", "They are Approved", byID("GetFolders", folderUUID, "fol.F0", "two.F0"), want{objects: "fol.F0 two.F0"}),
			ask("uniqueid / uniqueid", "Two folders by uniqueId", byUniqueID("GetFolders", folderUniqueID, "fol.F0", "two.F0"), want{objects: "fol.F0 two.F0"}),
		}},
		{"11903", "SQ.b GetAssociations Stored Query", []step{
			ask("single_from_doc / single_from_doc", "The association of a document", byID("GetAssociations", "$uuid", "single.D0"), want{links: "1 HasMember"}),
			ask("multiple_assoc_from_doc / multiple_assoc_from_doc", "Those of a document in a folder", byID("GetAssociations", "$uuid", "fol.D0"), want{links: "2 HasMember"}),
			ask("multiple_assoc_from_ss / multiple_assoc_from_ss", "Those of a SubmissionSet", byID("GetAssociations", "$uuid", "fol.S"), want{links: "3 HasMember"}),
			ask("multiple_doc / multiple_doc", "Those of two documents", byID("GetAssociations", "$uuid", "two.D0", "two.D1"), want{links: "4 HasMember"}),
		}},
		{"11904", "SQ.b GetDocumentsAndAssociations Stored Query", []step{
			ask("uniqueid / uniqueid", "A document by uniqueId", byUniqueID("GetDocumentsAndAssociations", entryUniqueID, "single.D0"), want{objects: "single.D0", links: "1 HasMember"}),
			ask("uniqueids / uniqueids", "Two documents by uniqueId", byUniqueID("GetDocumentsAndAssociations", entryUniqueID, "single.D0", "fol.D0"), want{objects: "single.D0 fol.D0", links: "3 HasMember"}),
			ask("uuid / uuid", "A document by entryUUID", byID("GetDocumentsAndAssociations", entryUUID, "single.D0"), want{objects: "single.D0", links: "1 HasMember"}),
			ask("uuids / uuids", "Two documents by entryUUID", byID("GetDocumentsAndAssociations", entryUUID, "single.D0", "fol.D0"), want{objects: "single.D0 fol.D0", links: "3 HasMember"}),
		}},
		{"11905", "SQ.b GetSubmissionSets Stored Query", []step{
			ask("basic / doc_uuid", "The set of a document", byID("GetSubmissionSets", "$uuid", "single.D0"), want{objects: "single.S", links: "1 HasMember"}),
			ask("basic / two_doc_uuid_two_ss", "Two documents of two sets", byID("GetSubmissionSets", "$uuid", "single.D0", "fol.D0"), want{objects: "single.S fol.S", links: "2 HasMember"}),
			ask("basic / two_doc_uuid_one_ss", "Two documents of one set", byID("GetSubmissionSets", "$uuid", "two.D0", "two.D1"), want{objects: "two.S", links: "2 HasMember"}),
			ask("basic / fol_uuid", "The set of a folder", byID("GetSubmissionSets", "$uuid", "fol.F0"), want{objects: "fol.S", links: "1 HasMember"}),
			ask("basic / doc_and_fol", "A document and a folder of two sets", byID("GetSubmissionSets", "$uuid", "single.D0", "two.F0"), want{objects: "single.S two.S", links: "2 HasMember"}),
		}},
		{"11906", "SQ.b GetSubmissionSetAndContents Stored Query", []step{
			ask("uniqueid / uniqueid", "By uniqueId", oneUniqueID("GetSubmissionSetAndContents", setUniqueID, "single.S"), want{objects: "single.S single.D0", links: "1 HasMember"}),
			ask("folder_and_docs / folder_and_docs", "Two documents and a folder", twoSet, want{objects: "two.S two.D0 two.D1 two.F0", links: "7 HasMember"}),
			ask("uuid / uuid", "By entryUUID", one("GetSubmissionSetAndContents", "$XDSSubmissionSetEntryUUID", "single.S"), want{objects: "single.S single.D0", links: "1 HasMember"}),
			ask("format_code / format_code", "Documents of a formatCode", filtered(twoSet, "formatCode", "$XDSDocumentEntryFormatCode", 1), want{objects: "two.S two.D1 two.F0", links: "4 HasMember"}),
			ask("conf_code / conf_code", "Documents of a confidentialityCode", confidentiality(twoSet, 1), want{objects: "two.S two.D0 two.F0", links: "4 HasMember"}),
			ask("objectrefs / objectrefs", "As ObjectRefs", func(s *session) *query { return s.contentsOf("single").asRefs() }, want{objects: "single.S single.D0", links: "1 HasMember", refs: true}),
		}},
		{"11907", "SQ.b GetFolderAndContents Stored Query", []step{
			ask("uniqueid / uniqueid", "By uniqueId", oneUniqueID("GetFolderAndContents", folderUniqueID, "fol.F0"), want{objects: "fol.F0 fol.D0", links: "1 HasMember"}),
			ask("uuid / uuid", "By entryUUID", one("GetFolderAndContents", folderUUID, "fol.F0"), want{objects: "fol.F0 fol.D0", links: "1 HasMember"}),
			ask("conf_code / conf_code", "Documents of a confidentialityCode", confidentiality(twoFolder, 1), want{objects: "two.F0 two.D0", links: "1 HasMember"}),
			ask("both_conf_code / both_conf_code", "Documents of either confidentialityCode", confidentiality(twoFolder, 1, 0), want{objects: "two.F0 two.D0 two.D1", links: "2 HasMember"}),
			ask("format_code / format_code", "Documents of a formatCode", filtered(twoFolder, "formatCode", "$XDSDocumentEntryFormatCode", 0), want{objects: "two.F0 two.D0", links: "1 HasMember"}),
		}},
		{"11908", "SQ.b GetFoldersForDocument Stored Query", []step{
			ask("uniqueid / uniqueid", "By uniqueId", oneUniqueID("GetFoldersForDocument", entryUniqueID, "fol.D0"), want{objects: "fol.F0"}),
			ask("uuid / uuid", "By entryUUID", one("GetFoldersForDocument", entryUUID, "fol.D0"), want{objects: "fol.F0"}),
		}},
		{"11909", "SQ.b GetRelatedDocuments Stored Query", []step{
			ask("no_initial_doc / no_initial_doc", "Nothing of a document that does not exist", related(func(*session) *query {
				return get("GetRelatedDocuments").with(entryUUID, quoted("urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"))
			}), want{}),
			ask("uniqueid_no_related / uniqueid_no_related", "Nothing of a document without relations, by uniqueId", related(oneUniqueID("GetRelatedDocuments", entryUniqueID, "single.D0")), want{}),
			ask("uuid_no_related / uuid_no_related", "The same by entryUUID", related(one("GetRelatedDocuments", entryUUID, "single.D0")), want{}),
			ask("uniqueid / uniqueid", "A document and its replacement", related(oneUniqueID("GetRelatedDocuments", entryUniqueID, "rplc.D0")), want{objects: "rplc.D0 orig.D0!", links: "1 RPLC"}),
			ask("near_folder / near_folder", "A folder is no related document", related(oneUniqueID("GetRelatedDocuments", entryUniqueID, "fol.D0")), want{}),
			ask("uuid / uuid", "The same by entryUUID", related(one("GetRelatedDocuments", entryUUID, "fol.D0")), want{}),
		}},
		{"15803", "GetAll Stored Query", []step{
			ask("all / leafclass", "All of a patient", func(s *session) *query {
				return s.getAll(thePatient, anyStatus).with("$XDSDocumentEntryType", list(typeStable), list(typeOnDemand))
			}, want{objects: "single.S fol.S two.S orig.S rplc.S single.D0 fol.D0 two.D0 two.D1 orig.D0! rplc.D0 fol.F0 two.F0", links: "14 HasMember 1 RPLC"}),
		}},
		{"12368", "SQ.b XDSResultNotSinglePatient Error", []step{
			askBadly("doc_leafclass / leafclass", "Documents of two patients are refused", byID("GetDocuments", entryUUID, "single.D0", "other-single.D0"), refusedAs("XDSResultNotSinglePatient")),
			ask("doc_objectref / objectref", "Not so as ObjectRefs", func(s *session) *query {
				return get("GetDocuments").asRefs().with(entryUUID, s.ids("single.D0", "other-single.D0"))
			}, want{objects: "single.D0 other-single.D0", refs: true}),
			askBadly("ss_leafclass / ss_uuid", "SubmissionSets of two patients are refused", byID("GetSubmissionSets", "$uuid", "single.D0", "other-single.D0"), refusedAs("XDSResultNotSinglePatient")),
			ask("ss_objectref / ss_uuid", "Not so as ObjectRefs", func(s *session) *query {
				return get("GetSubmissionSets").asRefs().with("$uuid", s.ids("single.D0", "other-single.D0"))
			}, want{objects: "single.S other-single.S", links: "2 HasMember", refs: true}),
			askBadly("fol_leafclass / leafclass", "Folders of two patients are refused", byID("GetFolders", folderUUID, "fol.F0", "other-fol.F0"), refusedAs("XDSResultNotSinglePatient")),
			ask("fol_objectref / leafclass", "Not so as ObjectRefs", func(s *session) *query {
				return get("GetFolders").asRefs().with(folderUniqueID, s.uniqueIDs("fol.F0", "other-fol.F0"))
			}, want{objects: "fol.F0 other-fol.F0", refs: true}),
		}},
	}
}

// queryFaults are queries that a registry must refuse, beyond what toolkit2 sends.
func queryFaults() script {
	return script{"ITI-18", "ITI TF-2: 3.18.4.1.2.3, 3.18.4.1.3; Gazelle ITI18; toolkit2 VAL-SQ-02; IPF-14", []step{
		askBadly("ITI18-13", "A query that nobody knows is refused with XDSUnknownStoredQuery", func(*session) *query {
			return &query{id: "00000000-0000-4000-8000-000000000000"}
		}, refusedAs("XDSUnknownStoredQuery")),
		askBadly("ITI18-22", "A query without a required parameter is refused with XDSStoredQueryMissingParam", func(s *session) *query {
			return get("FindDocuments").with("$XDSDocumentEntryStatus", approvedOnly)
		}, refusedAs("XDSStoredQueryMissingParam")),
		askBadly("18-STATUS", "A status that nobody knows is no status: XDSStoredQueryMissingParam", func(s *session) *query {
			return s.findDocuments(thePatient, list("urn:oasis:names:tc:ebxml-regrep:StatusType:Forgotten"))
		}, refusedAs("XDSStoredQueryMissingParam")),
		askBadly("18-BOTH", "entryUUID and uniqueId at once are refused with XDSStoredQueryParamNumber", func(s *session) *query {
			return get("GetDocuments").with(entryUUID, s.ids("single.D0")).with(entryUniqueID, s.uniqueIDs("single.D0"))
		}, refusedAs("XDSStoredQueryParamNumber")),
		askBadly("18-NEITHER", "Neither of them is refused with XDSStoredQueryMissingParam", func(*session) *query {
			return get("GetDocuments")
		}, refusedAs("XDSStoredQueryMissingParam")),
		askBadly("18-SINGLE", "Two patients at once are refused with XDSStoredQueryParamNumber", func(s *session) *query {
			return get("FindDocuments").with("$XDSDocumentEntryPatientId", quoted(s.patient(thePatient)), quoted(s.patient(otherPatient))).
				with("$XDSDocumentEntryStatus", approvedOnly)
		}, refusedAs("XDSStoredQueryParamNumber")),
		askBadly("IPF-14.TWICE", "A parameter that cannot be and-ed may not be repeated", func(s *session) *query {
			return s.findDocuments(thePatient, approvedOnly).with("$XDSDocumentEntryClassCode", s.coded("classCode", 0)...).
				with("$XDSDocumentEntryClassCode", s.coded("classCode", 1)...)
		}, failure),
		askBadly("VAL-SQ-02.TIME", "A time that is none is refused", func(s *session) *query {
			return s.findDocuments(thePatient, approvedOnly).with("$XDSDocumentEntryCreationTimeFrom", "yesterday")
		}, failure),
		ask("ITI18-STRANGER", "A patient that nobody knows has no documents", func(s *session) *query {
			return s.findDocuments(unknownPatient, approvedOnly)
		}, want{}),
	}}
}
