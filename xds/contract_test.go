package xds

import (
	"encoding/xml"
	"testing"

	"github.com/beevik/etree"
	"github.com/hooklift/gowsdl"

	"collimate/wsdl"
)

// The WSDL and the table of transactions say the same, both ways.
func TestTransactionsAreTheContract(t *testing.T) {
	b, err := wsdl.DocumentRepository("https://north.example/xds/repository")
	if err != nil {
		t.Fatal(err)
	}
	var model gowsdl.WSDL
	if err := xml.Unmarshal(b, &model); err != nil {
		t.Fatal(err)
	}
	element := map[string]string{}
	for _, m := range model.Messages {
		element["ihe:"+m.Name] = m.Parts[0].Element
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(b); err != nil {
		t.Fatal(err)
	}
	operations := model.PortTypes[0].Operations
	if len(operations) != len(Transactions()) {
		t.Errorf("%d operations in the WSDL, %d transactions in the table", len(operations), len(Transactions()))
	}
	for _, row := range Transactions() {
		name := model.Name + "_" + row.Name
		for _, o := range operations {
			if o.Name != name {
				continue
			}
			name = ""
			if got, want := element[o.Input.Message]+" "+element[o.Output.Message], "ihe:"+row.Request+" ihe:"+row.Response; got != want {
				t.Errorf("%s: elements %s, want %s", o.Name, got, want)
			}
			e := doc.FindElement("//portType/operation[@name='" + o.Name + "']")
			if got, want := e.SelectElement("input").SelectAttrValue("wsaw:Action", "")+" "+e.SelectElement("output").SelectAttrValue("wsaw:Action", ""), row.Action+" "+row.ResponseAction; got != want {
				t.Errorf("%s: actions %s, want %s", o.Name, got, want)
			}
			if mtom := doc.FindElement("//binding/Policy/OptimizedMimeSerialization") != nil; mtom != row.MTOM {
				t.Errorf("%s: MTOM %t, want %t", o.Name, mtom, row.MTOM)
			}
		}
		if name != "" {
			t.Errorf("%s is not an operation of the WSDL", name)
		}
		if model.TargetNamespace != row.Namespace {
			t.Errorf("namespace %s, want %s", model.TargetNamespace, row.Namespace)
		}
	}
}
