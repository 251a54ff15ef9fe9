package metadata

import (
	"errors"
	"fmt"
	"strings"

	"collimate/xmlsec"
)

// Code is a coded value of an attribute. ITI TF-3: 4.2.3.1.2
type Code struct {
	Value   string // nodeRepresentation
	Scheme  string // codingScheme
	Display string // for people; never compared
}

// Is reports whether c is the same code as other.
func (c Code) Is(other Code) bool { return c.Value == other.Value && c.Scheme == other.Scheme }

// Codes are the code sets of an affinity domain: which codes each attribute may have, which media types a
// document may have, and who assigns patient ids. The zero Codes have none, and forbid nothing.
type Codes struct {
	sets map[string]map[codeKey]string // attribute -> code -> display name
	// Authorities are the OIDs of the assigning authorities of patient ids, in the order of the file.
	Authorities []string
}

type codeKey struct{ value, scheme string }

// The name of the set of media types, whose codes have no scheme.
const mimeTypes = "mimeType"

// attributes maps classification schemes to the attribute that they are of, and to the name of its code set.
var attributes = map[string]string{
	schemeClass: "classCode", schemeConfidentiality: "confidentialityCode", schemeEvent: "eventCodeList",
	schemeFormat: "formatCode", schemeFacility: "healthcareFacilityTypeCode", schemePractice: "practiceSettingCode",
	schemeType: "typeCode", schemeContentType: "contentTypeCode", schemeFolderCode: "codeList",
	schemeAssociationReason: "associationDocumentation",
}

// Add adds a code to the set of an attribute, named as in ITI TF-3: Table 4.3.1-3, such as "classCode", or
// "mimeType", "contentTypeCode", "codeList" (of folders), "associationDocumentation".
func (c *Codes) Add(attribute string, code Code) {
	if c.sets == nil {
		c.sets = map[string]map[codeKey]string{}
	}
	if c.sets[attribute] == nil {
		c.sets[attribute] = map[codeKey]string{}
	}
	c.sets[attribute][codeKey{code.Value, code.Scheme}] = code.Display
}

// Allows reports whether an attribute may have a code: it is in its set, or there is no set. Display names do
// not count. ITI TF-2: 3.42.4.1.3.3
func (c *Codes) Allows(attribute string, code Code) bool {
	if c == nil || c.sets[attribute] == nil {
		return true
	}
	_, ok := c.sets[attribute][codeKey{code.Value, code.Scheme}]
	return ok
}

// Display returns the display name of a code, "" if there is none.
func (c *Codes) Display(attribute string, code Code) string {
	if c == nil {
		return ""
	}
	return c.sets[attribute][codeKey{code.Value, code.Scheme}]
}

// Len returns how many codes the set of an attribute has.
func (c *Codes) Len(attribute string) int {
	if c == nil {
		return 0
	}
	return len(c.sets[attribute])
}

// codesLimits suit a codes.xml: one element for each code, and nothing nested.
var codesLimits = xmlsec.Limits{MaxBytes: maxCodesFile, MaxNodes: 4 * maxCodes, MaxDepth: 8}

// ParseCodes reads a codes.xml as the IHE toolkit and Gazelle have it: Codes with CodeTypes with Codes, and
// AssigningAuthorities. A CodeType goes by its classScheme if it has one that is known, and by its name
// otherwise; one for no attribute of ours is left out.
func ParseCodes(b []byte) (*Codes, error) {
	doc, err := xmlsec.Parse(b, codesLimits)
	if err != nil {
		return nil, fmt.Errorf("reading codes: %w", err)
	}
	if doc.Root().Local() != "Codes" {
		return nil, errors.New("reading codes: the root element is not Codes")
	}
	codes := &Codes{}
	n := 0
	for child := range doc.Root().Elements() {
		switch child.Local() {
		case "AssigningAuthority":
			id := strings.TrimSuffix(strings.TrimPrefix(attr(child, "id"), "&"), "&ISO")
			if !IsOID(id) {
				return nil, errors.New("reading codes: the id of an AssigningAuthority is not &OID&ISO")
			}
			if n++; n > maxCodes {
				return nil, fmt.Errorf("reading codes: more than %d", maxCodes)
			}
			codes.Authorities = append(codes.Authorities, id)
		case "CodeType":
			attribute := attributes[NormalID(attr(child, "classScheme"))]
			if attribute == "" {
				attribute = attr(child, "name")
			}
			for c := range child.Elements() {
				if c.Local() != "Code" {
					continue
				}
				if n++; n > maxCodes {
					return nil, fmt.Errorf("reading codes: more than %d", maxCodes)
				}
				code := Code{Value: attr(c, "code"), Scheme: attr(c, "codingScheme"), Display: attr(c, "display")}
				if code.Value == "" || code.Scheme == "" && attribute != mimeTypes {
					return nil, fmt.Errorf("reading codes: code %d has no code or no codingScheme", n)
				}
				if attribute == mimeTypes {
					code.Scheme = ""
				}
				codes.Add(attribute, code)
			}
		}
	}
	if n == 0 {
		return nil, errors.New("reading codes: there are none")
	}
	return codes, nil
}
