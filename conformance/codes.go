package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/beevik/etree"
)

// Code is a coded value. ITI TF-3: 4.2.3.1.2
type Code struct{ Value, Scheme, Display string }

// Codes are the code sets of the affinity domain under test, by the name of the attribute as in ITI TF-3: Table
// 4.3.1-3, and "contentTypeCode", "folderCodeList", "associationDocumentation", "mimeType".
type Codes map[string][]Code

// LoadCodes reads a codes.xml as toolkit2 and Gazelle have it.
func LoadCodes(file string) (Codes, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(b) > maxCodesFile {
		return nil, fmt.Errorf("reading codes: %s is larger than %d bytes", file, maxCodesFile)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{ValidateInput: true, MaxDepth: maxDepth}
	if err := doc.ReadFromBytes(bytes.TrimSpace(b)); err != nil || doc.Root() == nil {
		return nil, fmt.Errorf("reading codes: %s is not well-formed XML: %w", file, errors.Join(err))
	}
	codes := Codes{}
	for _, t := range doc.Root().SelectElements("CodeType") {
		name := t.SelectAttrValue("name", "")
		if attribute, ok := attributeOf[t.SelectAttrValue("classScheme", "")]; ok {
			name = attribute
		}
		for _, c := range t.SelectElements("Code") {
			codes[name] = append(codes[name], Code{c.SelectAttrValue("code", ""), c.SelectAttrValue("codingScheme", ""), c.SelectAttrValue("display", "")})
		}
	}
	for _, name := range requiredCodes {
		if len(codes[name]) == 0 {
			return nil, fmt.Errorf("reading codes: %s has no %s", file, name)
		}
	}
	return codes, nil
}

// requiredCodes are the sets without which nothing can be submitted.
var requiredCodes = []string{"classCode", "confidentialityCode", "formatCode", "healthcareFacilityTypeCode", "practiceSettingCode",
	"typeCode", "contentTypeCode", "mimeType"}

// DefaultCodes are codes of the connectathon's affinity domain, which the tests of toolkit2 name.
func DefaultCodes() Codes {
	const (
		classes   = "1.3.6.1.4.1.19376.1.2.6.1"
		testing   = "1.3.6.1.4.1.21367.2017.3"
		snomed    = "2.16.840.1.113883.6.96"
		loinc     = "2.16.840.1.113883.6.1"
		hl7       = "2.16.840.1.113883.5.25"
		formats   = "1.3.6.1.4.1.19376.1.2.3"
		dicomUIDs = "1.2.840.10008.2.6.1"
	)
	return Codes{
		"classCode":                  {{"REPORTS", classes, "Reports"}, {"DISPENSATIONS", classes, "Dispensations"}, {"SUMMARIES", classes, "Summaries"}, {"HEALTH", classes, "Health"}, {"IMAGES", classes, "Images"}},
		"confidentialityCode":        {{"N", hl7, "Normal"}, {"R", hl7, "Restricted"}, {"V", hl7, "Very restricted"}},
		"eventCodeList":              {{"urn:connectathon:policy:full-access", testing, "Full access"}, {"urn:connectathon:policy:deny-access", testing, "Deny access"}, {"urn:connectathon:bppc:foundational:policy", testing, "Foundational policy"}},
		"formatCode":                 {{"urn:ihe:rad:TEXT", formats, "Text"}, {"urn:ihe:pcc:aps:2007", formats, "Antepartum summary"}, {"1.2.840.10008.5.1.4.1.1.88.59", dicomUIDs, "Key Object Selection Document"}},
		"healthcareFacilityTypeCode": {{"264372000", snomed, "Pharmacy"}, {"66280005", snomed, "Private home"}, {"22232009", snomed, "Hospital"}},
		"practiceSettingCode":        {{"Practice-G", testing, "General Medicine"}, {"Practice-D", testing, "Practice D"}, {"309927009", snomed, "Antenatal service"}, {"Practice-A", testing, "Practice A"}},
		"typeCode":                   {{"11369-6", loinc, "History of immunization"}, {"18748-4", loinc, "Diagnostic imaging study"}},
		"contentTypeCode":            {{"225728007", snomed, "Accident and emergency department"}, {"UNSPECIFIED-CONTENT-TYPE", testing, "Unspecified"}},
		"folderCodeList":             {{"Referrals", testing, "Referrals"}},
		"associationDocumentation":   {{"Additional_Information", "1.3.6.1.4.1.21367.2017.3", "Additional information"}},
		"mimeType":                   {{Value: "text/plain"}, {Value: "application/dicom"}, {Value: "application/pdf"}, {Value: "text/xml"}, {Value: "text/goofy"}},
	}
}

// at returns the i-th code of an attribute, the last one if there are not so many.
func (c Codes) at(attribute string, i int) Code {
	all := c[attribute]
	if len(all) == 0 {
		return Code{}
	}
	return all[min(i, len(all)-1)]
}

// Classification schemes, classification nodes and identification schemes. ITI TF-3: 4.2.5
const (
	schemeEntryAuthor   = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
	schemeSetAuthor     = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
	schemeDocumentation = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"
	nodeSet             = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
	nodeFolder          = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
	schemeEntryPatient  = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
	schemeEntryUniqueID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
	schemeSetPatient    = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
	schemeSetSource     = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
	schemeSetUniqueID   = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
	schemeFolderPatient = "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a"
	schemeFolderUnique  = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a"
)

// schemeOf maps attributes to the scheme of their Classifications. ITI TF-3: Table 4.2.5.1-1
var schemeOf = map[string]string{
	"classCode":                  "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
	"confidentialityCode":        "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
	"eventCodeList":              "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
	"formatCode":                 "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
	"healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
	"practiceSettingCode":        "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
	"typeCode":                   "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
	"contentTypeCode":            "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
	"folderCodeList":             "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5",
	"associationDocumentation":   schemeDocumentation,
}

var attributeOf = func() map[string]string {
	m := map[string]string{}
	for attribute, scheme := range schemeOf {
		m[scheme] = attribute
	}
	return m
}()

// The kinds of DocumentEntry. ITI TF-3: 4.2.5.2
const (
	typeStable   = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
	typeOnDemand = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
)

// The statuses of an object. ITI TF-3: 4.2.3.2.2
const (
	statusApproved   = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
	statusDeprecated = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
)

// associationTypes are the URNs of the kinds of Association. ITI TF-3: 4.2.2
var associationTypes = map[string]string{
	"HasMember":    "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
	"RPLC":         "urn:ihe:iti:2007:AssociationType:RPLC",
	"XFRM":         "urn:ihe:iti:2007:AssociationType:XFRM",
	"APND":         "urn:ihe:iti:2007:AssociationType:APND",
	"XFRM_RPLC":    "urn:ihe:iti:2007:AssociationType:XFRM_RPLC",
	"signs":        "urn:ihe:iti:2007:AssociationType:signs",
	"IsSnapshotOf": "urn:ihe:iti:2010:AssociationType:IsSnapshotOf",
}
