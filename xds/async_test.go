package xds

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xmlsec"
	"collimate/xua"
)

// A consumer that asks for its documents at another address gets HTTP 202, and the documents there.
// ITI TF-2: 3.43.5, Appendix V.3.2.2
func TestAsynchronousRetrieve(t *testing.T) {
	type arrival struct {
		answer    *retrieveReply
		relatesTo string
		documents map[string]string
		err       error
	}
	arrivals := make(chan arrival, 1)
	inbox := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := arrival{documents: map[string]string{}}
		a.answer, a.relatesTo, a.err = func() (*retrieveReply, string, error) {
			parts, err := mtom.NewReader(r.Body, r.Header.Get("Content-Type"), mtom.DefaultLimits)
			if err != nil {
				return nil, "", err
			}
			root, err := parts.Next()
			if err != nil {
				return nil, "", err
			}
			envelope, err := io.ReadAll(root)
			if err != nil {
				return nil, "", err
			}
			doc, err := xmlsec.Parse(envelope, xmlsec.DefaultLimits)
			if err != nil {
				return nil, "", err
			}
			body, _ := doc.Root().Child(soap.NSEnvelope, "Body")
			header, _ := doc.Root().Child(soap.NSEnvelope, "Header")
			relates, _ := header.Child(soap.NSAddressing, "RelatesTo")
			id, _ := relates.Text()
			for payload := range body.Elements() {
				answer, err := parseRetrieveResponse(payload)
				if err != nil {
					return nil, "", err
				}
				for {
					p, err := parts.Next()
					if err == io.EOF {
						return answer, id, nil
					}
					if err != nil {
						return nil, "", err
					}
					b, err := io.ReadAll(p)
					if err != nil {
						return nil, "", err
					}
					a.documents[p.ContentID] = string(b)
				}
			}
			return nil, "", io.ErrUnexpectedEOF
		}()
		w.WriteHeader(http.StatusAccepted)
		arrivals <- a
	}))
	defer inbox.Close()

	async, err := soap.NewAsync(soap.AsyncConfig{Listed: []soap.Inbox{{URL: inbox.URL + "/"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := async.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	content := strings.Repeat("DICM", 1_000_000)
	known := func(_ context.Context, q *soap.Request) (xua.Caller, error) {
		if q.To == "" {
			return xua.Caller{}, &soap.Fault{Code: soap.Sender, Reason: "who are you"}
		}
		return xua.Caller{Tier: xua.TierC}, nil
	}
	for _, test := range []struct {
		name         string
		authenticate Authenticator
		taken        bool
	}{{"known", known, true}, {"nobody", nil, false}} {
		repository := &memory{documents: map[string]string{documentOID: content}}
		h := NewRepositoryHandler(repository, nil, test.authenticate, Options{})
		h.Async = async
		server := httptest.NewServer(h)
		_, err = new(soap.Client).Call(t.Context(), server.URL, soap.Envelope{
			Action: TransactionOf(ITI43).Action, MTOM: true, MessageID: "urn:uuid:7", ReplyTo: inbox.URL + "/answers",
			Payload: appendRetrieveRequest(nil, requests(documentOID, otherOID)),
		})
		server.Close()
		var status *soap.StatusError
		var fault *soap.RemoteFault
		switch {
		case test.taken && !errors.As(err, &status):
			t.Errorf("%s: the request is answered with %v", test.name, err)
		case !test.taken && !errors.As(err, &fault):
			t.Errorf("%s: the request is answered with %v", test.name, err)
		}
		if !test.taken {
			continue
		}
		a := <-arrivals
		if a.err != nil {
			t.Fatal(a.err)
		}
		if a.relatesTo != "urn:uuid:7" || a.answer.status != PartialSuccess || len(a.answer.errors) != 1 || a.documents[a.answer.bodies[0].contentID] != content {
			t.Errorf("the answer relates to %s, has status %s, %d errors and %d documents", a.relatesTo, a.answer.status, len(a.answer.errors), len(a.documents))
		}
	}
	if len(arrivals) > 0 {
		t.Error("something was sent for a sender that nobody knows")
	}
}
