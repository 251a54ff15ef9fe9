package conformance

// transaction is an IHE transaction as its initiator sees it: how its messages are addressed and packaged, what
// answers them, and what the answer may say.
type transaction struct {
	id                     string
	action, responseAction string
	mtom                   bool
	space, response        string          // the element that answers
	codes                  map[string]bool // errorCodes of ITI TF-3: Table 4.2.4.1-2
	partial                bool            // PartialSuccess is a status that it has. ITI TF-3: Tables 4.2.4.2-1 to -4
	schema                 string          // the file that defines the answer
}

// The transactions that are judged here.
var (
	retrieveDocumentSet = &transaction{
		id: "ITI-43", action: actionRetrieve, responseAction: actionRetrieveResponse, mtom: true,
		space: nsXDSB, response: "RetrieveDocumentSetResponse", codes: errorCodes, partial: true, schema: repositorySchema,
	}
	storedQuery = &transaction{
		id: "ITI-18", action: "urn:ihe:iti:2007:RegistryStoredQuery", responseAction: "urn:ihe:iti:2007:RegistryStoredQueryResponse",
		space: nsQuery, response: "AdhocQueryResponse",
		codes: queryErrorCodes, partial: true, schema: "query.xsd",
	}
	registerDocumentSet = &transaction{
		id: "ITI-42", action: "urn:ihe:iti:2007:RegisterDocumentSet-b", responseAction: "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
		space: nsRS, response: "RegistryResponse",
		codes: registerErrorCodes, schema: "rs.xsd",
	}
	registerOnDemand = &transaction{ // the response action has no "Entry". ITI TF-2: 3.61.4.2.2
		id: "ITI-61", action: "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry", responseAction: "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
		space: nsRS, response: "RegistryResponse",
		codes: registerErrorCodes, schema: "rs.xsd",
	}
	provideAndRegister = &transaction{ // and RAD-68
		id: "ITI-41", action: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", responseAction: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse", mtom: true,
		space: nsRS, response: "RegistryResponse",
		codes: provideErrorCodes, schema: "rs.xsd",
	}
	retrieveImages = &transaction{ // the response action is that of ITI-43. RAD TF-3: 4.69
		id: "RAD-69", action: "urn:ihe:rad:2009:RetrieveImagingDocumentSet", responseAction: actionRetrieveResponse, mtom: true,
		space: nsXDSB, response: "RetrieveDocumentSetResponse",
		partial: true, schema: repositorySchema, // any code: RAD TF-3 names none, and peers use those of DICOM PS3.18
	}
)

// retrieves reports whether documents come back.
func (tx *transaction) retrieves() bool { return tx.response == "RetrieveDocumentSetResponse" }

// set makes a set of error codes.
func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

// The columns of ITI TF-3: Table 4.2.4.1-2 beside RS, which is errorCodes.
var (
	queryErrorCodes = set("XDSMissingHomeCommunityId", "XDSRegistryBusy", "XDSRegistryOutOfResources", "XDSRegistryError", "XDSResultNotSinglePatient",
		"XDSStoredQueryMissingParam", "XDSStoredQueryParamNumber", "XDSTooManyResults", "XDSUnknownStoredQuery", "XDSUnavailableCommunity", codeUnknownCommunity,
		"XDSUnknownPatientId") // which ITI TF-2: 3.18.4.1.3 allows and the table forgets
	registerErrorCodes = set("UnresolvedReferenceException", "XDSDuplicateUniqueIdInRegistry", "XDSExtraMetadataNotSaved", "XDSNonIdenticalHash", "XDSNonIdenticalSize",
		"XDSPatientIdDoesNotMatch", "XDSRegistryBusy", "XDSRegistryOutOfResources", "XDSRegistryError", "XDSRegistryDeprecatedDocumentError",
		"XDSRegistryDuplicateUniqueIdInMessage", "XDSRegistryMetadataError", "XDSReplaceFailed", "XDSUnknownPatientId", "XDSRepositoryMetadataError",
		"XDSRepositoryDuplicateUniqueIdInMessage")
	provideErrorCodes = func() map[string]bool {
		m := set("DocumentQueued", "InvalidDocumentContent", "XDSMissingDocument", "XDSMissingDocumentMetadata", "XDSRegistryNotAvailable",
			"XDSRepositoryBusy", "XDSRepositoryError", "XDSRepositoryOutOfResources", "UnknownRecipient", "UnavailableRecipient",
			"PartialFolderContentNotProcessed", "PartialAppendContentNotProcessed", "PartialReplaceContentNotProcessed",
			"PartialTransformNotProcessed", "PartialTransformReplaceNotProcessed", "PartialRelationshipContentNotProcessed")
		for code := range registerErrorCodes {
			m[code] = true
		}
		return m
	}()
)
