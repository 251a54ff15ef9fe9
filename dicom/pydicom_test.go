package dicom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// pydicomScript reads the files that it is given and writes what it found in each, a line of JSON.
const pydicomScript = `
import json, sys, pydicom
pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
def references(item):
    own = [r.ReferencedSOPInstanceUID for r in item.get("ReferencedSOPSequence", [])]
    return own + [uid for child in item.get("ContentSequence", []) for uid in references(child)]
for name in sys.argv[1:]:
    d = pydicom.dcmread(name)
    d.decode() # walks all elements
    evidence = [i.ReferencedSOPInstanceUID for study in d.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence for i in series.ReferencedSOPSequence]
    print(json.dumps({"patient": str(d.PatientName), "class": d.SOPClassUID.name, "study": d.StudyInstanceUID,
        "title": d.ConceptNameCodeSequence[0].CodeMeaning, "same": evidence == list(dict.fromkeys(references(d))), "count": len(evidence)}))
`

// pydicom reads what we write, the values of each element as their representations want them.
func TestPydicom(t *testing.T) {
	python := ""
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import pydicom").Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		t.Skip("pydicom is not installed; it is Debian's python3-pydicom")
	}
	type found struct {
		Patient, Class, Study, Title string
		Same                         bool
		Count                        int
	}
	var want []found
	args := []string{"-c", pydicomScript}
	dir := t.TempDir()
	add := func(t *testing.T, title string, m ManifestInput) {
		t.Helper()
		file, err := Manifest(m)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprint(len(want)))
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
		want = append(want, found{
			m.Study.PatientName, "Key Object Selection Document Storage", m.Study.InstanceUID, title, true, len(references(m)),
		})
	}
	forEachManifest(t, func(t *testing.T, s Study) {
		if len(s.Series) > 1 && s.PatientName != koreanName { // pydicom takes a second for each of the large ones
			return
		}
		add(t, "Manifest", manifestOf(s))
		add(t, "Manifest with Description", describedOf(t, s))
	})
	var trouble bytes.Buffer
	cmd := exec.Command(python, args...)
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pydicom: %v\n%s", err, trouble.Bytes())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); want = want[1:] {
		var got found
		if err := d.Decode(&got); err != nil || len(want) == 0 || got != want[0] {
			t.Fatalf("pydicom found %+v, want %+v", got, want[:min(1, len(want))])
		}
	}
	if len(want) > 0 {
		t.Errorf("%d manifests were not read", len(want))
	}
}
