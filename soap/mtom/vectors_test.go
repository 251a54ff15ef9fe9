package mtom

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
)

// Whole HTTP messages of peers: submissions, since they have real attachments.
func TestForeignMessages(t *testing.T) {
	folder := sharedfiles.Path(t, "ihe", "vectors", "mtom-http")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	contentType := func(head string) string {
		for line := range strings.SplitSeq(head, "\n") {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Type") {
				return strings.TrimSpace(value)
			}
		}
		t.Fatal("no Content-Type")
		return ""
	}
	whole := read("tk2-http-mtom-pnr.txt")
	head, body, _ := strings.Cut(whole, "\n\n")
	tests := []struct{ name, contentType, body, end string }{
		{"lines that end with blanks", contentType(head), body, "shall not perish from the earth."},
		{"line feeds only", contentType(read("tk2-pnr-multipart.header.txt")), read("tk2-pnr-multipart.body.txt"), "It is great!"},
	}
	for _, test := range tests {
		ids, bodies, err := parts(strings.NewReader(test.body), test.contentType, DefaultLimits)
		if err != nil || len(bodies) != 2 {
			t.Errorf("%s: %d parts, error %v", test.name, len(bodies), err)
			continue
		}
		if !strings.Contains(bodies[0], "Envelope") || !strings.HasSuffix(strings.TrimSpace(bodies[1]), test.end) || !strings.Contains(ids[1], "@apache.org") {
			t.Errorf("%s: the attachment %s ends with %q", test.name, ids[1], bodies[1][max(0, len(bodies[1])-40):])
		}
	}
	// An answer to a request that was no multipart at all, and a header of WCF.
	if _, _, err := parts(strings.NewReader(read("tk2-boundaryTest-response_body.txt")), "text/xml", DefaultLimits); err == nil {
		t.Error("an answer that is not multipart is accepted")
	}
	ct, err := ParseContentType(contentType(read("tk2-boundaryTest-request_hdr.txt")))
	if err != nil || ct.Parameters["boundary"] != "uuid:898b3ded-c057-48c5-9f07-43a15680b58d+id=5" || ct.Parameters["start"] != "<http://tempuri.org/0>" {
		t.Errorf("got %v, error %v", ct, err)
	}
}
