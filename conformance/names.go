package conformance

// The namespaces of the exchanges. ITI TF-2: Table V.2.4-1
const (
	nsSOAP   = "http://www.w3.org/2003/05/soap-envelope"
	nsSOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
	nsWSA    = "http://www.w3.org/2005/08/addressing"
	nsXDSB   = "urn:ihe:iti:xds-b:2007"
	nsRS     = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
	nsRIM    = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
	nsLCM    = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
	nsQuery  = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
	nsRAD    = "urn:ihe:rad:xdsi-b:2009"
	nsXOP    = "http://www.w3.org/2004/08/xop/include"
	nsWSSE   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsWSU    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	nsDS     = "http://www.w3.org/2000/09/xmldsig#"
	nsXMLNS  = "http://www.w3.org/2000/xmlns/"
)

// The actions of ITI-43. ITI TF-2: 3.43.5
const (
	actionRetrieve         = "urn:ihe:iti:2007:RetrieveDocumentSet"
	actionRetrieveResponse = "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
	addressAnonymous       = "http://www.w3.org/2005/08/addressing/anonymous"
)

// The states of an answer. PartialSuccess is IHE's own and has another prefix. ITI TF-3: 4.2.4
const (
	StatusSuccess        = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
	StatusFailure        = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
	StatusPartialSuccess = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
)

// The severities of a RegistryError. ITI TF-3: 4.2.4.1
const (
	severityError   = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
	severityWarning = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
)

// The codes that the checks ask for by name.
const (
	codeDocumentUniqueID    = "XDSDocumentUniqueIdError"
	codeUnknownRepositoryID = "XDSUnknownRepositoryId"
	codeUnknownCommunity    = "XDSUnknownCommunity"
)

// errorCodes are the codes that an answer to ITI-43 may carry, column RS. ITI TF-3: Table 4.2.4.1-2
var errorCodes = map[string]bool{
	codeDocumentUniqueID:          true,
	codeUnknownRepositoryID:       true,
	codeUnknownCommunity:          true,
	"XDSRepositoryError":          true,
	"XDSRepositoryBusy":           true,
	"XDSRepositoryOutOfResources": true,
	"XDSMissingHomeCommunityId":   true,
	"XDSResultNotSinglePatient":   true,
	"XDSUnavailableCommunity":     true,
}

// The media types of an exchange. ITI TF-2: V.8, V.9.3
const (
	mediaMultipart = "multipart/related"
	mediaXOP       = "application/xop+xml"
	mediaSOAP      = "application/soap+xml"
	mediaSOAP11    = "text/xml"
)
