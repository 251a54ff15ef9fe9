package dicom

import (
	"strings"
	"testing"
)

func TestCheckUID(t *testing.T) {
	for _, tt := range []struct {
		uid string
		ok  bool
	}{
		{"1", true},
		{"1.2.840.10008.1.2", true},
		{"2.25.329800735698586629295641978511506172918", true},
		{strings.Repeat("1", 64), true},
		{strings.Repeat("1", 65), false},
		{"1.2.03", true}, // tolerated: see CheckUID
		{"", false},
		{".", false},
		{".1", false},
		{"1.", false},
		{"1..2", false},
		{"1.2 ", false},
		{"1.2\x00", false},
		{"1.2\r\n3", false},
		{"../1", false},
		{"1/2", false},
		{"1.2a", false},
		{"１.２", false},
	} {
		err := CheckUID(tt.uid)
		if (err == nil) != tt.ok {
			t.Errorf("CheckUID(%q) = %v, want ok %v", tt.uid, err, tt.ok)
		}
		if err != nil && len(tt.uid) > 3 && strings.Contains(err.Error(), tt.uid) {
			t.Errorf("CheckUID(%q) quotes it: %v", tt.uid, err)
		}
	}
}

func TestDeriveUID(t *testing.T) {
	// Frozen: derived UIDs are in archives and manifests.
	if got, want := DeriveUID("collimate/implementation/v1"), ImplementationClassUID; got != want {
		t.Errorf("DeriveUID = %s, want %s", got, want)
	}
	if got, want := DeriveUID("collimate/test/v1", "a", "b"), "2.25.207592961674080992684427789955756307792"; got != want {
		t.Errorf("DeriveUID = %s, want %s", got, want)
	}
	seen := map[string]bool{}
	for _, parts := range [][]string{nil, {""}, {"", ""}, {"a"}, {"ab"}, {"a", "b"}} {
		uid := DeriveUID("t", parts...)
		if seen[uid] {
			t.Errorf("%q gives a UID that another gave", parts)
		}
		seen[uid] = true
		if err := CheckUID(uid); err != nil || len(uid) > 44 {
			t.Errorf("%q gives %s: %v", parts, uid, err)
		}
	}
}
