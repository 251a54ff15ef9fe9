package xds

import (
	"encoding/xml"
	"testing"

	"github.com/beevik/etree"
	"github.com/hooklift/gowsdl"

	"collimate/soap"
	"collimate/wsdl"
)

// The WSDLs and the table of transactions say the same, both ways.
func TestTransactionsAreTheContract(t *testing.T) {
	offered := map[string]bool{}
	for _, contract := range []wsdl.Contract{wsdl.DocumentRegistry, wsdl.DocumentRepository, wsdl.RetrievingRepository, wsdl.ImagingDocumentSource} {
		b, err := contract.WSDL("https://north.example/xds/repository")
		if err != nil {
			t.Fatal(err)
		}
		var model gowsdl.WSDL
		if err := xml.Unmarshal(b, &model); err != nil {
			t.Fatal(err)
		}
		doc := etree.NewDocument()
		if err := doc.ReadFromBytes(b); err != nil {
			t.Fatal(err)
		}
		root := doc.Root()
		name := func(prefixed string) soap.Name {
			prefix, local := "", prefixed
			for i := range prefixed {
				if prefixed[i] == ':' {
					prefix, local = prefixed[:i], prefixed[i+1:]
				}
			}
			return soap.Name{Space: root.SelectAttrValue("xmlns:"+prefix, ""), Local: local}
		}
		element := map[soap.Name]soap.Name{} // of messages
		for _, m := range model.Messages {
			element[soap.Name{Space: model.TargetNamespace, Local: m.Name}] = name(m.Parts[0].Element)
		}
		mtom := doc.FindElement("//binding/Policy/OptimizedMimeSerialization") != nil
		for _, o := range model.PortTypes[0].Operations {
			e := doc.FindElement("//portType/operation[@name='" + o.Name + "']")
			got := Transaction{
				Actor: model.Name, MTOM: mtom, Request: element[name(o.Input.Message)], Response: element[name(o.Output.Message)],
				Action:         e.SelectElement("input").SelectAttrValue("wsaw:Action", ""),
				ResponseAction: e.SelectElement("output").SelectAttrValue("wsaw:Action", ""),
			}
			for _, row := range Transactions() {
				if row.Actor+"_"+row.Name == o.Name {
					got.ID, got.Name, got.Streams = row.ID, row.Name, row.Streams
					offered[row.ID] = true
					if got != row {
						t.Errorf("%s: got %+v, want %+v", o.Name, got, row)
					}
				}
			}
			if got.ID == "" {
				t.Errorf("%s: %s is not in the table", contract, o.Name)
			}
		}
	}
	for _, row := range Transactions() {
		if !offered[row.ID] {
			t.Errorf("%s is in no contract", row.ID)
		}
	}
}
