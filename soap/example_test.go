package soap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"

	"collimate/soap"
	"collimate/soap/mtom"
)

// report is an operation in MTOM that answers with one document, copied from wherever it is.
var report = soap.Operation{
	ID: "GetReport", Action: "urn:example:GetReport", ResponseAction: "urn:example:GetReportResponse", MTOM: true,
	Handle: func(_ context.Context, r *soap.Request) (*soap.Response, error) {
		patient, err := r.Payload.Text()
		if err != nil || patient != "17" {
			return nil, &soap.Fault{Code: soap.Sender, Reason: "there is no such report", Err: err}
		}
		document := strings.NewReader("the report")
		return &soap.Response{
			Payload: []byte(`<e:GetReportResponse xmlns:e="urn:example"><e:Report>` +
				`<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:report@example"/></e:Report></e:GetReportResponse>`),
			Attachments: []mtom.Part{{ContentID: "report@example", ContentType: "text/plain", Size: document.Size()}},
			Parts:       &one{document: document},
		}, nil
	},
}

// one yields one attachment.
type one struct{ document io.WriterTo }

func (o *one) Next() (int, io.WriterTo, error) {
	document := o.document
	if o.document = nil; document == nil {
		return 0, nil, io.EOF
	}
	return 0, document, nil
}

func (o *one) Close() error { return nil }

func Example() {
	server := httptest.NewServer(&soap.Server{Operations: []soap.Operation{report}})
	defer server.Close()

	client := &soap.Client{HTTP: server.Client()}
	reply, err := client.Call(context.Background(), server.URL, soap.Envelope{
		Action: report.Action, MTOM: true, Payload: []byte(`<e:GetReport xmlns:e="urn:example">17</e:GetReport>`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reply.Close()
	fmt.Println(reply.Action)
	for {
		part, err := reply.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		document, err := io.ReadAll(part)
		fmt.Printf("%s: %q %v\n", part.ContentID, document, err)
	}
	// Output:
	// urn:example:GetReportResponse
	// report@example: "the report" <nil>
}

// A fault of the peer is a RemoteFault, whose words are for the operator.
func ExampleRemoteFault() {
	server := httptest.NewServer(&soap.Server{Operations: []soap.Operation{report}})
	defer server.Close()

	_, err := (&soap.Client{}).Call(context.Background(), server.URL, soap.Envelope{
		Action: report.Action, MTOM: true, Payload: []byte(`<e:GetReport xmlns:e="urn:example">18</e:GetReport>`),
	})
	var fault *soap.RemoteFault
	fmt.Println(errors.As(err, &fault), fault.Code, fault.Reason)
	// Output: true Sender there is no such report
}

// Asynchronous answers go to addresses that are listed, and only for senders that the operation knows.
func ExampleAsync() {
	async, err := soap.NewAsync(soap.AsyncConfig{Listed: []soap.Inbox{{URL: "https://consumer.example/replies/"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &soap.Server{Async: async, Operations: []soap.Operation{report}}
	_ = server // serve it; when it has been stopped:
	fmt.Println(async.Shutdown(context.Background()))
	// Output: <nil>
}
