package registry

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"collimate/xds/metadata"
)

// kind is what an object is; the numbers are in the database.
type kind int

const (
	submissionSet kind = 1
	document      kind = 2
	folder        kind = 3
	association   kind = 4
)

// row is one object in the database.
type row struct {
	n                 int64
	id                []byte
	kind              kind
	deprecated        int
	patient, uniqueID sql.NullString
	study, mimeType   string
	hash, digest      []byte
	source, target    []byte
	added             sql.NullString
	body              []byte
}

// columns are those of a row, in the order of fields and values.
const columns = "n, id, kind, deprecated, patient, unique_id, study, mime_type, hash, digest, source, target, added, body"

func (r *row) fields() []any {
	return []any{&r.n, &r.id, &r.kind, &r.deprecated, &r.patient, &r.uniqueID, &r.study, &r.mimeType, &r.hash, &r.digest, &r.source, &r.target, &r.added, &r.body}
}

func (r *row) values() []any {
	return []any{r.n, r.id, int(r.kind), r.deprecated, r.patient, r.uniqueID, r.study, r.mimeType, r.hash, r.digest, r.source, r.target, r.added, r.body}
}

// newRow takes out of an object what all kinds have a column for. What is left is for the body.
func newRow(k kind, o *metadata.Object) (*row, error) {
	id, err := parseID(o.ID)
	if err != nil {
		return nil, err
	}
	r := &row{id: id, kind: k}
	if o.Status == metadata.Deprecated {
		r.deprecated = 1
	}
	if o.LogicalID == o.ID {
		o.LogicalID = ""
	}
	o.ID, o.Status = "", ""
	return r, nil
}

// take moves a value into a column.
func take(s *string) sql.NullString {
	column := sql.NullString{String: *s, Valid: *s != ""}
	*s = ""
	return column
}

func setRow(s metadata.SubmissionSet, digest []byte) (*row, error) {
	r, err := newRow(submissionSet, &s.Object)
	if err != nil {
		return nil, err
	}
	r.patient, r.uniqueID, r.digest = take(&s.PatientID), take(&s.UniqueID), digest
	return r, r.setBody(&s)
}

func documentRow(d metadata.DocumentEntry, study string) (*row, error) {
	r, err := newRow(document, &d.Object)
	if err != nil {
		return nil, err
	}
	r.patient, r.uniqueID, r.study = take(&d.PatientID), take(&d.UniqueID), study
	r.mimeType, d.MimeType = d.MimeType, ""
	if r.hash, err = parseHash(d.Hash); err != nil { // it stays in the body too, in the letters that it came in
		return nil, err
	}
	return r, r.setBody(&d)
}

func folderRow(f metadata.Folder) (*row, error) {
	r, err := newRow(folder, &f.Object)
	if err != nil {
		return nil, err
	}
	r.patient, r.uniqueID = take(&f.PatientID), take(&f.UniqueID)
	return r, r.setBody(&f)
}

// associationRow has when a document was put into a folder, "" for all other associations.
func associationRow(a metadata.Association, added string) (*row, error) {
	r, err := newRow(association, &a.Object)
	if err != nil {
		return nil, err
	}
	if r.source, err = parseID(a.Source); err != nil {
		return nil, err
	}
	if r.target, err = parseID(a.Target); err != nil {
		return nil, err
	}
	a.Source, a.Target = "", ""
	r.added = take(&added)
	return r, r.setBody(&a)
}

// fields are those of each kind of object. To find them takes longer than to encode an object.
var fields = fieldsOf(metadata.SubmissionSet{}, metadata.DocumentEntry{}, metadata.Folder{}, metadata.Association{})

func fieldsOf(objects ...any) map[reflect.Type][]reflect.StructField {
	of := map[reflect.Type][]reflect.StructField{}
	for _, o := range objects {
		of[reflect.TypeOf(o)] = reflect.VisibleFields(reflect.TypeOf(o))
	}
	return of
}

// setBody encodes the fields of a struct that are not zero, by name: most of an object is.
func (r *row) setBody(object any) (err error) {
	v := reflect.ValueOf(object).Elem()
	set := map[string]any{}
	for _, f := range fields[v.Type()] {
		if value := v.FieldByIndex(f.Index); !f.Anonymous && !value.IsZero() {
			set[f.Name] = value.Interface()
		}
	}
	r.body, err = json.Marshal(set)
	return err
}

// objectOf decodes the body, and puts back what the columns have.
func (r *row) objectOf(into any, o *metadata.Object) error {
	if err := json.Unmarshal(r.body, into); err != nil {
		return fmt.Errorf("object %d of the registry is damaged", r.n) // the error of json has values
	}
	o.ID, o.Status = formatID(r.id), metadata.Approved
	if r.deprecated != 0 {
		o.Status = metadata.Deprecated
	}
	if o.LogicalID == "" {
		o.LogicalID = o.ID
	}
	return nil
}

const urnUUID = "urn:uuid:"

// parseID returns the 16 bytes of an id.
func parseID(id string) ([]byte, error) {
	if !metadata.IsUUID(id) {
		return nil, errors.New("an id is not a UUID URN in lower case")
	}
	return hex.DecodeString(strings.ReplaceAll(id[len(urnUUID):], "-", ""))
}

func formatID(id []byte) string {
	s := hex.EncodeToString(id)
	if len(s) != 32 {
		return ""
	}
	return urnUUID + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// parseHash returns the bytes of a SHA-1, nil if there is none.
func parseHash(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	hash, err := hex.DecodeString(s)
	if err != nil {
		return nil, errors.New("a hash is not hexadecimal")
	}
	return hash, nil
}
