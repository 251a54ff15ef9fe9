package atna

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// The elements of an audit message in the order of the schema. DICOM PS3.15 A.5.1
type (
	xmlMessage struct {
		XMLName      xml.Name         `xml:"AuditMessage"`
		Event        xmlEvent         `xml:"EventIdentification"`
		Participants []xmlParticipant `xml:"ActiveParticipant"`
		Origin       xmlOrigin        `xml:"AuditSourceIdentification"`
		Objects      []xmlObject      `xml:"ParticipantObjectIdentification"`
	}
	xmlEvent struct {
		Action       string    `xml:"EventActionCode,attr"`
		DateTime     string    `xml:"EventDateTime,attr"`
		Outcome      int       `xml:"EventOutcomeIndicator,attr"`
		ID           xmlCode   `xml:"EventID"`
		Type         xmlCode   `xml:"EventTypeCode"`
		Description  string    `xml:"EventOutcomeDescription,omitempty"`
		PurposeOfUse []xmlCode `xml:"PurposeOfUse"`
	}
	xmlCode struct {
		Value  string `xml:"csd-code,attr"`
		System string `xml:"codeSystemName,attr"`
		Text   string `xml:"originalText,attr"`
	}
	xmlParticipant struct {
		UserID            string    `xml:"UserID,attr"`
		AlternativeUserID string    `xml:"AlternativeUserID,attr,omitempty"`
		UserName          string    `xml:"UserName,attr,omitempty"`
		Requestor         bool      `xml:"UserIsRequestor,attr"`
		Address           string    `xml:"NetworkAccessPointID,attr,omitempty"`
		AddressType       string    `xml:"NetworkAccessPointTypeCode,attr,omitempty"`
		Roles             []xmlCode `xml:"RoleIDCode"`
	}
	xmlOrigin struct {
		SiteID   string `xml:"AuditEnterpriseSiteID,attr,omitempty"`
		SourceID string `xml:"AuditSourceID,attr"`
		Type     struct {
			Value string `xml:"csd-code,attr"`
		} `xml:"AuditSourceTypeCode"`
	}
	xmlObject struct {
		ID       string      `xml:"ParticipantObjectID,attr"`
		TypeCode int         `xml:"ParticipantObjectTypeCode,attr"`
		Role     int         `xml:"ParticipantObjectTypeCodeRole,attr"`
		IDType   xmlCode     `xml:"ParticipantObjectIDTypeCode"`
		Query    string      `xml:"ParticipantObjectQuery,omitempty"` // base64
		Details  []xmlDetail `xml:"ParticipantObjectDetail"`
	}
	xmlDetail struct {
		Type  string `xml:"type,attr"`
		Value string `xml:"value,attr"` // base64, whatever it holds
	}
)

// applicationServer is the type of every gateway. DICOM PS3.15 A.5.1 AuditSourceTypeCode
const applicationServer = "4"

// MarshalText returns the message as one line of XML, in UTF-8, without declaration and without line end. It
// fails if what the schema requires is missing, or if the result would be larger than 1 MiB.
func (m Message) MarshalText() ([]byte, error) {
	if m.Origin.SourceID == "" || m.Time.IsZero() || len(m.Participants) == 0 {
		return nil, errors.New("an audit message needs an origin, a time and a participant")
	}
	x := xmlMessage{
		Event: xmlEvent{
			Action:      string(m.Action),
			DateTime:    m.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
			Outcome:     int(m.Outcome),
			ID:          m.Event.xml(),
			Type:        m.Type.xml(),
			Description: clip(m.Reason, maxReason),
		},
		Origin: xmlOrigin{SiteID: clip(m.Origin.EnterpriseSiteID, maxText), SourceID: clip(m.Origin.SourceID, maxText)},
	}
	x.Origin.Type.Value = applicationServer
	for _, c := range m.PurposeOfUse {
		x.Event.PurposeOfUse = append(x.Event.PurposeOfUse, c.xml())
	}
	for _, p := range m.Participants {
		x.Participants = append(x.Participants, p.xml())
	}
	for _, o := range m.Objects {
		x.Objects = append(x.Objects, o.xml())
	}
	b, err := xml.Marshal(x) // writes line ends within texts as character references
	if err != nil {
		return nil, fmt.Errorf("writing an audit message: %w", err)
	}
	if len(b) > maxRecord {
		return nil, fmt.Errorf("an audit message of %d bytes is larger than %d; split the request", len(b), maxRecord)
	}
	return b, nil
}

func (c Code) xml() xmlCode {
	return xmlCode{clip(c.Value, maxText), clip(c.System, maxText), clip(c.Text, maxText)}
}

func (p Participant) xml() xmlParticipant {
	x := xmlParticipant{
		UserID:            clip(p.UserID, maxText),
		AlternativeUserID: clip(p.AlternativeUserID, maxText),
		UserName:          clip(p.UserName, maxText),
		Requestor:         p.Requestor,
	}
	if p.Address != "" {
		x.Address = clip(p.Address, maxText)
		kind := 1 // machine name
		if _, err := netip.ParseAddr(p.Address); err == nil {
			kind = 2 // IP address
		}
		x.AddressType = strconv.Itoa(kind)
	}
	for _, r := range p.Roles {
		x.Roles = append(x.Roles, r.xml())
	}
	return x
}

func (o Object) xml() xmlObject {
	x := xmlObject{ID: clip(o.ID, maxText), TypeCode: o.TypeCode, Role: o.Role, IDType: o.IDType.xml()}
	x.Query = base64.StdEncoding.EncodeToString(o.Query)
	for _, d := range o.Details {
		x.Details = append(x.Details, xmlDetail{clip(d.Type, maxText), base64.StdEncoding.EncodeToString([]byte(clip(d.Value, maxText)))})
	}
	return x
}
