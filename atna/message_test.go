package atna

import (
	"bytes"
	"encoding/xml"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"collimate/internal/sharedfiles"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func exampleRetrieve() Retrieve {
	return Retrieve{
		Time:         time.Date(2026, 11, 21, 8, 30, 0, 250e6, time.UTC),
		Origin:       Origin{SourceID: "north", EnterpriseSiteID: "2.25.1"},
		Repository:   Node{UserID: "https://north.example/xds/iti43", ProcessID: "4711", Address: "north.example"},
		Consumer:     Node{UserID: "http://www.w3.org/2005/08/addressing/anonymous", Address: "192.0.2.7"},
		Requestors:   []Requestor{{UserID: "6b86b273ff34", UserName: `CN=South <"gateway">`, Tier: "A"}},
		PurposeOfUse: []Code{{"TREAT", "2.16.840.1.113883.5.8", "treatment"}},
		Documents: []Document{
			{RepositoryUniqueID: "2.25.2", DocumentUniqueID: "2.25.10"},
			{RepositoryUniqueID: "2.25.2", DocumentUniqueID: "2.25.11", Outcome: MinorFailure, Reason: "revoked\nat height 12"},
			{RepositoryUniqueID: "2.25.2", DocumentUniqueID: "2.25.12", HomeCommunityID: "urn:oid:2.25.9"},
			{RepositoryUniqueID: "2.25.2", DocumentUniqueID: "2.25.13", Outcome: SeriousFailure, Reason: "archive: i/o timeout"},
			{RepositoryUniqueID: "2.25.2", DocumentUniqueID: "2.25.14", Outcome: MinorFailure, Reason: "unknown study"},
		},
	}
}

func exampleImages() Retrieve {
	r := exampleRetrieve()
	for i := range r.Documents {
		r.Documents[i].StudyInstanceUID, r.Documents[i].SeriesInstanceUID = "1.2.3", "1.2.3.4"
	}
	return r
}

func exampleQuery() Query {
	r := exampleRetrieve()
	return Query{
		Time: r.Time, Origin: r.Origin, Registry: r.Repository, Consumer: r.Consumer, Requestors: r.Requestors,
		PatientID: "P1^^^&2.25.3&ISO", HomeCommunityID: "urn:oid:2.25.9",
		ID: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", Request: []byte("<query:AdhocQueryRequest/>"),
	}
}

func exampleSubmissions() []Message {
	r := exampleRetrieve()
	s := Submission{
		Time: r.Time, Origin: r.Origin, Type: TypeProvideAndRegister, Sender: r.Consumer, Receiver: r.Repository, Requestors: r.Requestors,
		PatientID: "P1^^^&2.25.3&ISO", SubmissionSet: "2.25.77",
	}
	refused := s
	refused.Type, refused.PatientID, refused.SubmissionSet, refused.Outcome, refused.Reason = TypeRegister, "", "", MinorFailure, "not a submitter"
	return []Message{s.Message(), refused.Message()}
}

func TestGolden(t *testing.T) {
	r := exampleRetrieve()
	withPatient := exampleRetrieve()
	withPatient.PatientID = "P1^^^&2.25.3&ISO"
	withPatient.Documents = withPatient.Documents[:1]
	cases := []struct {
		name     string
		messages []Message
	}{
		{"export", RetrieveExport(r)},
		{"import", RetrieveImport(r)},
		{"patient", RetrieveExport(withPatient)},
		{"images", InstancesTransferred(exampleImages())},
		{"query", []Message{exampleQuery().Message()}},
		{"submission", exampleSubmissions()},
		{"login", []Message{AuthenticationFailure(r.Time, r.Origin, r.Repository, "192.0.2.7", Requestor{UserName: "CN=South"}, "digest of the Body differs")}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			for _, m := range c.messages {
				line, err := m.MarshalText()
				if err != nil {
					t.Fatal(err)
				}
				got.Write(append(line, '\n'))
			}
			golden := filepath.Join("testdata", c.name+".xml")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

func TestOneMessagePerOutcome(t *testing.T) {
	messages := RetrieveExport(exampleRetrieve())
	want := []struct {
		outcome Outcome
		ids     string
		reason  string
	}{
		{Success, "2.25.10 2.25.12", ""},
		{MinorFailure, "2.25.11 2.25.14", "2.25.11: revoked\nat height 12; 2.25.14: unknown study"},
		{SeriousFailure, "2.25.13", "archive: i/o timeout"},
	}
	if len(messages) != len(want) {
		t.Fatalf("got %d messages, want %d", len(messages), len(want))
	}
	for i, m := range messages {
		var ids []string
		for _, o := range m.Objects {
			ids = append(ids, o.ID)
		}
		if m.Outcome != want[i].outcome || strings.Join(ids, " ") != want[i].ids || m.Reason != want[i].reason {
			t.Errorf("message %d: got outcome %d of %v because %q, want %+v", i, m.Outcome, ids, m.Reason, want[i])
		}
	}
	if got := RetrieveExport(Retrieve{}); got != nil {
		t.Errorf("no documents: got %d messages, want none", len(got))
	}
}

// TestSides holds what implementers often invert: the repository is the source on both sides, and never the
// requestor. ITI TF-2: 3.43.6
func TestSides(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []Message
		event    string
		action   Action
	}{
		{"repository", RetrieveExport(exampleRetrieve()), "110106", Read},
		{"consumer", RetrieveImport(exampleRetrieve()), "110107", Create},
	} {
		m := c.messages[0]
		if m.Event.Value != c.event || m.Action != c.action || m.Type.Value != "ITI-43" {
			t.Errorf("%s: got event %v, type %v, action %s", c.name, m.Event, m.Type, m.Action)
		}
		source, destination := m.Participants[0], m.Participants[1]
		if source.UserID != "https://north.example/xds/iti43" || source.Requestor || source.Roles[0].Value != "110153" {
			t.Errorf("%s: source is %+v", c.name, source)
		}
		if !destination.Requestor || destination.Roles[0].Value != "110152" {
			t.Errorf("%s: destination is %+v", c.name, destination)
		}
	}
}

// TestReasonStandsInOnePlace: the reason of a denial must be strippable as one element.
func TestReasonStandsInOnePlace(t *testing.T) {
	for _, m := range RetrieveExport(exampleRetrieve()) {
		m.Reason = ""
		b, err := m.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"revoked", "unknown study", "timeout", "EventOutcomeDescription"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("without its reason the message still holds %q: %s", secret, b)
			}
		}
	}
}

func TestMarshalTextRefuses(t *testing.T) {
	whole := RetrieveExport(exampleRetrieve())[0]
	for name, spoil := range map[string]func(*Message){
		"no origin":      func(m *Message) { m.Origin.SourceID = "" },
		"no time":        func(m *Message) { m.Time = time.Time{} },
		"no participant": func(m *Message) { m.Participants = nil },
		"too large": func(m *Message) {
			for len(m.Objects) < 10_000 {
				m.Objects = append(m.Objects, m.Objects[0])
			}
		},
	} {
		m := whole
		spoil(&m)
		if _, err := m.MarshalText(); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	if _, err := whole.MarshalText(); err != nil {
		t.Errorf("the whole message: %v", err)
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{strings.Repeat("a", 8), "aaaaaaaa"},
		{strings.Repeat("a", 9), "aaaaa..."},
		{"a\xff", "a\uFFFD"},
	} {
		if got := clip(c.in, 8); got != c.want {
			t.Errorf("clip(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzMessage: whatever a peer calls itself, a message is one line of well-formed XML that gives it back.
func FuzzMessage(f *testing.F) {
	f.Add("CN=South", "revoked", "2.25.11")
	f.Add("\r\n</AuditMessage>\n<AuditMessage>", "]]>&#10;\x00", "\xff\xfe\u2028")
	f.Fuzz(func(t *testing.T, name, reason, id string) {
		r := exampleRetrieve()
		r.Requestors[0].UserName = name
		r.Documents = []Document{{RepositoryUniqueID: name, DocumentUniqueID: id, Outcome: MinorFailure, Reason: reason}}
		b, err := RetrieveExport(r)[0].MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(b, "\r\n") {
			t.Fatalf("more than one line: %q", b)
		}
		var back xmlMessage
		if err := xml.Unmarshal(b, &back); err != nil {
			t.Fatalf("%v: %q", err, b)
		}
		if len(back.Objects) != 1 || len(back.Participants) != 3 {
			t.Fatalf("the text changed the structure: %q", b)
		}
	})
}

// TestSchema validates every golden message against the official schema.
func TestSchema(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed")
	}
	schema := sharedfiles.Path(t, "ihe", "schemas", "audit", "dicom2017c.xsd")
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) < 4 {
		t.Fatalf("found %d golden files: %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
			if out, err := validate(schema, line); err != nil {
				t.Errorf("%s line %d: %v\n%s", file, i+1, err, out)
			}
		}
	}
	// The validator can say no.
	if _, err := validate(schema, []byte(`<AuditMessage><EventIdentification/></AuditMessage>`)); err == nil {
		t.Error("xmllint accepts an invalid message")
	}
}

func validate(schema string, message []byte) ([]byte, error) {
	cmd := exec.Command("xmllint", "--noout", "--nonet", "--schema", schema, "-")
	cmd.Stdin = bytes.NewReader(message)
	return cmd.CombinedOutput()
}
