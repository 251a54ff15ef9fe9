package metadata

import (
	"strings"
	"testing"
)

const codesFile = `<?xml version="1.0" encoding="UTF-8"?>
<Codes>
	<!-- as the IHE toolkit has them -->
	<CodeType name="classCode" classScheme="urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a">
		<Code code="IMAGES" display="Images" codingScheme="1.3.6.1.4.1.19376.1.2.6.1"/>
		<Code code="IMAGES" display="Images too" codingScheme="other"/>
	</CodeType>
	<CodeType name="mimeType">
		<Code code="application/dicom" ext="dicom"/>
	</CodeType>
	<CodeType name="folderCodeList" classScheme="urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5">
		<Code code="Referrals" codingScheme="1.3" display="Referrals"/>
	</CodeType>
	<CodeType name="formatCode">
		<Code code="urn:ihe:rad:TEXT" codingScheme="1.3.6.1.4.1.19376.1.2.3"/>
	</CodeType>
	<AssigningAuthority id="&amp;1.3.6.1.4.1.21367.2005.3.7&amp;ISO"/>
	<AssigningAuthority id="1.19.6.24.109.42.1.3"/>
</Codes>`

func TestCodes(t *testing.T) {
	codes, err := ParseCodes([]byte(codesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		attribute, value, scheme string
		want                     bool
	}{
		{"classCode", "IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", true},
		{"classCode", "IMAGES", "other", true},
		{"classCode", "IMAGES", "another", false},
		{"classCode", "images", "other", false},
		{"mimeType", "application/dicom", "", true},
		{"mimeType", "text/plain", "", false},
		{"codeList", "Referrals", "1.3", true},
		{"codeList", "Referrals", "", false},
		{"formatCode", "x", "1.3.6.1.4.1.19376.1.2.3", false},
		{"typeCode", "anything", "where there is no set", true},
	} {
		if got := codes.Allows(test.attribute, Code{Value: test.value, Scheme: test.scheme}); got != test.want {
			t.Errorf("%s %s^^%s: got %t", test.attribute, test.value, test.scheme, got)
		}
	}
	if got := codes.Display("classCode", Code{Value: "IMAGES", Scheme: "other"}); got != "Images too" || codes.Len("classCode") != 2 {
		t.Errorf("display name %q, %d codes", got, codes.Len("classCode"))
	}
	if got := strings.Join(codes.Authorities, " "); got != "1.3.6.1.4.1.21367.2005.3.7 1.19.6.24.109.42.1.3" {
		t.Errorf("authorities %s", got)
	}
	if !(*Codes)(nil).Allows("classCode", Code{Value: "x"}) {
		t.Error("no code sets forbid a code")
	}
	for name, file := range map[string]string{
		"another root": `<Sites/>`, "no codes": `<Codes/>`, "no XML": `codes`, "DTD": `<!DOCTYPE Codes><Codes/>`,
		"no code":   `<Codes><CodeType name="classCode"><Code codingScheme="1"/></CodeType></Codes>`,
		"no scheme": `<Codes><CodeType name="classCode"><Code code="1"/></CodeType></Codes>`,
		"authority": `<Codes><AssigningAuthority id="x"/></Codes>`,
		"too many":  `<Codes><CodeType name="mimeType">` + strings.Repeat(`<Code code="a"/>`, maxCodes+1) + `</CodeType></Codes>`,
	} {
		if _, err := ParseCodes([]byte(file)); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

const siteFile = `<site name="OTHER_NORTH">
   <home>urn:oid:1.3.6.1.4.1.21367.2011.2.6.152</home>
   <transaction name="sq.b" secure="1">https://north.example:9085/xdsregistryb</transaction>
   <transaction name="sq.b" secure="0">http://north.example:9080/xdsregistryb</transaction>
   <transaction name="pr.b" secure="true" async="true">
      https://north.example:9085/xdsrepositoryb
   </transaction>
   <transaction name="new" secure="0">http://north.example/new</transaction>
   <repository uid="1.3.6.1.4.1.21367.2011.2.3.232"
         secure="1">https://north.example:9085/xdsrepositoryb</repository>
   <patientIdFeed host="null" port="null"/>
</site>`

func TestSite(t *testing.T) {
	site, err := ParseSite([]byte(siteFile))
	if err != nil {
		t.Fatal(err)
	}
	want := []Endpoint{
		{"sq.b", "ITI-18", "", true, false, "https://north.example:9085/xdsregistryb"},
		{"sq.b", "ITI-18", "", false, false, "http://north.example:9080/xdsregistryb"},
		{"pr.b", "ITI-41", "", true, true, "https://north.example:9085/xdsrepositoryb"},
		{"new", "", "", false, false, "http://north.example/new"},
		{"repository", "ITI-43", "1.3.6.1.4.1.21367.2011.2.3.232", true, false, "https://north.example:9085/xdsrepositoryb"},
	}
	if site.Name != "OTHER_NORTH" || site.HomeCommunityID != "urn:oid:1.3.6.1.4.1.21367.2011.2.6.152" || len(site.Endpoints) != len(want) {
		t.Fatalf("got %+v", site)
	}
	for transaction, want := range map[string][2]string{
		"ITI-18": {"https://north.example:9085/xdsregistryb"},
		"ITI-41": {}, // asynchronous only
		"ITI-43": {"https://north.example:9085/xdsrepositoryb", "1.3.6.1.4.1.21367.2011.2.3.232"},
		"RAD-69": {},
	} {
		if url, uid := site.URL(transaction); url != want[0] || uid != want[1] {
			t.Errorf("%s: got %q, %q, want %q", transaction, url, uid, want)
		}
	}
	for i := range want {
		if site.Endpoints[i] != want[i] {
			t.Errorf("endpoint %d: got %+v, want %+v", i, site.Endpoints[i], want[i])
		}
	}
	for name, file := range map[string]string{
		"another root": `<Codes/>`, "no name": `<site/>`, "no XML": `site`,
		"home":       `<site name="a"><home>1.2</home></site>`,
		"uid":        `<site name="a"><repository uid="x">http://a</repository></site>`,
		"address":    `<site name="a"><transaction name="sq.b">a:80</transaction></site>`,
		"no name of": `<site name="a"><transaction>http://a</transaction></site>`,
		"nested":     `<site name="a"><transaction name="sq.b"><a/></transaction></site>`,
		"too many":   `<site name="a">` + strings.Repeat(`<transaction name="sq.b">http://a</transaction>`, maxEndpoints+1) + `</site>`,
	} {
		if _, err := ParseSite([]byte(file)); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}
